//! A comparison of runs as text, in Markdown, as JSON and as a page. It has no verdict.
use super::{
    DrawError, chart, delta_tables as tables,
    page::{figure, page, records, section, table, unbroken},
    table::Table,
    terminal::{Tone, cut},
};
use crate::{
    delta::{Compared, Deltas},
    number,
};
use maud::{Markup, html};
use serde::Serialize;
use std::fmt::Write as _;

/// Widest line of the text, in columns.
const WIDTH: usize = 100;
/// Metrics beyond this many are left to the page.
const MOST_METRICS: usize = 12;
/// Metrics beyond this many are left to the JSON document.
const MOST_METRICS_ON_PAGE: usize = 60;
/// Version of the JSON document.
const FORMAT: u32 = 1;

const UNLIKE: &str =
    "The runs are unlike (!): their figures differ for these reasons too, not only for the target's code.";
const ALIKE: &str = "Same scenario, load, faults, target, settings and machine.";
const REMARKS: &str =
    "Same scenario, load, faults, target, settings and machine; what differs otherwise is no obstacle.";
const LATENCY: &str = "Response time in milliseconds from due; requests without a good answer count as ∞. The interval of a change comes from \
                       the order statistics of both runs and takes requests as independent, so it is rather too narrow: `harness gate` says \
                       whether a candidate is slower.";
const SHARES: &str = "Everything but the warm-up. Differences in percentage points, with Newcombe's interval, which takes requests as independent.";
const USAGE: &str = "Each run has each figure once, so there is no interval: a difference may be chance.";
const METRICS: &str = "Counters for each thousand answered requests, others as their mean; the series of each name together, the largest changes first.";

/// What can be said of the conditions.
fn likeness(deltas: &Deltas) -> &'static str {
    match (deltas.are_unlike(), deltas.differences.is_empty()) {
        (true, _) => UNLIKE,
        (false, true) => ALIKE,
        (false, false) => REMARKS,
    }
}

/// The sections that text and Markdown have, in order.
fn sections(deltas: &Deltas) -> Vec<(String, &'static str, Table)> {
    let mut metrics = tables::figures(deltas, &deltas.metrics);
    let left = metrics.rows.len().saturating_sub(MOST_METRICS);
    metrics.rows.truncate(MOST_METRICS);
    let more = if left > 0 { format!(", {left} more on the page") } else { String::new() };
    vec![
        ("Different".to_owned(), likeness(deltas), tables::differences(deltas)),
        ("Latency of journeys".to_owned(), LATENCY, tables::latencies(deltas, &deltas.journeys)),
        (format!("Latency of steps, {}", deltas.window), "", tables::latencies(deltas, &deltas.steps)),
        ("Outcomes".to_owned(), SHARES, tables::shares(deltas)),
        ("Used".to_owned(), USAGE, tables::figures(deltas, &deltas.usage)),
        (format!("Metrics of the target{more}"), METRICS, metrics),
    ]
}

/// A comparison as text.
#[must_use]
pub fn delta_text(deltas: &Deltas, paint: impl Fn(Tone, &str) -> String) -> String {
    let letters: Vec<&str> = deltas.others().collect();
    let mut text = format!("{} against A; no verdict\n", letters.join(", "));
    for run in &deltas.runs {
        let line = format!("  {}  {} {}  {}", run.letter, run.scenario, run.id, run.verdict);
        let _ = writeln!(text, "{}", cut(&line, WIDTH));
    }
    for (index, (heading, _, table)) in sections(deltas).into_iter().enumerate() {
        if index == 0 {
            let tone = if deltas.are_unlike() { Tone::Unsure } else { Tone::Good };
            let _ = writeln!(text, "\n{}", paint(tone, likeness(deltas)));
        }
        if table.rows.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n{}", paint(Tone::Heading, &heading.to_uppercase()));
        for line in table.lines() {
            let _ = writeln!(text, "{}", cut(&format!("  {line}"), WIDTH));
        }
    }
    text
}

