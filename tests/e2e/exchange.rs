//! Experiments of Chaos Toolkit: what is imported can be run as it is, what is exported can be imported again.
use crate::program::Workplace;
use std::{fs, path::Path};

const EXPERIMENT: &str = include_str!("data/stock.chaos.json");

/// What the program says of a file: exit code, standard output, standard error.
fn said(place: &Workplace, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = place.harness(arguments);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn imported(experiment: &str) -> (Option<i32>, String, String) {
    let place = Workplace::new("");
    fs::write(place.path().join("experiment.json"), experiment).unwrap();
    let made = said(&place, &["scenario", "import", "chaostoolkit", "experiment.json"]);
    if made.0 == Some(0) {
        fs::write(place.path().join("mine.toml"), &made.1).unwrap();
        let (code, _, err) = said(&place, &["scenario", "validate", "./mine.toml"]);
        assert_eq!(code, Some(0), "{err}\n{}", made.1);
    }
    made
}

#[test]
fn an_experiment_becomes_a_scenario_without_its_secrets() {
    let (code, text, err) = imported(EXPERIMENT);
    assert_eq!(code, Some(0), "{err}");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/data/stock.toml");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&golden, &text).unwrap();
    }
    assert_eq!(
        text,
        fs::read_to_string(&golden).unwrap_or_default(),
        "run again with UPDATE=1 and review the difference"
    );
    assert!(!text.contains("hunter2") && !err.contains("hunter2"), "{text}\n{err}");
    assert!(text.contains(r#"path    = "/basket/17""#) && text.contains("window=83s..92s"), "{text}");
    for left_out in ["\"sales go on\" (shop.probes.sales)", "\"stop a machine\" (shop.machines.stop)", "secrets (shop)"]
    {
        assert!(text.contains(left_out) && err.contains(left_out), "{left_out}: {err}\n{text}");
    }
}

#[test]
fn what_is_no_experiment_is_refused_with_its_place() {
    let (code, out, err) = imported(&EXPERIMENT.replacen("\"method\": [", "\"method\": [,", 1));
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.contains("cannot import experiment.json") && err.contains("line 39 column 14"), "{err}");
    let (code, _, err) = imported("{ \"log\": { \"entries\": [] } }");
    assert!(code == Some(2) && err.contains("missing field `title`"), "{err}");
    let (code, _, err) = imported(&EXPERIMENT.replace("chaostoxi.", "chaosother."));
    assert_eq!(code, Some(2));
    assert!(err.contains("nothing of the method becomes a fault") && err.contains("\"stock is gone\""), "{err}");
}

#[test]
fn a_shipped_scenario_goes_there_and_back() {
    let place = Workplace::new("");
    let (code, experiment, err) = said(&place, &["scenario", "export", "chaostoolkit", "flights-down"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("the load is left out") && err.contains("there is no hypothesis"), "{err}");
    fs::write(place.path().join("flights-down.json"), experiment).unwrap();
    let out = ["scenario", "import", "chaostoolkit", "flights-down.json", "--out", "back.toml"];
    assert_eq!(said(&place, &out).0, Some(0));
    let faults = |scenario: &str| {
        let (code, plan, err) = said(&place, &["plan", scenario]);
        assert_eq!(code, Some(0), "{err}");
        plan.lines().filter(|line| line.contains("down: connections refused")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(faults("./back.toml"), faults("flights-down"));
    assert!(!faults("flights-down").is_empty());
}

#[test]
fn faults_that_a_toxiproxy_lacks_are_refused_or_listed() {
    let place = Workplace::new("");
    let (code, out, err) = said(&place, &["scenario", "export", "chaostoolkit", "service-killed"]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.contains("it acts on the part service") && err.contains("--skip-unmapped"), "{err}");
    let (code, out, err) = said(&place, &["scenario", "export", "chaostoolkit", "service-killed", "--skip-unmapped"]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.contains("has no fault that a Toxiproxy could bring about"), "{err}");
}
