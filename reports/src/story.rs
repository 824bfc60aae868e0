//! What happened, in a few sentences: the load and its answers, then what each fault did and when that was over.
use crate::{
    alerts::{self, Detection},
    number,
    record::{FaultRecord, Measure, Outcome, PhaseKind, Run, RunEnd, SECOND_NS},
    summary::{BinLatency, JourneyBin, OutcomeCounts, Quantile, Scope, Summary, Window},
};

/// More faults than this are left to their table.
const MOST_FAULTS: usize = 3;

/// A journey moved when its p95 is this many times what it was, and at least [`SLOWER_NS`] above it.
const SLOWER: f64 = 1.25;

/// See [`SLOWER`]; in nanoseconds.
const SLOWER_NS: u64 = 10_000_000;

/// A journey moved when this much more of its answers failed or were degraded.
const WORSE_SHARE: f64 = 0.01;

/// It is back when its p95 is at most this many times what it was before the fault …
const BACK: f64 = 2.0;

/// … and no more of its requests failed than before, but for this share, …
const BACK_SHARE: f64 = 0.05;

/// … in so many consecutive bins. Source: measurement.md E, "5 consecutive, report start", shortened for short runs.
const BACK_BINS: usize = 3;

/// Tells the run.
#[must_use]
pub fn tell(run: &Run, summary: &Summary, told: Option<&Result<Detection, String>>) -> Vec<String> {
    let all = summary.outcomes(&Scope::All, &Window::Everything);
    let mut sentences = vec![load(run, summary, &all)];
    let on: Vec<&FaultRecord> = run.faults.iter().filter(|fault| fault.window.is_some()).collect();
    sentences.extend(on.iter().take(MOST_FAULTS).map(|fault| what_it_did(fault, summary)));
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

fn what_it_did(fault: &FaultRecord, summary: &Summary) -> String {
    let during = Window::WhileFault(fault.name.clone());
    let moved: Vec<String> = summary
        .journeys
        .iter()
        .enumerate()
        .filter_map(|(index, name)| change(index, name, fault, &during, summary))
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
fn change(index: usize, name: &str, fault: &FaultRecord, during: &Window, summary: &Summary) -> Option<String> {
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
    (!told.is_empty()).then(|| format!("{} ({})", listed(&told), recovery(index, fault, p95_before, &before, summary)))
}

fn is_slower(before: Quantile, then: Quantile) -> bool {
    match (before, then) {
        (Quantile::Finite(before), Quantile::Finite(then)) => {
            then as f64 >= before as f64 * SLOWER && then - before >= SLOWER_NS
        }
        (before, then) => then > before,
    }
}

/// When the journey was back to what it was, counted from the end of the fault.
fn recovery(index: usize, fault: &FaultRecord, p95: Quantile, before: &OutcomeCounts, summary: &Summary) -> String {
    let series = &summary.series;
    let lifted_ns = fault.window.map_or(0, |window| window.to_ns);
    let bin_ns = series.bin_seconds * SECOND_NS;
    let first = usize::try_from(lifted_ns / bin_ns).unwrap_or(usize::MAX);
    let with_requests = |(_, journey): &(usize, &JourneyBin)| journey.outcomes.judged() > 0;
    let after: Vec<(usize, &JourneyBin)> = series
        .bins
        .iter()
        .enumerate()
        .skip(first)
        .map(|(at, bin)| (at, &bin.journeys[index]))
        .filter(with_requests)
        .collect();
    let is_back = |journey: &JourneyBin| {
        let errors = journey.outcomes.error_share().unwrap_or(0.0);
        let calm = errors <= before.error_share().unwrap_or(0.0) + BACK_SHARE;
        calm && journey.latencies.get(&Measure::Response).is_none_or(|seen| is_near(seen, p95))
    };
    match after.windows(BACK_BINS).find(|bins| bins.iter().all(|(_, journey)| is_back(journey))) {
        Some(bins) if bins[0].0 <= first => "back as soon as it was lifted".to_owned(),
        Some(bins) => {
            let waited_ns = (bins[0].0 as u64 * bin_ns).saturating_sub(lifted_ns);
            format!("back {} after it was lifted", number::seconds(waited_ns))
        }
        None if after.len() < BACK_BINS => "the run ended before it could be back".to_owned(),
        None => "not back when the run ended".to_owned(),
    }
}

fn is_near(seen: &BinLatency, p95: Quantile) -> bool {
    match (seen.p95, p95) {
        (Quantile::Finite(now), Quantile::Finite(before)) => now as f64 <= before as f64 * BACK,
        (now, before) => now <= before,
    }
}

fn listed(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}
