//! One recorded request carried over to a step: what answers have brought is filled in, secrets are left out.
use super::{
    correlation::{Known, Position},
    draft::{Step, escaped},
    har::{Entry, Header, PostData},
    secret,
};
use reqwest::Url;
use serde_json::Value;
use std::collections::BTreeSet;

/// Headers of a recording that are part of what is asked.
const KEPT_HEADERS: [&str; 6] = ["accept", "content-type", "if-match", "if-none-match", "idempotency-key", "prefer"];

/// One request being carried over.
pub(super) struct Filling<'a> {
    known: &'a mut Known,
    step: &'a mut Step,
    /// What was filled in from earlier answers, and where.
    filled: Vec<String>,
}

impl<'a> Filling<'a> {
    pub(super) fn new(known: &'a mut Known, step: &'a mut Step) -> Self {
        Self { known, step, filled: Vec::new() }
    }

    /// Fills the step, and notes which headers were left out.
    pub(super) fn fill(mut self, url: &Url, entry: &Entry, dropped: &mut BTreeSet<String>) {
        let mut after = String::new();
        let mut words = Vec::new();
        for word in url.path().split('/') {
            words.push(self.word(word, &after));
            after = decoded(word);
        }
        self.step.path = words.join("/");
        let pairs = url.query().map(|query| self.pairs(query, "the query"));
        self.step.path.extend(pairs.map(|pairs| format!("?{pairs}")));
        for Header { name, value } in &entry.request.headers {
            self.header(&name.to_ascii_lowercase(), value, dropped);
        }
        if let Some(data) = &entry.request.post_data {
            self.body(data);
        }
        if self.step.body.is_none() {
            self.step.headers.retain(|(name, _)| name != "content-type");
        }
        if !self.filled.is_empty() {
            let filled = self.filled.join(", ");
            self.step.notes.push(format!("Filled in from earlier answers, as the values are equal: {filled}."));
        }
    }

    /// A word of a path, as it is encoded there.
    fn word(&mut self, word: &str, after: &str) -> String {
        let plain = decoded(word);
        let position = Position::Path { after };
        match self.saved(&plain, position) {
            Some(place) => place,
            None if secret::looks_secret(&plain) || (secret::is_secret(after) && secret::is_opaque(&plain)) => {
                self.leave_out("A word of the path");
                secret::TEMPLATE.to_owned()
            }
            None => {
                self.known.sent(&plain, position);
                escaped(&tidy(word))
            }
        }
    }

    /// The place of a value that an answer has brought.
    fn saved(&mut self, plain: &str, position: Position<'_>) -> Option<String> {
        let name = self.known.find(plain, position)?;
        let filled = format!("{name} in {position}");
        if !self.filled.contains(&filled) {
            self.filled.push(filled);
        }
        Some(format!("${{saved.{name}}}"))
    }

    /// Says, once, that a secret was left out.
    fn leave_out(&mut self, what: &str) {
        let note = secret::note(what);
        if !self.step.notes.contains(&note) {
            self.step.notes.push(note);
        }
    }

