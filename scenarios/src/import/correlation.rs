//! Values that a recording got from an answer and sent again: ids, tokens. They change with each run, so they are saved and filled in.
//!
//! A simple rule, which can miss and can be wrong: a value counts when it looks made (a UUID, long, under a name such as `id` or
//! `token`), when the client had not sent it before, and when a later request has exactly it in its path, query, headers or body.
use serde_json::Value;
use std::collections::BTreeSet;

/// A text that looks made has at least so many characters.
const MADE_MIN: usize = 16;
/// What names a value that is made by the service, whatever it looks like.
const MADE: [&str; 6] = ["id", "uuid", "token", "etag", "cursor", "key"];

/// What answers have brought so far.
#[derive(Debug, Default)]
pub(super) struct Known {
    values: Vec<Made>,
    sent: BTreeSet<String>,
    names: BTreeSet<String>,
}

/// A value that the service made.
#[derive(Debug)]
struct Made {
    text: String,
    step: usize,
    pointer: String,
    /// Its name, once a request has used it.
    name: Option<String>,
    wanted_name: String,
}

impl Known {
    /// Notes what a request has sent: what the client knows by itself need not be saved.
    pub(super) fn sent(&mut self, text: &str) {
        self.sent.insert(text.to_owned());
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
            let field = pointer.rsplit('/').find(|part| part.parse::<usize>().is_err()).unwrap_or_default().to_owned();
            let is_new = !self.sent.contains(&text) && !self.values.iter().any(|known| known.text == text);
            if is_new && looks_made(&field, &text) {
                let wanted_name = if field == "id" { format!("{subject}_id") } else { field };
                self.values.push(Made { text, step, pointer, name: None, wanted_name });
            }
        }
    }

    /// The name under which a value is saved, when an answer has brought it.
    pub(super) fn find(&mut self, text: &str) -> Option<String> {
        let made = self.values.iter_mut().find(|made| made.text == text)?;
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

    #[test]
    fn only_what_is_sent_again_is_saved_and_not_what_the_client_had_sent_first() {
        let mut known = Known::default();
        known.sent("client-made-0001");
        let answer =
            json!({ "id": 17, "echo_id": "client-made-0001", "items": [{ "id": "a/b" }], "a/b": { "token": "t" } });
        known.learn(0, "orders", &answer);
        known.learn(1, "other", &json!({ "id": 17 }));
        assert_eq!(known.find("client-made-0001"), None);
        assert_eq!(known.find("18"), None);
        assert_eq!(known.find("17").as_deref(), Some("orders_id"));
        assert_eq!(known.find("a/b").as_deref(), Some("orders_id-2"));
        assert_eq!(known.find("t").as_deref(), Some("token"));
        let save = |name: &str, at: &str| (name.to_owned(), at.to_owned());
        let mut saves = known.saves(0);
        saves.sort();
        assert_eq!(saves, [save("orders_id", "/id"), save("orders_id-2", "/items/0/id"), save("token", "/a~1b/token")]);
        assert_eq!(known.saves(1), [], "the first answer that brought it is the one");
    }
}
