//! The history of a scenario as text, in Markdown, as JSON and as a page.
use super::{
    DrawError, chart,
    delta_tables::signed_percent,
    page::{figure, page, records, section, table, unbroken},
    table::Table,
    terminal::{Tone, cut},
};
use crate::{
    history::{
        StoredMetric,
        change_point::{ChangePoint, FEWEST_POINTS},
        trend::{Course, Trend},
    },
    number,
    record::Point,
};
use maud::html;
use serde::Serialize;
use std::fmt::Write as _;

/// Widest line of the text, in columns.
const WIDTH: usize = 100;
/// Points that text shows, the last ones.
const MOST_POINTS: usize = 12;
/// Version of the JSON document.
const FORMAT: u32 = 1;

const CHANGES: &str = "Where the level changed for good, by ranks (chance of finding one where there is none: 1 % per metric); it lies within \
                       three runs of where it is said to be, and eight to ten runs after it are needed to see it.";
const BREAKS: &str = "From here on runs had other conditions than before: a change of level there may come from them.";

/// A list of points.
pub(super) fn points(of: &[Point]) -> Table {
    let mut table =
        Table::new(["run", "scenario", "baseline", "commit", "label", "verdict"], ["steps p95"]).with_code("run");
    for point in of {
        let p95: Vec<String> = point
            .figures
            .iter()
            .filter(|figure| figure.scope == "step" && figure.quantity == "p95")
            .map(|figure| figure.value.map_or_else(|| "–".to_owned(), |value| number::latency(value.round() as u64)))
            .collect();
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
        table.row([
            point.id.clone(),
            point.scenario.clone(),
            or_dash(point.baseline.clone()),
            or_dash(point.commit.as_ref().map(crate::record::Commit::short)),
            or_dash(point.label.clone()),
            point.verdict.clone(),
            p95.join(" · "),
        ]);
    }
    table.without_empty("label").without_empty("baseline").without_empty("commit")
}

fn metrics(trend: &Trend) -> Table {
    let mut table = Table::new(["metric"], ["runs", "first", "last", "level changes"]).and_words(["last change"]);
    for course in &trend.courses {
        let value = |value: Option<&f64>| value.map_or_else(String::new, |value| number::latency(value.round() as u64));
        let (count, last) = match &course.changes {
            Ok(changes) => {
                let last = changes.last().map_or_else(|| "–".to_owned(), |change| told(trend, course, change));
                (changes.len().to_string(), last)
            }
            Err(why) => ("–".to_owned(), why.to_string()),
        };
        let runs = course.places.len().to_string();
        table.row([
            course.metric.clone(),
            runs,
            value(course.values_ns.first()),
            value(course.values_ns.last()),
            count,
            last,
        ]);
    }
    table
}

fn told(trend: &Trend, course: &Course, change: &ChangePoint) -> String {
    let point = &trend.points[course.places[change.index]];
    format!("{} at {}", signed_percent(change.change), point.mark())
}

/// Every change of level, with where it may have been.
fn changes(trend: &Trend) -> Table {
    let mut table = Table::new(["metric", "at", "between"], ["change", "at least", "at most", "runs before", "after"]);
    for course in &trend.courses {
        for change in course.found() {
            let mark = |at: usize| trend.points[course.places[at.min(course.places.len() - 1)]].mark();
            let side = |side: Option<f64>| side.map_or_else(|| "?".to_owned(), signed_percent);
            table.row([
                course.metric.clone(),
                mark(change.index),
                format!("{} and {}", mark(change.from_index), mark(change.to_index)),
                signed_percent(change.change),
                side(change.at_least),
                side(change.at_most),
                change.before.to_string(),
                change.after.to_string(),
            ]);
        }
    }
    table
}

fn breaks(trend: &Trend) -> Table {
    let mut table = Table::new(["from", "condition", "before", "after"], [] as [&str; 0]);
    for one in &trend.breaks {
        for difference in &one.differences {
            let (before, after) = (difference.values[0].clone(), difference.values[1].clone());
            table.row([trend.points[one.index].mark(), difference.name.clone(), before, after]);
        }
    }
    table
}

fn headline(trend: &Trend) -> String {
    let (runs, found) = (trend.points.len(), trend.courses.iter().map(|course| course.found().len()).sum::<usize>());
    let runs_text = number::counted(runs as u64, "run");
    match (runs, found) {
        (runs, _) if runs < FEWEST_POINTS => {
            format!("{runs_text}: changes of level are looked for from {FEWEST_POINTS} on")
        }
        (_, 0) => {
            format!("{runs_text}, no change of level in {}", number::counted(trend.courses.len() as u64, "metric"))
        }
        _ => {
            let latest = trend.courses.iter().filter_map(|course| Some((course, course.found().last()?)));
            let latest = latest.max_by_key(|(course, change)| course.places[change.index]);
            let last = latest.map_or_else(String::new, |(course, change)| {
                format!("; the latest: {} {}", course.metric, told(trend, course, change))
            });
            format!("{runs_text}, {} of level{last}", number::counted(found as u64, "change"))
        }
    }
}

/// A list of points as text.
#[must_use]
pub fn points_text(of: &[Point]) -> String {
    points(of).lines().iter().map(|line| format!("{line}\n")).collect()
}

/// A list of points in Markdown.
#[must_use]
pub fn points_markdown(of: &[Point]) -> String {
    points(of).markdown()
}

