//! A run in the forms that other programs read: what they say, and that those programs can read it.
use crate::{
    golden::golden,
    synthetic::{Draft, quickstart_report, short},
};
use reports::{
    gate::GateOutcome,
    record::{Oracle, RunEnd},
    render::{Document, FORMATS, Format, annotations},
    report::Report,
    validity::CheckOutcome,
};

fn documents(report: &Report, name: &str) -> Vec<Document> {
    Format::named(name).unwrap().documents(report).unwrap()
}

fn only(report: &Report, name: &str) -> String {
    let [document] = <[Document; 1]>::try_from(documents(report, name)).unwrap();
    document.text
}

#[test]
fn every_form_has_its_own_name_and_files() {
    let mut seen = Vec::new();
    for format in FORMATS {
        seen.push(format.name.to_owned());
        let made = documents(quickstart_report(), format.name);
        assert!(made.iter().all(|document| !document.text.is_empty()), "{}", format.name);
        seen.extend(made.into_iter().map(|document| document.name));
    }
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), count, "{seen:?}");
    assert!(Format::named("pdf").is_none());
}

#[test]
fn the_forms_of_a_run_with_a_fault_are_the_golden_ones() {
    let report = quickstart_report();
    golden("quickstart.junit.xml", &only(report, "junit"));
    golden("quickstart.annotations.txt", &annotations(report));
    let csv = only(report, "csv");
    let of_chat = |line: &&str| line.contains(",journey,chat,steady,") || line.starts_with("run,");
    golden("quickstart.csv", &csv.lines().filter(of_chat).map(|line| format!("{line}\n")).collect::<String>());
    let [search, ..] = documents(report, "hgrm").try_into().unwrap_or_else(|_| -> [Document; 6] { panic!() });
    assert_eq!(search.name, "hdr/flight-search.response.hgrm");
    golden("quickstart.hgrm", &search.text);
}

#[test]
fn a_test_case_says_of_a_gate_and_a_check_what_the_verdict_says() {
    let report = quickstart_report();
    let of_gate = |wanted| report.verdict.gates.iter().filter(|gate| gate.outcome == wanted).count();
    let of_check = |wanted| report.verdict.checks.iter().filter(|check| check.outcome == wanted).count();
    let text = only(report, "junit");
    let count = |what: &str| text.matches(what).count();
    assert!(of_gate(GateOutcome::Fail) > 0 && of_gate(GateOutcome::Inconclusive) > 0);
    assert_eq!(count("<failure "), of_gate(GateOutcome::Fail));
    assert_eq!(count("<skipped "), of_gate(GateOutcome::Inconclusive) + of_check(CheckOutcome::NotApplicable));
    assert_eq!(count("<error "), of_gate(GateOutcome::Invalid) + of_check(CheckOutcome::Fail));
    assert_eq!(count("<testcase "), report.verdict.gates.len() + report.verdict.checks.len() + 2);
}

#[test]
fn a_run_that_cannot_be_trusted_is_an_error_and_never_green() {
    let root = tempfile::tempdir().unwrap();
    let mut draft = Draft::new(&short());
    draft.run.end = RunEnd::Interrupted;
    draft.run.oracle =
        Some(Oracle { acknowledged: 5, incomplete: Some("time ran out".to_owned()), ..Oracle::default() });
    draft.run.generator.clock_jump_ns = 500_000_000;
    let report = Report::read(&draft.write(root.path())).unwrap();
    let text = only(&report, "junit");
    assert!(text.contains("<error message=\"interrupted\""), "{text}");
    assert!(text.contains("(time ran out)\" type=\"invalid\""), "{text}");
    let said = annotations(&report);
    assert!(said.starts_with("::error title=quickstart%3A INTERRUPTED::"), "{said}");
    assert!(said.contains("::error title=Measurement invalid%3A clock steady::"), "{said}");
}

#[test]
fn every_row_of_the_table_has_every_column_and_says_what_the_summary_says() {
    let report = quickstart_report();
    let csv = only(report, "csv");
    let mut lines = csv.lines();
    let heads: Vec<&str> = lines.next().unwrap().split(',').collect();
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    assert!(rows.len() > 500 && rows.iter().all(|row| row.len() == heads.len()));
    let column = |head: &str| heads.iter().position(|known| *known == head).unwrap();
    let find = |window: &str, percentile: &str| {
        let is_it = |row: &&Vec<&str>| {
            let is = |head: &str, value: &str| row[column(head)] == value;
            let of_search = is("scope", "step") && is("name", "flights.search") && is("measure", "response");
            of_search && is("window", window) && is("percentile", percentile)
        };
        rows.iter().find(is_it).unwrap()[column("latency_ms")]
    };
    assert_eq!(find("during", "95"), "inf");
    let p95_ms: f64 = find("steady", "95").parse().unwrap();
    assert!((229.0..231.0).contains(&p95_ms), "230 ms in the golden page, {p95_ms} here");
}
