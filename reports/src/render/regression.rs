//! A regression gate as text, in Markdown, as JSON and as a page.
use super::{
    DrawError, chart,
    page::{figure, page, records, section, table, unbroken},
    table::Table,
    tables,
    terminal::{Tone, cut, wrapped},
};
use crate::{
    number,
    regression::{
        checks::chance,
        comparison::{Comparison, bounds, change},
        cycle::NotTested,
        finding::{Finding, Nuance, State, Tested, Verdict},
        judgement::Overall,
        metric::Quantity,
        sequential::Plan,
    },
    validity::CheckOutcome,
};
use maud::{Markup, html};
use serde::Serialize;
use std::fmt::Write as _;

/// Widest line of the text, in columns.
const WIDTH: usize = 100;
/// Remarks on metrics beyond this many are left to the page.
const MOST_NOTES: usize = 6;
/// Version of the JSON document.
const FORMAT: u32 = 1;

/// The mark of a finding: never by colour alone.
fn mark(finding: &Finding) -> &'static str {
    match &finding.state {
        State::Tested(tested) => match tested.verdict {
            Verdict::Regress => "✗",
            Verdict::Pass => "✓",
            Verdict::Inconclusive => "?",
        },
        State::NotTested(why) if why.blocks_pass() => "?",
        State::NotTested(_) => "–",
    }
}

/// What became of a metric, in a word.
fn word(finding: &Finding) -> &'static str {
    match finding.verdict() {
        Some(Verdict::Regress) => "regressed",
        Some(Verdict::Pass) => "passed",
        Some(Verdict::Inconclusive) => "open",
        None => "not tested",
    }
}

/// What more there is to say of it.
fn note(finding: &Finding) -> Option<String> {
    match &finding.state {
        State::Tested(tested) => tested.nuance.map(|nuance| match nuance {
            Nuance::Faster => "faster".to_owned(),
            Nuance::SlowerWithinMargin => "slower, within margin".to_owned(),
            Nuance::SlowerSizeUnresolved => "slower, size unresolved".to_owned(),
        }),
        State::NotTested(NotTested::TooFewRequests { fewest, needed }) => {
            Some(format!("{} of {} requests in a cycle", number::count(*fewest), number::count(*needed)))
        }
        State::NotTested(NotTested::BothTimedOut { cycle_index }) => {
            Some(format!("both at the timeout in cycle {}", cycle_index + 1))
        }
    }
}

fn value(quantity: Quantity, value: f64) -> String {
    match quantity {
        Quantity::Latency(_) => number::latency(value.round() as u64),
        Quantity::ErrorShare => number::percent(value),
    }
}

/// A cell of a metric that was compared, a dash for one that was not.
fn of_tested(finding: &Finding, cell: impl Fn(Quantity, &Tested) -> String) -> String {
    match &finding.state {
        State::Tested(tested) => cell(finding.test.metric.quantity, tested),
        State::NotTested(_) => "–".to_owned(),
    }
}

fn findable(quantity: Quantity, tested: &Tested) -> String {
    tested.detectable.map_or_else(|| "nothing yet".to_owned(), |effect| change(quantity, effect))
}

/// What fits on a terminal.
fn short_table(comparison: &Comparison) -> Table {
    let heads = ["baseline", "candidate", "change", "bounds", "finds"];
    let mut table = Table::new(["", "metric"], heads).and_words([""]);
    for finding in &comparison.judgement.findings {
        table.row([
            mark(finding).to_owned(),
            finding.test.metric.to_string(),
            of_tested(finding, |quantity, tested| value(quantity, tested.baseline)),
            of_tested(finding, |quantity, tested| value(quantity, tested.candidate)),
            of_tested(finding, |quantity, tested| change(quantity, tested.effect)),
            of_tested(finding, bounds),
            of_tested(finding, findable),
            word(finding).to_owned(),
        ]);
    }
    table
}

/// Everything that is known of each metric, the most important first: a page may be too narrow for all of it.
fn long_table(comparison: &Comparison) -> Table {
    let heads = ["change", "bounds", "margin", "finds", "baseline", "candidate", "p worse", "p within"];
    let mut table = Table::new(["", "metric", "verdict"], heads);
    for finding in &comparison.judgement.findings {
        table.row([
            mark(finding).to_owned(),
            finding.test.metric.to_string(),
            word(finding).to_owned(),
            of_tested(finding, |quantity, tested| change(quantity, tested.effect)),
            of_tested(finding, bounds),
            change(finding.test.metric.quantity, finding.test.margin),
            of_tested(finding, findable),
            of_tested(finding, |quantity, tested| value(quantity, tested.baseline)),
            of_tested(finding, |quantity, tested| value(quantity, tested.candidate)),
            of_tested(finding, |_, tested| chance(tested.p_regress_adjusted)),
            of_tested(finding, |_, tested| chance(tested.p_pass)),
        ]);
    }
    table
}

