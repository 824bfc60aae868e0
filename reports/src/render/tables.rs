//! The tables of a run, which every page shows in its own form.
use super::table::Table;
use crate::{
    gate::{GateOutcome, GateResult},
    number, oracle,
    record::{FaultEffect, FaultEnd, FaultRecord, FaultWindow, Measure, Outcome, PhaseKind, RunEnd},
    report::Report,
    summary::{Latency, OutcomeCounts, Quantile, Scope, Window},
    validity::{Check, CheckOutcome},
};
use std::collections::BTreeSet;

/// The mark of a gate: never by colour alone.
pub(crate) fn gate_mark(outcome: GateOutcome) -> &'static str {
    match outcome {
        GateOutcome::Pass => "✓",
        GateOutcome::Fail => "✗",
        GateOutcome::Inconclusive => "?",
        GateOutcome::Invalid => "!",
    }
}

/// The mark of a check.
pub(crate) fn check_mark(outcome: CheckOutcome) -> &'static str {
    match outcome {
        CheckOutcome::Pass => "✓",
        CheckOutcome::Fail => "✗",
        CheckOutcome::Warn => "!",
        CheckOutcome::NotApplicable => "–",
    }
}

/// The word that stands with a gate's mark.
pub(crate) fn gate_word(outcome: GateOutcome) -> &'static str {
    match outcome {
        GateOutcome::Pass => "holds",
        GateOutcome::Fail => "fails",
        GateOutcome::Inconclusive => "open",
        GateOutcome::Invalid => "invalid",
    }
}

/// Gates with their observed values.
pub(crate) fn gates(gates: &[GateResult]) -> Table {
    let mut table = Table::new(["", "gate"], ["observed", "margin"]).and_words(["why"]).with_code("gate");
    for gate in gates {
        let mark = format!("{} {}", gate_mark(gate.outcome), gate_word(gate.outcome));
        let observed = gate.observed.map_or_else(|| "–".to_owned(), |observed| observed.to_string());
        table.row([mark, gate.gate.clone(), observed, gate.margin_text(), gate.reason.clone()]);
    }
    table
}

/// Checks with their figures.
pub(crate) fn checks(checks: &[Check]) -> Table {
    let mut table = Table::new(["", "check", "seen", "required"], [] as [&str; 0]);
    for check in checks {
        let mark = check_mark(check.outcome).to_owned();
        table.row([mark, check.name.to_owned(), check.figure.clone(), check.threshold.clone()]);
    }
    table
}

/// Shares of each class per journey, over the whole run but the warm-up. Classes that never occur are left out, but for the four that are asked about.
pub(crate) fn outcomes(report: &Report) -> Table {
    let summary = &report.summary;
    let all = summary.outcomes(&Scope::All, &Window::Run);
    let asked = [Outcome::Full, Outcome::Degraded, Outcome::Wrong, Outcome::Undeclared];
    let classes: Vec<Outcome> =
        Outcome::ALL.into_iter().filter(|class| asked.contains(class) || all.get(*class) > 0).collect();
    let names: Vec<String> = classes.iter().map(|class| class.name().replace('_', " ")).collect();
    let mut table = Table::new(["journey"], ["requests".to_owned()].into_iter().chain(names));
    let scopes = summary.journeys.iter().map(|journey| Scope::Journey(journey.clone())).chain([Scope::All]);
    for scope in scopes {
        let counts = summary.outcomes(&scope, &Window::Run);
        let share = |class: &Outcome| share_of(&counts, *class);
        let head = [scope.to_string(), number::count(counts.total())];
        table.row(head.into_iter().chain(classes.iter().map(share)));
    }
    table
}

fn share_of(counts: &OutcomeCounts, class: Outcome) -> String {
    match counts.total() {
        0 => "–".to_owned(),
        total => number::percent(counts.get(class) as f64 / total as f64),
    }
}

/// The windows that tables show: those of the kinds that had requests; the warm-up is not judged.
fn windows(report: &Report) -> Vec<Window> {
    let kinds = PhaseKind::ALL.into_iter().filter(|kind| *kind != PhaseKind::WarmUp);
    kinds.filter(|kind| report.summary.has_requests(*kind)).map(Window::Kind).collect()
}

/// Latency in milliseconds per journey and phase: response from due, with the interval of p95 and p99, and service from sent in parentheses.
pub(crate) fn latencies(report: &Report) -> Table {
    let mut table = Table::new(["journey", "phase"], ["p50", "p95 [95 % CI]", "p99 [95 % CI]", "p99.9", "max"]);
    for journey in &report.summary.journeys {
        let scope = Scope::Journey(journey.clone());
        for window in windows(report) {
            let response = report.summary.latency(&scope, &window, Measure::Response);
            let service = report.summary.latency(&scope, &window, Measure::Service);
            if response.count() == 0 {
                continue;
            }
            table.row([
                journey.clone(),
                window.to_string(),
                format!("{} ({})", at(&response, 0.5), at(&service, 0.5)),
                format!("{} {} ({})", at(&response, 0.95), interval(&response, 0.95), at(&service, 0.95)),
                format!("{} {} ({})", at(&response, 0.99), interval(&response, 0.99), at(&service, 0.99)),
                at(&response, 0.999),
                response.max().map_or_else(|| "–".to_owned(), millis),
            ]);
        }
    }
    table.without_empty("p99.9")
}

