//! What a user prefers: free-form JSON, merged by RFC 7396, with a bound on its size.

use serde_json::{Map, Value};

/// Most bytes of all preferences of a user, as JSON.
pub(crate) const PREFERENCES_BYTES_MAX: usize = 16 * 1024;
/// Deepest nesting of objects and arrays.
const DEPTH_MAX: usize = 16;

/// Preferences of one user.
pub(crate) type Preferences = Map<String, Value>;

/// Why preferences are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Together with what is there.
    #[error("preferences would be larger than 16 KiB")]
    TooLarge,
    /// Objects in objects.
    #[error("preferences are nested too deeply")]
    TooDeep,
}

/// Merges a change into what is there: objects key by key, `null` removes, anything else replaces.
///
/// # Errors
/// The result is too large or too deep.
/// Source: RFC 7396, "JSON Merge Patch".
pub(crate) fn merged(mut there: Preferences, change: Preferences) -> Result<Preferences, Refusal> {
    merge(&mut there, change, DEPTH_MAX)?;
    let bytes = serde_json::to_vec(&there).expect("JSON values can be written").len();
    if bytes > PREFERENCES_BYTES_MAX { Err(Refusal::TooLarge) } else { Ok(there) }
}

fn merge(there: &mut Preferences, change: Preferences, levels: usize) -> Result<(), Refusal> {
    let levels = levels.checked_sub(1).ok_or(Refusal::TooDeep)?;
    for (key, value) in change {
        match value {
            Value::Null => drop(there.remove(&key)),
            Value::Object(part) => {
                let known = there.entry(key).or_insert(Value::Null);
                if !known.is_object() {
                    *known = Value::Object(Map::new());
                }
                merge(known.as_object_mut().expect("it was made one"), part, levels)?;
            }
            other => {
                check_depth(&other, levels)?;
                there.insert(key, other);
            }
        }
    }
    Ok(())
}

fn check_depth(value: &Value, levels: usize) -> Result<(), Refusal> {
    let inner: Vec<&Value> = match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => return Ok(()),
    };
    let levels = levels.checked_sub(1).ok_or(Refusal::TooDeep)?;
    inner.into_iter().try_for_each(|value| check_depth(value, levels))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    // The first cases are those of RFC 7396, appendix A.
    #[case(json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"}))]
    #[case(json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"}))]
    #[case(json!({"a": "b"}), json!({"a": null}), json!({}))]
    #[case(json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"}))]
    #[case(json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}}))]
    #[case(json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]}))]
    #[case(json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1}))]
    #[case(json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}}))]
    #[case(json!({}), json!({}), json!({}))]
    #[case(json!({"a": 1}), json!({"a": [null]}), json!({"a": [null]}))]
    fn changes_are_merged(#[case] there: Value, #[case] change: Value, #[case] expected: Value) {
        let object = |value: Value| value.as_object().unwrap().clone();
        assert_eq!(Value::Object(merged(object(there), object(change)).unwrap()), expected);
    }

    fn nested(levels: usize, is_array: bool) -> Preferences {
        let wrap = |inner, _| if is_array { json!([inner]) } else { json!({"a": inner}) };
        let value = (1..levels).fold(json!(1), wrap);
        Map::from_iter([("a".to_owned(), value)])
    }

    #[rstest]
    #[case(nested(DEPTH_MAX, false), None)]
    #[case(nested(DEPTH_MAX + 1, false), Some(Refusal::TooDeep))]
    #[case(nested(DEPTH_MAX, true), None)]
    #[case(nested(DEPTH_MAX + 1, true), Some(Refusal::TooDeep))]
    #[case(Map::from_iter([("a".to_owned(), json!("x".repeat(PREFERENCES_BYTES_MAX - 8)))]), None)]
    #[case(Map::from_iter([("a".to_owned(), json!("x".repeat(PREFERENCES_BYTES_MAX - 7)))]), Some(Refusal::TooLarge))]
    fn size_and_depth_have_an_end(#[case] change: Preferences, #[case] expected: Option<Refusal>) {
        assert_eq!(merged(Map::new(), change).err(), expected);
    }
}