    /// Pairs of a query or a form.
    fn pairs(&mut self, text: &str, place: &str) -> String {
        let mut pairs = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (field, name) = self.name(name, place);
            let plain = decoded(&value.replace('+', " "));
            let position = Position::Named { name: &field, owner: "" };
            let value = match self.saved(&plain, position) {
                Some(place) => place,
                None if (secret::is_secret(&field) && !value.is_empty()) || secret::looks_secret(&plain) => {
                    self.leave_out(&format!("{field} in {place}"));
                    secret::TEMPLATE.to_owned()
                }
                None => {
                    self.known.sent(&plain, position);
                    escaped(&tidy(value))
                }
            };
            pairs.push(format!("{name}={value}"));
        }
        pairs.join("&")
    }

    /// The name of a pair as notes have it, and as it is sent: a token alone stands where names do.
    fn name(&mut self, name: &str, place: &str) -> (String, String) {
        let plain = decoded(&name.replace('+', " "));
        if !secret::looks_secret(&plain) {
            return (plain, escaped(&tidy(name)));
        }
        let field = "a name";
        let sent = self.saved(&plain, Position::Named { name: field, owner: "" }).unwrap_or_else(|| {
            self.leave_out(&format!("A name in {place}"));
            secret::TEMPLATE.to_owned()
        });
        (field.to_owned(), sent)
    }

    fn header(&mut self, name: &str, value: &str, dropped: &mut BTreeSet<String>) {
        let (scheme, credential) = match value.split_once(' ') {
            Some((scheme, rest)) if name == "authorization" => (format!("{scheme} "), rest),
            _ => (String::new(), value),
        };
        let position = Position::Named { name: name.trim_start_matches("x-"), owner: "" };
        let saved = self.saved(credential, position).map(|place| format!("{}{place}", escaped(&scheme)));
        let is_kept = KEPT_HEADERS.contains(&name) || (name.starts_with("x-") && !name.starts_with("x-forwarded"));
        let value = match saved {
            Some(place) => place,
            None if name == "idempotency-key" => "${key}".to_owned(),
            None if secret::is_secret(name) || secret::looks_secret(credential) => {
                self.leave_out(&format!("The header {name}"));
                return;
            }
            None if is_kept => escaped(value),
            None => {
                dropped.insert(name.trim_start_matches(':').to_owned());
                return;
            }
        };
        self.step.headers.push((name.to_owned(), value));
    }

    fn body(&mut self, data: &PostData) {
        let kind = data.mime_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if kind.starts_with("multipart/") || data.text.is_empty() {
            self.step.notes.push(format!("A body of type {kind} was not carried over."));
            return;
        }
        let has_type = self.step.headers.iter().any(|(name, _)| name == "content-type");
        if !has_type && !kind.is_empty() && kind != "application/json" {
            self.step.headers.push(("content-type".to_owned(), escaped(&data.mime_type)));
        }
        let is_called_form = kind == "application/x-www-form-urlencoded";
        if is_called_form && is_form(&data.text) {
            self.step.body = Some(self.pairs(&data.text, "the form"));
            return;
        }
        match serde_json::from_str::<Value>(&data.text) {
            Ok(mut value) if has_fields(&value) => {
                self.json(Position::Named { name: "", owner: "" }, false, &mut value);
                self.step.body = Some(pretty(&value));
                self.step.notes.extend(is_called_form.then(|| JSON_AS_FORM.to_owned()));
            }
            // Without names nobody can tell what in it is a secret.
            _ => self.step.notes.push(format!(
                "TODO: a body of type {kind} has no fields by which secrets are known, and was not copied. Write it here, as body = \"…\"."
            )),
        }
    }

    /// Replaces what was saved and what is secret in a JSON body; everything below a secret name is secret.
    fn json(&mut self, position: Position<'_>, is_within_secret: bool, value: &mut Value) {
        let Position::Named { name: field, owner } = position else { return };
        let is_secret = is_within_secret || secret::is_secret(field) || secret::is_card_number(owner, field);
        match value {
            Value::Object(members) => {
                for (key, mut member) in std::mem::take(members) {
                    self.json(Position::Named { name: &key, owner: field }, is_secret, &mut member);
                    members.insert(escaped(&key), member);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.json(position, is_secret, item)),
            Value::String(text) => match self.saved(text, position) {
                Some(place) => *text = place,
                None if (is_secret && !text.is_empty()) || secret::looks_secret(text) => {
                    self.leave_out(&format!("{field} in the body"));
                    secret::TEMPLATE.clone_into(text);
                }
                None => {
                    self.known.sent(text, position);
                    *text = escaped(text);
                }
            },
            Value::Number(number) => {
                let text = number.to_string();
                match self.saved(&text, position) {
                    Some(place) => *value = format!("{BARE}{place}{BARE}").into(),
                    None if is_secret => {
                        self.leave_out(&format!("{field} in the body"));
                        *value = format!("{BARE}{}{BARE}", secret::NUMBER).into();
                    }
                    None => self.known.sent(&text, position),
                }
            }
            Value::Bool(_) | Value::Null => {}
        }
    }
}

/// What a step says of a body that is JSON, though its type is that of a form.
const JSON_AS_FORM: &str = "The body is JSON under the content type of a form, as it was recorded.";

/// Whether a body that is called a form is one: some clients call everything so.
fn is_form(text: &str) -> bool {
    text.contains('=') && !decoded(text).trim_start().starts_with(['{', '[', '"', '<'])
}

