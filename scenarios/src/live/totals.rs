//! What the run adds up to since its start, as monitoring systems take it: counters and histograms with fixed bounds.
use reports::record::{LiveSecond, Measure, Outcome, StepInfo};

/// Upper bounds of the buckets, in seconds; one more holds what is beyond.
pub(super) const BOUNDS_S: [f64; 16] =
    [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0];

/// The measures that are exported: name, and what it is.
pub(super) const EXPORTED: [(Measure, &str, &str); 4] = [
    (Measure::Response, "response", "Time from when a request was due until its answer was complete."),
    (Measure::Service, "service", "Time from when a request was sent until its answer was complete."),
    (Measure::FirstEvent, "first_event", "Time from when a request was due until the first event of its stream."),
    (Measure::ScheduleLag, "schedule_lag", "Time from when a request was due until the generator let it go."),
];

/// A histogram with fixed bounds.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Buckets {
    /// Values in each bucket, not cumulated; the last one has no bound.
    pub(super) counts: [u64; BOUNDS_S.len() + 1],
    /// Sum of the values, in seconds, to one in a thousand.
    pub(super) sum_s: f64,
}

impl Buckets {
    /// Values in it.
    pub(super) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    fn add(&mut self, value_ns: u64, count: u64) {
        let value_s = value_ns as f64 / 1e9;
        let bucket = BOUNDS_S.iter().position(|bound| value_s <= *bound).unwrap_or(BOUNDS_S.len());
        self.counts[bucket] += count;
        self.sum_s += value_s * count as f64;
    }
}

/// What one step adds up to.
#[derive(Debug, Clone, Default)]
pub(crate) struct StepTotals {
    /// Its journey: two of them may have steps of one name.
    pub(crate) journey: String,
    /// Its name.
    pub(crate) name: String,
    /// Requests by class, in the order of [`Outcome::ALL`].
    pub(crate) outcomes: [u64; Outcome::ALL.len()],
    /// In the order of [`EXPORTED`].
    pub(super) histograms: [Buckets; EXPORTED.len()],
}

/// What every step adds up to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Totals {
    /// In the order of the run's steps.
    pub(crate) steps: Vec<StepTotals>,
}

impl Totals {
    pub(super) fn new(steps: &[StepInfo]) -> Self {
        let step = |step: &StepInfo| StepTotals {
            journey: step.journey.clone(),
            name: step.name.clone(),
            ..StepTotals::default()
        };
        Self { steps: steps.iter().map(step).collect() }
    }

    /// Counts what is known of a second.
    pub(super) fn add(&mut self, second: &LiveSecond<'_>) {
        for (place, values) in second.cells() {
            let step = &mut self.steps[place.step_index];
            if place.measure == Measure::Response {
                step.outcomes[place.outcome as usize] += values.values().sum::<u64>();
            }
            let Some(position) = EXPORTED.iter().position(|(measure, ..)| *measure == place.measure) else { continue };
            values.iter().for_each(|(value_ns, count)| step.histograms[position].add(*value_ns, *count));
        }
    }

    /// Requests of every step, in one class.
    pub(crate) fn of_class(&self, outcome: Outcome) -> u64 {
        self.steps.iter().map(|step| step.outcomes[outcome as usize]).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_falls_into_the_first_bucket_that_holds_it() {
        let mut buckets = Buckets::default();
        for value_ns in [0, 1_000_000, 1_000_001, 60_000_000_000, 60_000_000_001] {
            buckets.add(value_ns, 2);
        }
        assert_eq!((buckets.counts[0], buckets.counts[1], buckets.counts[15], buckets.counts[16]), (4, 2, 2, 2));
        assert_eq!(buckets.count(), 10);
        assert!((buckets.sum_s - 240.004).abs() < 1e-3, "{}", buckets.sum_s);
    }
}
