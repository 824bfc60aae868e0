//! The summary at the end of a run: one screen of text, the verdict first.
use super::{resilience, tables};
use crate::{
    gate::GateOutcome, number, oracle, record::ViolationExample, report::Report, validity::CheckOutcome,
    verdict::Overall,
};
use std::collections::BTreeSet;

/// Widest line, in columns.
const WIDTH: usize = 100;

/// Gates beyond this many are left to the report, those that hold first.
const MOST_GATES: usize = 10;

/// Undecided gates beyond this many have their reason in the report.
const MOST_REASONS: usize = 3;

/// Faults beyond this many are left to the report.
const MOST_FAULTS: usize = 4;

/// Broken promises about data: the first of each, up to this many; the others are left to the report.
const MOST_EXAMPLES: usize = 3;

/// Journeys of which it is said what a fault did to them.
const MOST_IMPACTS: usize = 2;

/// Lines of what happened.
const MOST_STORY: usize = 6;

/// What a piece of text means, for whoever gives it a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Not as it should be.
    Bad,
    /// Not known.
    Unsure,
    /// A heading.
    Heading,
}

/// Leaves every piece of text as it is.
#[must_use]
pub fn plain(_: Tone, text: &str) -> String {
    text.to_owned()
}

/// The summary of a run, at most about 60 lines of 100 columns. Colour, if any, is what `paint` adds; meaning never depends on it.
#[must_use]
pub fn terminal(report: &Report, paint: impl Fn(Tone, &str) -> String) -> String {
    let mut page = Page { text: String::new(), paint };
    head(&mut page, report);
    page.section("WHAT HAPPENED");
    let story = report.story.iter().flat_map(|sentence| wrapped(sentence, WIDTH - 2));
    story.take(MOST_STORY).for_each(|line| page.line(&format!("  {line}")));
    gates(&mut page, report);
    table(&mut page, "OUTCOMES", &tables::outcomes(report).lines());
    table(&mut page, "LATENCY ms, from due (from sent)", &tables::latencies(report).without("p99.9").lines());
    if report.summary.has_streams() {
        table(&mut page, "STREAMS ms", &tables::streams(report).lines());
    }
    let connecting = tables::connecting(report);
    if !connecting.rows.is_empty() {
        table(&mut page, "CONNECTING ms", &connecting.lines());
    }
    faults(&mut page, report);
    validity(&mut page, report);
    data(&mut page, report);
    page.text
}

/// Text that grows by lines.
struct Page<P> {
    text: String,
    paint: P,
}

impl<P: Fn(Tone, &str) -> String> Page<P> {
    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn section(&mut self, heading: &str) {
        let painted = (self.paint)(Tone::Heading, heading);
        self.line(&format!("\n{painted}"));
    }

    /// A line that begins with a mark.
    fn marked(&mut self, text: &str) {
        let mark = text.chars().next().unwrap_or(' ');
        let tone = match mark {
            '✓' => Tone::Good,
            '✗' => Tone::Bad,
            _ => Tone::Unsure,
        };
        let rest = &text[mark.len_utf8()..];
        let painted = (self.paint)(tone, &mark.to_string());
        self.line(&format!("  {painted}{rest}"));
    }
}

fn head<P: Fn(Tone, &str) -> String>(page: &mut Page<P>, report: &Report) {
    let (run, verdict) = (&report.run, &report.verdict);
    let tone = match verdict.overall {
        Overall::Passed => Tone::Good,
        Overall::Inconclusive => Tone::Unsure,
        _ => Tone::Bad,
    };
    let word = verdict.overall.word();
    let lead = format!("{word} (exit {})  ", verdict.exit_code);
    let mut lines = wrapped(&verdict.headline, WIDTH - lead.chars().count()).into_iter();
    let first = lines.next().unwrap_or_default();
    let painted = (page.paint)(tone, word);
    page.line(format!("{painted} (exit {})  {first}", verdict.exit_code).trim_end());
    lines.for_each(|line| page.line(&format!("{}{line}", " ".repeat(lead.chars().count()))));
    page.line(&format!(
        "run {}  scenario {}@{}  seed {}",
        run.id,
        run.scenario.name,
        tables::short_digest(report),
        run.seed
    ));
    page.line(&fitted(&format!("load {}  target {}", run.load.description, run.target.url)));
}

