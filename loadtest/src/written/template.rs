//! Templates: texts of a scenario file with places such as `${users.email}`, parsed once and filled for each arrival.
//!
//! Pure: what a template becomes follows from the seed, the arrival's number, the day and what was saved before.
use super::{
    expression::{self, Expression, Names},
    facts::Facts,
};
use serde_json::Value;
use std::fmt::Write as _;

/// A text with places in it. `$${` stands for `${` as it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Place(Expression),
}

/// How a value is written where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escape {
    /// As it is.
    None,
    /// Percent-encoded, all but letters, digits and `-._~` (RFC 3986, 2.3).
    Url,
    /// Within a JSON document: texts without quotes, with escapes; anything else as JSON.
    Json,
    /// Percent-encoded only where a header cannot carry it.
    Header,
}

impl Template {
    /// Reads a text, or says what is wrong with a place in it.
    pub(super) fn parse(text: &str, names: &Names<'_>) -> Result<Self, expression::Error> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            if rest[..at].ends_with('$') {
                literal.push_str(&rest[..at - 1]);
                literal.push_str("${");
                rest = &rest[at + 2..];
                continue;
            }
            literal.push_str(&rest[..at]);
            let after = &rest[at + 2..];
            let end = after.find('}').ok_or_else(|| expression::Error::Unclosed { place: excerpt(&rest[at..]) })?;
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal)));
            }
            parts.push(Part::Place(Expression::parse(after[..end].trim(), names)?));
            rest = &after[end + 1..];
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Ok(Self(parts))
    }

    /// A text without places.
    pub(super) fn literal(text: String) -> Self {
        Self(vec![Part::Text(text)])
    }

    /// The same with everything but its places percent-encoded.
    pub(super) fn with_literals_encoded(self) -> Self {
        let part = |part| match part {
            Part::Text(literal) => {
                let mut encoded = String::new();
                write_url(&mut encoded, &literal);
                Part::Text(encoded)
            }
            place @ Part::Place(_) => place,
        };
        Self(self.0.into_iter().map(part).collect())
    }

    /// The text with its places filled.
    pub(super) fn fill(&self, facts: &mut Facts<'_>, escape: Escape) -> String {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Place(place) => write_value(&mut text, &place.value(facts), escape),
            }
        }
        text
    }

    /// The value that it stands for: a text that is one place alone keeps the type of what it is filled with.
    pub(super) fn value(&self, facts: &mut Facts<'_>) -> Value {
        match self.0.as_slice() {
            [Part::Place(place)] => place.value(facts),
            _ => Value::from(self.fill(facts, Escape::None)),
        }
    }

    /// The text with every place filled by a letter, to see whether what is around the places can be.
    pub(super) fn outline(&self) -> String {
        let part = |part: &Part| match part {
            Part::Text(literal) => literal.clone(),
            Part::Place(_) => "x".to_owned(),
        };
        self.0.iter().map(part).collect()
    }

    /// Whether it is drawn anew each time.
    pub(super) fn is_random(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Place(place) if place.is_random()))
    }
}

/// A text in which nothing is filled, such as a name: a place in it is refused, and `$${` stands for `${` as it does elsewhere.
pub(super) fn plain(text: &str) -> Result<String, expression::Error> {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let place = || expression::Error::Misplaced { place: excerpt(&rest[at..]) };
        plain.push_str(rest[..at].strip_suffix('$').ok_or_else(place)?);
        plain.push_str("${");
        rest = &rest[at + 2..];
    }
    plain.push_str(rest);
    Ok(plain)
}

fn excerpt(text: &str) -> String {
    text.chars().take(24).collect()
}

/// The text of a value, as people write it: texts without quotes.
pub(super) fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn write_value(out: &mut String, value: &Value, escape: Escape) {
    match (escape, value) {
        (Escape::None, value) => out.push_str(&text_of(value)),
        (Escape::Url, value) => write_url(out, &text_of(value)),
        (Escape::Json, Value::String(text)) => {
            let quoted = Value::from(text.as_str()).to_string();
            out.push_str(&quoted[1..quoted.len() - 1]);
        }
        (Escape::Json, value) => out.push_str(&value.to_string()),
        (Escape::Header, value) => write_encoded(out, &text_of(value), |byte| (b' '..0x7f).contains(&byte)),
    }
}

/// Percent-encodes a text for a path or a query.
pub(super) fn write_url(out: &mut String, text: &str) {
    write_encoded(out, text, |byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
}

fn write_encoded(out: &mut String, text: &str, is_kept: impl Fn(u8) -> bool) {
    for byte in text.bytes() {
        if is_kept(byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::facts::tests::facts, *};
    use rstest::rstest;
    use serde_json::json;

    fn parse(text: &str) -> Result<Template, expression::Error> {
        Template::parse(text, &super::super::expression::tests::names())
    }

    #[rstest]
    #[case("/plain", Escape::None, "/plain")]
    #[case("", Escape::None, "")]
    #[case("$${users.name} $ $5 {}", Escape::None, "${users.name} $ $5 {}")]
    #[case("/u/${users.name}", Escape::Url, "/u/Zo%C3%AB%20%22Z%22%2F%3F%26")]
    #[case(r#"{"n":"${users.name}","a":${users.age}}"#, Escape::Json, r#"{"n":"Zoë \"Z\"/?&","a":31}"#)]
    #[case("a=${users.name}", Escape::Header, "a=Zo%C3%AB \"Z\"/?&")]
    #[case("${saved.list}", Escape::Json, "[1,null]")]
    #[case("${saved.list}", Escape::Url, "%5B1%2Cnull%5D")]
    #[case("${arrival}-${date}-${date+30d}-${ date-1d }", Escape::None, "7-2030-01-31-2030-03-02-2030-01-30")]
    #[case("${key}", Escape::None, "run-1-7-2")]
    fn places_are_filled_and_escaped_for_where_they_stand(
        #[case] text: &str,
        #[case] escape: Escape,
        #[case] expected: &str,
    ) {
        assert_eq!(parse(text).unwrap().fill(&mut facts(), escape), expected);
    }

    #[test]
    fn a_text_that_is_one_place_keeps_its_type() {
        let value = |text: &str| parse(text).unwrap().value(&mut facts());
        assert_eq!(value("${users.age}"), json!(31));
        assert_eq!(value("a${users.age}"), json!("a31"));
        assert_eq!(value("${saved.list}"), json!([1, null]));
        assert_eq!(value("${saved.id|number}"), json!(17));
        assert_eq!(value("${users.name|number}"), json!("Zoë \"Z\"/?&"), "what is no number stays a text");
        assert_eq!(value("${users.age|text}"), json!("31"));
    }

    #[test]
    fn a_text_in_which_nothing_is_filled_has_no_places() {
        for (text, expected) in [("/a", "/a"), ("/$${a}$ $${", "/${a}$ ${"), ("$$${", "$${")] {
            assert_eq!(plain(text).unwrap(), expected);
        }
        let error = plain("$${a}/${saved.id}/and/more/that/is/long").unwrap_err().to_string();
        assert_eq!(
            error,
            "`${saved.id}/and/more/tha` is not filled in here, in a name or a JSON pointer; write `$${` for `${` as it is"
        );
    }

    #[test]
    fn a_place_without_an_end_is_refused() {
        let error = parse("/a/${users.name").unwrap_err().to_string();
        assert_eq!(error, "`${users.name` has no closing brace; write `$${` for `${` as it is");
    }
}
