//! What speaks for and against a gate, counted second by second while the measures are read.
use super::{Gate, ParseError, Rule, check_names, parse};
use crate::{
    distribution::Distribution,
    proportion::Tally,
    record::{Interval, Measure, Outcome, Phase, Run, StepInfo},
    summary::{Scope, is_judged_per_request, needs_stream},
};
use std::collections::BTreeMap;

/// A gate and its counts.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The line as written.
    pub text: String,
    /// The gate and whose requests it is put on; an error when the run has no such thing.
    pub gate: Result<(Gate, Scope), ParseError>,
    is_in_window: Vec<bool>,
    is_in_scope: Vec<bool>,
    is_streamed: Vec<bool>,
    seconds: BTreeMap<u64, Seen>,
}

/// What one second adds.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    total: u64,
    /// For latencies: those within the limit. For shares: those of the group.
    matching: u64,
}

impl Evidence {
    /// Reads a gate for a run.
    #[must_use]
    pub fn new(text: &str, run: &Run) -> Self {
        let gate = parse(text).and_then(|gate| {
            check_names(&gate, &run.steps, &run.phases)?;
            let name = gate.name.as_ref().and_then(|name| Scope::named(&name.value, &run.steps));
            Ok((gate, name.unwrap_or(Scope::All)))
        });
        let in_window = |phase: &Phase| gate.as_ref().is_ok_and(|(gate, _)| gate.window.value.holds(phase));
        let in_scope = |step: &StepInfo| gate.as_ref().is_ok_and(|(_, scope)| scope.holds(step));
        Self {
            text: text.to_owned(),
            is_in_window: run.phases.iter().map(in_window).collect(),
            is_in_scope: run.steps.iter().map(in_scope).collect(),
            is_streamed: run.steps.iter().map(|step| step.is_streamed).collect(),
            seconds: BTreeMap::new(),
            gate,
        }
    }

    /// Counts one interval of the record.
    pub fn add(&mut self, interval: &Interval, values: &Distribution) {
        let Ok((gate, _)) = &self.gate else { return };
        if !self.is_in_window[interval.phase_index] || !self.is_in_scope[interval.step_index] {
            return;
        }
        let seen = match &gate.rule {
            Rule::Quantile { measure, limit_ns, .. } => {
                if needs_stream(*measure) && !self.is_streamed[interval.step_index] {
                    return;
                }
                of_latency(interval, values, *measure, *limit_ns, gate.class)
            }
            Rule::Share { group, .. } if interval.measure == Measure::Response => Seen {
                total: if group.is_share_of(interval.outcome) { values.count() } else { 0 },
                matching: if group.holds(interval.outcome) { values.count() } else { 0 },
            },
            _ => return,
        };
        let second = self.seconds.entry(interval.second).or_default();
        second.total += seen.total;
        second.matching += seen.matching;
    }

    /// Per second of the window that has any: for latencies, requests that are slower than the limit or failed; for shares, those of the group.
    #[must_use]
    pub fn seconds(&self) -> Vec<Tally> {
        let is_latency = matches!(self.gate, Ok((Gate { rule: Rule::Quantile { .. }, .. }, _)));
        let tally = |seen: &Seen| Tally {
            hits: if is_latency { seen.total.saturating_sub(seen.matching) } else { seen.matching },
            total: seen.total,
        };
        self.seconds.values().map(tally).filter(|tally| tally.total > 0).collect()
    }
}

/// Every request counts once in the total, and once as matching if its value is there and within the limit; what is not there failed.
fn of_latency(
    interval: &Interval,
    values: &Distribution,
    measure: Measure,
    limit_ns: u64,
    class: Option<Outcome>,
) -> Seen {
    let is_per_value = class.is_some() || !is_judged_per_request(measure);
    let is_total = match is_per_value {
        true => interval.measure == measure && class.is_none_or(|class| class == interval.outcome),
        false => interval.measure == Measure::Response && interval.outcome != Outcome::Limited,
    };
    let is_matching = interval.measure == measure && if is_per_value { is_total } else { interval.outcome.is_good() };
    Seen {
        total: if is_total { values.count() } else { 0 },
        matching: if is_matching { values.count_within(limit_ns) } else { 0 },
    }
}