fn millis(value: Quantile) -> String {
    value.finite().map_or_else(|| "∞".to_owned(), number::millis)
}

/// A quantile in milliseconds; `–` when the sample is too small to have one in a thousand.
fn at(latency: &Latency, quantile: f64) -> String {
    latency.quantile(quantile).filter(|_| latency.resolves(quantile)).map_or_else(|| "–".to_owned(), millis)
}

fn interval(latency: &Latency, quantile: f64) -> String {
    let (lower, upper) = latency.interval(quantile);
    let side = |value: Option<Quantile>| value.map_or_else(|| "?".to_owned(), millis);
    format!("[{}–{}]", side(lower), side(upper))
}

/// Streamed answers, in milliseconds, over the whole run but the warm-up.
pub(crate) fn streams(report: &Report) -> Table {
    let figures = [
        ("first event p50", Measure::FirstEvent, 0.5),
        ("p95", Measure::FirstEvent, 0.95),
        ("first token p50", Measure::FirstToken, 0.5),
        ("p95", Measure::FirstToken, 0.95),
        ("gap p95", Measure::Gap, 0.95),
        ("p99", Measure::Gap, 0.99),
    ];
    let heads = figures.map(|(head, ..)| head);
    let mut table = Table::new(["step"], ["streams"].into_iter().chain(heads).chain(["ended well"]));
    let mut shown = BTreeSet::new();
    for step in report.summary.steps.iter().filter(|step| step.is_streamed && shown.insert(step.name.as_str())) {
        let scope = Scope::Step(step.name.clone());
        let counts = report.summary.outcomes(&scope, &Window::Run);
        let figure = |(_, measure, quantile)| at(&report.summary.latency(&scope, &Window::Run, measure), quantile);
        let well = counts.good_share().map_or_else(|| "–".to_owned(), number::percent);
        let head = [step.name.clone(), number::count(counts.total())];
        table.row(head.into_iter().chain(figures.map(figure)).chain([well]));
    }
    table
}

/// What getting a connection took, in milliseconds, over the whole run but the warm-up; no row where no request had to get one.
pub(crate) fn connecting(report: &Report) -> Table {
    let mut table = Table::new(["what"], ["requests", "p50", "p95", "p99", "max"]);
    for (what, measure) in [("waiting for the pool", Measure::PoolWait), ("opening a connection", Measure::Connect)] {
        let taken = report.summary.latency(&Scope::All, &Window::Run, measure);
        if taken.count() > 0 {
            let figures =
                [0.5, 0.95, 0.99, 1.0].map(|quantile| taken.quantile(quantile).map_or_else(String::new, millis));
            table.row([what.to_owned(), number::count(taken.count())].into_iter().chain(figures));
        }
    }
    table
}

/// Faults: as planned, as they happened, and what they touched.
pub(crate) fn faults(faults: &[FaultRecord]) -> Table {
    let mut table =
        Table::new(["", "fault", "what", "planned", "really on", "what it touched", "end"], [] as [&str; 0]);
    for fault in faults {
        let mark = if fault.end == FaultEnd::Lifted { "✓" } else { "✗" };
        let on = fault.window.map_or_else(|| "never".to_owned(), precise);
        let end = match (fault.end, &fault.error) {
            (end, None) => end_word(end).to_owned(),
            (end, Some(error)) => format!("{}: {error}", end_word(end)),
        };
        table.row([
            mark.to_owned(),
            fault.name.clone(),
            fault.description.clone(),
            format!(
                "{}–{}",
                number::seconds(fault.planned.from_ns).trim_end_matches(" s"),
                number::seconds(fault.planned.to_ns)
            ),
            on,
            touched(fault),
            end,
        ]);
    }
    table
}

/// What a fault touched, in words.
pub(crate) fn touched(fault: &FaultRecord) -> String {
    if let Some(part) = &fault.part {
        return if part.proof.is_empty() { "nothing".to_owned() } else { part.proof.clone() };
    }
    let Some(effect) = fault.effect else { return "not counted by this link".to_owned() };
    if effect.requests > 0 {
        return touched_requests(&effect);
    }
    let mut parts = match effect.probes_refused {
        0 => vec![number::counted(effect.connections, "connection"), number::counted(effect.chunks, "chunk")],
        probes => vec![
            number::counted(effect.connections, "connection"),
            format!("{} refused", number::counted(probes, "probe")),
        ],
    };
    if effect.bytes > 0 {
        parts.push(number::bytes(effect.bytes));
    }
    if effect.delayed_us > 0 && effect.chunks > 0 {
        parts.push(format!("delayed {} each", number::latency(effect.delayed_us * 1_000 / effect.chunks)));
    }
    parts.join(", ")
}