/// Those that do not hold first, as they are what is looked for.
fn gates<P: Fn(Tone, &str) -> String>(page: &mut Page<P>, report: &Report) {
    let gates = &report.verdict.gates;
    let order = [GateOutcome::Fail, GateOutcome::Invalid, GateOutcome::Inconclusive, GateOutcome::Pass];
    let sorted: Vec<_> =
        order.iter().flat_map(|outcome| gates.iter().filter(move |gate| gate.outcome == *outcome)).collect();
    page.section(&format!(
        "GATES {} of {} hold",
        gates.iter().filter(|g| g.outcome == GateOutcome::Pass).count(),
        gates.len()
    ));
    let shown = &sorted[..sorted.len().min(MOST_GATES)];
    let observed = |gate: &&_| -> String {
        let gate: &crate::gate::GateResult = gate;
        gate.observed.map_or_else(|| "–".to_owned(), |observed| observed.to_string())
    };
    let gate_width = shown.iter().map(|gate| gate.gate.chars().count()).max().unwrap_or(0).min(70);
    let observed_width = shown.iter().map(|gate| observed(gate).chars().count()).max().unwrap_or(0);
    let mut reasons_left = MOST_REASONS;
    for gate in shown {
        let mark = tables::gate_mark(gate.outcome);
        let text = cut(&gate.gate, gate_width);
        page.marked(&format!("{mark} {text:gate_width$}  {:>observed_width$}  {}", observed(gate), gate.margin_text()));
        if matches!(gate.outcome, GateOutcome::Inconclusive | GateOutcome::Invalid) && reasons_left > 0 {
            reasons_left -= 1;
            wrapped(&gate.reason, WIDTH - 6).iter().for_each(|line| page.line(&format!("      {line}")));
        }
    }
    if sorted.len() > shown.len() {
        page.line(&format!("    and {} more in the report", sorted.len() - shown.len()));
    }
}

fn table<P: Fn(Tone, &str) -> String>(page: &mut Page<P>, heading: &str, lines: &[String]) {
    if lines.len() > 1 {
        page.section(heading);
        lines.iter().for_each(|line| page.line(&fitted(&format!("  {line}"))));
    }
}

fn faults<P: Fn(Tone, &str) -> String>(page: &mut Page<P>, report: &Report) {
    let faults = &report.run.faults;
    if faults.is_empty() {
        return;
    }
    page.section("FAULTS");
    for (fault, row) in faults.iter().zip(tables::faults(faults).rows).take(MOST_FAULTS) {
        let window = format!("planned {}, on {}", row[3], row[4]);
        page.marked(&cut(&format!("{} {}  {window}, {}", row[0], fault.name, row[6]), WIDTH - 2));
        if faults.len() <= 2 {
            page.line(&format!("      {}", cut(&tables::touched(fault), WIDTH - 6)));
            for line in resilience::lines_of(&fault.name, report).iter().take(MOST_IMPACTS) {
                page.line(&format!("      {}", cut(line, WIDTH - 6)));
            }
        }
    }
    if faults.len() > MOST_FAULTS {
        page.line(&format!("    and {} more in the report", faults.len() - MOST_FAULTS));
    }
}

fn validity<P: Fn(Tone, &str) -> String>(page: &mut Page<P>, report: &Report) {
    let checks = &report.verdict.checks;
    let failed: Vec<_> = checks.iter().filter(|check| check.outcome == CheckOutcome::Fail).collect();
    page.section("VALIDITY");
    if failed.is_empty() {
        let figure = |name: &str| {
            checks
                .iter()
                .find(|check| check.name == name)
                .map_or_else(String::new, |check| format!(", {}", check.figure))
        };
        let made = checks.iter().filter(|check| check.outcome == CheckOutcome::Pass).count();
        let text = format!(
            "✓ {}{}{}",
            number::counted(made as u64, "check"),
            figure("schedule kept"),
            figure("generator headroom")
        );
        page.marked(&cut(&text, WIDTH - 2));
    }
    for check in checks.iter().filter(|check| check.outcome == CheckOutcome::Warn) {
        page.marked(&cut(&format!("! {}: {} (better: {})", check.name, check.figure, check.threshold), WIDTH - 2));
    }
    for check in failed {
        page.marked(&cut(&format!("✗ {}: {} (required: {})", check.name, check.figure, check.threshold), WIDTH - 2));
    }
    let meter = crate::calibration::standing(&report.run);
    page.marked(&cut(&format!("{} meter {}", meter.mark(), meter.sentence()), WIDTH - 2));
}

/// What became of the acknowledged writes.
fn data<P: Fn(Tone, &str) -> String>(page: &mut Page<P>, report: &Report) {
    let found = report.run.oracle.as_ref();
    let mut lines = wrapped(&format!("{} oracle: {}", oracle::mark(found), oracle::line(found)), WIDTH - 4).into_iter();
    lines.next().iter().for_each(|line| page.marked(line));
    lines.for_each(|line| page.line(&format!("    {line}")));
    let mut told = BTreeSet::new();
    let first_of_each = |example: &&ViolationExample| told.insert(example.violation);
    for example in found.iter().flat_map(|found| &found.examples).filter(first_of_each).take(MOST_EXAMPLES) {
        page.line(&cut(&format!("      {}", oracle::example(example)), WIDTH));
    }
}

/// Breaks a text into lines between words.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

fn fitted(line: &str) -> String {
    cut(line, WIDTH)
}

pub(super) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words_and_cut_where_they_must() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("", 7), [""]);
        assert_eq!((cut("∞ failed", 4), cut("∞", 4)), ("∞ f…".to_owned(), "∞".to_owned()));
    }
}
