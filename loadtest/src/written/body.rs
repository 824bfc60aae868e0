//! Bodies of written steps: tables that are sent as JSON, and texts, with their places filled.
use super::{
    expression::{Error, Names},
    facts::Facts,
    template::{Escape, Template, plain},
};
use serde_json::{Map, Value};

/// A body as it is sent.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Body {
    Json(Node),
    Text(Template, Escape),
}

impl Body {
    /// Reads a body; `content_type` is the header as written.
    pub(super) fn parse(value: &toml::Value, content_type: Option<&str>, names: &Names<'_>) -> Result<Self, Error> {
        let toml::Value::String(text) = value else { return Node::parse(value, names).map(Self::Json) };
        let content_type = content_type.unwrap_or(JSON).to_ascii_lowercase();
        let escape = match content_type.split(';').next().unwrap_or_default().trim() {
            "application/x-www-form-urlencoded" => Escape::Url,
            kind if kind == JSON || kind.ends_with("+json") => Escape::Json,
            _ => Escape::None,
        };
        Ok(Self::Text(Template::parse(text, names)?, escape))
    }

    /// The bytes for one arrival.
    pub(super) fn fill(&self, facts: &mut Facts<'_>) -> Vec<u8> {
        match self {
            Self::Json(node) => node.value(facts).to_string().into_bytes(),
            Self::Text(template, escape) => template.fill(facts, *escape).into_bytes(),
        }
    }
}

/// The content type of a body that says nothing else.
pub(super) const JSON: &str = "application/json";

/// A JSON value with places in its texts.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Fixed(Value),
    Text(Template),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Node {
    pub(super) fn parse(value: &toml::Value, names: &Names<'_>) -> Result<Self, Error> {
        let node = match value {
            toml::Value::String(text) => Self::Text(Template::parse(text, names)?),
            toml::Value::Integer(number) => Self::Fixed((*number).into()),
            toml::Value::Float(number) => Self::Fixed((*number).into()),
            toml::Value::Boolean(is) => Self::Fixed((*is).into()),
            // JSON has no instants; they are written as TOML writes them, which is RFC 3339.
            toml::Value::Datetime(at) => Self::Fixed(at.to_string().into()),
            toml::Value::Array(items) => {
                Self::Array(items.iter().map(|item| Self::parse(item, names)).collect::<Result<_, _>>()?)
            }
            toml::Value::Table(members) => {
                let member = |(key, value): (&String, &toml::Value)| Ok((plain(key)?, Self::parse(value, names)?));
                Self::Object(members.iter().map(member).collect::<Result<_, Error>>()?)
            }
        };
        Ok(node)
    }

    /// The value for one arrival.
    pub(super) fn value(&self, facts: &mut Facts<'_>) -> Value {
        match self {
            Self::Fixed(value) => value.clone(),
            Self::Text(template) => template.value(facts),
            Self::Array(items) => items.iter().map(|item| item.value(facts)).collect(),
            Self::Object(members) => {
                let member = |(key, node): &(String, Self)| (key.clone(), node.value(facts));
                Value::Object(members.iter().map(member).collect::<Map<_, _>>())
            }
        }
    }

    /// Whether something in it is drawn anew each time.
    pub(super) fn is_random(&self) -> bool {
        match self {
            Self::Fixed(_) => false,
            Self::Text(template) => template.is_random(),
            Self::Array(items) => items.iter().any(Self::is_random),
            Self::Object(members) => members.iter().any(|(_, node)| node.is_random()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{expression::tests::names, facts::tests::facts},
        *,
    };
    use rstest::rstest;

    #[rstest]
    #[case(
        r#"{ name = "${users.name}", age = "${users.age}", old = 1979-05-27, f = 1.5, l = [true, "${saved.list}"] }"#,
        None,
        r#"{"age":31,"f":1.5,"l":[true,[1,null]],"name":"Zoë \"Z\"/?&","old":"1979-05-27"}"#
    )]
    #[case(r#"'{"n": "${users.name}", "a": ${users.age}}'"#, None, r#"{"n": "Zoë \"Z\"/?&", "a": 31}"#)]
    #[case(
        "'n=${users.name}'",
        Some("application/x-www-form-urlencoded; charset=utf-8"),
        "n=Zo%C3%AB%20%22Z%22%2F%3F%26"
    )]
    #[case("'n=${users.name}'", Some("text/plain"), "n=Zoë \"Z\"/?&")]
    #[case("'${users.name}'", Some("application/problem+json"), "Zoë \\\"Z\\\"/?&")]
    fn bodies_are_filled_as_their_type_says(#[case] toml: &str, #[case] kind: Option<&str>, #[case] expected: &str) {
        let table: toml::Table = format!("body = {toml}").parse().unwrap();
        let body = Body::parse(&table["body"], kind, &names()).unwrap();
        assert_eq!(String::from_utf8(body.fill(&mut facts())).unwrap(), expected);
    }
}
