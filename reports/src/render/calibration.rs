//! A calibration as tables: on the pages of every run, and on a page of its own.
use super::{table::Table, terminal::Tone};
use crate::{
    calibration::{Line, Standing, judge, quantile_name, standing},
    number,
    record::{Calibration, QuantileError, Run},
};
use serde::Serialize;
use std::fmt::Write as _;

/// What is known of the meter, on the page of a run.
pub(super) fn of_run(run: &Run) -> Table {
    let standing = standing(run);
    let mut table = Table::new(["", "meter", "seen", "required"], [] as [&str; 0]);
    let required = "calibrated on this machine, with this version and kernel".to_owned();
    table.row([standing.mark().to_owned(), "calibration".to_owned(), standing.sentence(), required]);
    if let Standing::Failed(calibration, _) | Standing::Proven(calibration) = standing {
        judge(calibration).iter().for_each(|line| table.row(cells(line)));
        let place = format!("{}, in {}", calibration.at, number::seconds(calibration.took_ms * 1_000_000));
        table.row(["–".to_owned(), "made".to_owned(), place, String::new()]);
    }
    table
}

fn cells(line: &Line) -> [String; 4] {
    [mark(line).to_owned(), line.name.clone(), line.figure.clone(), line.required.clone()]
}

fn mark(line: &Line) -> &'static str {
    if line.holds { "✓" } else { "✗" }
}

fn lines(calibration: &Calibration) -> Table {
    let mut table = Table::new(["", "line", "seen", "required"], [] as [&str; 0]);
    judge(calibration).iter().for_each(|line| table.row(cells(line)));
    table
}

/// The quantiles of every scene in milliseconds: as measured, as they are, and how far apart.
fn truths(calibration: &Calibration) -> Table {
    let quantiles = calibration.scenes.first().map(|scene| scene.response.as_slice()).unwrap_or_default();
    let heads = quantiles.iter().map(|error| quantile_name(error.quantile));
    let mut table = Table::new(["load", "time", ""], heads);
    let mut row = |load: String, time: &str, what: &str, values: Vec<String>| {
        table.row([load, time.to_owned(), what.to_owned()].into_iter().chain(values));
    };
    let each = |errors: &[QuantileError], value: fn(&QuantileError) -> u64| -> Vec<String> {
        errors.iter().map(|error| number::millis(value(error))).collect()
    };
    for scene in &calibration.scenes {
        let users = number::counted(u64::from(scene.users), "user");
        let mut load = format!("{}, {users}", number::rate(scene.rate));
        for (time, errors) in [("response", &scene.response), ("service", &scene.service)] {
            row(std::mem::take(&mut load), time, "truth", each(errors, |error| error.truth_ns));
            row(String::new(), "", "seen", each(errors, |error| error.seen_ns));
            row(String::new(), "", "off by", each(errors, QuantileError::error_ns));
        }
    }
    table
}

/// Every rate that was tried, the slowest first.
fn rates(calibration: &Calibration) -> Table {
    let numbers = ["rate", "lag p50 µs", "lag p99 µs", "sent in time", "CPU µs per request"];
    let mut table = Table::new([""], numbers);
    let mut trials: Vec<_> = calibration.rates.iter().collect();
    trials.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    for trial in trials {
        table.row([
            if trial.is_kept() { "✓ kept" } else { "✗ not kept" }.to_owned(),
            number::rate(trial.rate),
            number::count(trial.lag_p50_ns / 1_000),
            number::count(trial.lag_p99_ns / 1_000),
            number::percent(trial.sent_share),
            format!("{:.1}", trial.cpu_us),
        ]);
    }
    table
}

const RATES: &str = "50 users, the payload of a flight search; the server is a thread of this process on the same CPUs, and its time is \
                     not counted.";

fn truth_note(calibration: &Calibration) -> String {
    let frozen =
        calibration.scenes.first().map(|scene| (number::latency(scene.frozen_ns), number::latency(scene.period_ns)));
    let (frozen, period) = frozen.unwrap_or_default();
    let allowance = number::latency(calibration.allowance_ns);
    format!(
        "The server answers in 2 ms and is frozen for {frozen} in every {period}. Tolerance: two arrivals, 3 ms or 0.2 %, and {allowance} for \
         this machine's timers."
    )
}

fn verdict(calibration: &Calibration) -> (bool, String) {
    let failed = judge(calibration).iter().filter(|line| !line.holds).count();
    match failed {
        0 => (true, "the meter is proven on this machine".to_owned()),
        1 => (false, "1 line does not hold".to_owned()),
        failed => (false, format!("{failed} lines do not hold")),
    }
}

fn head(calibration: &Calibration) -> String {
    let machine = &calibration.machine;
    let cores = number::counted(machine.cpu_count as u64, "CPU");
    let build = if calibration.is_optimised { "" } else { ", not an optimised build" };
    format!("{}, {} ({cores}), harness {}{build}", machine.system, machine.cpu_model, calibration.harness_version)
}

/// A calibration as text, in the manner of a run's summary.
#[must_use]
pub fn calibration_text(calibration: &Calibration, paint: impl Fn(Tone, &str) -> String) -> String {
    let (holds, verdict) = verdict(calibration);
    let (tone, word) = if holds { (Tone::Good, "PROVEN (exit 0)") } else { (Tone::Bad, "NOT PROVEN (exit 8)") };
    let mut page = format!("{}  {verdict}\n{}\n", paint(tone, word), head(calibration));
    let mut section = |heading: &str, lines: Vec<String>| {
        let _ = writeln!(page, "\n{}", paint(Tone::Heading, heading));
        for line in lines {
            let tone = match line.chars().next() {
                Some('✓') => Some(Tone::Good),
                Some('✗') => Some(Tone::Bad),
                _ => None,
            };
            let (mark, rest) = line.split_at(line.chars().next().map_or(0, char::len_utf8));
            let mark = tone.map_or_else(|| mark.to_owned(), |tone| paint(tone, mark));
            let _ = writeln!(page, "  {mark}{rest}");
        }
    };
    section("LINES", lines(calibration).lines().into_iter().skip(1).collect());
    section("STALLS ms, against the truth", truths(calibration).lines());
    section("RATES", rates(calibration).lines());
    page
}

/// A calibration as a Markdown document.
#[must_use]
pub fn calibration_markdown(calibration: &Calibration) -> String {
    let (holds, verdict) = verdict(calibration);
    let word = if holds { "PROVEN" } else { "NOT PROVEN" };
    format!(
        "# Calibration: {word}\n\n**{verdict}**. {}. {}\n\n{}\n## Stalls, in milliseconds\n\n{}\n\n{}\n## Rates\n\n{RATES}\n\n{}",
        head(calibration),
        calibration.at,
        lines(calibration).markdown(),
        truth_note(calibration),
        truths(calibration).markdown(),
        rates(calibration).markdown(),
    )
}

/// A calibration as a JSON document: its lines and everything that was measured.
#[must_use]
pub fn calibration_json(calibration: &Calibration) -> String {
    #[derive(Serialize)]
    struct Document<'a> {
        holds: bool,
        lines: Vec<Line>,
        calibration: &'a Calibration,
    }
    let document = Document { holds: verdict(calibration).0, lines: judge(calibration), calibration };
    let mut text = serde_json::to_string_pretty(&document).expect("the document has only text keys and finite numbers");
    text.push('\n');
    text
}
