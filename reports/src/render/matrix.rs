//! The faults of many runs against their journeys, as text, in Markdown, as JSON and as a page.
use super::{
    DrawError, chart,
    page::{figure, page, records, section, unbroken},
    table::Table,
    terminal::Tone,
};
use crate::{
    matrix::{Cell, Matrix, NOTICED, Row, SLOWER, State},
    number,
};
use maud::html;
use serde::Serialize;
use std::fmt::Write as _;

/// Version of the JSON document.
const FORMAT: u32 = 1;

/// What a journey met, in words.
fn met(cell: &Cell) -> String {
    let mut parts = vec![number::counted(cell.requests, "request")];
    if cell.untrue > 0 {
        parts.push(format!("{} untrue", cell.untrue));
    }
    if cell.failed > 0.0 {
        parts.push(format!("{} failed", number::percent(cell.failed)));
    }
    if cell.degraded > 0.0 {
        parts.push(format!("{} degraded", number::percent(cell.degraded)));
    }
    if let Some(slower) = cell.slower.filter(|slower| *slower >= 1.5) {
        parts.push(format!("p95 {} times", number::significant(slower)));
    }
    parts.join(", ")
}

fn short(cell: Option<&Cell>) -> String {
    cell.map_or_else(|| "–".to_owned(), |cell| format!("{} {}", cell.state.mark(), cell.state.word()))
}

/// One row per fault: what became of each journey.
pub(super) fn table(matrix: &Matrix) -> Table {
    let heads = ["scenario", "fault"].map(str::to_owned).into_iter().chain(matrix.journeys.iter().cloned());
    let mut table = Table::new(heads, [] as [&str; 0]);
    for row in &matrix.rows {
        let cells = row.cells.iter().map(|cell| short(cell.as_ref()));
        table.row([row.scenario.clone(), row.fault.clone()].into_iter().chain(cells));
    }
    table
}

/// One row per fault and journey that was not simply held, with its figures.
fn details(matrix: &Matrix) -> Table {
    let mut table = Table::new(["", "fault", "journey", "met", "run"], [] as [&str; 0]);
    for row in &matrix.rows {
        for (journey, cell) in matrix.journeys.iter().zip(&row.cells) {
            let Some(cell) = cell.as_ref().filter(|cell| cell.state != State::Held) else { continue };
            let fault = format!("{}: {}", row.fault, row.description);
            let run = format!("{} ({})", row.run, row.verdict.word());
            table.row([cell.state.mark().to_owned(), fault, journey.clone(), met(cell), run]);
        }
    }
    table
}

fn rule() -> String {
    format!(
        "While the fault was on, a journey held when surely less than {noticed} of its requests failed, and less than that were degraded; it is \
         degraded when surely more were, or when its p95 was surely more than {SLOWER} times that of the undisturbed time; it is broken when \
         surely more than {noticed} failed, or when a single answer was untrue. Surely means with 95 % confidence.",
        noticed = number::percent(NOTICED),
    )
}

/// As text. Colour, if any, is what `paint` adds; meaning never depends on it.
#[must_use]
pub fn matrix_text(matrix: &Matrix, paint: impl Fn(Tone, &str) -> String) -> String {
    let mut text = format!("{}\n\n", matrix.headline());
    for line in table(matrix).lines() {
        let painted = [(State::Broken, Tone::Bad), (State::Degraded, Tone::Unsure), (State::Held, Tone::Good)];
        let line = painted.into_iter().fold(line, |line, (state, tone)| {
            let word = format!("{} {}", state.mark(), state.word());
            line.replace(&word, &paint(tone, &word))
        });
        let _ = writeln!(text, "  {}", line.trim_end());
    }
    let invalid: Vec<&Row> = matrix.rows.iter().filter(|row| row.verdict.exit_code() == 8).collect();
    if !invalid.is_empty() {
        let names: Vec<&str> = invalid.iter().map(|row| row.scenario.as_str()).collect();
        let _ = writeln!(text, "\n  not to be trusted, because the run is invalid: {}", names.join(", "));
    }
    text
}

/// As a Markdown document.
#[must_use]
pub fn matrix_markdown(matrix: &Matrix) -> String {
    format!(
        "# Faults against journeys\n\n**{}**\n\n{}\n\n{}\n## What was met\n\n{}",
        matrix.headline(),
        rule(),
        table(matrix).markdown(),
        details(matrix).markdown()
    )
}

/// As a JSON document: shares between 0 and 1.
#[must_use]
pub fn matrix_json(matrix: &Matrix) -> String {
    #[derive(Serialize)]
    struct Document<'a> {
        /// Version of this document; a reader should refuse a higher one.
        format: u32,
        headline: String,
        #[serde(flatten)]
        matrix: &'a Matrix,
    }
    let document = Document { format: FORMAT, headline: matrix.headline(), matrix };
    let mut text = serde_json::to_string_pretty(&document).expect("the document has only text keys and finite numbers");
    text.push('\n');
    text
}

/// As one self-contained HTML page.
///
/// # Errors
/// When the chart cannot be drawn.
pub fn matrix_page(matrix: &Matrix) -> Result<String, DrawError> {
    let is_broken = matrix.count(State::Broken) > 0;
    let (class, mark) = if is_broken { ("bad", "✗") } else { ("good", "✓") };
    let details = details(matrix);
    let body = html! {
        header class=(class) {
            p.what { "TripSage faults against journeys" }
            h1 { span.mark aria-hidden="true" { (mark) } " " (if is_broken { "BROKEN IN PART" } else { "NOTHING BROKE" }) }
            p.headline { (unbroken(&matrix.headline())) }
        }
        @if let Some(picture) = chart::heat(matrix) { (section("Matrix", &rule(), &figure(picture.as_ref())?)) }
        @if !details.rows.is_empty() { (section("What was met", "", &records(&details))) }
        footer { "rendered by harness " (env!("CARGO_PKG_VERSION")) }
    };
    Ok(page("Faults against journeys", &body))
}

/// The chart as a PNG file; `None` when no fault was on.
///
/// # Errors
/// When it cannot be drawn.
pub fn matrix_png(matrix: &Matrix) -> Result<Option<Vec<u8>>, DrawError> {
    chart::heat(matrix).map(|picture| picture.png()).transpose()
}
