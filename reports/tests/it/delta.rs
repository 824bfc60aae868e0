//! Runs side by side: what is said of two that differ, and of two that do not.
use crate::{
    golden::golden,
    synthetic::{Draft, SEARCH, Shape, quickstart, quickstart_folder, short},
};
use reports::{
    delta::{Compared, Deltas, Value},
    record::{MetricSeries, Metrics, Outcome},
    render::{delta_json, delta_markdown, delta_page, delta_text, plain},
    report::Report,
    summary::{Scope, Window},
};
use std::time::Duration;

fn compared(draft: &Draft, requests_per_second: &str) -> Compared {
    let root = tempfile::tempdir().unwrap();
    let report = Report::read(&draft.write(root.path())).unwrap();
    let series =
        ["tripsage_pool_in_use 2 4 6".to_owned(), format!("tripsage_http_requests_total 0 {requests_per_second}")];
    let series = series.iter().map(|line| MetricSeries::parse(line).unwrap()).collect();
    Compared { report, metrics: Some(Metrics { every: Duration::from_secs(1), series }) }
}

/// The same run with searches that take a third longer, another seed, more users and a setting.
fn slower() -> Draft {
    let mut draft = Draft::new(&Shape { seed: 43, ..quickstart() });
    for sample in draft.samples.iter_mut().filter(|sample| sample.step_index == SEARCH) {
        sample.done_ns = sample.sent_ns + (sample.done_ns - sample.sent_ns) * 4 / 3;
        if sample.outcome == Outcome::Shed {
            sample.outcome = Outcome::Timeout;
        }
    }
    draft.run.load.users = 128;
    draft.run.target.settings.insert("TRIPSAGE_DATABASE_CONNECTIONS".to_owned(), "5".to_owned());
    draft.run.target.processes[0].cpu_seconds = 9.0;
    draft.count();
    draft
}

#[test]
fn the_pages_of_a_comparison_are_the_golden_ones() {
    let both = [compared(&Draft::new(&quickstart()), "900"), compared(&slower(), "1800")];
    let deltas = Deltas::of(&both).unwrap();
    let text = delta_text(&deltas, plain);
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    golden("delta.txt", &text);
    golden("delta.md", &delta_markdown(&deltas));
    let value: serde_json::Value = serde_json::from_str(&delta_json(&deltas)).unwrap();
    assert_eq!((&value["format"], &value["are_unlike"]), (&1.into(), &true.into()));
    let page = delta_page(&both, &deltas).unwrap();
    for forbidden in ["<script", "src=", "href=", "NaN"] {
        assert!(!page.contains(forbidden), "the page has {forbidden}");
    }
    for id in ["quantiles-flight-search", "spectrum-chat", "ecdf-trip"] {
        assert!(page.contains(&format!("<figure id=\"{id}\">")), "{id} is missing");
    }
}

#[test]
fn a_slower_step_is_found_with_its_size_and_the_others_are_not() {
    let both = [compared(&Draft::new(&quickstart()), "900"), compared(&slower(), "1800")];
    let deltas = Deltas::of(&both).unwrap();
    let median = |step: &str| {
        let is_it = |delta: &&reports::delta::LatencyDelta| {
            delta.scope == Scope::Step(step.to_owned()) && delta.quantile == 0.5
        };
        deltas.steps.iter().find(is_it).unwrap().changes[0].unwrap()
    };
    assert_eq!(deltas.window, Window::Kind(reports::record::PhaseKind::Steady));
    let search = median("flights.search");
    assert!(search.lower.unwrap() < 1.0 / 3.0 && 1.0 / 3.0 < search.upper.unwrap() && search.is_clear(), "{search:?}");
    assert!(!median("chat.message").is_clear() && !median("trips.create").is_clear());
    let infinite = deltas.journeys.iter().find(|delta| delta.values.contains(&Value::Infinite)).unwrap();
    assert_eq!(infinite.changes, [None]);
    let requests = deltas.metrics.iter().find(|figure| figure.name == "tripsage_http_requests_total").unwrap();
    let answered = both.each_ref().map(|one| one.report.run.load.counts.completed as f64);
    let expected = 2.0 * answered[0] / answered[1] - 1.0;
    assert!((requests.changes[0].unwrap() - expected).abs() < 1e-9, "{requests:?}");
}

#[test]
fn runs_that_are_alike_are_said_to_be() {
    let one = Compared { report: Report::read(quickstart_folder()).unwrap(), metrics: None };
    let deltas = Deltas::of(&[one.clone(), one.clone(), one.clone()]).unwrap();
    assert!(deltas.differences.is_empty() && deltas.metrics.is_empty() && !deltas.are_unlike());
    let changes = || deltas.journeys.iter().flat_map(|delta| &delta.changes).flatten();
    assert!(changes().count() > 10 && changes().all(|change| change.estimate == 0.0 && !change.is_clear()));
    let text = delta_text(&deltas, plain);
    assert!(text.starts_with("B, C against A; no verdict\n") && text.contains("Same scenario, load, faults"), "{text}");
    assert_eq!(Deltas::of(&[one]), None);
}

#[test]
fn runs_with_nothing_in_common_can_still_be_looked_at() {
    let mut empty = Draft::new(&Shape { fault: None, ..short() });
    empty.samples.clear();
    empty.dropped_ns.clear();
    empty.count();
    let both = [compared(&empty, "1"), compared(&Draft::new(&short()), "5")];
    let deltas = Deltas::of(&both).unwrap();
    let page = delta_page(&both, &deltas).unwrap();
    let text = delta_text(&deltas, plain) + &delta_markdown(&deltas) + &delta_json(&deltas);
    assert!(!page.contains("NaN") && !text.contains("NaN"), "{text}");
    assert!(deltas.are_unlike() && deltas.differences.iter().any(|one| one.name == "mcp.flights latency"));
}
