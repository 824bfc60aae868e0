//! What a regression gate is worth on a machine, as text, in Markdown, as JSON and as a page.
use super::{
    page::{page, records, section},
    regression::{how_often, tone},
    table::Table,
    terminal::{Tone, cut, wrapped},
};
use crate::{
    number,
    regression::{
        judgement::Overall,
        self_test::{EQUAL, Rate, SelfTest},
    },
};
use maud::html;
use serde::Serialize;
use std::fmt::Write as _;

/// Widest line of the text, in columns.
const WIDTH: usize = 100;
/// Version of the JSON document.
const FORMAT: u32 = 1;

const RATES: &str = "Found is the share of the valid gates that said REGRESSED: false alarms where nothing was put in, detections elsewhere. \
                     The interval holds the true share with 95 % (Clopper and Pearson). Moved most is the metric with the largest \
                     effect, as a median over the gates: not all of an answer is the time of a provider.";

/// What is said of a self-test in one word: it is no gate, and nothing regressed.
fn word(overall: Overall) -> &'static str {
    match overall {
        Overall::Pass => "PROVEN",
        Overall::Inconclusive | Overall::Regress => "WEAK",
        Overall::Invalid => "INVALID",
    }
}

fn rates(done: &SelfTest) -> Table {
    let heads = ["gates", "found", "interval", "passed", "open", "invalid", "cycles"];
    let mut table = Table::new(["injected"], heads).and_words(["moved most", "means"]);
    for rate in done.rates() {
        let of = done.trials.iter().filter(|trial| trial.injected == rate.injected);
        let mean_cycles = of.clone().map(|trial| trial.cycles as f64).sum::<f64>() / of.clone().count().max(1) as f64;
        let moved = done.moved_most(&rate.injected).map_or_else(
            || "–".to_owned(),
            |(metric, effect)| {
                format!("{metric} {:+.1} {}", effect * 100.0, if metric.ends_with("errors") { "pp" } else { "%" })
            },
        );
        table.row([
            rate.injected.clone(),
            rate.valid().to_string(),
            rate.share.map_or_else(|| "–".to_owned(), number::exact_percent),
            interval(&rate),
            rate.passed.to_string(),
            rate.inconclusive.to_string(),
            rate.invalid.to_string(),
            number::significant(mean_cycles),
            moved,
            of.map(|trial| trial.meaning.clone()).next().unwrap_or_default(),
        ]);
    }
    table
}

fn interval(rate: &Rate) -> String {
    match rate.share {
        Some(_) => format!("{:.0}–{:.0} %", rate.at_least * 100.0, rate.at_most * 100.0),
        None => "–".to_owned(),
    }
}

fn trials(done: &SelfTest) -> Table {
    let mut table = Table::new(["injected", "gate", "verdict", "because"], ["cycles", "time", "seed"]);
    for trial in &done.trials {
        table.row([
            trial.injected.clone(),
            trial.gate.clone(),
            trial.overall.word().to_lowercase(),
            trial.headline.clone(),
            trial.cycles.to_string(),
            number::seconds((trial.seconds * 1e9) as u64),
            trial.seed.to_string(),
        ]);
    }
    table
}

fn how(done: &SelfTest) -> Table {
    let mut table = Table::new(["", ""], [] as [&str; 0]);
    let mut row = |name: &str, value: String| table.row([name.to_owned(), value]);
    row("scenario", done.scenario.clone());
    row("load", format!("{} of both together", number::rate(done.rate_per_second)));
    row("cycles", format!("{} s; {}", number::significant(done.cycle_seconds), how_often(&done.settings.plan)));
    row("chance of error", format!("{} on either side", number::exact_percent(done.settings.alpha)));
    let margins =
        done.settings.tests.iter().map(|test| format!("{} {}", test.metric, number::exact_percent(test.margin)));
    row("margins", margins.collect::<Vec<_>>().join(", "));
    let machine = &done.machine;
    let cpus = number::counted(machine.cpu_count as u64, "CPU");
    row("machine", format!("{}, {} ({cpus})", machine.system, machine.cpu_model));
    table
}

/// A self-test as text, at most 100 columns wide. Colour, if any, is what `paint` adds; meaning never depends on it.
#[must_use]
pub fn self_test_text(done: &SelfTest, paint: impl Fn(Tone, &str) -> String) -> String {
    let (overall, word) = (done.overall(), word(done.overall()));
    let lead = format!("{word} (exit {})  ", overall.exit_code());
    let indent = lead.chars().count();
    let headline = wrapped(&done.headline(), WIDTH - indent).join(&format!("\n{}", " ".repeat(indent)));
    let mut text = format!("{}{headline}\n\n", lead.replacen(word, &paint(tone(overall), word), 1));
    let table = rates(done).without("means");
    let lines = table.lines().into_iter().chain([String::new()]).chain(how(done).lines().into_iter().skip(1));
    for line in lines {
        let _ = writeln!(text, "{}", format!("  {}", cut(&line, WIDTH - 2)).trim_end());
    }
    text
}

/// A self-test as a Markdown document.
#[must_use]
pub fn self_test_markdown(done: &SelfTest) -> String {
    format!(
        "# Self-test of the regression gate: {}\n\n**{}** (exit {}).\n\n{}\n{RATES}\n\n## Gates\n\n{}\n## How\n\n{}",
        word(done.overall()),
        done.headline(),
        done.overall().exit_code(),
        rates(done).markdown(),
        trials(done).markdown(),
        how(done).markdown(),
    )
}

/// A self-test as a JSON document: rates and effects as shares.
#[must_use]
pub fn self_test_json(done: &SelfTest) -> String {
    #[derive(Serialize)]
    struct Document<'a> {
        /// Version of this document; a reader should refuse a higher one.
        format: u32,
        exit_code: u8,
        headline: String,
        rates: Vec<Rate>,
        #[serde(flatten)]
        done: &'a SelfTest,
    }
    let exit_code = done.overall().exit_code();
    let document = Document { format: FORMAT, exit_code, headline: done.headline(), rates: done.rates(), done };
    let mut text = serde_json::to_string_pretty(&document).expect("the document has only text keys and finite numbers");
    text.push('\n');
    text
}

/// A self-test as one self-contained HTML page.
#[must_use]
pub fn self_test_page(done: &SelfTest) -> String {
    let overall = done.overall();
    let (class, mark) = match overall {
        Overall::Pass => ("good", "✓"),
        Overall::Inconclusive | Overall::Regress => ("unsure", "?"),
        Overall::Invalid => ("bad", "!"),
    };
    let alarms = done.rates().into_iter().find(|rate| rate.injected == EQUAL);
    let alarms = alarms.map_or_else(String::new, |rate| format!(" · false alarms {} with 95 %", interval(&rate)));
    let body = html! {
        header class=(class) {
            p.what { "Self-test of the regression gate · " (done.scenario) }
            h1 { span.mark aria-hidden="true" { (mark) } " " (word(overall)) }
            p.headline { (done.headline()) }
            p.meta { "exit " (overall.exit_code()) " · " (number::counted(done.trials.len() as u64, "gate")) (alarms) }
        }
        (section("Rates", RATES, &records(&rates(done))))
        (section("Gates", "", &records(&trials(done))))
        (section("How", "", &html! { div.plain { (records(&how(done))) } }))
        footer { "rendered by harness " (env!("CARGO_PKG_VERSION")) }
    };
    page(&format!("Self-test: {}", word(overall)), &body)
}
