//! Journeys of a scenario file against the bundled stack, and the scenarios that are imported.
use crate::program::Workplace;
use reports::record::{Measure, Outcome, folder};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

const JOURNEYS: &str = include_str!("data/journeys.toml");
const CITIES: &str = include_str!("data/cities.csv");

fn place() -> Workplace {
    let place = Workplace::new(JOURNEYS);
    fs::write(place.path().join("cities.csv"), CITIES).unwrap();
    place
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/data").join(name)
}

#[test]
fn a_journey_of_the_file_runs_against_the_bundled_stack() {
    let place = place();
    let (code, out, err) = place.start(&[]).end();
    assert_eq!(code, Some(0), "{out}\n{err}");
    let folder = place.run_folder();
    let run = folder::read_run(&folder).unwrap();
    let mut seen: BTreeMap<(String, Outcome), u64> = BTreeMap::new();
    folder::read_measures(&folder, &run, |interval| {
        if interval.measure == Measure::Response {
            let step = run.steps[interval.step_index].name.clone();
            *seen.entry((step, interval.outcome)).or_default() += interval.histogram.len();
        }
    })
    .unwrap();
    // On a busy machine the service may refuse some; a step is only asked after the one before it was answered as expected.
    let full = |step: &str| seen.get(&(step.to_owned(), Outcome::Full)).copied().unwrap_or(0);
    let asked = |step: &str| seen.iter().filter(|((name, _), _)| name == step).map(|(_, count)| count).sum::<u64>();
    let mut expected = 32;
    for step in ["holiday.create", "holiday.read", "holiday.delete", "holiday.gone"] {
        assert_eq!(asked(step), expected, "{step}; four in five of 40 arrivals begin: {seen:?}");
        expected = full(step);
        assert!(expected >= 16, "{step}: {seen:?}");
    }
    assert!(seen.keys().all(|(_, outcome)| *outcome != Outcome::Wrong), "{seen:?}");
    let feeder = &run.scenario.feeders[0];
    assert_eq!((feeder.name.as_str(), feeder.file.as_str(), feeder.rows), ("cities", "cities.csv", 3));
    assert!(feeder.order == "shuffled" && feeder.digest.len() == 64);
}

