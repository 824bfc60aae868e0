//! Whether a gate holds: pass, fail, or not known from what was measured.
use super::{Comparison, Evidence, Gate, Rule, STALL_NS, lanes};
use crate::{
    number,
    proportion::{ALPHA, Tally, bounds_at, requests_missing},
    record::{Measure, Run, RunEnd, SecondCounts},
    summary::{Latency, Quantile},
};
use schemars::JsonSchema;
use serde::Serialize;
use std::{collections::BTreeMap, fmt};

/// What became of a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateOutcome {
    /// The true value is within, with 95 % confidence; or, for a count, it is.
    Pass,
    /// The true value is not within, with 95 % confidence; or, for a count, it is not.
    Fail,
    /// Too few requests, too close to the limit, to tell.
    Inconclusive,
    /// It cannot be judged at all: nothing was measured, or the run has no such thing.
    Invalid,
}

/// The number that a gate is put on, as it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Observed {
    /// A latency, in nanoseconds.
    LatencyNs(u64),
    /// A latency that is infinite, because so large a share of the requests got no good answer.
    NoAnswer {
        /// Between 0 and 1.
        failed_share: f64,
    },
    /// A share, between 0 and 1.
    Share(f64),
    /// A count.
    Count(u64),
    /// Events per second.
    Rate(f64),
    /// A stretch of time, in nanoseconds.
    Time(u64),
    /// A stretch of time that was not seen to end, in nanoseconds: it is at least so long.
    AtLeast(u64),
    /// Times as much as is allowed.
    Times(f64),
}

impl Observed {
    /// The number itself, in its own unit; infinite where there was no answer.
    fn value(self) -> f64 {
        match self {
            Self::LatencyNs(nanos) | Self::Time(nanos) | Self::AtLeast(nanos) => nanos as f64,
            Self::NoAnswer { .. } => f64::INFINITY,
            Self::Share(value) | Self::Rate(value) | Self::Times(value) => value,
            Self::Count(count) => count as f64,
        }
    }
}

impl fmt::Display for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&match self {
            Self::LatencyNs(nanos) => number::latency(*nanos),
            Self::NoAnswer { failed_share } => format!("∞ ({} failed)", number::percent(*failed_share)),
            Self::Share(share) => number::percent(*share),
            Self::Count(count) => number::count(*count),
            Self::Rate(per_second) => number::rate(*per_second),
            Self::Time(nanos) => number::seconds(*nanos),
            Self::AtLeast(nanos) => format!("at least {}", number::seconds(*nanos)),
            Self::Times(times) => format!("{}×", number::significant(*times)),
        })
    }
}

/// The share that decides a statistical gate: of requests that are slower than the limit or failed, or of those in its group.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct ShareBounds {
    /// As it was seen.
    pub observed: f64,
    /// The true share is not below, with 95 % confidence.
    pub lower: f64,
    /// The true share is not above, with 95 % confidence.
    pub upper: f64,
    /// What it is compared with.
    pub limit: f64,
}

/// A gate and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct GateResult {
    /// The gate as written.
    pub gate: String,
    /// What became of it.
    pub outcome: GateOutcome,
    /// The number it is put on; `None` when nothing was measured.
    pub observed: Option<Observed>,
    /// How far the number is on the right side of its limit, in its own unit (nanoseconds, share or count); negative on the wrong side, `None` when infinite.
    pub margin: Option<f64>,
    /// What decided, for quantiles and shares.
    pub share: Option<ShareBounds>,
    /// Requests that were judged.
    pub request_count: u64,
    /// About how many more requests would decide, when that is what is missing.
    pub more_requests: Option<u64>,
    /// Why, in one sentence.
    pub reason: String,
}

impl GateResult {
    /// The margin with its unit, such as `+379 ms`; `–` when there is none.
    #[must_use]
    pub fn margin_text(&self) -> String {
        match (self.margin, self.observed) {
            (Some(margin), Some(Observed::LatencyNs(_) | Observed::Time(_) | Observed::AtLeast(_))) => {
                number::signed_latency(margin)
            }
            (Some(margin), Some(Observed::Times(_))) => format!("{margin:+.1}×").replace('-', "−"),
            (Some(margin), Some(Observed::Share(_))) => number::signed_points(margin),
            (Some(margin), Some(Observed::Rate(_))) => format!("{margin:+.1}/s").replace('-', "−"),
            (Some(margin), Some(Observed::Count(_))) => format!("{margin:+.0}").replace('-', "−").replace("+0", "0"),
            _ => "–".to_owned(),
        }
    }
}

/// Judges one gate by its evidence. A gate that does not hold is a result, never an error.
#[must_use]
pub fn judge(evidence: &Evidence, run: &Run, seconds: &[SecondCounts]) -> GateResult {
    let mut result = judge_so_far(evidence, run, &Seen { seconds, in_flight: &BTreeMap::new(), alpha: ALPHA });
    if let (GateOutcome::Inconclusive, Some(share), Ok((gate, _))) = (result.outcome, result.share, &evidence.gate) {
        result.more_requests = requests_missing(&evidence.seconds(), share.limit);
        result.reason = reason(gate, result.outcome, &share, result.request_count, result.more_requests);
    }
    result
}

