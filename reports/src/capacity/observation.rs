//! What a trial shows, from the report of its run: what it proves, what came back, and whether it can be trusted.
//!
//! A trial is a run at one rate whose record holds, as its gates and in this order: the promises, the bounds, and the gates on the time
//! since sending that go with promises.
use super::{
    bottleneck::{Reading, readings},
    overload::Rung,
    promise::Promise,
    search::Observed,
    violation::{Finding, Judgement, judge},
};
use crate::{
    gate::GateOutcome,
    number,
    proportion::{Bounds, Tally, clopper_pearson},
    record::{Measure, Outcome, SECOND_NS, SecondCounts},
    report::Report,
    steady::Growth,
    summary::{Latency, Quantile, Scope, Summary, Window},
    validity::{Check, CheckOutcome, growth, mix, schedule, warm_up},
};
use std::ops::Range;

/// What a trial shows.
#[derive(Debug, Clone)]
pub struct Observation {
    /// For the search.
    pub observed: Observed,
    /// Whether requests waited in the generator because all of its users were busy, while the target kept what is promised.
    pub is_short_of_users: bool,
    /// The checks that say whether it can be trusted. Those that an overload fails by itself are left out where the rate is too much.
    pub checks: Vec<Check>,
    /// What came back, by promise.
    pub rungs: Vec<Rung>,
    /// Violations per second, by promise.
    pub seconds: Vec<Vec<Tally>>,
    /// Requests per arrival: more than 1 where journeys have several steps. 0 when nothing arrived.
    pub requests_per_arrival: f64,
    /// How much of each resource was used.
    pub resources: Vec<Reading>,
}

/// How a trial is looked at.
#[derive(Debug, Clone)]
pub struct Lens<'a> {
    /// What every rate has to keep; at least one.
    pub promises: &'a [Promise],
    /// How many gates after the promises are bounds.
    pub bounds: usize,
    /// The seconds that count, from clock zero.
    pub span: Range<u64>,
    /// How many windows to cut them into.
    pub windows: usize,
    /// Requests per arrival at a rate that is no trouble, so that requests that overload keeps from being sent count as missing. `None`:
    /// as in this trial.
    pub requests_per_arrival: Option<f64>,
}