#[test]
fn the_plan_names_the_data_files_and_changes_with_them() {
    let place = place();
    let plan = || {
        let output = place.harness(&["plan", "./scenario.toml"]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let first = plan();
    assert!(first.contains("cities.csv: 3 rows, shuffled, sha256 "), "{first}");
    assert!(first.contains("mix chat=1,holiday=4"), "{first}");
    fs::write(place.path().join("cities.csv"), format!("{CITIES}Rome,Italy,41.9,12.5\n")).unwrap();
    let digest = |plan: &str| plan.lines().find(|line| line.contains("plan ")).map(str::to_owned);
    assert_ne!(digest(&first), digest(&plan().replace("plan  ", "")));
}

#[test]
fn the_schema_covers_journeys_and_feeders() {
    let schema = Workplace::new("").harness(&["scenario", "schema"]);
    let schema: serde_json::Value = serde_json::from_slice(&schema.stdout).unwrap();
    assert!(schema["properties"]["journeys"].is_object() && schema["properties"]["feeders"].is_object());
    let steps = &schema["$defs"]["StepSettings"]["properties"];
    for key in ["name", "method", "path", "query", "headers", "body", "expect", "save", "stream", "think"] {
        assert!(steps[key].is_object(), "{key}: {steps}");
    }
}

/// Imports a file, checks that the result can be run as it is, and returns it.
fn imported(arguments: &[&str]) -> String {
    let place = Workplace::new("");
    let import = place.harness(&[&["scenario", "import"], arguments].concat());
    assert_eq!(import.status.code(), Some(0), "{}", String::from_utf8_lossy(&import.stderr));
    let text = String::from_utf8(import.stdout).unwrap();
    fs::write(place.path().join("mine.toml"), &text).unwrap();
    let check = place.harness(&["scenario", "validate", "./mine.toml"]);
    assert_eq!(check.status.code(), Some(0), "{}\n{text}", String::from_utf8_lossy(&check.stderr));
    text
}

#[test]
fn a_recording_becomes_a_scenario_without_its_secrets() {
    let text = imported(&["har", data("shop.har").to_str().unwrap()]);
    let golden = data("shop.toml");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&golden, &text).unwrap();
    }
    assert_eq!(
        text,
        fs::read_to_string(&golden).unwrap_or_default(),
        "run again with UPDATE=1 and review the difference"
    );
    for secret in ["hunter", "SECRET", "1234", "eyJ"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[test]
fn another_host_of_a_recording_can_be_chosen() {
    let har = data("shop.har");
    let text = imported(&["har", har.to_str().unwrap(), "--host", "stats.example.net"]);
    assert!(text.contains(r#"path    = "/hit""#) && !text.contains("/api/orders"), "{text}");
    let output = Workplace::new("").harness(&["scenario", "import", "har", har.to_str().unwrap(), "--host", "nobody"]);
    assert_eq!(output.status.code(), Some(2));
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(err.contains("of 0 requests to nobody none can be kept") && err.contains("shop.example.com"), "{err}");
}

#[test]
fn the_description_of_the_service_becomes_a_scenario_in_which_every_operation_is_asked() {
    let openapi = Path::new(env!("CARGO_MANIFEST_DIR")).join("../service/openapi.json");
    let text = imported(&["openapi", openapi.to_str().unwrap()]);
    let document: serde_json::Value = serde_json::from_str(&fs::read_to_string(&openapi).unwrap()).unwrap();
    let paths = document["paths"].as_object().unwrap().values();
    let operations: usize = paths.map(|item| item.as_object().unwrap().len()).sum();
    let scenario: toml::Table = text.parse().unwrap();
    let journeys = scenario["journeys"].as_table().unwrap();
    let steps: usize = journeys.values().map(|journey| journey["steps"].as_array().unwrap().len()).sum();
    assert_eq!(steps, operations);
    let trips = journeys["trips"]["steps"].as_array().unwrap();
    assert_eq!(trips[0]["name"].as_str(), Some("trips_create"), "what is made comes first");
    assert_eq!(trips[0]["save"]["trips_id"]["json"].as_str(), Some("/id"));
    let last = trips.last().unwrap();
    assert_eq!(
        (last["method"].as_str(), last["path"].as_str()),
        (Some("DELETE"), Some("/api/v1/trips/${saved.trips_id}"))
    );
}

#[test]
fn yaml_is_read_too_and_what_is_neither_is_refused() {
    let place = Workplace::new("");
    let import = |kind: &str, text: &str, more: &[&str]| {
        fs::write(place.path().join("api"), text).unwrap();
        let output = place.harness(&[&["scenario", "import", kind, "api"], more].concat());
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let yaml = "openapi: 3.0.3\ninfo: { title: Tiny }\npaths:\n  /things/{thing}:\n    get:\n      parameters:\n        - { name: thing, in: path, required: true, schema: { type: string, example: a b } }\n      responses: { '200': { description: ok } }\n";
    let (code, out, err) = import("openapi", yaml, &["--out", "made.toml"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("harness scenario validate made.toml"), "{out}");
    let made = fs::read_to_string(place.path().join("made.toml")).unwrap();
    assert!(made.contains(r#"path    = "/things/a%20b""#), "{made}");
    assert_eq!(place.harness(&["scenario", "validate", "./made.toml"]).status.code(), Some(0), "{made}");
    let (code, _, err) = import("openapi", yaml, &["--out", "made.toml"]);
    assert!(code == Some(2) && err.contains("cannot write made.toml"), "{err}");
    for (kind, text, said) in [
        ("openapi", "swagger: '2.0'", "not an OpenAPI 3 document"),
        ("openapi", "{", "this is not JSON"),
        ("openapi", "openapi: 3.1.0", "describes no operation"),
        ("har", "[]", "this is not a HAR file"),
        ("har", r#"{"log":{"entries":[]}}"#, "the recording has no request"),
    ] {
        let (code, out, err) = import(kind, text, &[]);
        assert!(code == Some(2) && out.is_empty() && err.contains(said), "{kind} {text}: {err}");
    }
}
