//! The course of the latency: the mean logarithm of each second, free of what its mix of steps does to it.
use crate::{
    distribution::Distribution,
    record::{Interval, Measure, PhaseKind, Run, SECOND_NS},
};

/// Fewest seconds that say anything about a transient.
pub const SHORTEST_S: u64 = 20;
/// Seconds in a batch of a run of ordinary length. Source: K. White, "An effective truncation heuristic for bias reduction", 1997.
const BATCH_S: u64 = 5;
/// Batches that a shorter run is cut into, of fewer seconds each.
const FEWEST_BATCHES: u64 = 10;

/// Sum and number of some logarithms.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Sum {
    logarithms: f64,
    count: f64,
}

impl Sum {
    fn add(&mut self, other: Self) {
        self.logarithms += other.logarithms;
        self.count += other.count;
    }

    fn mean(self) -> Option<f64> {
        (self.count > 0.0).then(|| self.logarithms / self.count)
    }
}

/// The logarithms of the good answers' response times, per step and second.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Course {
    steps: Vec<Vec<Sum>>,
}

/// Means of equal stretches of a run, in order from clock zero.
#[derive(Debug, Clone, PartialEq)]
pub struct Batches {
    /// Length of each, in seconds.
    pub seconds: u64,
    /// Mean logarithm of the latency in each, relative to that of its steps in the whole run.
    pub means: Vec<f64>,
}

impl Course {
    /// Adds one interval of the record.
    pub fn add(&mut self, interval: &Interval, values: &Distribution) {
        if interval.measure != Measure::Response || !interval.outcome.is_good() {
            return;
        }
        if self.steps.len() <= interval.step_index {
            self.steps.resize(interval.step_index + 1, Vec::new());
        }
        let seconds = &mut self.steps[interval.step_index];
        let second = usize::try_from(interval.second).unwrap_or(usize::MAX);
        if seconds.len() <= second {
            seconds.resize(second + 1, Sum::default());
        }
        for (value_ns, count) in values.buckets() {
            let count = count as f64;
            seconds[second].add(Sum { logarithms: (value_ns as f64).ln() * count, count });
        }
    }

    /// The first seconds, in batches; `None` when they are too few, or nothing was answered in one of the batches.
    ///
    /// Each step counts relative to its own mean in these seconds: a second with more slow steps in it is not a slower second, and what a
    /// fault does to a step later says nothing.
    #[must_use]
    pub fn batches(&self, seconds: u64) -> Option<Batches> {
        if seconds < SHORTEST_S {
            return None;
        }
        let length = BATCH_S.min(seconds / FEWEST_BATCHES);
        let mut sums = vec![Sum::default(); usize::try_from(seconds / length).ok()?];
        let covered = sums.len() * length as usize;
        for step in &self.steps {
            let mut whole = Sum::default();
            step.iter().take(covered).for_each(|second| whole.add(*second));
            let mean = whole.mean().unwrap_or(0.0);
            for (second, sum) in step.iter().enumerate() {
                if let Some(batch) = sums.get_mut(second / length as usize) {
                    batch.add(Sum { logarithms: sum.logarithms - mean * sum.count, ..*sum });
                }
            }
        }
        let means: Option<Vec<f64>> = sums.into_iter().map(Sum::mean).collect();
        Some(Batches { seconds: length, means: means? })
    }
}

/// Whole seconds from clock zero to the first fault, or to the end of the load.
pub(crate) fn undisturbed_s(run: &Run) -> u64 {
    let first_fault = run.phases.iter().find(|phase| phase.kind == PhaseKind::During).map(|phase| phase.from_ns);
    first_fault.unwrap_or(u64::MAX).min(run.planned_ns).min(run.finished_ns) / SECOND_NS
}

impl Batches {
    /// The batches of a run before its first fault.
    ///
    /// # Errors
    /// Why there are none.
    pub fn undisturbed(course: &Course, run: &Run) -> Result<Self, String> {
        let seconds = undisturbed_s(run);
        if seconds < SHORTEST_S {
            return Err(format!("less than {SHORTEST_S} s without a fault"));
        }
        course.batches(seconds).ok_or_else(|| "a few seconds without a good answer".to_owned())
    }

    /// The first batch that begins at this instant or later.
    #[must_use]
    pub fn from_ns(&self, at_ns: u64) -> usize {
        usize::try_from(at_ns.div_ceil(self.seconds * SECOND_NS)).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Outcome, histogram};

    fn add(course: &mut Course, second: u64, step_index: usize, outcome: Outcome, values_ms: &[u64]) {
        let mut values = histogram();
        values_ms.iter().for_each(|value| values.record(value * 1_000_000).unwrap());
        let distribution = Distribution::from(&values);
        let measure = Measure::Response;
        let interval = Interval { second, phase_index: 0, step_index, outcome, measure, histogram: values };
        course.add(&interval, &distribution);
    }

    #[test]
    fn a_second_with_more_slow_steps_in_it_is_not_slower() {
        let mut course = Course::default();
        for second in 0..40 {
            let slow = if second < 20 { vec![900; 9] } else { vec![900; 1] };
            add(&mut course, second, 0, Outcome::Full, &[10]);
            add(&mut course, second, 1, Outcome::Degraded, &slow);
            add(&mut course, second, 1, Outcome::Shed, &[1; 50]);
        }
        let batches = course.batches(40).unwrap();
        assert_eq!((batches.seconds, batches.means.len()), (4, 10));
        assert!(batches.means.iter().all(|mean| mean.abs() < 1e-9), "{:?}", batches.means);
    }

    #[test]
    fn batches_are_of_five_seconds_or_fewer_in_a_short_run() {
        let mut course = Course::default();
        (0..103).for_each(|second| add(&mut course, second, 0, Outcome::Full, &[1 + second]));
        let of = |seconds| course.batches(seconds).map(|batches| (batches.seconds, batches.means.len()));
        assert_eq!([19, 20, 49, 50, 103].map(of), [None, Some((2, 10)), Some((4, 12)), Some((5, 10)), Some((5, 20))]);
        assert_eq!(of(120), None, "the last seconds are empty");
        let batches = Batches { seconds: 5, means: Vec::new() };
        assert_eq!([0, 1, 5_000_000_000, 5_000_000_001].map(|at| batches.from_ns(at)), [0, 1, 1, 2]);
    }
}
