//! A run for GitHub Actions: annotations, which the runner reads from standard output, and the summary of the step.
//!
//! Source: GitHub, "Workflow commands for GitHub Actions": at most 10 errors and 10 warnings are shown of a step; a step's summary has
//! at most 1 MiB.
use super::{markdown, tables};
use crate::{gate::GateOutcome, report::Report, validity::CheckOutcome, verdict::Overall};
use std::fmt::Write as _;

/// Annotations of one kind that the runner shows.
const MOST: usize = 10;

/// The commands that annotate the run: what fails as errors, what is not known as warnings, labels as notices. One per line.
#[must_use]
pub fn annotations(report: &Report) -> String {
    let (run, verdict) = (&report.run, &report.verdict);
    let gates = |wanted: &'static [GateOutcome]| {
        let gates = verdict.gates.iter().filter(|gate| wanted.contains(&gate.outcome));
        gates.map(|gate| (tables::gate_word(gate.outcome), gate)).map(|(word, gate)| {
            let observed = gate.observed.map_or_else(String::new, |observed| format!("was {observed}; "));
            (format!("Gate {word}: {}", gate.gate), format!("{observed}{}", gate.reason))
        })
    };
    let checks = |wanted: CheckOutcome, title: &'static str| {
        let checks = verdict.checks.iter().filter(move |check| check.outcome == wanted);
        checks.map(move |check| {
            (format!("{title}: {}", check.name), format!("{} (required: {})", check.figure, check.threshold))
        })
    };
    let title = format!("{}: {}", run.scenario.name, verdict.overall.word());
    let whole = [(title, format!("{} (exit {}, run {})", verdict.headline, verdict.exit_code, run.id))];
    let (first, more) = match verdict.overall {
        Overall::Passed => ("notice", "notice"),
        Overall::Inconclusive => ("warning", "warning"),
        _ => ("error", "error"),
    };
    let errors: Vec<_> = checks(CheckOutcome::Fail, "Measurement invalid")
        .chain(gates(&[GateOutcome::Fail, GateOutcome::Invalid]))
        .collect();
    let warnings: Vec<_> = gates(&[GateOutcome::Inconclusive]).collect();
    let notices: Vec<_> = checks(CheckOutcome::Warn, "Label").collect();
    let room = |kind: &str| if kind == more { MOST - 1 } else { MOST };
    lines(first, &whole, MOST)
        + &lines("error", &errors, room("error"))
        + &lines("warning", &warnings, room("warning"))
        + &lines("notice", &notices, room("notice"))
}

/// The most important first; the last one says how many are not shown.
fn lines(kind: &str, annotations: &[(String, String)], room: usize) -> String {
    let line = |(title, text): &(String, String)| format!("::{kind} title={}::{}\n", property(title), message(text));
    if annotations.len() <= room {
        return annotations.iter().map(line).collect();
    }
    let shown: String = annotations[..room - 1].iter().map(line).collect();
    let more = annotations.len() - room + 1;
    shown + &line(&(format!("{more} more"), "all of them are in the summary of this step".to_owned()))
}

/// Source: actions/toolkit, packages/core/src/command.ts, `escapeData`.
fn message(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Source: the same, `escapeProperty`.
fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

/// The summary of the step: verdict, gates and latency; the rest can be opened.
pub(super) fn step_summary(report: &Report) -> String {
    let (run, verdict) = (&report.run, &report.verdict);
    let mut page = format!("### {} {}\n\n", run.scenario.name, verdict.overall.word());
    let _ = writeln!(page, "**{}** (exit {}). Run `{}`.\n", verdict.headline, verdict.exit_code, run.id);
    if !verdict.gates.is_empty() {
        let _ = writeln!(page, "{}", tables::gates(&verdict.gates).markdown());
    }
    for check in verdict.checks.iter().filter(|check| check.outcome == CheckOutcome::Fail) {
        let _ = writeln!(page, "- ✗ {}: {} (required: {})\n", check.name, check.figure, check.threshold);
    }
    let latencies = tables::latencies(report);
    if !latencies.rows.is_empty() {
        let _ = writeln!(page, "Milliseconds from due, in parentheses from sent.\n\n{}", latencies.markdown());
    }
    let _ = writeln!(page, "<details><summary>The whole report</summary>\n\n{}\n</details>", markdown(report));
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_cannot_be_broken_by_what_it_says() {
        let found = lines("error", &[("a: b, c".to_owned(), "100 %\nnext: line".to_owned())], 10);
        assert_eq!(found, "::error title=a%3A b%2C c::100 %25%0Anext: line\n");
    }

    #[test]
    fn what_is_not_shown_is_counted() {
        let many: Vec<_> = (0..13).map(|index| (format!("t{index}"), String::new())).collect();
        let found = lines("warning", &many, 10);
        assert_eq!(found.lines().count(), 10);
        assert!(found.ends_with("::warning title=4 more::all of them are in the summary of this step\n"), "{found}");
        assert_eq!(lines("warning", &many[..10], 10).lines().last(), Some("::warning title=t9::"));
    }
}