fn stored(metrics: &[StoredMetric]) -> Table {
    let mut table = Table::new(["metric"], ["runs", "mean", "scatter", "finds"]);
    for one in metrics {
        let share = |share: Option<f64>| share.map_or_else(|| "–".to_owned(), number::percent);
        let mean = number::latency(one.mean_ns.round() as u64);
        table.row([one.metric.clone(), one.runs.to_string(), mean, share(one.scatter), share(one.detectable)]);
    }
    table
}

/// What a baseline's stored figures are worth, as text.
#[must_use]
pub fn stored_text(name: &str, scenario: &str, runs: usize, metrics: &[StoredMetric]) -> String {
    let head = format!("baseline {name}, scenario {scenario}: {}\n\n", number::counted(runs as u64, "run"));
    stored(metrics).lines().iter().fold(head, |text, line| text + line + "\n")
}

/// The same in Markdown.
#[must_use]
pub fn stored_markdown(name: &str, scenario: &str, runs: usize, metrics: &[StoredMetric]) -> String {
    let runs = number::counted(runs as u64, "run");
    format!("# Baseline {name}, scenario {scenario}: {runs}\n\n{}", stored(metrics).markdown())
}

/// A history as text.
#[must_use]
pub fn trend_text(trend: &Trend, paint: impl Fn(Tone, &str) -> String) -> String {
    let mut text = format!("{}  {}\n", paint(Tone::Heading, &trend.scenario), headline(trend));
    let mut part = |heading: &str, table: &Table| {
        if !table.rows.is_empty() {
            let _ = writeln!(text, "\n{}", paint(Tone::Heading, heading));
            for line in table.lines() {
                let _ = writeln!(text, "{}", cut(&format!("  {line}"), WIDTH));
            }
        }
    };
    part("METRICS", &metrics(trend));
    part("CHANGES OF LEVEL", &changes(trend));
    part("NEW CONDITIONS", &breaks(trend));
    let last = trend.points.len().saturating_sub(MOST_POINTS);
    part(if last > 0 { "LAST RUNS" } else { "RUNS" }, &points(&trend.points[last..]).without("scenario"));
    text
}

/// Where the levels of a history changed, as text.
#[must_use]
pub fn changes_text(trend: &Trend) -> String {
    let table = changes(trend);
    let lines = if table.rows.is_empty() { Vec::new() } else { table.lines() };
    [headline(trend)].into_iter().chain(lines).map(|line| line + "\n").collect()
}

/// A history as a Markdown document.
#[must_use]
pub fn trend_markdown(trend: &Trend) -> String {
    let mut page = format!("# {}: {}\n\n{}", trend.scenario, headline(trend), "");
    let parts = [
        ("Metrics", "", metrics(trend)),
        ("Changes of level", CHANGES, changes(trend)),
        ("New conditions", BREAKS, breaks(trend)),
        ("Runs", "", points(&trend.points)),
    ];
    for (heading, note, table) in parts.iter().filter(|(_, _, table)| !table.rows.is_empty()) {
        let note = if note.is_empty() { String::new() } else { format!("{note}\n\n") };
        let _ = write!(page, "## {heading}\n\n{note}{}\n", table.markdown());
    }
    page.trim_end().to_owned() + "\n"
}

/// A history as a JSON document: latencies in nanoseconds, changes as shares.
#[must_use]
pub fn trend_json(trend: &Trend) -> String {
    #[derive(Serialize)]
    struct Document<'a> {
        /// Version of this document; a reader should refuse a higher one.
        format: u32,
        headline: String,
        #[serde(flatten)]
        trend: &'a Trend,
    }
    let document = Document { format: FORMAT, headline: headline(trend), trend };
    let mut text = serde_json::to_string_pretty(&document).expect("the document has only text keys and finite numbers");
    text.push('\n');
    text
}

/// A history as one self-contained HTML page.
///
/// # Errors
/// When a chart cannot be drawn.
pub fn trend_page(trend: &Trend) -> Result<String, DrawError> {
    let has_changes = trend.courses.iter().any(|course| !course.found().is_empty());
    let (changes, breaks) = (changes(trend), breaks(trend));
    let span =
        |point: Option<&Point>| point.map_or_else(String::new, |point| point.at.get(..10).unwrap_or("").to_owned());
    let charts = chart::trends(trend);
    let body = html! {
        header class=(if has_changes { "unsure" } else { "good" }) {
            p.what { "TripSage history · " (trend.scenario) }
            h1 { (trend.scenario) }
            p.headline { (unbroken(&headline(trend))) }
            p.meta { (span(trend.points.first())) " to " (span(trend.points.last())) }
        }
        (section("Metrics", "", &table(&metrics(trend))))
        @if !changes.rows.is_empty() { (section("Changes of level", CHANGES, &table(&changes))) }
        @if !breaks.rows.is_empty() { (section("New conditions", BREAKS, &records(&breaks))) }
        @if !charts.is_empty() { (section("Course", "", &html! { @for picture in &charts { (figure(picture.as_ref())?) } })) }
        (section("Runs", "", &records(&points(&trend.points).without("scenario"))))
        footer { "rendered by harness " (env!("CARGO_PKG_VERSION")) }
    };
    Ok(page(&format!("History of {}", trend.scenario), &body))
}
