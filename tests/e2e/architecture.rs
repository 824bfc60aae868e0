//! The rules of ARCHITECTURE.md, as tests: who may import whom, what is never done where, and how large a file may be.
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const CRATES: [(&str, &str); 7] = [
    ("service", "service"),
    ("providers", "service/providers"),
    ("loadtest", "loadtest"),
    ("chaos", "chaos"),
    ("reports", "reports"),
    ("scenarios", "scenarios"),
    ("tests", "tests"),
];

/// Crate, and the crates of ours that it may import.
const MAY_IMPORT: [(&str, &[&str]); 6] = [
    ("service", &[]),
    ("providers", &[]),
    ("reports", &[]),
    ("loadtest", &["reports"]),
    ("chaos", &["reports"]),
    ("scenarios", &["loadtest", "chaos", "reports", "service", "providers"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the repository").to_owned()
}

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder).join("src"), &mut found);
    found.sort();
    assert!(!found.is_empty(), "no source below {folder}");
    let with_text = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path.strip_prefix(root()).unwrap().to_owned(), text)
    };
    found.into_iter().map(with_text).collect()
}

fn dependencies(folder: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    manifest["dependencies"].as_table().unwrap().keys().cloned().collect()
}

/// The part of a file before its tests.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

#[test]
fn a_crate_imports_only_what_the_architecture_allows() {
    let ours: BTreeSet<String> = CRATES.iter().map(|(name, _)| (*name).to_owned()).collect();
    for (name, allowed) in MAY_IMPORT {
        let folder = CRATES.iter().find(|(known, _)| *known == name).unwrap().1;
        let imported: Vec<String> = dependencies(folder).intersection(&ours).cloned().collect();
        let forbidden: Vec<_> = imported.iter().filter(|other| !allowed.contains(&other.as_str())).collect();
        assert!(forbidden.is_empty(), "`{name}` must not import {forbidden:?}");
    }
    let reports = dependencies("reports");
    for client in ["reqwest", "hyper", "goose", "tokio"] {
        assert!(!reports.contains(client), "reading an old run must not need `{client}`");
    }
}

#[test]
fn load_and_chaos_see_only_the_record_and_the_units_of_reports() {
    for folder in ["loadtest", "chaos"] {
        for (path, text) in sources(folder) {
            for part in text.split("reports::").skip(1) {
                for module in modules(part) {
                    let is_allowed = ["record", "units"].contains(&module.as_str());
                    assert!(is_allowed, "{}: reports::{module}", path.display());
                }
            }
        }
    }
}

/// The modules that a path or an import names right after the name of the crate, in a group or alone.
fn modules(after: &str) -> Vec<String> {
    let word = |text: &str| text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = after.strip_prefix('{') else { return vec![word(after)] };
    let (mut depth, mut starts) = (0, vec![0]);
    for (position, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => starts.push(position + 1),
            _ => {}
        }
    }
    starts.into_iter().map(|start| word(&group[start..])).filter(|module| !module.is_empty()).collect()
}

#[test]
fn modules_are_found_in_groups_and_alone() {
    let of = |text: &str| modules(text).join(" ");
    assert_eq!(of("record::{Run, Step};"), "record");
    assert_eq!(
        of("{\n    record::{Run, Step},\n    gate::judge,\n    units,\n};\nuse other::{a, b};"),
        "record gate units"
    );
}

#[test]
fn service_and_providers_are_served_only_by_the_sub_commands_made_for_it() {
    for (path, text) in sources("scenarios") {
        let is_serving = path.ends_with("command/serve.rs");
        let imports = ["service::", "providers::"].iter().any(|name| {
            without_tests(&text).match_indices(name).any(|(at, _)| {
                let before = text[..at].chars().next_back();
                !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':' || c == '.')
            })
        });
        assert!(is_serving || !imports, "{} imports the service or the providers", path.display());
    }
}

#[test]
fn only_the_program_reads_arguments_and_environment_or_writes_to_the_terminal() {
    let terminal = ["env::args", "env::var", "println!", "eprintln!", "io::stdout", "io::stderr"];
    for (name, folder) in CRATES {
        if ["scenarios", "tests"].contains(&name) {
            continue;
        }
        for (path, text) in sources(folder) {
            let is_program = path.ends_with("main.rs") || path.ends_with("telemetry/process.rs");
            let used: Vec<_> = terminal.iter().filter(|word| without_tests(&text).contains(**word)).collect();
            let shared = path.starts_with("service/providers") && folder == "service";
            assert!(is_program || shared || used.is_empty(), "{} uses {used:?}", path.display());
        }
    }
}

#[test]
fn pure_code_reads_no_clock_no_file_and_no_unseeded_random_source() {
    let pure = [
        "loadtest/src/arrivals",
        "loadtest/src/calibration/truth.rs",
        "reports/src/calibration.rs",
        "chaos/src/timeline.rs",
        "reports/src/gate",
        "scenarios/src/live/history.rs",
        "scenarios/src/live/totals.rs",
        "loadtest/src/written/answer.rs",
        "loadtest/src/written/body.rs",
        "loadtest/src/written/expression.rs",
        "loadtest/src/written/facts.rs",
        "loadtest/src/written/feeder.rs",
        "loadtest/src/written/template.rs",
        "scenarios/src/export",
        "scenarios/src/import",
        "loadtest/src/labels.rs",
        "loadtest/src/oracle/ledger.rs",
        "loadtest/src/oracle/record.rs",
        "reports/src/oracle.rs",
        "reports/src/history",
        "reports/src/regression",
        "reports/src/resilience",
        "reports/src/steady",
        "reports/src/validity",
        "scenarios/src/plan.rs",
    ];
    let impure =
        ["Instant::now", "SystemTime::now", "Timestamp::now", "Zoned::now", "std::fs", "rand::rng", "thread_rng"];
    let mut seen = 0;
    for (_, folder) in CRATES.iter().filter(|(name, _)| *name != "tests") {
        for (path, text) in sources(folder) {
            if !pure.iter().any(|start| path.starts_with(start)) {
                continue;
            }
            seen += 1;
            let used: Vec<_> = impure.iter().filter(|word| without_tests(&text).contains(**word)).collect();
            assert!(used.is_empty(), "{} uses {used:?}", path.display());
        }
    }
    assert!(seen >= 6, "the list of pure files no longer matches the tree: {seen} found");
}

#[test]
fn every_file_opens_with_its_purpose_and_stays_readable() {
    for (_, folder) in CRATES.iter().filter(|(name, _)| *name != "tests") {
        for (path, text) in sources(folder) {
            assert!(text.starts_with("//!"), "{} does not say what it is for", path.display());
            let lines = text.lines().count();
            assert!(lines <= 500, "{} has {lines} lines; look for the second noun", path.display());
            for name in ["util", "utils", "helper", "helpers", "common", "misc", "types"] {
                assert!(path.file_stem().is_some_and(|stem| stem != name), "{} has no name", path.display());
            }
        }
    }
}

#[test]
fn the_top_level_holds_what_the_architecture_lists() {
    let listed = [
        "Cargo.toml",
        "Cargo.lock",
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "LICENSE",
        "service",
        "loadtest",
        "chaos",
        "reports",
        "scenarios",
        "tests",
        "clippy.toml",
        "rustfmt.toml",
        "deny.toml",
        "target",
    ];
    for entry in fs::read_dir(root()).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(name.starts_with('.') || listed.contains(&name.as_str()), "`{name}` is not part of the layout");
    }
}
