//! What a step promises its users: the gate that says how fast nearly all of its answers are to be.
use crate::{
    gate::{Gate, Group, Rule, parse},
    record::{Measure, PhaseKind, StepInfo},
    summary::{Scope, Window},
};

/// A gate on a lower percentile says nothing about nearly all answers.
const LEAST_QUANTILE: f64 = 0.9;

/// What the requests of one step are held to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Objective {
    /// An answer after this time, in nanoseconds since it was due, is none to its user; `None` when no gate limits it.
    pub limit_ns: Option<u64>,
    /// The share of the requests that is promised a good answer within the limit, between 0 and 1; `None` when no gate does.
    pub promised: Option<f64>,
}

impl Objective {
    /// Reads what each step is held to from the gates of a run.
    ///
    /// Of the gates `pN < T` on the response time of undisturbed requests, that which is put on the step itself counts, else that on its
    /// journey, else that on all; among these the one with the highest N, from p90 on. It says both: T is the limit, N the promise. Without one, a gate
    /// on `error-rate` or `good-rate` makes the promise, and every good answer is in time.
    #[must_use]
    pub fn of_steps(gates: &[String], steps: &[StepInfo]) -> Vec<Self> {
        let gates: Vec<Gate> = gates.iter().filter_map(|text| parse(text).ok()).filter(is_undisturbed).collect();
        steps.iter().map(|step| Self::of(&gates, step, steps)).collect()
    }

    fn of(gates: &[Gate], step: &StepInfo, steps: &[StepInfo]) -> Self {
        let ranked = || gates.iter().filter_map(|gate| Some((rank(gate, step, steps)?, gate)));
        let timed = ranked().filter_map(|(rank, gate)| match gate.rule {
            Rule::Quantile { measure: Measure::Response, quantile, comparison, limit_ns }
                if comparison.is_upper() && quantile >= LEAST_QUANTILE =>
            {
                Some((rank, quantile, limit_ns))
            }
            _ => None,
        });
        let strictest = timed.max_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then(b.2.cmp(&a.2)));
        if let Some((_, quantile, limit_ns)) = strictest {
            return Self { limit_ns: Some(limit_ns), promised: Some(quantile) };
        }
        let counted = ranked().filter_map(|(rank, gate)| match gate.rule {
            Rule::Share { group: Group::Errors, comparison, limit } if comparison.is_upper() => {
                Some((rank, 1.0 - limit))
            }
            Rule::Share { group: Group::Good, comparison, limit } if !comparison.is_upper() => Some((rank, limit)),
            _ => None,
        });
        let strictest = counted.max_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        Self { limit_ns: None, promised: strictest.map(|(_, promised)| promised) }
    }
}

/// Whether a gate is put on requests that no fault disturbs: what is allowed while one is on is no promise.
fn is_undisturbed(gate: &Gate) -> bool {
    gate.class.is_none() && matches!(gate.window.value, Window::Run | Window::Kind(PhaseKind::Steady))
}

/// How closely a gate is put on a step; `None` when it is not.
fn rank(gate: &Gate, step: &StepInfo, steps: &[StepInfo]) -> Option<u8> {
    let scope = gate.name.as_ref().map_or(Some(Scope::All), |name| Scope::named(&name.value, steps))?;
    let rank = match scope {
        Scope::All => 0,
        Scope::Journey(_) => 1,
        Scope::Step(_) => 2,
    };
    scope.holds(step).then_some(rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(gates: &[&str], limit_ms: Option<u64>, promised: Option<f64>) {
        let step = |name: &str, journey: &str| StepInfo {
            name: name.to_owned(),
            journey: journey.to_owned(),
            is_streamed: false,
        };
        let steps = [step("flights.search", "flight-search"), step("chat.message", "chat")];
        let gates: Vec<String> = gates.iter().map(|gate| (*gate).to_owned()).collect();
        let found = Objective::of_steps(&gates, &steps)[0];
        assert_eq!(found.limit_ns, limit_ms.map(|ms| ms * 1_000_000), "{gates:?}");
        assert_eq!(found.promised.map(|share| (share * 1e6).round()), promised.map(|share| share * 1e6), "{gates:?}");
    }

    #[test]
    fn the_closest_gate_with_the_highest_percentile_is_the_promise() {
        check(&[], None, None);
        check(&["p95 < 500ms for flights.search window=steady"], Some(500), Some(0.95));
        check(&["p99 < 2s", "p95 < 700ms for flight-search", "p50 < 90ms for flights.search"], Some(700), Some(0.95));
        check(&["p50 < 90ms", "p99 < 2s", "p95 < 1s"], Some(2_000), Some(0.99));
        check(&["p95 < 1s", "p95 < 600ms window=steady"], Some(600), Some(0.95));
        check(&["error-rate < 1%", "error-rate < 2% for flight-search"], None, Some(0.98));
        check(&["good-rate > 99.5%", "p95 < 300ms for chat"], None, Some(0.995));
        check(&["error-rate < 0.1%", "p90 < 1s"], Some(1_000), Some(0.9));
    }

    #[test]
    fn what_is_allowed_while_a_fault_is_on_is_no_promise() {
        check(&["p95 < 5s for flights.search window=during", "p95 < 1s window=10s..20s"], None, None);
        check(&["p95 > 1ms", "service.p95 < 1s", "p95 < 1s class=full", "nonsense", "errors = 0"], None, None);
    }
}