/// Whether everything in a JSON body is under a name, by which secrets are known.
fn has_fields(value: &Value) -> bool {
    match value {
        Value::Object(_) => true,
        Value::Array(items) => items.iter().all(has_fields),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Marks a place that stands in JSON without quotes.
const BARE: &str = "\u{e000}";

fn pretty(value: &Value) -> String {
    let text = serde_json::to_string_pretty(value).expect("JSON can be written as JSON");
    text.replace(&format!("\"{BARE}"), "").replace(&format!("{BARE}\""), "")
}

/// A text with its percent-encoded bytes as they are.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match digits.and_then(|two| u8::from_str_radix(two, 16).ok()).filter(|_| first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// An encoded text in which nothing is left that an address cannot have.
fn tidy(text: &str) -> String {
    let mut tidy = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%/?".contains(&byte) {
            tidy.push(char::from(byte));
        } else {
            tidy.push_str(&format!("%{byte:02X}"));
        }
    }
    tidy
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "application/x-www-form-urlencoded";

    /// The step that a request with this body becomes.
    fn step(kind: &str, text: &str) -> Step {
        let data = PostData { mime_type: kind.to_owned(), text: text.to_owned() };
        let mut step = Step::default();
        Filling::new(&mut Known::default(), &mut step).body(&data);
        step
    }

    #[track_caller]
    fn check(text: &str, expected: &str, note: &str) {
        let step = step("application/json", text);
        let body: String = step.body.unwrap().split_whitespace().collect();
        assert_eq!(body, expected);
        assert!(step.notes.iter().any(|seen| seen == &secret::note(note)), "{:?}", step.notes);
    }

    #[test]
    fn numbers_under_a_secret_name_are_not_copied() {
        check(r#"{"pin":7531}"#, r#"{"pin":${random.int(1000,9999)}}"#, "pin in the body");
        check(r#"{"cvv":[7,5]}"#, r#"{"cvv":[${random.int(1000,9999)},${random.int(1000,9999)}]}"#, "cvv in the body");
    }

    #[test]
    fn nothing_below_a_secret_name_is_copied() {
        check(
            r#"{"credentials":{"user":"a","more":[{"value":"s3cret","n":7,"is":true}]}}"#,
            r#"{"credentials":{"more":[{"is":true,"n":${random.int(1000,9999)},"value":"${random.hex(16)}"}],"user":"${random.hex(16)}"}}"#,
            "value in the body",
        );
        let open = step("application/json", r#"{"a":{"value":7},"${b}":"c"}"#);
        let body: String = open.body.unwrap().split_whitespace().collect();
        assert_eq!((body.as_str(), open.notes.len()), (r#"{"$${b}":"c","a":{"value":7}}"#, 0));
    }

    #[test]
    fn bodies_without_fields_are_not_copied_and_said_to_be_missing() {
        for (kind, text) in [
            ("text/plain", "user=a password=s3cret"),
            ("application/json", "{\"password\":"),
            ("text/plain", "7531"),
            ("application/json", r#"["alice","hunter2"]"#),
            ("application/json", r#"[{"name":"alice"},["hunter2",7]]"#),
            ("application/json", r#""hunter2""#),
            (FORM, "hunter2"),
            (FORM, r#"["alice","hunter2="]"#),
            (FORM, r#"{"password":"a=b""#),
            (FORM, "%7B%22password%22%3A%22hunter2%22%7D="),
            (FORM, r#"<login by="a">hunter2</login>"#),
        ] {
            let step = step(kind, text);
            assert_eq!(step.body, None, "{text}");
            assert!(step.notes.iter().any(|note| note.starts_with(&format!("TODO: a body of type {kind} "))), "{text}");
        }
    }

    #[test]
    fn json_under_the_type_of_a_form_is_read_as_json() {
        for (text, expected) in [
            (r#"{"password":"hunter2"}"#, r#"{"password":"${random.hex(16)}"}"#),
            (r#" [{"password":"a=b&c"}]"#, r#"[{"password":"${random.hex(16)}"}]"#),
        ] {
            let step = step(FORM, text);
            let body: String = step.body.unwrap().split_whitespace().collect();
            assert_eq!(body, expected);
            assert_eq!(step.headers, [("content-type".to_owned(), FORM.to_owned())]);
            assert_eq!(step.notes, [secret::note("password in the body"), JSON_AS_FORM.to_owned()]);
        }
    }

    /// The path and the notes of the step that a request to this path becomes.
    fn sent(path: &str) -> (String, Vec<String>) {
        let entry = r#"{ "startedDateTime": "2026-05-01T10:00:00Z", "request": { "method": "GET", "url": "" }, "response": { "status": 200 } }"#;
        let entry: Entry = serde_json::from_str(entry).unwrap();
        let url = Url::parse("http://a.b").unwrap().join(path).unwrap();
        let mut step = Step::default();
        Filling::new(&mut Known::default(), &mut step).fill(&url, &entry, &mut BTreeSet::new());
        (step.path, step.notes)
    }

    #[test]
    fn a_secret_in_a_path_is_not_copied() {
        for (path, expected) in [
            ("/reset/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln/new", "/reset/${random.hex(16)}/new"),
            ("/password-reset/token/8c1f0e9d2b7a", "/password-reset/token/${random.hex(16)}"),
            ("/password/hunter2/confirm", "/password/${random.hex(16)}/confirm"),
            ("/pin/1234", "/pin/${random.hex(16)}"),
        ] {
            assert_eq!(sent(path), (expected.to_owned(), vec![secret::note("A word of the path")]));
        }
        for path in ["/auth/v1/token/refresh/", "/oauth/token/revokeAll", "/trips/8c1f0e9d2b7a"] {
            assert_eq!(sent(path), (path.to_owned(), vec![]));
        }
    }

    #[test]
    fn a_signed_token_in_a_query_is_not_copied_wherever_it_stands() {
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln";
        for (query, expected, what) in [
            (token.to_owned(), "${random.hex(16)}=", "A name in the query"),
            (format!("{token}=on"), "${random.hex(16)}=on", "A name in the query"),
            (format!("as=Bearer+{token}"), "as=${random.hex(16)}", "as in the query"),
            (format!("as=Bearer%20{token}"), "as=${random.hex(16)}", "as in the query"),
        ] {
            assert_eq!(sent(&format!("/a?{query}")), (format!("/a?{expected}"), vec![secret::note(what)]));
        }
        assert_eq!(step(FORM, &format!("a=b&{token}")).body.unwrap(), "a=b&${random.hex(16)}=");
    }

    #[test]
    fn the_number_of_a_card_is_not_copied() {
        check(
            r#"{"cards":[{"number":"4111111111111111","cvc":123}]}"#,
            r#"{"cards":[{"cvc":${random.int(1000,9999)},"number":"${random.hex(16)}"}]}"#,
            "number in the body",
        );
    }
}