/// What was seen beside the evidence, and how sure a verdict has to be.
pub(super) struct Seen<'a> {
    pub(super) seconds: &'a [SecondCounts],
    /// Requests that were out at the end of a second, while the run goes on: what has no outcome yet is not among the counts.
    pub(super) in_flight: &'a BTreeMap<u64, u64>,
    /// Chance of either bound of a share to be on the wrong side.
    pub(super) alpha: f64,
}

/// The same without an estimate of what is missing, which takes longest.
pub(super) fn judge_so_far(evidence: &Evidence, run: &Run, seen: &Seen<'_>) -> GateResult {
    let Seen { seconds, in_flight, alpha } = *seen;
    let gate = match &evidence.gate {
        Ok((gate, _)) => gate,
        Err(error) => {
            let hint = error.hint.as_ref().map_or_else(String::new, |hint| format!("; {hint}"));
            return invalid(&evidence.text, format!("{error}{hint}"));
        }
    };
    let (window, outcomes, offered) = (&gate.window.value, evidence.outcomes(), run.load.counts.offered);
    let counted = |count: u64, of: u64| (of > 0).then_some((Observed::Count(count), of));
    let found = match &gate.rule {
        Rule::Quantile { quantile, comparison, limit_ns, .. } => {
            let latency = evidence.latency();
            let observed = latency.quantile(*quantile).map(|value| observed_latency(value, &latency));
            observed.map(|seen| by_share(evidence, gate, alpha, (*comparison, 1.0 - quantile), seen, *limit_ns as f64))
        }
        Rule::Share { comparison, limit, .. } => {
            let tally: Tally = evidence.seconds().into_iter().sum();
            let observed = (tally.total > 0).then(|| Observed::Share(tally.share()));
            observed.map(|seen| by_share(evidence, gate, alpha, (*comparison, *limit), seen, *limit))
        }
        Rule::Max { comparison, limit_ns, .. } => {
            let latency = evidence.latency();
            let observed = latency.max().map(|value| observed_latency(value, &latency));
            observed.map(|seen| exact(gate, *comparison, seen, *limit_ns as f64, latency.count()))
        }
        Rule::Count { group, comparison, limit } => {
            let count = outcomes.seen().filter(|(outcome, _)| group.holds(*outcome)).map(|(_, count)| count).sum();
            counted(count, outcomes.total()).map(|(seen, of)| exact(gate, *comparison, seen, *limit as f64, of))
        }
        Rule::Rate { group, comparison, limit } => {
            let count: u64 = outcomes.seen().filter(|(outcome, _)| group.holds(*outcome)).map(|(_, count)| count).sum();
            let length_s = window.length_until_ns(&run.phases, run.finished_ns) as f64 / 1e9;
            let observed = (outcomes.total() > 0 && length_s > 0.0).then(|| Observed::Rate(count as f64 / length_s));
            observed.map(|seen| exact(gate, *comparison, seen, *limit, outcomes.total()))
        }
        Rule::Stalls { comparison, limit } => {
            let gaps = evidence.latency().good;
            let stalls = gaps.count() - gaps.count_within(STALL_NS);
            counted(stalls, gaps.count()).map(|(seen, of)| exact(gate, *comparison, seen, *limit as f64, of))
        }
        Rule::InFlight { comparison, limit } => {
            let observed = lanes::in_flight_max(seconds, in_flight, &run.phases, window).map(Observed::Count);
            observed.map(|seen| exact(gate, *comparison, seen, *limit as f64, offered))
        }
        Rule::AchievedRate { comparison, limit } => {
            let observed = lanes::sent_share(seconds, &run.phases, window).map(Observed::Share);
            observed.map(|seen| exact(gate, *comparison, seen, *limit, offered))
        }
        // What faults did is known when all of it is: `judge_impact` judges it in the end.
        Rule::Impact { .. } => {
            let reason = "judged when the run is over".to_owned();
            return GateResult { outcome: GateOutcome::Inconclusive, ..invalid(&gate.text, reason) };
        }
        Rule::Dropped { comparison, limit } => {
            let dropped = counted(run.load.counts.dropped, offered);
            dropped.map(|(seen, of)| exact(gate, *comparison, seen, *limit as f64, of))
        }
    };
    let is_cut_off = matches!(gate.rule, Rule::AchievedRate { .. } | Rule::InFlight { .. }) && seconds.is_empty();
    found.unwrap_or_else(|| match is_cut_off {
        true => invalid(&gate.text, "the record has no counts per second".to_owned()),
        false => nothing_measured(gate, outcomes.total(), run),
    })
}

fn observed_latency(value: Quantile, latency: &Latency) -> Observed {
    match value {
        Quantile::Finite(nanos) => Observed::LatencyNs(nanos),
        Quantile::Infinite => Observed::NoAnswer { failed_share: latency.failed_share() },
    }
}