/// A line for each metric of which there is more to say.
fn notes(comparison: &Comparison) -> Vec<String> {
    let notes = comparison.judgement.findings.iter().filter_map(|finding| Some((finding, note(finding)?)));
    notes.map(|(finding, note)| format!("{}: {note}", finding.test.metric)).collect()
}

fn how(comparison: &Comparison) -> Table {
    let mut table = Table::new(["", ""], [] as [&str; 0]);
    let mut row = |name: &str, value: String| table.row([name.to_owned(), value]);
    let (judgement, settings) = (&comparison.judgement, &comparison.settings);
    let program = |program: &crate::regression::comparison::Program| match program.version.as_str() {
        "" => program.name.clone(),
        version => format!("{} ({version})", program.name),
    };
    row("baseline", program(&comparison.baseline));
    row("candidate", program(&comparison.candidate));
    row("scenario", comparison.scenario.clone());
    row(
        "load",
        format!(
            "{} of both together, each visit to either by a balanced coin",
            number::rate(comparison.rate_per_second)
        ),
    );
    let plan = how_often(&settings.plan);
    let seconds = number::significant(comparison.cycle_seconds);
    row("cycles", format!("{} of {seconds} s; {plan}", judgement.cycles));
    let share = number::exact_percent;
    row(
        "chance of error",
        format!("{} on either side, {} at each look", share(settings.alpha), share(judgement.alpha)),
    );
    row("failed requests", format!("count as {}", number::latency(settings.timeout_ns)));
    row("seed", comparison.seed.to_string());
    let machine = &comparison.machine;
    let cpus = number::counted(machine.cpu_count as u64, "CPU");
    row("machine", format!("{}, {} ({cpus})", machine.system, machine.cpu_model));
    row("at", comparison.at.clone());
    table
}

const METRICS: &str = "Change is the Hodges–Lehmann estimate over the cycles; each bound is wrong with the chance of a look. \
                       p worse (with Holm's correction) is the chance of such cycles if the candidate were not worse than the margin, \
                       p within if it were worse by all of it. “Finds” is the smallest worsening that this gate finds in 80 % of cases.";
const CHECKS: &str =
    "If one of these fails (✗), the verdict is not to be trusted. ! is a label, – had nothing to check.";
const SHIFT: &str = "A metric passes when its whole bar lies left of its margin (dashed). It regresses when the bar lies right of it, as far as Holm's \
     correction for the number of metrics asks.";
const CYCLES: &str = "Each dot is one cycle. A trend, or steps that repeat, mean that cycles are not independent.";

/// A gate as text, at most 100 columns wide. Colour, if any, is what `paint` adds; meaning never depends on it.
#[must_use]
pub fn regression_text(comparison: &Comparison, paint: impl Fn(Tone, &str) -> String) -> String {
    let judgement = &comparison.judgement;
    let word = judgement.overall.word();
    let lead = format!("{word} (exit {})  ", judgement.overall.exit_code());
    let indent = lead.chars().count();
    let headline = wrapped(&comparison.headline(), WIDTH - indent).join(&format!("\n{}", " ".repeat(indent)));
    let mut page = format!("{}{headline}\n\n", lead.replacen(word, &paint(tone(judgement.overall), word), 1));
    let mut line = |text: &str| {
        let first: String = text.chars().take(1).collect();
        let rest = cut(&text[first.len()..], WIDTH - 3);
        let first = match first.as_str() {
            "✓" => paint(Tone::Good, &first),
            "✗" => paint(Tone::Bad, &first),
            "?" | "!" => paint(Tone::Unsure, &first),
            _ => first,
        };
        let _ = writeln!(page, "{}", format!("  {first}{rest}").trim_end());
    };
    short_table(comparison).lines().iter().for_each(|row| line(row));
    let notes = notes(comparison);
    if !notes.is_empty() {
        line("");
    }
    notes.iter().take(MOST_NOTES).for_each(|note| line(&format!("   {note}")));
    if notes.len() > MOST_NOTES {
        line(&format!("   and {} more on the page", notes.len() - MOST_NOTES));
    }
    line("");
    let made = judgement.checks.iter().filter(|check| check.outcome == CheckOutcome::Pass).count();
    line(&format!("✓  {} passed", number::counted(made as u64, "self-check")));
    for check in &judgement.checks {
        if matches!(check.outcome, CheckOutcome::Fail | CheckOutcome::Warn) {
            let text = format!("{}: {} (better: {})", check.name, check.figure, check.threshold);
            let lines = wrapped(&text, WIDTH - 5);
            let marks = [tables::check_mark(check.outcome)].into_iter().chain(std::iter::repeat(" "));
            lines.iter().zip(marks).for_each(|(text, mark)| line(&format!("{mark}  {text}")));
        }
    }
    line("");
    how(comparison).lines().iter().skip(1).for_each(|row| line(row));
    page
}

