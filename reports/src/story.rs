//! What happened, in a few sentences: the load and its answers, then what each fault did and when that was over.
use crate::{
    alerts::{self, Detection},
    number,
    record::{FaultRecord, Measure, Outcome, PhaseKind, Run, RunEnd, SECOND_NS},
    resilience::{Recovery, Resilience},
    summary::{OutcomeCounts, Quantile, Scope, Summary, Window},
};

/// More faults than this are left to their table.
const MOST_FAULTS: usize = 3;

/// A journey moved when its p95 is this many times what it was, and at least [`SLOWER_NS`] above it.
const SLOWER: f64 = 1.25;

/// See [`SLOWER`]; in nanoseconds.
const SLOWER_NS: u64 = 10_000_000;

/// A journey moved when this much more of its answers failed or were degraded.
const WORSE_SHARE: f64 = 0.01;

/// Tells the run.
#[must_use]
pub fn tell(
    run: &Run,
    summary: &Summary,
    resilience: &Resilience,
    told: Option<&Result<Detection, String>>,
) -> Vec<String> {
    let all = summary.outcomes(&Scope::All, &Window::Everything);
    let mut sentences = vec![load(run, summary, &all)];
    let on: Vec<&FaultRecord> = run.faults.iter().filter(|fault| fault.window.is_some()).collect();
    sentences.extend(on.iter().take(MOST_FAULTS).map(|fault| what_it_did(fault, summary, resilience)));
    if on.len() > MOST_FAULTS {
        sentences.push(format!("{} more faults are in the table of faults.", on.len() - MOST_FAULTS));
    }
    sentences.extend(alerts::sentences(told));
    match &run.end {
        RunEnd::Completed => {}
        RunEnd::Interrupted => sentences.push(format!(
            "The run was stopped after {} of {}; what was measured until then is here.",
            number::seconds(run.finished_ns),
            number::seconds(run.planned_ns)
        )),
        RunEnd::Aborted { rule, at_ns } => sentences.push(format!(
            "After {} of {} the gate `{rule}` was sure not to hold, and the run was aborted.",
            number::seconds(*at_ns),
            number::seconds(run.planned_ns)
        )),
        RunEnd::Broken(why) => sentences.push(format!("The run broke off: {why}.")),
    }
    sentences
}

fn load(run: &Run, summary: &Summary, all: &OutcomeCounts) -> String {
    let offered = run.load.counts.offered.max(all.total());
    let length_ns = Window::Everything.length_ns(&summary.phases).min(run.finished_ns.max(SECOND_NS));
    if offered == 0 {
        return "No request was due before the run ended.".to_owned();
    }
    let rate = number::rate(offered as f64 / (length_ns as f64 / 1e9));
    let sent =
        format!("{} were offered in {} ({rate})", number::counted(offered, "request"), number::seconds(length_ns));
    let share = |count: u64| number::percent(count as f64 / all.total().max(1) as f64);
    let parts = [
        (all.get(Outcome::Full), "a full answer"),
        (all.get(Outcome::Degraded), "a degraded one that says so"),
        (all.get(Outcome::Limited), "a refusal by an intended limit"),
        (all.errors(), "no good answer"),
    ];
    let told: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{} got {what}", share(*count)))
        .collect();
    match told.is_empty() {
        true => format!("{sent}; none of them has an outcome."),
        false => format!("{sent}: {}.", listed(&told)),
    }
}

fn what_it_did(fault: &FaultRecord, summary: &Summary, resilience: &Resilience) -> String {
    let during = Window::WhileFault(fault.name.clone());
    let moved: Vec<String> = summary
        .journeys
        .iter()
        .filter_map(|name| {
            let (change, back) = (change(name, &during, summary)?, recovery(name, fault, resilience));
            Some(change + &back.map_or_else(String::new, |back| format!(" ({back})")))
        })
        .collect();
    match moved.is_empty() {
        false => format!("While {} was on, {}.", fault.name, moved.join("; ")),
        true if summary.outcomes(&Scope::All, &during).total() == 0 => {
            format!("While {} was on, no request was due.", fault.name)
        }
        true => format!("While {} was on, no journey became slower or failed more than before.", fault.name),
    }
}

/// What one journey looked like while the fault was on, against the undisturbed part; `None` when nothing moved.
fn change(name: &str, during: &Window, summary: &Summary) -> Option<String> {
    let scope = Scope::Journey(name.to_owned());
    let steady = Window::Kind(PhaseKind::Steady);
    let (before, then) = (summary.outcomes(&scope, &steady), summary.outcomes(&scope, during));
    let p95_before = summary.latency(&scope, &steady, Measure::Response).quantile(0.95)?;
    let p95_then = summary.latency(&scope, during, Measure::Response).quantile(0.95)?;
    let share = |counts: &OutcomeCounts, of: u64| of as f64 / counts.judged().max(1) as f64;
    let failed = share(&then, then.errors());
    let degraded = share(&then, then.get(Outcome::Degraded));
    let more_failed = failed - share(&before, before.errors()) >= WORSE_SHARE;
    let more_degraded = degraded - share(&before, before.get(Outcome::Degraded)) >= WORSE_SHARE;
    let mut told = Vec::new();
    if is_slower(p95_before, p95_then) {
        told.push(format!("the p95 of {name} rose from {p95_before} to {p95_then}"));
    }
    let of_it = if told.is_empty() { format!("of {name}") } else { "of its requests".to_owned() };
    let shares = [(more_degraded, degraded, "got a degraded answer"), (more_failed, failed, "failed")];
    for (index, (_, share, what)) in shares.into_iter().filter(|(is_more, ..)| *is_more).enumerate() {
        let of_it = if index == 0 { format!(" {of_it}") } else { String::new() };
        told.push(format!("{}{of_it} {what}", number::percent(share)));
    }
    (!told.is_empty()).then(|| listed(&told))
}

fn is_slower(before: Quantile, then: Quantile) -> bool {
    match (before, then) {
        (Quantile::Finite(before), Quantile::Finite(then)) => {
            then as f64 >= before as f64 * SLOWER && then - before >= SLOWER_NS
        }
        (before, then) => then > before,
    }
}

/// When the journey was back in its band, counted from the end of the fault; `None` when that is not known, or it never left it.
fn recovery(name: &str, fault: &FaultRecord, resilience: &Resilience) -> Option<String> {
    let experiment = resilience.experiments.iter().find(|experiment| experiment.faults.contains(&fault.name))?;
    let figures = experiment.impacts.iter().find(|impact| impact.journey == name)?.figures.as_ref().ok()?;
    // Where several were on together, nothing says which of them held it.
    let lifted = if experiment.faults.len() == 1 { "it was lifted" } else { "the last of the faults was lifted" };
    match figures.recovery {
        Recovery::NotNeeded => None,
        Recovery::After { after_ns: 0 } => Some(format!("back as soon as {lifted}")),
        _ => Some(format!("{} {lifted}", figures.away())),
    }
}

fn listed(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}
