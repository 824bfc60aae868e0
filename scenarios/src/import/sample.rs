//! A value that fits a JSON schema: from its example, its default or its type; with places where each request needs its own.
use super::{draft::escaped, secret};
use serde_json::{Map, Value, json};

/// Schemas within schemas are followed so deep; beyond it a recursive one would not end.
const DEPTH_MAX: usize = 12;

/// A document with `$ref`s in it.
pub(super) struct Document<'a>(pub(super) &'a Value);

/// A value, and what is to be said of it.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) list: Vec<String>,
    pub(super) left_out: Vec<String>,
}

impl<'a> Document<'a> {
    /// What a reference stands for; anything else stands for itself.
    pub(super) fn resolve(&self, mut value: &'a Value) -> &'a Value {
        for _ in 0..DEPTH_MAX {
            let Some(reference) = value.get("$ref").and_then(Value::as_str) else { break };
            let target = reference.strip_prefix('#').and_then(|pointer| self.0.pointer(pointer));
            let Some(target) = target else { break };
            value = target;
        }
        value
    }

    /// A value that fits a schema.
    pub(super) fn sample(&self, schema: &'a Value, notes: &mut Notes) -> Value {
        self.value(schema, "", DEPTH_MAX, notes)
    }

    fn value(&self, schema: &'a Value, field: &str, depth: usize, notes: &mut Notes) -> Value {
        let schema = self.resolve(schema);
        if depth == 0 {
            return Value::Null;
        }
        if secret::is_secret(field) && kind(schema) == "string" {
            notes.list.push(format!("{field} is made up. Take real ones from a file, as ${{data.{field}}}."));
            return secret::TEMPLATE.into();
        }
        if let Some(given) = given(schema) {
            return escape(given.clone());
        }
        for choice in ["oneOf", "anyOf"] {
            let choices = schema.get(choice).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let found = choices.iter().find(|choice| kind(self.resolve(choice)) != "null");
            if let Some(found) = found {
                return self.value(found, field, depth - 1, notes);
            }
        }
        if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
            let mut whole = Map::new();
            for part in parts.iter().chain(schema.get("properties").map(|_| schema)) {
                let without = if std::ptr::eq(part, schema) {
                    self.object(part, field, depth, notes)
                } else {
                    self.value(part, field, depth - 1, notes)
                };
                match without {
                    Value::Object(members) => whole.extend(members),
                    single if parts.len() == 1 => return single,
                    _ => {}
                }
            }
            return Value::Object(whole);
        }
        match kind(schema) {
            "object" => self.object(schema, field, depth, notes),
            "array" => self.array(schema, field, depth, notes),
            "integer" => json!(bound(schema, "minimum").unwrap_or(1.0).ceil() as i64),
            "number" => json!(bound(schema, "minimum").unwrap_or(1.0)),
            "boolean" => json!(true),
            "string" => text(schema, field, notes).into(),
            _ => Value::Null,
        }
    }

    /// Its required members; the others are named in the notes.
    fn object(&self, schema: &'a Value, _: &str, depth: usize, notes: &mut Notes) -> Value {
        let required: Vec<&str> =
            schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let mut members = Map::new();
        for (name, member) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if required.contains(&name.as_str()) {
                members.insert(name.clone(), self.value(member, name, depth - 1, notes));
            } else if !notes.left_out.contains(name) {
                notes.left_out.push(name.clone());
            }
        }
        Value::Object(members)
    }

    fn array(&self, schema: &'a Value, field: &str, depth: usize, notes: &mut Notes) -> Value {
        let count = (bound(schema, "minItems").unwrap_or(1.0) as usize).clamp(1, 20);
        let Some(item) = schema.get("items") else { return json!([]) };
        (0..count).map(|_| self.value(item, field, depth - 1, notes)).collect()
    }
}

/// What the schema itself gives as a value.
fn given(schema: &Value) -> Option<&Value> {
    let first = |name: &str| {
        schema.get(name).and_then(Value::as_array).and_then(|values| values.iter().find(|value| !value.is_null()))
    };
    let given = schema.get("example").or_else(|| first("examples")).or_else(|| schema.get("default"));
    given.filter(|given| !given.is_null()).or_else(|| schema.get("const")).or_else(|| first("enum"))
}

/// Its type; of several the first that is not `null`.
fn kind(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(kind)) => kind,
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("null")
        }
        _ if schema.get("properties").is_some() => "object",
        _ if schema.get("items").is_some() => "array",
        _ => "",
    }
}

