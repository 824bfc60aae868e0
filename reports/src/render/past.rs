//! A run against past jobs, as text, in Markdown and as JSON.
use super::{
    regression::tone,
    table::Table,
    terminal::{Tone, cut, wrapped},
};
use crate::{
    number,
    regression::{
        comparison::change,
        finding::Verdict,
        metric::Quantity,
        past::{Foreseen, PastComparison},
        stored::Prediction,
    },
};
use serde::Serialize;
use std::fmt::Write as _;

/// Widest line of the text, in columns.
const WIDTH: usize = 100;
/// Version of the JSON document.
const FORMAT: u32 = 1;

const WORTH: &str = "Past jobs met other hours of the machine, so what they foresee is wide. “Finds” is the smallest worsening that is \
                     found in 80 % of jobs: nothing passes whose margin is smaller. Two programs side by side, `harness gate --baseline`, \
                     find far smaller ones.";

fn metrics(done: &PastComparison) -> Table {
    let mut table =
        Table::new(["metric"], ["run", "change", "bounds", "margin", "finds", "jobs vary by"]).and_words([""]);
    for metric in &done.metrics {
        let quantity = metric.test.metric.quantity;
        let of = |cell: &dyn Fn(&Prediction) -> String| metric.prediction.as_ref().map_or_else(|| "–".to_owned(), cell);
        let value = match quantity {
            Quantity::Latency(_) if metric.value.is_finite() => number::latency(metric.value.round() as u64),
            Quantity::Latency(_) => "∞".to_owned(),
            Quantity::ErrorShare => number::percent(metric.value),
        };
        table.row([
            metric.test.metric.to_string(),
            value,
            of(&|found| change(quantity, found.effect)),
            of(&|found| format!("{} to {}", change(quantity, found.at_least), change(quantity, found.at_most))),
            change(quantity, metric.test.margin),
            of(&|found| change(quantity, found.detectable)),
            of(&|found| change(quantity, found.scatter).trim_start_matches('+').to_owned()),
            word(metric).to_owned(),
        ]);
    }
    table
}

fn word(metric: &Foreseen) -> &'static str {
    match metric.prediction.as_ref().map(|prediction| prediction.verdict) {
        Some(Verdict::Regress) => "✗ regressed",
        Some(Verdict::Pass) => "✓ passed",
        Some(Verdict::Inconclusive) => "? open",
        None if !metric.value.is_finite() => "✗ failed requests",
        None => "– too few requests",
    }
}

/// As text, at most 100 columns wide. Colour, if any, is what `paint` adds; meaning never depends on it.
#[must_use]
pub fn past_text(done: &PastComparison, paint: impl Fn(Tone, &str) -> String) -> String {
    let word = done.overall.word();
    let lead = format!("{word} (exit {})  ", done.overall.exit_code());
    let indent = lead.chars().count();
    let headline = wrapped(&done.headline(), WIDTH - indent).join(&format!("\n{}", " ".repeat(indent)));
    let mut text = format!("{}{headline}\n\n", lead.replacen(word, &paint(tone(done.overall), word), 1));
    let mut line = |words: &str| {
        let _ = writeln!(text, "{}", format!("  {}", cut(words, WIDTH - 2)).trim_end());
    };
    metrics(done).lines().iter().for_each(|row| line(row));
    line("");
    wrapped(WORTH, WIDTH - 2).iter().for_each(|row| line(row));
    for left_out in &done.left_out {
        line(&format!("left out {}: {}", left_out.run, left_out.why));
    }
    text
}

/// As a Markdown document.
#[must_use]
pub fn past_markdown(done: &PastComparison) -> String {
    let left_out: String =
        done.left_out.iter().map(|left_out| format!("- left out {}: {}\n", left_out.run, left_out.why)).collect();
    format!(
        "# {} against past jobs: {}\n\n**{}** (exit {}).\n\n{}\n{WORTH}\n\n{left_out}",
        done.run,
        done.overall.word(),
        done.headline(),
        done.overall.exit_code(),
        metrics(done).markdown(),
    )
}

/// As a JSON document: latencies in nanoseconds, effects and margins as shares.
#[must_use]
pub fn past_json(done: &PastComparison) -> String {
    #[derive(Serialize)]
    struct Document<'a> {
        /// Version of this document; a reader should refuse a higher one.
        format: u32,
        exit_code: u8,
        headline: String,
        #[serde(flatten)]
        done: &'a PastComparison,
    }
    let document = Document { format: FORMAT, exit_code: done.overall.exit_code(), headline: done.headline(), done };
    let mut text = serde_json::to_string_pretty(&document).expect("the document has only text keys");
    text.push('\n');
    text
}
