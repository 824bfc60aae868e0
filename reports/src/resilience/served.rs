//! How the users of each journey were served, second by second: what every figure of resilience is made from.
use super::Objective;
use crate::{
    distribution::{Distribution, rank},
    record::{Interval, Measure, Outcome, Run},
};

/// What became of one journey's requests that were due in one second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Served {
    /// All of them, but for those refused by an intended limit.
    pub total: u32,
    /// Those with a full answer, or a degraded one that says so, within the limit of their step.
    pub in_time: u32,
    /// Those with such an answer, however late.
    pub good: u32,
    /// Those with a degraded answer that says so.
    pub degraded: u32,
    /// Those with an answer that cannot be right, or that is degraded and does not say so.
    pub wrong: u32,
    /// 95 % of the good answers did not take longer, in nanoseconds since due; 0 when there are none.
    pub p95_ns: u64,
}

impl Served {
    /// Share of the requests that were answered well and in time; `None` when none was due.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        (self.total > 0).then(|| f64::from(self.in_time) / f64::from(self.total))
    }

    /// The 95th percentile of the good answers in nanoseconds; `None` when there are none.
    #[must_use]
    pub fn p95_ns(&self) -> Option<u64> {
        (self.p95_ns > 0).then_some(self.p95_ns)
    }
}

/// Collects intervals, which come in the order of their seconds. Keeps 32 bytes per journey and second, and nothing for a run without faults.
#[derive(Debug)]
pub(crate) struct ServedBuilder {
    is_needed: bool,
    journey_of_step: Vec<usize>,
    limits_ns: Vec<Option<u64>>,
    journeys: Vec<Vec<Served>>,
    /// The second being filled, and the good answers of each journey in it.
    second: u64,
    open: Vec<Distribution>,
}

impl ServedBuilder {
    pub(crate) fn new(run: &Run, journeys: &[String]) -> Self {
        let position = |journey: &String| {
            journeys.iter().position(|known| known == journey).expect("journeys are those of the steps")
        };
        let limits = Objective::of_steps(&run.gates, &run.steps).into_iter().map(|objective| objective.limit_ns);
        Self {
            is_needed: run.faults.iter().any(|fault| fault.window.is_some()),
            journey_of_step: run.steps.iter().map(|step| position(&step.journey)).collect(),
            limits_ns: limits.collect(),
            journeys: vec![Vec::new(); journeys.len()],
            second: 0,
            open: vec![Distribution::default(); journeys.len()],
        }
    }

    pub(crate) fn add(&mut self, interval: &Interval, values: &Distribution) {
        if !self.is_needed || interval.measure != Measure::Response || interval.outcome == Outcome::Limited {
            return;
        }
        if interval.second != self.second {
            self.close();
            self.second = interval.second;
        }
        let journey_index = self.journey_of_step[interval.step_index];
        let count = counted(values.count());
        let limit_ns = self.limits_ns[interval.step_index];
        let served = slot(&mut self.journeys[journey_index], self.second);
        served.total += count;
        match interval.outcome {
            outcome if outcome.is_good() => {
                served.good += count;
                served.in_time += limit_ns.map_or(count, |limit_ns| counted(values.count_within(limit_ns)));
                served.degraded += if outcome == Outcome::Degraded { count } else { 0 };
                self.open[journey_index].add(values);
            }
            Outcome::Wrong | Outcome::Undeclared => served.wrong += count,
            _ => {}
        }
    }

    /// Per journey, in the order of the summary's; a second after the last one with a request is missing.
    pub(crate) fn finish(mut self) -> Vec<Vec<Served>> {
        self.close();
        self.journeys
    }

    fn close(&mut self) {
        for (journey, open) in self.journeys.iter_mut().zip(&mut self.open) {
            if open.count() > 0 {
                let p95_ns = open.value_at_rank(rank(0.95, open.count())).unwrap_or(0);
                slot(journey, self.second).p95_ns = p95_ns.max(1);
                *open = Distribution::default();
            }
        }
    }
}

fn slot(journey: &mut Vec<Served>, second: u64) -> &mut Served {
    let second = usize::try_from(second).unwrap_or(usize::MAX - 1);
    if journey.len() <= second {
        journey.resize(second + 1, Served::default());
    }
    &mut journey[second]
}

/// No generator makes more requests than this in a second.
fn counted(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