/// "p95 < X" holds iff at most 5 % of the requests are slower than X; so both kinds compare a share with a limit.
///
/// Pass iff the upper bound of the share is within, fail iff the lower one is not. Source: measurement.md D2, `ok(λ)` and `bad(λ)`.
fn by_share(
    evidence: &Evidence,
    gate: &Gate,
    alpha: f64,
    (comparison, limit): (Comparison, f64),
    observed: Observed,
    value_limit: f64,
) -> GateResult {
    let seconds = evidence.seconds();
    let tally: Tally = seconds.iter().copied().sum();
    let found = bounds_at(&seconds, alpha);
    // A limit from above on the quantity: few may lie beyond. From below, many must.
    let outcome = match comparison.is_upper() {
        true if found.upper <= limit => GateOutcome::Pass,
        true if found.lower > limit => GateOutcome::Fail,
        false if found.lower > limit => GateOutcome::Pass,
        false if found.upper <= limit => GateOutcome::Fail,
        _ => GateOutcome::Inconclusive,
    };
    let share = ShareBounds { observed: tally.share(), lower: found.lower, upper: found.upper, limit };
    GateResult {
        gate: gate.text.clone(),
        outcome,
        observed: Some(observed),
        margin: margin(comparison, observed, value_limit),
        share: Some(share),
        request_count: tally.total,
        more_requests: None,
        reason: reason(gate, outcome, &share, tally.total, None),
    }
}

fn reason(gate: &Gate, outcome: GateOutcome, share: &ShareBounds, total: u64, more_requests: Option<u64>) -> String {
    let what = match (&gate.rule, gate.class) {
        (Rule::Quantile { measure: Measure::Gap | Measure::PoolWait | Measure::Connect, .. }, _) => "longer",
        (Rule::Quantile { .. }, Some(_)) => "slower",
        (Rule::Quantile { .. }, None) => "slower or failed",
        (Rule::Share { group, .. }, _) => &group.to_string(),
        _ => "counted",
    };
    let seen = format!("{} of {} {what}", number::percent(share.observed), number::counted(total, noun(gate)));
    let range = format!("{} to {}", number::percent(share.lower), number::percent(share.upper));
    let limit = number::exact_percent(share.limit);
    match (outcome, more_requests) {
        (GateOutcome::Inconclusive, Some(more)) => {
            format!("{seen}: truly {range}, limit {limit}; about {} more would tell", number::count(more))
        }
        (GateOutcome::Inconclusive, None) => {
            format!("{seen}: truly {range}, too close to the limit of {limit} to tell")
        }
        _ => format!("{seen}: truly {range}, limit {limit}"),
    }
}

/// What is counted.
fn noun(gate: &Gate) -> &'static str {
    match gate.rule.measure() {
        Some(Measure::Gap) => "gap",
        Some(Measure::Connect) => "connection",
        _ => "request",
    }
}

fn exact(gate: &Gate, comparison: Comparison, observed: Observed, limit: f64, request_count: u64) -> GateResult {
    let holds = comparison.holds(observed.value().total_cmp(&limit));
    GateResult {
        gate: gate.text.clone(),
        outcome: if holds { GateOutcome::Pass } else { GateOutcome::Fail },
        observed: Some(observed),
        margin: margin(comparison, observed, limit),
        share: None,
        request_count,
        more_requests: None,
        reason: format!("{observed} among {}, counted exactly", number::counted(request_count, noun(gate))),
    }
}

pub(super) fn margin(comparison: Comparison, observed: Observed, limit: f64) -> Option<f64> {
    let value = observed.value();
    let margin = if comparison.is_upper() { limit - value } else { value - limit };
    margin.is_finite().then_some(margin)
}

/// Requests of other classes are evidence that the window was there, though none for or against the gate: it stays open.
fn nothing_measured(gate: &Gate, request_count: u64, run: &Run) -> GateResult {
    let of = gate.name.as_ref().map_or_else(String::new, |name| format!(" of {}", name.value));
    let place = format!("{of} in the window `{}`", gate.window.value);
    if let RunEnd::Aborted { rule, .. } = &run.end {
        let reason = format!("there was no request{place} before the run was aborted by `{rule}`");
        return GateResult { outcome: GateOutcome::Inconclusive, ..invalid(&gate.text, reason) };
    }
    match gate.class.filter(|_| request_count > 0) {
        Some(class) => GateResult {
            outcome: GateOutcome::Inconclusive,
            ..invalid(&gate.text, format!("no request{place} had the outcome `{class}`, so there is nothing to judge"))
        },
        None => invalid(&gate.text, format!("there was no request{place}")),
    }
}

pub(super) fn invalid(text: &str, reason: String) -> GateResult {
    GateResult {
        gate: text.to_owned(),
        outcome: GateOutcome::Invalid,
        observed: None,
        margin: None,
        share: None,
        request_count: 0,
        more_requests: None,
        reason,
    }
}