impl Lens<'_> {
    /// Looks at a trial.
    #[must_use]
    pub fn look(&self, report: &Report) -> Observation {
        let all = report.summary.seconds.as_slice();
        let place = |second: u64| usize::try_from(second).unwrap_or(usize::MAX).min(all.len());
        let seconds = &all[place(self.span.start)..place(self.span.end)];
        let by_promise: Vec<Vec<Tally>> =
            (0..self.promises.len()).map(|index| self.violations(&report.summary, index)).collect();
        let (judgement, by) = self.worst(report, &by_promise, seconds);
        let is_short_of_users =
            judgement.finding != Finding::Kept && self.was_in_time_once_sent(report, &by, &judgement);
        let checks = relevant(report, judgement.finding);
        let failed = checks.iter().find(|check| check.outcome == CheckOutcome::Fail);
        let observed = match failed {
            Some(check) => Observed::Invalid(format!("{}: {}", check.name, check.figure)),
            None if is_short_of_users => Observed::Invalid(format!(
                "all {} of the generator were busy, and the target was in time once it was asked",
                number::counted(u64::from(report.run.load.users), "user")
            )),
            None => self.too_few(judgement.finding, &by_promise).unwrap_or(Observed::Judged { judgement, by }),
        };
        let requests_per_arrival = requests_per_arrival(seconds);
        let rung =
            |index: usize, tallies: &Vec<Tally>| self.rung(report, index, tallies, seconds, requests_per_arrival);
        Observation {
            observed,
            is_short_of_users,
            checks,
            rungs: by_promise.iter().enumerate().map(|(index, tallies)| rung(index, tallies)).collect(),
            seconds: by_promise,
            requests_per_arrival,
            resources: readings(&report.run),
        }
    }

    /// Violations of one promise in each second of the span. Arrivals that were never sent violate all of them.
    #[must_use]
    pub fn violations(&self, summary: &Summary, index: usize) -> Vec<Tally> {
        let evidence = summary.evidence.get(index);
        let tally = |second: u64| {
            let Tally { hits, total } = evidence.map(|evidence| evidence.second(second)).unwrap_or_default();
            let hits = if self.promises[index].counts_good { total - hits } else { hits };
            let counts = usize::try_from(second).ok().and_then(|second| summary.seconds.get(second));
            let unsent = counts.map_or(0, |counts| counts.dropped + counts.unsent);
            Tally { hits: hits + unsent, total: total + unsent }
        };
        self.span.clone().map(tally).collect()
    }

    /// The judgement that decides: the worst of the promises, a bound that does not hold, or requests that pile up.
    fn worst(&self, report: &Report, by_promise: &[Vec<Tally>], seconds: &[SecondCounts]) -> (Judgement, String) {
        let judged = self.promises.iter().zip(by_promise).map(|(promise, tallies)| {
            let judgement = judge(&cut(tallies, self.windows), promise.allowed_share);
            (judgement, promise.text.clone(), judgement.upper / promise.allowed_share)
        });
        let worse = |a: &(Judgement, String, f64), b: &(Judgement, String, f64)| {
            rank(a.0.finding).cmp(&rank(b.0.finding)).then(a.2.total_cmp(&b.2))
        };
        let nothing = Judgement { share: 0.0, lower: 0.0, upper: 1.0, finding: Finding::Unknown };
        let (mut judgement, mut by) =
            judged.max_by(worse).map_or((nothing, String::new()), |(judgement, by, _)| (judgement, by));
        let mut bounds = report.verdict.gates.iter().skip(self.promises.len()).take(self.bounds);
        if let Some(broken) = bounds.find(|gate| gate.outcome == GateOutcome::Fail)
            && judgement.finding != Finding::Violated
        {
            (judgement.finding, by) = (Finding::Violated, broken.gate.clone());
        }
        if judgement.finding != Finding::Violated && is_growing(seconds) {
            judgement.finding = Finding::Growing;
        }
        (judgement, by)
    }

    /// Whether the promise that decided is kept when time is counted from sending.
    fn was_in_time_once_sent(&self, report: &Report, by: &str, judgement: &Judgement) -> bool {
        if judgement.finding == Finding::Growing {
            return false;
        }
        let companions = self.promises.iter().filter(|promise| promise.since_sent.is_some());
        let Some((place, promise)) = companions.enumerate().find(|(_, promise)| promise.text == by) else {
            return false;
        };
        let companion = self.promises.len() + self.bounds + place;
        let Some(evidence) = report.summary.evidence.get(companion) else { return false };
        let tallies: Vec<Tally> = self.span.clone().map(|second| evidence.second(second)).collect();
        judge(&cut(&tallies, self.windows), promise.allowed_share).finding == Finding::Kept
    }

    /// A trial that is too short to ever show a promise says nothing about the rate.
    fn too_few(&self, finding: Finding, by_promise: &[Vec<Tally>]) -> Option<Observed> {
        if finding != Finding::Unknown {
            return None;
        }
        self.promises.iter().zip(by_promise).find_map(|(promise, tallies)| {
            let total = tallies.iter().copied().sum::<Tally>().total;
            let Bounds { upper, .. } = clopper_pearson(Tally { hits: 0, total });
            let is_too_few = total == 0 || upper > promise.allowed_share;
            is_too_few.then(|| {
                Observed::Invalid(format!(
                    "{}: {} cannot show it, {} could; use longer trials, or a higher lowest rate",
                    promise.text,
                    number::counted(total, "request"),
                    number::count(promise.fewest_requests())
                ))
            })
        })
    }

    fn rung(
        &self,
        report: &Report,
        index: usize,
        tallies: &[Tally],
        seconds: &[SecondCounts],
        requests_per_arrival: f64,
    ) -> Rung {
        let length = seconds.len().max(1) as f64;
        let sum = |count: fn(&SecondCounts) -> u64| seconds.iter().map(count).sum::<u64>() as f64;
        let offered_per_second = sum(|second| second.arrived) / length;
        let per_arrival = self.requests_per_arrival.unwrap_or(requests_per_arrival);
        let evidence = report.summary.evidence.get(index);
        let outcomes = evidence.map(|evidence| *evidence.outcomes()).unwrap_or_default();
        let refused = outcomes.get(Outcome::Shed) + outcomes.get(Outcome::Limited);
        let good_share = outcomes.good() as f64 / outcomes.total().max(1) as f64;
        let arrivals_answered =
            if per_arrival > 0.0 { sum(|second| second.completed) / length / per_arrival } else { 0.0 };
        let latency = match (self.promises[index].level, evidence) {
            (Some(_), Some(evidence)) => evidence.latency(),
            _ => report.summary.latency(&Scope::All, &Window::Run, Measure::Response),
        };
        Rung {
            offered_per_second,
            answered_per_second: arrivals_answered * good_share,
            good_per_second: offered_per_second * (1.0 - tallies.iter().copied().sum::<Tally>().share()),
            p50_ns: quantile(&latency, 0.5),
            p99_ns: quantile(&latency, 0.99),
            shed_share: refused as f64 / outcomes.total().max(1) as f64,
            in_flight: sum(|second| second.in_flight_ns) / length / SECOND_NS as f64,
        }
    }
}