/// What a fault of single requests touched, in words.
fn touched_requests(effect: &FaultEffect) -> String {
    let mut parts = vec![number::counted(effect.requests, "request")];
    if effect.connections > 0 {
        parts.push(format!("{} cut", number::counted(effect.connections, "connection")));
    }
    if effect.bytes > 0 {
        parts.push(format!("{} lost", number::bytes(effect.bytes)));
    }
    if effect.delayed_us > 0 {
        parts.push(format!("delayed {} each", number::latency(effect.delayed_us * 1_000 / effect.requests)));
    }
    parts.join(", ")
}

fn precise(window: FaultWindow) -> String {
    format!("{:.3}–{:.3} s", window.from_ns as f64 / 1e9, window.to_ns as f64 / 1e9)
}

fn end_word(end: FaultEnd) -> &'static str {
    match end {
        FaultEnd::Lifted => "lifted",
        FaultEnd::LiftedEarly => "lifted early",
        FaultEnd::LeaseExpired => "its lease ran out",
        FaultEnd::NeverOn => "never on",
        FaultEnd::LeftBehind => "left behind",
    }
}

/// What was found to be lost, or to be there when it should not.
pub(crate) fn violations(report: &Report) -> Table {
    let mut table = Table::new(["what", "record", "known by", "owner", "ids"], [] as [&str; 0]);
    for example in report.run.oracle.iter().flat_map(|oracle| &oracle.examples) {
        table.row([
            example.violation.name().to_owned(),
            example.kind.to_string(),
            example.reference.clone(),
            format!("user {}", example.owner),
            example.ids.iter().cloned().chain(oracle::status(example)).collect::<Vec<_>>().join(", "),
        ]);
    }
    table
}

/// What was run, where, and how to run it again.
pub(crate) fn environment(report: &Report) -> Table {
    let run = &report.run;
    let mut table = Table::new(["", ""], [] as [&str; 0]);
    let mut row = |name: &str, value: String| table.row([name.to_owned(), value]);
    row("scenario", format!("{}: {} (sha256 {})", run.scenario.name, run.scenario.title, short_digest(report)));
    row("run", format!("{}, clock zero {}", run.id, run.clock_zero));
    row("again", again(report));
    row("load", format!("{}, {} users", run.load.description, run.load.users));
    if let Some(recorded) = &run.load.origin.recorded {
        let count = number::counted(recorded.count, "arrival");
        let digest = recorded.digest.get(..12).unwrap_or(&recorded.digest);
        row("arrivals", format!("{} (sha256 {digest}): {count}, {}", recorded.source, recorded.note));
    }
    row("connections", run.load.connection.clone());
    let mix = run
        .load
        .mix
        .iter()
        .map(|entry| format!("{} {} ({})", entry.journey, entry.weight, number::count(entry.arrivals)));
    row("mix", format!("{} (weight, and arrivals)", mix.collect::<Vec<_>>().join(", ")));
    row("target", format!("{}{}", run.target.url, if run.target.is_bundled { ", started by the harness" } else { "" }));
    for process in &run.target.processes {
        let died = process.died.as_ref().map_or_else(String::new, |why| format!(", died: {why}"));
        let cpu = format!("{:.1} CPU seconds, at most {}", process.cpu_seconds, number::bytes(process.rss_max_bytes));
        row(&format!("process {}", process.name), format!("{cpu}{died}"));
    }
    for (name, value) in &run.target.settings {
        row(&format!("setting {name}"), value.clone());
    }
    let generator = run.generator;
    row(
        "generator",
        format!("{:.1} CPU seconds, at most {}", generator.cpu_seconds, number::bytes(generator.rss_max_bytes)),
    );
    let machine = &run.machine;
    let cores = number::counted(machine.cpu_count as u64, "CPU");
    row(
        "machine",
        format!("{}, {} ({cores}), {}", machine.system, machine.cpu_model, number::bytes(machine.memory_bytes)),
    );
    row("harness", format!("{}, record format {}", run.harness_version, run.format));
    let end = match &run.end {
        RunEnd::Completed => "the whole plan was carried out".to_owned(),
        RunEnd::Interrupted => "interrupted".to_owned(),
        RunEnd::Aborted { rule, at_ns } => format!("aborted after {} by `{rule}`", number::seconds(*at_ns)),
        RunEnd::Broken(why) => format!("broke off: {why}"),
    };
    row("end", end);
    table
}

/// The first digits of the scenario's digest.
pub(crate) fn short_digest(report: &Report) -> &str {
    report.run.scenario.digest.get(..12).unwrap_or(&report.run.scenario.digest)
}

/// The command that repeats the run.
pub(crate) fn again(report: &Report) -> String {
    let scenario = &report.run.scenario;
    let mut words = vec![format!("cargo harness run {} --seed {}", scenario.name, report.run.seed)];
    words.extend(scenario.overrides.iter().cloned());
    words.join(" ")
}