/// A gate as a Markdown document, for a pull request.
#[must_use]
pub fn regression_markdown(comparison: &Comparison) -> String {
    let overall = comparison.judgement.overall;
    let notes: String = notes(comparison).iter().map(|note| format!("- {note}\n")).collect();
    format!(
        "# Regression gate: {}\n\n**{}** (exit {}).\n\n{}\n{notes}\n{METRICS}\n\n## Self-checks\n\n{}\n## How\n\n{}",
        overall.word(),
        comparison.headline(),
        overall.exit_code(),
        long_table(comparison).markdown(),
        tables::checks(&comparison.judgement.checks).markdown(),
        how(comparison).markdown(),
    )
}

/// A gate as a JSON document: latencies in nanoseconds, effects and margins as shares, chances between 0 and 1.
#[must_use]
pub fn regression_json(comparison: &Comparison) -> String {
    #[derive(Serialize)]
    struct Document<'a> {
        /// Version of this document; a reader should refuse a higher one.
        format: u32,
        exit_code: u8,
        headline: String,
        #[serde(flatten)]
        comparison: &'a Comparison,
    }
    let exit_code = comparison.judgement.overall.exit_code();
    let document = Document { format: FORMAT, exit_code, headline: comparison.headline(), comparison };
    let mut text = serde_json::to_string_pretty(&document).expect("the document has only text keys and finite numbers");
    text.push('\n');
    text
}

/// A gate as one self-contained HTML page.
///
/// # Errors
/// When a chart cannot be drawn.
pub fn regression_page(comparison: &Comparison) -> Result<String, DrawError> {
    let checks = tables::checks(&comparison.judgement.checks);
    let shifts = chart::shifts(comparison);
    let cycles = chart::cycles(comparison);
    let body = html! {
        (banner(comparison))
        @if !shifts.is_empty() { (section("Change", SHIFT, &html! { @for picture in &shifts { (figure(picture.as_ref())?) } })) }
        (section("Metrics", METRICS, &metrics(comparison)))
        @if let Some(picture) = cycles { (section("Cycles", CYCLES, &figure(picture.as_ref())?)) }
        (section("Self-checks", CHECKS, &records(&checks)))
        (section("How", "", &html! { div.plain { (records(&how(comparison))) } }))
        footer { "rendered by harness " (env!("CARGO_PKG_VERSION")) }
    };
    let title = format!(
        "{} against {}: {}",
        comparison.candidate.name,
        comparison.baseline.name,
        comparison.judgement.overall.word()
    );
    Ok(page(&title, &body))
}

fn metrics(comparison: &Comparison) -> Markup {
    html! {
        (table(&long_table(comparison)))
        @for note in notes(comparison) { p.note.below { (unbroken(&note)) } }
    }
}

fn banner(comparison: &Comparison) -> Markup {
    let overall = comparison.judgement.overall;
    let (class, mark) = match overall {
        Overall::Pass => ("good", "✓"),
        Overall::Inconclusive => ("unsure", "?"),
        Overall::Regress => ("bad", "✗"),
        Overall::Invalid => ("bad", "!"),
    };
    html! {
        header class=(class) {
            p.what { "TripSage regression gate · " (comparison.scenario) }
            h1 { span.mark aria-hidden="true" { (mark) } " " (overall.word()) }
            p.headline { (unbroken(&comparison.headline())) }
            p.meta {
                "exit " (overall.exit_code()) " · " (comparison.candidate.name) " against " (comparison.baseline.name) " · "
                (comparison.judgement.cycles) " cycles · seed " (comparison.seed) " · " (comparison.at)
            }
        }
    }
}

/// When a gate looks at its cycles.
pub(super) fn how_often(plan: &Plan) -> String {
    match plan {
        Plan::Sequential => {
            let looks: Vec<String> = plan.looks().iter().map(usize::to_string).collect();
            format!("looks after {}", looks.join(", "))
        }
        Plan::Fixed(cycles) => format!("one look after {cycles}"),
    }
}

pub(super) fn tone(overall: Overall) -> Tone {
    match overall {
        Overall::Pass => Tone::Good,
        Overall::Inconclusive => Tone::Unsure,
        Overall::Regress | Overall::Invalid => Tone::Bad,
    }
}