fn quantile(latency: &Latency, quantile: f64) -> Option<u64> {
    latency.quantile(quantile).and_then(Quantile::finite)
}

fn rank(finding: Finding) -> u8 {
    match finding {
        Finding::Kept => 0,
        Finding::Unknown => 1,
        Finding::Growing | Finding::Violated => 2,
    }
}

/// Windows of consecutive seconds, as equal as whole seconds allow.
fn cut(seconds: &[Tally], windows: usize) -> Vec<Tally> {
    let count = windows.min(seconds.len());
    let window = |index: usize| seconds[seconds.len() * index / count..seconds.len() * (index + 1) / count].iter();
    (0..count).map(|index| window(index).copied().sum()).collect()
}

/// By the same rule as the check of a run.
fn is_growing(seconds: &[SecondCounts]) -> bool {
    let there: Vec<f64> = seconds.iter().map(|second| second.present_ns as f64 / SECOND_NS as f64).collect();
    let offered = seconds.iter().map(|second| second.offered).sum::<u64>() as f64 / seconds.len().max(1) as f64;
    Growth::of(&there).is_some_and(|growth| growth.is_above(growth::LARGEST_SHARE * offered))
}

fn requests_per_arrival(seconds: &[SecondCounts]) -> f64 {
    let sum = |count: fn(&SecondCounts) -> u64| seconds.iter().map(count).sum::<u64>() as f64;
    let arrived = sum(|second| second.arrived);
    if arrived > 0.0 { sum(|second| second.offered) / arrived } else { 0.0 }
}

/// The checks that count. Requests that pile up are a finding, not a mistake of the meter; and where a rate is proven to be too much, a
/// latency that climbs and arrivals that are never sent are part of it.
fn relevant(report: &Report, finding: Finding) -> Vec<Check> {
    let is_against = finding.is_proof_against();
    let is_excused = |check: &&Check| match check.name {
        growth::NAME => true,
        warm_up::NAME | mix::NAME => is_against,
        schedule::NAME => is_against && schedule::is_on_time(&report.summary),
        _ => false,
    };
    report.verdict.checks.iter().filter(|check| !is_excused(check)).cloned().collect()
}

/// The worst of each check over several trials, in the order of the first.
#[must_use]
pub fn worst_checks(trials: &[Vec<Check>]) -> Vec<Check> {
    let badness = |outcome: CheckOutcome| match outcome {
        CheckOutcome::NotApplicable => 0,
        CheckOutcome::Pass => 1,
        CheckOutcome::Warn => 2,
        CheckOutcome::Fail => 3,
    };
    let mut worst: Vec<Check> = Vec::new();
    for check in trials.iter().flatten() {
        match worst.iter_mut().find(|known| known.name == check.name) {
            Some(known) if badness(known.outcome) < badness(check.outcome) => *known = check.clone(),
            Some(_) => {}
            None => worst.push(check.clone()),
        }
    }
    worst
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_cut_from_whole_seconds() {
        let seconds: Vec<Tally> = (0..13).map(|second| Tally { hits: second, total: 10 }).collect();
        let windows = cut(&seconds, 5);
        assert_eq!(windows.iter().map(|window| window.total).collect::<Vec<_>>(), [20, 30, 20, 30, 30]);
        assert_eq!(windows.iter().map(|window| window.hits).sum::<u64>(), 78);
        assert_eq!(cut(&seconds[..3], 10).len(), 3);
        assert!(cut(&[], 10).is_empty());
    }

    #[test]
    fn the_worst_of_each_check_is_kept() {
        let check = |name, outcome| Check { name, outcome, figure: format!("{outcome:?}"), threshold: String::new() };
        let found = worst_checks(&[
            vec![check("a", CheckOutcome::Pass), check("b", CheckOutcome::NotApplicable)],
            vec![check("b", CheckOutcome::Pass), check("a", CheckOutcome::Warn)],
            vec![check("a", CheckOutcome::Pass)],
        ]);
        let outcomes: Vec<_> = found.iter().map(|check| (check.name, check.outcome)).collect();
        assert_eq!(outcomes, [("a", CheckOutcome::Warn), ("b", CheckOutcome::Pass)]);
    }
}
