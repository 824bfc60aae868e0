//! One recorded request carried over to a step: what answers have brought is filled in, secrets are left out.
use super::{
    correlation::Known,
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
    pub(super) known: &'a mut Known,
    pub(super) step: &'a mut Step,
}

impl Filling<'_> {
    /// Fills the step, and notes which headers were left out.
    pub(super) fn fill(mut self, url: &Url, entry: &Entry, dropped: &mut BTreeSet<String>) {
        let words: Vec<String> = url.path().split('/').map(|word| self.encoded(word)).collect();
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
    }

    /// A word of a path or a query, as it is encoded there.
    fn encoded(&mut self, word: &str) -> String {
        let plain = decoded(word);
        match self.saved(&plain) {
            Some(place) => place,
            None => escaped(&tidy(word)),
        }
    }

    /// The place of a value that an answer has brought; else it is the client's own.
    fn saved(&mut self, plain: &str) -> Option<String> {
        let found = self.known.find(plain).map(|name| format!("${{saved.{name}}}"));
        if found.is_none() {
            self.known.sent(plain);
        }
        found
    }

    /// Pairs of a query or a form.
    fn pairs(&mut self, text: &str, place: &str) -> String {
        let mut pairs = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name_plain = decoded(&name.replace('+', " "));
            let saved = self.known.find(&decoded(&value.replace('+', " "))).map(|name| format!("${{saved.{name}}}"));
            let value = match saved {
                Some(place) => place,
                None if (secret::is_secret(&name_plain) && !value.is_empty()) || secret::looks_secret(value) => {
                    self.step.notes.push(secret::note(&format!("{name_plain} in {place}")));
                    secret::TEMPLATE.to_owned()
                }
                None => self.encoded(value),
            };
            pairs.push(format!("{}={value}", escaped(&tidy(name))));
        }
        pairs.join("&")
    }

    fn header(&mut self, name: &str, value: &str, dropped: &mut BTreeSet<String>) {
        let (scheme, credential) = match value.split_once(' ') {
            Some((scheme, rest)) if name == "authorization" => (format!("{scheme} "), rest),
            _ => (String::new(), value),
        };
        let saved = self.known.find(credential).map(|saved| format!("{}${{saved.{saved}}}", escaped(&scheme)));
        let is_kept = KEPT_HEADERS.contains(&name) || (name.starts_with("x-") && !name.starts_with("x-forwarded"));
        let value = match saved {
            Some(place) => place,
            None if name == "idempotency-key" => "${key}".to_owned(),
            None if secret::is_secret(name) || secret::looks_secret(credential) => {
                self.step.notes.push(secret::note(&format!("The header {name}")));
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
        if kind == "application/x-www-form-urlencoded" {
            self.step.body = Some(self.pairs(&data.text, "the form"));
            return;
        }
        match serde_json::from_str::<Value>(&data.text) {
            Ok(mut value) => {
                self.json("", &mut value);
                self.step.body = Some(pretty(&value));
            }
            Err(_) => self.step.body = Some(escaped(&data.text)),
        }
    }

    /// Replaces what was saved and what is secret in a JSON body.
    fn json(&mut self, field: &str, value: &mut Value) {
        match value {
            Value::Object(members) => members.iter_mut().for_each(|(key, member)| self.json(key, member)),
            Value::Array(items) => items.iter_mut().for_each(|item| self.json(field, item)),
            Value::String(text) => {
                let found = self.known.find(text);
                *text = match found {
                    Some(name) => format!("${{saved.{name}}}"),
                    None if (secret::is_secret(field) && !text.is_empty()) || secret::looks_secret(text) => {
                        self.step.notes.push(secret::note(&format!("{field} in the body")));
                        secret::TEMPLATE.to_owned()
                    }
                    None => {
                        self.known.sent(text);
                        escaped(text)
                    }
                };
            }
            Value::Number(number) => {
                if let Some(name) = self.known.find(&number.to_string()) {
                    *value = format!("{BARE}${{saved.{name}}}{BARE}").into();
                } else {
                    self.known.sent(&number.to_string());
                }
            }
            Value::Bool(_) | Value::Null => {}
        }
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
