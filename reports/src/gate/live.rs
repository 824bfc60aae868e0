//! Gates while the run goes on: how each stands by what is known, and whether one ends the run.
use super::{Comparison, Evidence, Gate, GateOutcome, GateResult, Rule, judge::judge_so_far};
use crate::{
    distribution::Distribution,
    record::{LiveSecond, Measure, Round, Run, SECOND_NS, SecondCounts},
};

/// The evidence of every gate of a run, so far.
#[derive(Debug)]
pub struct LiveGates {
    run: Run,
    evidence: Vec<Evidence>,
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
        Self { run: run.clone(), evidence }
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
        let seconds = known_seconds(round);
        evidence.iter().map(|gate| self.stands(gate, round, &seconds)).collect()
    }

    fn stands(&self, evidence: &Evidence, round: &Round<'_>, seconds: &[SecondCounts]) -> SoFar {
        let mut result = judge_so_far(evidence, &self.run, seconds);
        let Ok((gate, _)) = &evidence.gate else { return SoFar { result, aborts: false } };
        let window = &gate.window.value;
        let is_window_over =
            window.length_until_ns(&self.run.phases, self.run.finished_ns) >= window.length_ns(&self.run.phases);
        if result.outcome == GateOutcome::Fail && may_still_hold(gate, &result) && !is_window_over && !round.is_over {
            result.outcome = GateOutcome::Inconclusive;
        }
        let passed_ns = window.length_until_ns(&self.run.phases, round.now_ns);
        let is_late_enough = |after_ns: u128| u128::from(passed_ns) >= after_ns;
        let may_abort = gate.abort.as_ref().is_some_and(|abort| is_late_enough(abort.after.value.as_nanos()));
        SoFar { aborts: may_abort && result.outcome == GateOutcome::Fail, result }
    }
}

/// The counts of the seconds that are known, with what is still out among the offered: what was given up is counted at once.
fn known_seconds(round: &Round<'_>) -> Vec<SecondCounts> {
    let known = usize::try_from(round.known_before).unwrap_or(usize::MAX).min(round.seconds.len());
    let mut seconds = round.seconds[..known].to_vec();
    for (second, count) in &round.outstanding {
        if let Some(counts) = usize::try_from(*second).ok().and_then(|second| seconds.get_mut(second)) {
            counts.offered += count;
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
