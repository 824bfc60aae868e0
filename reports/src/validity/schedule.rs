//! The generator kept its schedule: requests were let go when they were due, and nearly all of them were sent.
use super::Check;
use crate::{
    gate::Rule,
    number,
    record::{Measure, Run, RunEnd},
    summary::{Scope, Summary, Window, is_judged_per_request},
};

/// What it is called.
pub(crate) const NAME: &str = "schedule kept";

/// Smallest share of the planned arrivals that must have been sent. Source: measurement.md D3.
const SENT_SHARE: f64 = 0.995;

/// The lag may always be this much, in nanoseconds.
const LAG_NS: u64 = 1_000_000;

pub(super) fn check(run: &Run, summary: &Summary) -> Check {
    let limit_ns = limit_ns(summary);
    let lag_ns = lag_ns(summary);
    let counts = run.load.counts;
    // Arrivals, not requests: a journey's later steps must not make up for arrivals that were never sent.
    let sent = counts.arrived.saturating_sub(counts.dropped + counts.unsent);
    let is_whole_plan = run.end == RunEnd::Completed && counts.arrived > 0;
    let sent_share = if is_whole_plan { sent as f64 / counts.arrived as f64 } else { 1.0 };
    let of_plan =
        if is_whole_plan { format!(", {} of the arrivals sent", number::percent(sent_share)) } else { String::new() };
    Check::new(
        NAME,
        lag_ns <= limit_ns && sent_share >= SENT_SHARE,
        format!("p99 lag {}{of_plan}", number::latency(lag_ns)),
        format!("lag at most {}, {} sent", number::latency(limit_ns), number::exact_percent(SENT_SHARE)),
    )
}

/// Whether the generator let requests go in time, whatever became of them.
pub(crate) fn is_on_time(summary: &Summary) -> bool {
    lag_ns(summary) <= limit_ns(summary)
}

fn lag_ns(summary: &Summary) -> u64 {
    let lag = summary.latency(&Scope::All, &Window::Everything, Measure::ScheduleLag).quantile(0.99);
    lag.and_then(crate::summary::Quantile::finite).unwrap_or(0)
}

/// What a release may be late, in nanoseconds: 1 % of the tightest gate, and at least a millisecond.
pub(super) fn limit_ns(summary: &Summary) -> u64 {
    LAG_NS.max(tightest_gate_ns(summary).unwrap_or(0) / 100)
}

/// The smallest limit that a gate puts on a latency of requests.
fn tightest_gate_ns(summary: &Summary) -> Option<u64> {
    let limit = |rule: &Rule| match rule {
        Rule::Quantile { measure, limit_ns, .. } | Rule::Max { measure, limit_ns, .. } => {
            is_judged_per_request(*measure).then_some(*limit_ns)
        }
        _ => None,
    };
    summary.evidence.iter().filter_map(|evidence| limit(&evidence.gate.as_ref().ok()?.0.rule)).min()
}
