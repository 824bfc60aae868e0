//! Values that a recording got from an answer and sent again: ids, tokens. They change with each run, so they are saved and filled in.
//!
//! A simple rule, which can miss and can be wrong: a value counts when it looks made (a UUID, long, under a name such as `id` or
//! `token`), when the client had not sent it before, and when a later request has exactly it in its path, query, headers or body.
//! Numbers and short texts are equal by chance too often: they count only in a path, or under a name that says what they are the id of.
use serde_json::Value;
use std::{collections::BTreeSet, fmt};

/// A text that looks made has at least so many characters.
const MADE_MIN: usize = 16;
/// What names a value that is made by the service, whatever it looks like.
const MADE: [&str; 6] = ["id", "uuid", "token", "etag", "cursor", "key"];

/// A text is telling, equal by no chance, from so many characters on, unless it is a number.
const TELLING_MIN: usize = 6;
/// Endings of names that say that the rest is what the value is of.
const ENDINGS: [&str; 3] = ["uuid", "id", "key"];
/// Names that only wrap what a request was about.
const WRAPPERS: [&str; 8] = ["content", "data", "item", "items", "payload", "response", "result", "results"];

/// Where a request has a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Position<'a> {
    /// In the path, after this word.
    Path { after: &'a str },
    /// Under this name, within what has the name `owner`.
    Named { name: &'a str, owner: &'a str },
}

impl Position<'_> {
    /// What the value is of, as far as the position says it.
    fn stem(self) -> String {
        match self {
            Self::Path { after } => stem(after),
            Self::Named { name, owner } => {
                Some(stem(name)).filter(|stem| !stem.is_empty()).unwrap_or_else(|| stem(owner))
            }
        }
    }
}

impl fmt::Display for Position<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path { .. } => f.write_str("the path"),
            Self::Named { name, .. } => f.write_str(name),
        }
    }
}

/// What answers have brought so far.
#[derive(Debug, Default)]
pub(super) struct Known {
    values: Vec<Made>,
    /// Each with what it is of, when it is not telling by itself.
    sent: BTreeSet<(String, String)>,
    names: BTreeSet<String>,
}

/// A value that the service made.
#[derive(Debug)]
struct Made {
    text: String,
    /// What it is of: `order` for an `order_id`, or for the `id` in an answer about orders.
    stem: String,
    step: usize,
    pointer: String,
    /// Its name, once a request has used it.
    name: Option<String>,
    wanted_name: String,
}

impl Known {
    /// Notes what a request has sent: what the client knows by itself need not be saved.
    pub(super) fn sent(&mut self, text: &str, position: Position<'_>) {
        self.sent.insert(identity(text, &position.stem()));
    }

    /// Looks for values that the service made in the answer of a step.
    pub(super) fn learn(&mut self, step: usize, subject: &str, answer: &Value) {
        let mut leaves = Vec::new();
        collect(answer, String::new(), &mut leaves);
        for (pointer, leaf) in leaves {
            let text = match leaf {
                Value::String(text) => text.clone(),
                Value::Number(number) if number.is_u64() => number.to_string(),
                _ => continue,
            };
            let mut names = pointer.rsplit('/').filter(|part| part.parse::<usize>().is_err());
            let field = names.next().unwrap_or_default().to_owned();
            let owner = names.find(|name| !name.is_empty() && !WRAPPERS.contains(name)).unwrap_or(subject);
            let stem = Position::Named { name: &field, owner }.stem();
            let same = identity(&text, &stem);
            let is_new = !self.sent.contains(&same)
                && !self.values.iter().any(|known| identity(&known.text, &known.stem) == same);
            if is_new && looks_made(&field, &text) {
                let wanted_name = if field == "id" { format!("{subject}_id") } else { field };
                self.values.push(Made { text, stem, step, pointer, name: None, wanted_name });
            }
        }
    }

    /// The name under which a value is saved, when an answer has brought it and it can be meant at this position.
    pub(super) fn find(&mut self, text: &str, position: Position<'_>) -> Option<String> {
        let stem = position.stem();
        // A bare `id` says that it is one, though not of what.
        let is_anyones = is_telling(text) || matches!(position, Position::Path { .. }) || stem.is_empty();
        let of_stem = self.values.iter().position(|made| made.text == text && made.stem == stem);
        let index = of_stem.or_else(|| self.values.iter().position(|made| is_anyones && made.text == text))?;
        let made = &mut self.values[index];
        let name = made.name.get_or_insert_with(|| super::draft::name(&made.wanted_name, &mut self.names));
        Some(name.clone())
    }

    /// What is to be saved of the answer of a step: names with JSON pointers.
    pub(super) fn saves(&self, step: usize) -> Vec<(String, String)> {
        let used = self.values.iter().filter(|made| made.step == step);
        used.filter_map(|made| Some((made.name.clone()?, made.pointer.clone()))).collect()
    }
}

/// The values without members, each with its JSON pointer.
fn collect<'a>(value: &'a Value, pointer: String, leaves: &mut Vec<(String, &'a Value)>) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(item, format!("{pointer}/{index}"), leaves);
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                collect(member, format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")), leaves);
            }
        }
        leaf => leaves.push((pointer, leaf)),
    }
}

