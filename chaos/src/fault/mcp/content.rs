//! What a tool's answer holds: its structured content, and the texts that say the same in JSON.
use serde_json::Value;

/// Edits the structured content of a result, and each text that is JSON, alike; says whether anything was edited.
pub(super) fn edit(answer: &mut Value, edit: impl Fn(&mut Value) -> bool) -> bool {
    let Some(result) = answer.get_mut("result") else { return false };
    let mut is_edited = result.get_mut("structuredContent").is_some_and(&edit);
    for block in result["content"].as_array_mut().into_iter().flatten() {
        let Some(text) = block.get_mut("text") else { continue };
        let parsed = text.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
        if let Some(mut parsed) = parsed.filter(|parsed| parsed.is_object() || parsed.is_array())
            && edit(&mut parsed)
        {
            *text = Value::from(parsed.to_string());
            is_edited = true;
        }
    }
    is_edited
}

/// Visits every field of objects, however deep; says whether a visit changed something.
pub(super) fn each_field(value: &mut Value, visit: &impl Fn(&str, &mut Value) -> bool) -> bool {
    match value {
        Value::Object(fields) => fields.iter_mut().fold(false, |is_edited, (name, value)| {
            let here = visit(name, value);
            each_field(value, visit) || here || is_edited
        }),
        Value::Array(values) => {
            values.iter_mut().filter_map(|value| each_field(value, visit).then_some(())).count() > 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::forward::Bench;

    #[test]
    fn content_and_text_are_edited_alike_and_other_texts_left() {
        let mut answer = Bench::result();
        answer["result"]["content"].as_array_mut().unwrap().push(json!({"type": "text", "text": "not JSON"}));
        let double = |content: &mut Value| {
            each_field(content, &|name, value| {
                let is_count = name == "count";
                if is_count {
                    *value = json!(2);
                }
                is_count
            })
        };
        assert!(edit(&mut answer, double));
        assert_eq!(answer["result"]["structuredContent"]["count"], 2);
        let text: Value = serde_json::from_str(answer["result"]["content"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!(text, answer["result"]["structuredContent"]);
        assert_eq!(answer["result"]["content"][1]["text"], "not JSON");
        assert!(!edit(&mut json!({"error": {}}), double) && !edit(&mut json!({"result": {}}), double));
    }

    #[test]
    fn fields_are_found_at_any_depth() {
        let mut value = json!([{"a": 1, "b": [{"a": 2}]}, 5]);
        let negate = |name: &str, value: &mut Value| {
            let number = value.as_i64().filter(|_| name == "a");
            number.inspect(|number| *value = json!(-number)).is_some()
        };
        assert!(each_field(&mut value, &negate));
        assert_eq!(value, json!([{"a": -1, "b": [{"a": -2}]}, 5]));
    }
}
