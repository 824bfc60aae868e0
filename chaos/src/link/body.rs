//! Request bodies, read as Go reads them: names in any case, unknown fields ignored, only the first value counts.
//!
//! Toxiproxy's clients were written against that, so a stricter reader would refuse what works with the real one.
use serde_json::{Deserializer, Map, Value};

/// Why a body cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("EOF")]
    Empty,
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error("json: cannot unmarshal {found} into field {field} of type {expected}")]
    Type { found: &'static str, field: String, expected: &'static str },
}

/// The fields of one JSON object.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(Map<String, Value>);

/// Reads a body that is one object.
pub(crate) fn read_object(bytes: &[u8]) -> Result<Fields, Error> {
    object(first_value(bytes)?, "body")
}

/// Reads a body that is an array of objects.
pub(crate) fn read_array(bytes: &[u8]) -> Result<Vec<Fields>, Error> {
    match first_value(bytes)? {
        Value::Null => Ok(Vec::new()),
        Value::Array(values) => values.into_iter().map(|value| object(value, "body")).collect(),
        other => Err(wrong_type(&other, "body", "array")),
    }
}

impl Fields {
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, Error> {
        self.read(name, "string", |value| value.as_str().map(str::to_owned))
    }

    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Error> {
        self.read(name, "bool", Value::as_bool)
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<f64>, Error> {
        self.read(name, "float64", Value::as_f64)
    }

    /// A whole number that is not negative and fits into an `i64`, as clients keep it.
    pub(crate) fn whole(&self, name: &str) -> Result<Option<u64>, Error> {
        self.read(name, "non-negative int64", |value| value.as_u64().filter(|number| i64::try_from(*number).is_ok()))
    }

    /// The fields of an object; none when it is absent.
    pub(crate) fn object(&self, name: &str) -> Result<Fields, Error> {
        self.get(name).cloned().map_or_else(|| Ok(Fields::default()), |value| object(value, name))
    }

    /// The objects of an array; none when it is absent.
    pub(crate) fn objects(&self, name: &str) -> Result<Vec<Fields>, Error> {
        let Some(value) = self.get(name) else { return Ok(Vec::new()) };
        let values = value.as_array().ok_or_else(|| wrong_type(value, name, "array"))?;
        values.iter().map(|value| object(value.clone(), name)).collect()
    }

    /// The value as it is.
    pub(crate) fn raw(&self, name: &str) -> Option<&Value> {
        self.get(name)
    }

    pub(crate) fn into_map(self) -> Map<String, Value> {
        self.0
    }

    fn read<T>(
        &self,
        name: &str,
        expected: &'static str,
        as_type: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let Some(value) = self.get(name) else { return Ok(None) };
        as_type(value).map(Some).ok_or_else(|| wrong_type(value, name, expected))
    }

    /// The value by exact name, else by name in any case; `null` counts as absent.
    fn get(&self, name: &str) -> Option<&Value> {
        let in_any_case = || self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        self.0.get(name).or_else(in_any_case).filter(|value| !value.is_null())
    }
}

fn first_value(bytes: &[u8]) -> Result<Value, Error> {
    Ok(Deserializer::from_slice(bytes).into_iter().next().ok_or(Error::Empty)??)
}

fn object(value: Value, field: &str) -> Result<Fields, Error> {
    match value {
        Value::Null => Ok(Fields::default()),
        Value::Object(fields) => Ok(Fields(fields)),
        other => Err(wrong_type(&other, field, "object")),
    }
}

fn wrong_type(value: &Value, field: &str, expected: &'static str) -> Error {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    Error::Type { found, field: field.to_owned(), expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_be_in_any_case_and_only_the_first_value_counts() {
        let fields =
            read_object(br#"{"NAME": "a", "rate": 5, "on": true, "x": {"Y": 1}, "gone": null} {"name": "b"}"#).unwrap();
        assert_eq!(fields.text("name").unwrap().as_deref(), Some("a"));
        assert_eq!(fields.whole("rate").unwrap(), Some(5));
        assert_eq!(fields.flag("on").unwrap(), Some(true));
        assert_eq!(fields.object("x").unwrap().whole("y").unwrap(), Some(1));
        assert!(fields.text("gone").unwrap().is_none() && fields.text("absent").unwrap().is_none());
    }

    #[test]
    fn what_is_not_of_the_type_is_refused() {
        for body in [&b""[..], b"  ", b"{", b"[]", b"5", b"\"a\""] {
            assert!(read_object(body).is_err(), "{body:?}");
        }
        let fields =
            read_object(br#"{"rate": 1.5, "delay": -1, "text": "abc", "huge": 18446744073709551615}"#).unwrap();
        for name in ["rate", "delay", "text", "huge"] {
            assert!(fields.whole(name).is_err(), "{name}");
        }
        assert_eq!(
            fields.flag("text").unwrap_err().to_string(),
            "json: cannot unmarshal string into field text of type bool"
        );
        assert!(read_array(b"{}").is_err() && read_array(b"[5]").is_err());
        assert!(read_array(b"null").unwrap().is_empty());
    }
}
