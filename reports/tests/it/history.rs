//! The history of a scenario that never ran: its changes of level, its new conditions, its pages; and what is kept of a run.
use crate::{
    golden::golden,
    synthetic::{Draft, quickstart_report, short},
};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use reports::{
    history::{critical::Level, take, trend::trend},
    record::{Aspect, Commit, Condition, Point, PointFigure, RunEnd, obstacles},
    render::{changes_text, plain, trend_json, trend_markdown, trend_page, trend_text},
    report::Report,
};

/// Thirty runs: searches become a fifth slower from the 19th on, and from the 10th on the machine has four processors.
fn points() -> Vec<Point> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut random = || rng.sample::<f64, _>(StandardNormal);
    let mut figure = |name: &str, quantity: &str, ms: f64| {
        let value = ms * 1e6 * (0.03 * random()).exp();
        PointFigure {
            scope: "step".to_owned(),
            name: name.to_owned(),
            window: "steady".to_owned(),
            quantity: quantity.to_owned(),
            value: Some(value),
            ln: Some(value.ln()),
            requests: 2_000,
        }
    };
    let mut point = |index: usize| {
        let slower = if index >= 18 { 1.2 } else { 1.0 };
        let processors = if index >= 9 { "4" } else { "2" };
        let condition = |aspect, name: &str, value: String| Condition { aspect, name: name.to_owned(), value };
        Point {
            format: 1,
            id: format!("2026-10-{:02}T06-00-00Z-{index:04x}", index + 1),
            scenario: "peak".to_owned(),
            at: format!("2026-10-{:02}T06:00:00Z", index + 1),
            label: None,
            baseline: Some("main".to_owned()),
            commit: Some(Commit {
                hash: format!("{:07x}", 0x00a1_b2c0 + index * 4_099),
                subject: "work".to_owned(),
                is_dirty: false,
            }),
            verdict: "PASSED".to_owned(),
            conditions: vec![
                condition(Aspect::Machine, "processors", processors.to_owned()),
                condition(Aspect::Seed, "seed", index.to_string()),
            ],
            figures: vec![
                figure("flights.search", "p50", 120.0 * slower),
                figure("flights.search", "p95", 240.0 * slower),
                figure("chat.message", "p95", 850.0),
            ],
        }
    };
    (0..30).map(&mut point).collect()
}

#[test]
fn a_history_shows_its_changes_and_its_new_conditions() {
    let found = trend("peak", points(), None, Level::One, 0.03);
    let changes: Vec<(&str, usize)> = found
        .courses
        .iter()
        .flat_map(|course| course.found().iter().map(|change| (course.metric.as_str(), change.index)))
        .collect();
    let [("flights.search p50", first), ("flights.search p95", second)] = changes.as_slice() else {
        panic!("{changes:?}")
    };
    assert!(first.abs_diff(18) <= 3 && second.abs_diff(18) <= 3, "{changes:?}");
    assert_eq!(found.breaks.len(), 1, "another seed is no new condition");
    assert_eq!((found.breaks[0].index, found.breaks[0].differences[0].name.as_str()), (9, "processors"));
    let text = trend_text(&found, plain);
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    golden("trend.txt", &text);
    golden("trend.md", &trend_markdown(&found));
    assert_eq!(changes_text(&found).lines().count(), 4, "headline, heads and two changes");
    let page = trend_page(&found).unwrap();
    for part in ["<h2>Changes of level</h2>", "<h2>New conditions</h2>", "<figure id=\"trend-flights.search-p95\">"] {
        assert!(page.contains(part), "{part} is missing");
    }
    if let Some(path) = std::env::var_os("TREND_PAGE") {
        std::fs::write(path, &page).unwrap();
    }
    let value: serde_json::Value = serde_json::from_str(&trend_json(&found)).unwrap();
    assert_eq!(value["courses"][0]["changes"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_short_history_says_what_is_missing() {
    let few: Vec<Point> = points().into_iter().take(3).collect();
    let found = trend("peak", few, Some("p95"), Level::One, 0.03);
    assert_eq!(found.courses.len(), 2, "only p95");
    assert!(trend_text(&found, plain).contains("3 runs: changes of level are looked for from 8 on"));
    assert!(trend_json(&found).contains("the history has 3 points; at least 8 are needed"));
    assert!(trend_page(&found).unwrap().contains("trend-chat.message-p95"));
    let none = trend("peak", Vec::new(), None, Level::One, 0.03);
    assert!(trend_text(&none, plain).contains("0 runs") && trend_page(&none).is_ok());
}

#[test]
fn what_is_kept_of_a_run_is_what_its_report_says() {
    let point = take(quickstart_report()).unwrap();
    assert_eq!((point.scenario.as_str(), point.verdict.as_str()), ("quickstart", "FAILED"));
    let p95 = point.figure("flights.search p95").unwrap();
    let value = p95.value.unwrap();
    assert!((229e6..231e6).contains(&value) && (p95.ln.unwrap() - value.ln()).abs() < 1e-12, "{p95:?}");
    assert_eq!((p95.window.as_str(), p95.requests), ("steady", 125));
    assert!(point.figure("trip p99").unwrap().value.is_none(), "37 requests have no p99");
    let read: Point = serde_json::from_str(&serde_json::to_string(&point).unwrap()).unwrap();
    assert_eq!(read, point);
    assert_eq!(obstacles(&point.conditions, &read.conditions), []);
}

#[test]
fn a_run_that_cannot_be_trusted_is_not_kept() {
    let root = tempfile::tempdir().unwrap();
    let mut draft = Draft::new(&short());
    draft.run.end = RunEnd::Interrupted;
    let report = Report::read(&draft.write(root.path())).unwrap();
    let said = take(&report).unwrap_err().to_string();
    assert!(said.contains("is INTERRUPTED, so its figures are no part of a history"), "{said}");
}
