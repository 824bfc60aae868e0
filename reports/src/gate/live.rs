//! Gates while the run goes on: how each stands by what is known, and whether one ends the run.
use super::{
    Comparison, Evidence, Gate, GateOutcome, GateResult, Rule,
    judge::{Seen, judge_so_far},
};
use crate::{
    distribution::Distribution,
    proportion::ALPHA,
    record::{LiveSecond, Measure, Round, Run, SECOND_NS, SecondCounts},
};
use std::collections::BTreeMap;

/// The evidence of every gate of a run, so far.
#[derive(Debug)]
pub struct LiveGates {
    run: Run,
    evidence: Vec<Evidence>,
    /// How often each gate was asked whether it ends the run.
    looks: Vec<u32>,
    /// Requests that were out at the end of each second.
    in_flight: BTreeMap<u64, u64>,
}

/// How one gate stands.
#[derive(Debug, Clone, PartialEq)]
pub struct SoFar {
    /// What it would be if the run ended now. `Pass` and `Fail` are as sure as at the end, of what was due until now; a count that
    /// may still rise to its bound is inconclusive.
    pub result: GateResult,
    /// Whether it ends the run.
    pub aborts: bool,
}

impl LiveGates {
    /// Starts from the head of a run, with the gates as written there.
    #[must_use]
    pub fn new(run: &Run) -> Self {
        let evidence = run.gates.iter().map(|text| Evidence::new(text, run)).collect();
        Self { run: run.clone(), evidence, looks: vec![0; run.gates.len()], in_flight: BTreeMap::new() }
    }

    /// Counts a second that is complete.
    pub fn closed(&mut self, second: &LiveSecond<'_>) {
        add(&mut self.evidence, second);
    }

    /// Judges every gate, in the order of the run: by the seconds that are complete and, of those that are not, by what is in, with
    /// requests that are still out taken to end in the gate's favour.
    #[must_use]
    pub fn judge(&mut self, round: &Round<'_>) -> Vec<SoFar> {
        self.run.load.counts = round.counts;
        self.run.finished_ns = round.known_before.saturating_mul(SECOND_NS).min(round.now_ns);
        let mut evidence = self.evidence.clone();
        let is_known = |second: u64| second < round.known_before;
        for second in round.open.iter().filter(|second| is_known(second.second())) {
            let out = round.outstanding.get(&second.second()).copied().unwrap_or(0);
            match out {
                0 => add(&mut evidence, second),
                // A stream that is still out may have many gaps to come, so gaps wait until their second is complete.
                _ => add(evidence.iter_mut().filter(|gate| !gate.needs(Measure::Gap)), second),
            }
        }
        for (second, count) in round.outstanding.iter().filter(|(second, _)| is_known(**second)) {
            evidence.iter_mut().for_each(|gate| gate.add_outstanding(*second, *count, &self.run.phases));
        }
        // Looks come just after the end of a second. In the end, the counts know all.
        match round.is_over {
            true => self.in_flight.clear(),
            false => {
                let second = (round.now_ns / SECOND_NS).saturating_sub(1);
                let most = self.in_flight.entry(second).or_default();
                *most = round.in_flight.max(*most);
            }
        }
        let seconds = known_seconds(round);
        (0..).zip(&evidence).map(|(position, gate)| self.stands(position, gate, round, &seconds)).collect()
    }

    fn stands(&mut self, position: usize, evidence: &Evidence, round: &Round<'_>, seconds: &[SecondCounts]) -> SoFar {
        let seen = |alpha: f64| Seen { seconds, in_flight: &self.in_flight, alpha };
        let mut result = judge_so_far(evidence, &self.run, &seen(ALPHA));
        let Ok((gate, _)) = &evidence.gate else { return SoFar { result, aborts: false } };
        let window = &gate.window.value;
        let is_out = |second: &u64| evidence.may_hold(*second, &self.run.phases);
        let is_window_over = window.length_until_ns(&self.run.phases, self.run.finished_ns)
            >= window.length_ns(&self.run.phases)
            && !round.outstanding.keys().any(is_out);
        if result.outcome == GateOutcome::Fail && may_still_hold(gate, &result) && !is_window_over && !round.is_over {
            result.outcome = GateOutcome::Inconclusive;
        }
        let passed_ns = window.length_until_ns(&self.run.phases, round.now_ns);
        let is_late_enough = |after_ns: u128| u128::from(passed_ns) >= after_ns;
        let may_abort = gate.abort.as_ref().is_some_and(|abort| is_late_enough(abort.after.value.as_nanos()));
        let is_sure = match result.share {
            _ if !may_abort => false,
            None => result.outcome == GateOutcome::Fail,
            Some(_) => {
                self.looks[position] = self.looks[position].saturating_add(1);
                let alpha = spent_at(self.looks[position]);
                judge_so_far(evidence, &self.run, &seen(alpha)).outcome == GateOutcome::Fail
            }
        };
        SoFar { aborts: is_sure && result.outcome == GateOutcome::Fail, result }
    }
}

/// The chance of error that a look may take as long as requests fail independently of each other, so that all the looks at a gate together
/// take no more than one judgement in the end does: `α/(k(k+1))` at the k-th adds up to α.
///
/// That failures come together is looked for as in the end, at each look anew: a chance that grows smaller with every look would make of an
/// outage in the middle of a window a wide scatter of its batches, and never end the run.
fn spent_at(look: u32) -> f64 {
    let look = f64::from(look);
    ALPHA / (look * (look + 1.0))
}

/// The counts of the seconds that are known, with what is still out among the offered: what was given up is counted at once.
fn known_seconds(round: &Round<'_>) -> Vec<SecondCounts> {
    let known = usize::try_from(round.known_before).unwrap_or(usize::MAX).min(round.seconds.len());
    let mut seconds = round.seconds[..known].to_vec();
    for (second, count) in &round.outstanding {
        if let Some(counts) = usize::try_from(*second).ok().and_then(|second| seconds.get_mut(second)) {
            counts.offered += count;
            // Some are later steps of their journeys; taken for arrivals, they count in favour of what was sent.
            counts.arrived += count;
        }
    }
    seconds
}

fn add<'a>(evidence: impl IntoIterator<Item = &'a mut Evidence>, second: &LiveSecond<'_>) {
    let mut evidence: Vec<&mut Evidence> = evidence.into_iter().collect();
    for (place, values) in second.cells() {
        let mut meant = evidence.iter_mut().filter(|gate| gate.needs(place.measure)).peekable();
        if meant.peek().is_some() {
            let values = Distribution::of_values(values);
            meant.for_each(|gate| gate.add(&place, &values));
        }
    }
}

/// Whether a number that is out of its bound may come within it: a count only rises, so it may when it is too small.
fn may_still_hold(gate: &Gate, result: &GateResult) -> bool {
    let only_rises = matches!(
        gate.rule,
        Rule::Max { .. } | Rule::Count { .. } | Rule::InFlight { .. } | Rule::Stalls { .. } | Rule::Dropped { .. }
    );
    let is_too_small = match gate.rule.comparison() {
        Comparison::Equal => result.margin.is_some_and(|margin| margin > 0.0),
        comparison => !comparison.is_upper(),
    };
    only_rises && is_too_small
}
