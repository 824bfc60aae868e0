//! The published schema of `summary.json`: it is the shipped file, and every document is what it says.
use crate::{
    golden::golden,
    synthetic::{Draft, quickstart_report, short},
};
use reports::{
    record::{Oracle, Outcome, RecordKind, RunEnd, Violation, ViolationExample},
    render::{json, json_schema},
    report::Report,
};
use serde_json::Value;

/// What is wrong with a value by the part of JSON Schema that our schema uses; a keyword that is not known here is an error too.
fn check(root: &Value, schema: &Value, value: &Value, place: &str, problems: &mut Vec<String>) {
    let Some(keywords) = schema.as_object() else {
        // `true` takes everything.
        return;
    };
    for (keyword, given) in keywords {
        let mut bad = |is_bad: bool| {
            if is_bad {
                problems.push(format!("{place}: {keyword} {given} does not hold for {value}"));
            }
        };
        match keyword.as_str() {
            "$schema" | "title" | "description" | "$defs" | "default" | "format" | "maxItems" | "minItems" => {}
            "type" => {
                let is = |name: &Value| match name.as_str().unwrap() {
                    "null" => value.is_null(),
                    "boolean" => value.is_boolean(),
                    "integer" => value.is_u64() || value.is_i64(),
                    "number" => value.is_number(),
                    "string" => value.is_string(),
                    "array" => value.is_array(),
                    "object" => value.is_object(),
                    other => panic!("type {other}"),
                };
                bad(!given.as_array().map_or_else(|| is(given), |names| names.iter().any(is)));
            }
            "enum" => bad(!given.as_array().unwrap().contains(value)),
            "const" => bad(given != value),
            "minimum" => bad(value.as_f64().is_some_and(|number| number < given.as_f64().unwrap())),
            "maximum" => bad(value.as_f64().is_some_and(|number| number > given.as_f64().unwrap())),
            "required" => {
                let has = |name: &Value| value.get(name.as_str().unwrap()).is_some();
                bad(value.is_object() && !given.as_array().unwrap().iter().all(has));
            }
            "properties" => {
                for (name, part) in value.as_object().into_iter().flatten() {
                    if let Some(schema) = given.get(name) {
                        check(root, schema, part, &format!("{place}/{name}"), problems);
                    } else if keywords.get("additionalProperties").is_none() {
                        problems.push(format!("{place}: {name} is not in the schema"));
                    }
                }
            }
            "additionalProperties" => {
                let known = keywords.get("properties");
                for (name, part) in value.as_object().into_iter().flatten() {
                    if known.is_none_or(|known| known.get(name).is_none()) {
                        match given {
                            Value::Bool(false) => problems.push(format!("{place}: {name} is not allowed")),
                            schema => check(root, schema, part, &format!("{place}/{name}"), problems),
                        }
                    }
                }
            }
            "items" => {
                for (index, part) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, given, part, &format!("{place}/{index}"), problems);
                }
            }
            "$ref" => {
                let target = root.pointer(given.as_str().unwrap().trim_start_matches('#')).unwrap();
                check(root, target, value, place, problems);
            }
            "anyOf" | "oneOf" => {
                let fits = |schema: &&Value| {
                    let mut found = Vec::new();
                    check(root, schema, value, place, &mut found);
                    found.is_empty()
                };
                bad(given.as_array().unwrap().iter().find(fits).is_none());
            }
            other => panic!("the schema uses {other}, which this test does not know"),
        }
    }
}

fn problems(document: &Value) -> Vec<String> {
    let schema: Value = serde_json::from_str(&json_schema()).unwrap();
    let mut problems = Vec::new();
    check(&schema, &schema, document, "", &mut problems);
    problems
}

#[test]
fn the_schema_is_the_shipped_one_and_golden_documents_are_what_it_says() {
    golden("../../summary.schema.json", &json_schema());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/quickstart.json");
    let document: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(problems(&document), [] as [String; 0]);
    let whole: Value = serde_json::from_str(&json(quickstart_report())).unwrap();
    assert_eq!(problems(&whole), [] as [String; 0]);
}

#[test]
fn a_document_of_a_run_that_went_wrong_is_what_the_schema_says() {
    let root = tempfile::tempdir().unwrap();
    let mut draft = Draft::new(&short());
    draft.samples.iter_mut().for_each(|sample| sample.outcome = Outcome::Transport);
    draft.run.end = RunEnd::Aborted { rule: "errors = 0 abort".to_owned(), at_ns: 5 };
    draft.run.faults[0].error = Some("refused".to_owned());
    let example = ViolationExample {
        violation: Violation::Lost,
        kind: RecordKind::Trip,
        reference: "#1".to_owned(),
        owner: 1,
        ids: vec!["0b8f".to_owned()],
        status: Some(404),
    };
    draft.run.oracle = Some(Oracle { acknowledged: 2, verified: 2, examples: vec![example], ..Oracle::default() });
    let report = Report::read(&draft.write(root.path())).unwrap();
    let document: Value = serde_json::from_str(&json(&report)).unwrap();
    assert_eq!(problems(&document), [] as [String; 0]);
}

#[test]
fn what_is_not_in_the_schema_is_seen() {
    let mut document: Value = serde_json::from_str(&json(quickstart_report())).unwrap();
    document["verdict"]["overall"] = "fine".into();
    document["counts"]["planned"] = "many".into();
    document["run"].as_object_mut().unwrap().remove("seed");
    document["figures"][0]["news"] = 1.into();
    let found = problems(&document);
    for place in ["/verdict/overall", "/counts/planned", "/run: required", "/figures/0: news"] {
        assert!(found.iter().any(|problem| problem.starts_with(place)), "{place} in {found:#?}");
    }
}
