//! `harness readiness`: what is there decides, and what was changed to look better does not count.
use crate::program::{SHORT, Workplace};
use std::fs;

const OWN: &str = r#"
title = "A small launch"

[[rows]]
id      = "levels"
section = "Technical"
title   = "The levels hold"
needs   = [{ run = "scenario", gates = ["wrong = 0"] }]

[[rows]]
id       = "support"
section  = "Operational"
title    = "Support is ready"
sign_off = "the head of support"
"#;

const SIGNED: &str = "[signed.support]\nby = \"Ada Lovelace\"\non = \"2026-01-05\"\n";

#[test]
fn a_launch_without_evidence_is_not_ready() {
    let place = Workplace::new("");
    let output = place.harness(&["readiness"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(7), "{text}");
    assert!(text.starts_with("NOT READY  (exit 7)  0 of 16 rows met: 4 missing, 12 unsigned"), "{text}");
    for part in ["Performance benchmarks met", "a run of peak that passes: there is none", "the word of legal counsel"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let json = place.harness(&["readiness", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_slice(&json.stdout).expect("one JSON document and nothing else");
    assert!(document["is_ready"] == false && document["rows"].as_array().unwrap().len() == 16, "{document}");
    let shown = place.harness(&["readiness", "--show"]);
    fs::write(place.path().join("mine.toml"), shown.stdout).unwrap();
    assert_eq!(place.harness(&["readiness", "--checklist", "mine.toml"]).status.code(), Some(7));
}

#[test]
fn a_run_and_a_signature_make_a_launch_ready_until_the_scenario_changes() {
    let text = SHORT.replace("\"4s\"", "\"3s\"");
    let place = Workplace::new(&text);
    let path = |name: &str| place.path().join(name);
    fs::create_dir(path("scenarios")).unwrap();
    fs::write(path("scenarios/scenario.toml"), &text).unwrap();
    fs::write(path("own.toml"), OWN).unwrap();
    fs::write(path("signed.toml"), SIGNED).unwrap();
    let judged = |more: &[&str]| {
        let output = place.harness(&[&["readiness", "--out", ".", "--checklist", "own.toml"], more].concat());
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code(), format!("{out}\n{err}"))
    };
    let signed = ["--signed", "signed.toml"];
    let (code, page) = judged(&signed);
    assert!(code == Some(7) && page.contains("1 of 2 rows met: 1 missing"), "{page}");
    let (code, out, err) = place.start(&[]).end();
    assert_eq!(code, Some(0), "{out}\n{err}");
    let (code, page) = judged(&signed);
    assert!(code == Some(0) && page.starts_with("READY  (exit 0)  2 of 2 rows met"), "{page}");
    assert!(page.contains("PASSED") && page.contains("Ada Lovelace, 2026-01-05"), "{page}");
    let (code, page) = judged(&[]);
    assert!(code == Some(7) && page.contains("1 unsigned"), "{page}");
    let (code, page) = judged(&[&signed[..], &["--max-age", "1ns"]].concat());
    assert!(code == Some(7) && page.contains("1 stale"), "{page}");
    let (_, markdown) = judged(&["--format", "markdown"]);
    assert!(markdown.contains("| ✓ | The levels hold | proven |"), "{markdown}");
    fs::write(path("scenarios/scenario.toml"), format!("{text}\n# changed\n")).unwrap();
    let (code, page) = judged(&signed);
    assert!(code == Some(7) && page.contains("of another text of the scenario"), "{page}");
}

#[test]
fn what_cannot_count_is_refused() {
    let place = Workplace::new("");
    let cases = [
        ("own.toml", OWN.replace("support", "levels"), "two rows are called `levels`"),
        ("own.toml", OWN.replace("sign_off", "signed_off"), "unknown field `signed_off`"),
        ("own.toml", OWN.replace("run = ", "walk = "), "unknown field `walk`"),
        ("signed.toml", SIGNED.replace("support", "levels"), "`levels` is signed, but is proven by evidence alone"),
        ("signed.toml", SIGNED.replace("support", "legal"), "has no such row; rows to sign are support"),
        ("signed.toml", SIGNED.replace("2026", "2999"), "which is not yet"),
        ("signed.toml", SIGNED.replace("Ada Lovelace", " "), "has no name in `by`"),
    ];
    for (name, text, said) in cases {
        fs::write(place.path().join("own.toml"), OWN).unwrap();
        fs::write(place.path().join("signed.toml"), SIGNED).unwrap();
        fs::write(place.path().join(name), text).unwrap();
        let output = place.harness(&["readiness", "--checklist", "own.toml", "--signed", "signed.toml"]);
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && err.contains(said), "{said}: {err}");
    }
    let output = place.harness(&["readiness", "--signed", "nowhere.toml"]);
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}