/// What makes a value the same as another one: the text, and of a text that is not telling also what it is of.
fn identity(text: &str, stem: &str) -> (String, String) {
    (text.to_owned(), if is_telling(text) { String::new() } else { stem.to_owned() })
}

fn is_telling(text: &str) -> bool {
    text.len() >= TELLING_MIN && text.parse::<f64>().is_err()
}

/// What a name is the id of, in the singular: of `orderId`, `order_key` and `orders`, `order`; of `id`, nothing.
fn stem(name: &str) -> String {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let of = ENDINGS.iter().find_map(|ending| plain.strip_suffix(ending)).unwrap_or(&plain);
    match of.strip_suffix("ies") {
        Some(of) => format!("{of}y"),
        None => of.strip_suffix('s').unwrap_or(of).to_owned(),
    }
}

/// Whether a value looks like one that a service makes anew each time.
pub(super) fn looks_made(field: &str, text: &str) -> bool {
    let last_word = field.rsplit(['_', '-']).next().unwrap_or_default();
    let lower = last_word.to_ascii_lowercase();
    let ends_camel = MADE.iter().any(|made| {
        let (first, rest) = made.split_at(1);
        last_word.ends_with(&format!("{}{rest}", first.to_ascii_uppercase())) || last_word.ends_with("ID")
    });
    let is_named_so = MADE.contains(&lower.as_str()) || ends_camel;
    let is_word = !text.is_empty() && !text.chars().any(|c| c.is_whitespace() || c.is_control());
    let has_digit = text.chars().any(|c| c.is_ascii_digit());
    is_word && (is_named_so || is_uuid(text) || (text.len() >= MADE_MIN && has_digit && !text.contains("://")))
}

/// Whether a text has the form of a UUID.
pub(super) fn is_uuid(text: &str) -> bool {
    let is_dash = |index| [8, 13, 18, 23].contains(&index);
    text.len() == 36
        && text.bytes().enumerate().all(|(i, b)| if is_dash(i) { b == b'-' } else { b.is_ascii_hexdigit() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_looks_made_is_told_from_what_people_write() {
        for (field, text) in [
            ("x", "0b9f4a52-6c1e-4a57-8f0e-0a4a3c1d2e3f"),
            ("id", "7"),
            ("tripId", "7"),
            ("trip_id", "lx"),
            ("access_token", "abc"),
            ("x", "eyJhbGciOiJIUzI1NiJ9"),
        ] {
            assert!(looks_made(field, text), "{field} {text}");
        }
        for (field, text) in
            [("name", "Paris"), ("title", "A week in Lisbon 2026"), ("count", "12"), ("paid", "yes"), ("id", "")]
        {
            assert!(!looks_made(field, text), "{field} {text}");
        }
    }

    const IN_PATH: Position<'_> = Position::Path { after: "" };

    #[test]
    fn only_what_is_sent_again_is_saved_and_not_what_the_client_had_sent_first() {
        let mut known = Known::default();
        known.sent("client-made-0001", IN_PATH);
        let answer =
            json!({ "id": 17, "echo_id": "client-made-0001", "items": [{ "id": "a/b" }], "a/b": { "token": "t" } });
        known.learn(0, "orders", &answer);
        known.learn(1, "orders", &json!({ "id": 17 }));
        assert_eq!(known.find("client-made-0001", IN_PATH), None);
        assert_eq!(known.find("18", IN_PATH), None);
        assert_eq!(known.find("17", IN_PATH).as_deref(), Some("orders_id"));
        assert_eq!(known.find("a/b", IN_PATH).as_deref(), Some("orders_id-2"));
        assert_eq!(known.find("t", IN_PATH).as_deref(), Some("token"));
        let save = |name: &str, at: &str| (name.to_owned(), at.to_owned());
        let mut saves = known.saves(0);
        saves.sort();
        assert_eq!(saves, [save("orders_id", "/id"), save("orders_id-2", "/items/0/id"), save("token", "/a~1b/token")]);
        assert_eq!(known.saves(1), [], "the first answer that brought it is the one");
    }

    #[test]
    fn ordinary_numbers_and_words_are_not_taken_for_ids() {
        let mut known = Known::default();
        let named = |name, owner| Position::Named { name, owner };
        known.sent("2", named("quantity", ""));
        known.learn(0, "orders", &json!({ "data": { "id": 2 }, "state_key": "open" }));
        known.learn(1, "users", &json!({ "id": 2, "session_id": "s-0123" }));
        for (text, position, expected) in [
            ("2", named("quantity", ""), None),
            ("2", named("page", ""), None),
            ("2", named("paid", ""), None),
            ("2", named("id", "cities"), None),
            ("open", named("door", ""), None),
            ("open", named("state", ""), Some("state_key")),
            ("2", named("id", ""), Some("orders_id")),
            ("2", named("id", "users"), Some("users_id")),
            ("2", named("orderId", ""), Some("orders_id")),
            ("2", named("order[id]", ""), Some("orders_id")),
            ("2", named("user_key", "line"), Some("users_id")),
            ("2", Position::Path { after: "users" }, Some("users_id")),
            ("2", Position::Path { after: "orders" }, Some("orders_id")),
            ("2", Position::Path { after: "receipts" }, Some("orders_id")),
            ("s-0123", named("anything", ""), Some("session_id")),
        ] {
            assert_eq!(known.find(text, position).as_deref(), expected, "{text} {position:?}");
        }
    }
}
