//! Requests did not pile up while the plan was the same: the target kept up with what was offered.
use super::{Check, check::NOT_NOTED};
use crate::{
    number,
    record::{PhaseKind, Run, SECOND_NS, SecondCounts},
    steady::Growth,
    summary::Summary,
};

/// Largest growth, as a share of the offered rate. Source: measurement.md D3: no false alarm on stable queues, and a rate 2 % above
/// what the target can do is found in 87 % of the runs of two minutes.
pub(crate) const LARGEST_SHARE: f64 = 0.005;

/// What it is called.
pub(crate) const NAME: &str = "nothing piles up";

pub(super) fn check(run: &Run, summary: &Summary) -> Check {
    let name = NAME;
    let threshold = format!("growth below {} of the rate (99 %)", number::exact_percent(LARGEST_SHARE));
    let not_applicable = |why: &str| Check::not_applicable(name, why, threshold.clone());
    if run.meter.cut_off.is_none() {
        return not_applicable(NOT_NOTED);
    }
    let Some(level_from_ns) = run.meter.level_from_ns else {
        return not_applicable("the planned rate changes all along");
    };
    let seconds = steady_seconds(run, summary, level_from_ns);
    let there: Vec<f64> = seconds.iter().map(|second| second.present_ns as f64 / SECOND_NS as f64).collect();
    let Some(growth) = Growth::of(&there) else {
        return not_applicable("less than 24 s of steady load");
    };
    let offered = seconds.iter().map(|second| second.offered).sum::<u64>() as f64 / seconds.len() as f64;
    let figure =
        format!("{:+.3} requests/s, at least {:+.3}, of {}", growth.per_second, growth.at_least, number::rate(offered));
    Check::new(name, !growth.is_above(LARGEST_SHARE * offered), figure, threshold)
}

/// The whole seconds of the steady phase in which the plan was the same.
fn steady_seconds<'a>(run: &Run, summary: &'a Summary, level_from_ns: u64) -> &'a [SecondCounts] {
    let Some(steady) = run.phases.iter().find(|phase| phase.kind == PhaseKind::Steady) else { return &[] };
    let whole = |ns: u64| usize::try_from(ns / SECOND_NS).unwrap_or(usize::MAX);
    let from = whole(steady.from_ns.max(level_from_ns).saturating_add(SECOND_NS - 1));
    let to = whole(steady.to_ns.min(run.finished_ns)).min(summary.seconds.len());
    summary.seconds.get(from..to).unwrap_or(&[])
}
