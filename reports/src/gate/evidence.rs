//! What speaks for and against a gate, counted second by second: while a record is read, or while it is made.
use super::{Gate, ParseError, Rule, names::check_recorded, parse};
use crate::{
    distribution::Distribution,
    proportion::Tally,
    record::{Measure, Outcome, Phase, Place, Run, SECOND_NS, StepInfo},
    summary::{Latency, OutcomeCounts, Scope, is_judged_per_request, needs_stream},
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
    /// When each phase was planned to end, in nanoseconds: later steps of its last journeys may be due after that.
    phase_ends_ns: Vec<u64>,
    is_in_scope: Vec<bool>,
    is_streamed: Vec<bool>,
    seconds: BTreeMap<u64, Seen>,
    values: Distribution,
    /// Of the totals of the seconds, those that are recorded.
    recorded: u64,
    outcomes: OutcomeCounts,
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
            check_recorded(&gate, &run.steps, &run.phases)?;
            let name = gate.name.as_ref().and_then(|name| Scope::named(&name.value, &run.steps));
            Ok((gate, name.unwrap_or(Scope::All)))
        });
        let in_window = |phase: &Phase| gate.as_ref().is_ok_and(|(gate, _)| gate.window.value.holds(phase));
        let in_scope = |step: &StepInfo| gate.as_ref().is_ok_and(|(_, scope)| scope.holds(step));
        Self {
            text: text.to_owned(),
            is_in_window: run.phases.iter().map(in_window).collect(),
            phase_ends_ns: run.phases.iter().map(|phase| phase.to_ns).collect(),
            is_in_scope: run.steps.iter().map(in_scope).collect(),
            is_streamed: run.steps.iter().map(|step| step.is_streamed).collect(),
            seconds: BTreeMap::new(),
            values: Distribution::default(),
            recorded: 0,
            outcomes: OutcomeCounts::default(),
            gate,
        }
    }

    /// Whether a distribution of this measure can say anything about the gate.
    #[must_use]
    pub fn needs(&self, measure: Measure) -> bool {
        let of_gate = |(gate, _): &(Gate, Scope)| gate.rule.measure() == Some(measure);
        measure == Measure::Response || self.gate.as_ref().is_ok_and(of_gate)
    }

    /// Counts one distribution of the record.
    pub fn add(&mut self, place: &Place, values: &Distribution) {
        let Ok((gate, _)) = &self.gate else { return };
        let is_meant = self.is_in_window[place.phase_index] && self.is_in_scope[place.step_index];
        if !is_meant || !gate.window.value.holds_second(place.second) {
            return;
        }
        // A rate divides by the time that was planned, so what was due after it is not of it.
        let is_after_end = place.second.saturating_mul(SECOND_NS) >= self.phase_ends_ns[place.phase_index];
        if is_after_end && matches!(gate.rule, Rule::Rate { .. }) {
            return;
        }
        if place.measure == Measure::Response {
            self.outcomes.add(place.outcome, values.count());
        }
        let measured = gate.rule.measure();
        if measured.is_some_and(needs_stream) && !self.is_streamed[place.step_index] {
            return;
        }
        if measured == Some(place.measure) && is_value(place, gate.class) {
            self.values.add(values);
        }
        let seen = match &gate.rule {
            Rule::Quantile { measure, limit_ns, .. } => of_latency(place, values, *measure, *limit_ns, gate.class),
            // The slowest is infinitely slow as soon as one failed.
            Rule::Max { measure, .. } => of_latency(place, values, *measure, u64::MAX, gate.class),
            Rule::Share { group, .. } if place.measure == Measure::Response => Seen {
                total: if group.is_share_of(place.outcome) { values.count() } else { 0 },
                matching: if group.holds(place.outcome) { values.count() } else { 0 },
            },
            _ => return,
        };
        self.recorded += seen.total;
        let second = self.seconds.entry(place.second).or_default();
        second.total += seen.total;
        second.matching += seen.matching;
    }

    /// Counts requests that are still out as if each were to end in the gate's favour, so that a gate which fails nevertheless will
    /// fail in the end.
    pub fn add_outstanding(&mut self, second: u64, count: u64, phases: &[Phase]) {
        let Ok((gate, _)) = &self.gate else { return };
        if !self.may_hold(second, phases) {
            return;
        }
        let is_upper = gate.rule.comparison().is_upper();
        let is_matching = match &gate.rule {
            Rule::Quantile { .. } => is_upper,
            Rule::Share { .. } => !is_upper,
            Rule::Rate { .. } if !is_upper => {
                self.outcomes.add(Outcome::Full, count);
                return;
            }
            _ => return,
        };
        let seen = self.seconds.entry(second).or_default();
        seen.total += count;
        seen.matching += if is_matching { count } else { 0 };
    }

    /// Whether what was due in a second may lie in the window.
    #[must_use]
    pub fn may_hold(&self, second: u64, phases: &[Phase]) -> bool {
        let due_ns = second.saturating_mul(SECOND_NS);
        let is_touched = |phase: &Phase| phase.from_ns < due_ns.saturating_add(SECOND_NS) && due_ns < phase.to_ns;
        let in_window = phases.iter().zip(&self.is_in_window).any(|(phase, is_meant)| *is_meant && is_touched(phase));
        in_window && self.gate.as_ref().is_ok_and(|(gate, _)| gate.window.value.holds_second(second))
    }

    /// Per second of the window that has any: for latencies, requests that are slower than the limit or failed; for shares, those of the group.
    #[must_use]
    pub fn seconds(&self) -> Vec<Tally> {
        self.seconds.values().map(|seen| self.tally(seen)).filter(|tally| tally.total > 0).collect()
    }

    /// The same of one second from clock zero; nothing where it is not in the window, or nothing was due in it.
    #[must_use]
    pub fn second(&self, second: u64) -> Tally {
        self.seconds.get(&second).map(|seen| self.tally(seen)).unwrap_or_default()
    }

    fn tally(&self, seen: &Seen) -> Tally {
        let is_latency = matches!(self.gate, Ok((Gate { rule: Rule::Quantile { .. }, .. }, _)));
        let hits = if is_latency { seen.total.saturating_sub(seen.matching) } else { seen.matching };
        Tally { hits, total: seen.total }
    }

    /// The latency that the gate is put on, with requests that got no good answer as infinitely slow where it is taken once a request.
    #[must_use]
    pub fn latency(&self) -> Latency {
        Latency { good: self.values.clone(), failed: self.recorded.saturating_sub(self.values.count()) }
    }

    /// Requests of the gate's steps in its window, by class.
    #[must_use]
    pub fn outcomes(&self) -> &OutcomeCounts {
        &self.outcomes
    }
}

/// Whether the values of a measure are those that a quantile is read from.
fn is_value(place: &Place, class: Option<Outcome>) -> bool {
    match class {
        Some(class) => class == place.outcome,
        None => place.outcome.is_good() || !is_judged_per_request(place.measure),
    }
}

/// Every request counts once in the total, and once as matching if its value is there and within the limit; what is not there failed.
fn of_latency(place: &Place, values: &Distribution, measure: Measure, limit_ns: u64, class: Option<Outcome>) -> Seen {
    let is_per_value = class.is_some() || !is_judged_per_request(measure);
    let is_total = match is_per_value {
        true => place.measure == measure && class.is_none_or(|class| class == place.outcome),
        false => place.measure == Measure::Response && place.outcome != Outcome::Limited,
    };
    let is_matching = place.measure == measure && if is_per_value { is_total } else { place.outcome.is_good() };
    Seen {
        total: if is_total { values.count() } else { 0 },
        matching: if is_matching { values.count_within(limit_ns) } else { 0 },
    }
}