fn bound(schema: &Value, name: &str) -> Option<f64> {
    schema.get(name).and_then(Value::as_f64)
}

fn text(schema: &Value, field: &str, notes: &mut Notes) -> String {
    let is_late = field.contains("end") || field.contains("return") || field.contains("out");
    let is_birth = field.contains("birth");
    let date = if is_birth {
        "1990-05-17"
    } else if is_late {
        "${date+37d}"
    } else {
        "${date+30d}"
    };
    let text = match schema.get("format").and_then(Value::as_str).unwrap_or_default() {
        "date" => date.to_owned(),
        "date-time" => format!("{date}T12:00:00Z"),
        "time" => "12:00:00".to_owned(),
        "uuid" => "${random.uuid}".to_owned(),
        "email" => EMAIL.to_owned(),
        "uri" | "url" => "https://example.com/".to_owned(),
        "ipv4" => "192.0.2.1".to_owned(),
        "ipv6" => "2001:db8::1".to_owned(),
        "binary" | "byte" => "aGVsbG8=".to_owned(),
        _ if field.to_ascii_lowercase().contains("email") => EMAIL.to_owned(),
        _ => {
            let least = bound(schema, "minLength").unwrap_or(0.0).clamp(0.0, 1_000.0) as usize;
            let most = bound(schema, "maxLength").unwrap_or(1_000.0).clamp(0.0, 1_000.0) as usize;
            let word = if field.is_empty() { "text" } else { field };
            word.chars().cycle().take(word.chars().count().max(least).min(most)).collect()
        }
    };
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
        notes.list.push(format!("{field} must match the pattern {pattern}; {text:?} may not."));
    }
    text
}

const EMAIL: &str = "user-${arrival}@example.com";

fn escape(value: Value) -> Value {
    match value {
        Value::String(text) => escaped(&text).into(),
        Value::Array(items) => items.into_iter().map(escape).collect(),
        Value::Object(members) => members.into_iter().map(|(key, member)| (key, escape(member))).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(schema: Value, expected: Value) {
        let document = json!({ "components": { "schemas": {
            "Name": { "type": "string", "example": "Ann" },
            "Node": { "type": "object", "required": ["next"], "properties": { "next": { "$ref": "#/components/schemas/Node" } } },
        } } });
        assert_eq!(Document(&document).sample(&schema, &mut Notes::default()), expected, "{schema}");
    }

    #[test]
    fn values_fit_their_schema() {
        check(json!({ "$ref": "#/components/schemas/Name" }), json!("Ann"));
        check(json!({ "type": "string", "default": "${x}" }), json!("$${x}"));
        check(json!({ "enum": [null, "a", "b"] }), json!("a"));
        check(json!({ "type": ["integer", "null"], "minimum": 3 }), json!(3));
        check(json!({ "type": "number" }), json!(1.0));
        check(json!({ "type": "string", "format": "uuid" }), json!("${random.uuid}"));
        check(json!({ "type": "string", "minLength": 6, "maxLength": 7 }), json!("textte"));
        check(json!({ "oneOf": [{ "type": "null" }, { "type": "boolean" }] }), json!(true));
        check(json!({ "type": "array", "minItems": 2, "items": { "type": "integer" } }), json!([1, 1]));
        check(
            json!({ "properties": { "a": { "type": "string" }, "b": {}, "password": { "type": "string" } }, "required": ["a", "password"] }),
            json!({ "a": "a", "password": "${random.hex(16)}" }),
        );
        let part =
            |name: &str| json!({ "type": "object", "required": [name], "properties": { name: { "type": "integer" } } });
        check(json!({ "allOf": [part("a"), part("b")] }), json!({ "a": 1, "b": 1 }));
        check(json!({}), Value::Null);
    }

    #[test]
    fn a_schema_that_holds_itself_comes_to_an_end() {
        let document = json!({ "components": { "schemas": {
            "Node": { "type": "object", "required": ["next"], "properties": { "next": { "$ref": "#/components/schemas/Node" } } },
            "Loop": { "$ref": "#/components/schemas/Loop" },
        } } });
        let sample = |name: &str| {
            let schema = document.pointer(&format!("/components/schemas/{name}")).unwrap();
            Document(&document).sample(schema, &mut Notes::default())
        };
        assert!(sample("Node")["next"]["next"].is_object());
        assert_eq!(sample("Loop"), Value::Null);
    }
}