/// A comparison as a Markdown document.
#[must_use]
pub fn delta_markdown(deltas: &Deltas) -> String {
    let mut page = format!(
        "# {} against A\n\n{}",
        deltas.others().collect::<Vec<_>>().join(", "),
        tables::runs(deltas).markdown()
    );
    for (heading, note, table) in sections(deltas) {
        if table.rows.is_empty() && heading != "Different" {
            continue;
        }
        let _ = write!(page, "\n## {heading}\n\n");
        if !note.is_empty() {
            let _ = write!(page, "{note}\n\n");
        }
        if !table.rows.is_empty() {
            page.push_str(&table.markdown());
        }
    }
    page
}

/// A comparison as a JSON document: latencies in nanoseconds, changes and shares as shares.
#[must_use]
pub fn delta_json(deltas: &Deltas) -> String {
    #[derive(Serialize)]
    struct Document<'a> {
        /// Version of this document; a reader should refuse a higher one.
        format: u32,
        are_unlike: bool,
        #[serde(flatten)]
        deltas: &'a Deltas,
    }
    let document = Document { format: FORMAT, are_unlike: deltas.are_unlike(), deltas };
    let mut text = serde_json::to_string_pretty(&document).expect("the document has only text keys and finite numbers");
    text.push('\n');
    text
}

/// A comparison as one self-contained HTML page.
///
/// # Errors
/// When a chart cannot be drawn.
pub fn delta_page(compared: &[Compared], deltas: &Deltas) -> Result<String, DrawError> {
    let journeys = chart::journeys_of_runs(compared, deltas);
    let mut metrics = tables::figures(deltas, &deltas.metrics);
    metrics.rows.truncate(MOST_METRICS_ON_PAGE);
    let body = html! {
        (banner(deltas))
        (section("Runs", "", &records(&tables::runs(deltas))))
        (section("What was different", likeness(deltas), &differences(deltas)))
        (section("Latency of journeys", LATENCY, &table(&tables::latencies(deltas, &deltas.journeys))))
        @for (journey, pictures) in &journeys {
            (section(&format!("{journey}, {}", deltas.window), CHARTS, &html! { @for picture in pictures { (figure(picture.as_ref())?) } }))
        }
        (section("Outcomes", SHARES, &table(&tables::shares(deltas))))
        (section(&format!("Latency of steps, {}", deltas.window), "Milliseconds, as above.", &table(&tables::latencies(deltas, &deltas.steps))))
        (section("What was used", USAGE, &table(&tables::figures(deltas, &deltas.usage))))
        @if !metrics.rows.is_empty() { (section("Metrics of the target", METRICS, &table(&metrics))) }
        footer { "rendered by harness " (env!("CARGO_PKG_VERSION")) }
    };
    let ids: Vec<&str> = deltas.runs.iter().map(|run| run.id.as_str()).collect();
    Ok(page(&format!("Comparison of {}", ids.join(", ")), &body))
}

const CHARTS: &str = "The change at each quantile with its 95 % band; then all of each run, over the share of the requests and over the latency.";

fn differences(deltas: &Deltas) -> Markup {
    html! { @if !deltas.differences.is_empty() { (records(&tables::differences(deltas))) } }
}

fn banner(deltas: &Deltas) -> Markup {
    let is_unlike = deltas.are_unlike();
    let scenario = &deltas.runs[0].scenario;
    let letters: Vec<&str> = deltas.others().collect();
    let clear =
        deltas.journeys.iter().filter(|delta| delta.changes.iter().flatten().any(crate::delta::Change::is_clear));
    let (clear, all) = (clear.count(), deltas.journeys.len());
    html! {
        header class=(if is_unlike { "unsure" } else { "good" }) {
            p.what { "TripSage comparison · " (scenario) }
            h1 { (letters.join(", ")) " against A" }
            p.headline { (unbroken(if is_unlike { UNLIKE } else { ALIKE })) }
            p.meta {
                "no verdict · " (number::counted(deltas.runs.len() as u64, "run")) " · the interval of " (clear) " of " (all)
                " changes of journeys' quantiles is clear of none"
            }
        }
    }
}
