//! The last minutes of a run, one entry per second, in a fixed amount of memory.
use reports::{
    distribution::Distribution,
    record::{LiveSecond, Measure, StepInfo},
    summary::{Latency, OutcomeCounts, Quantile},
};
use std::collections::VecDeque;

/// Seconds that are kept.
pub(super) const SECONDS_MAX: u64 = 600;
/// Bands of the heat map: six per decade, from 100 µs to 100 s.
pub(super) const BANDS: usize = 36;
const BANDS_PER_DECADE: f64 = 6.0;
const LOWEST_NS: f64 = 1e5;
/// Seconds over which the figures of a step look back.
pub(super) const STEP_SECONDS: u64 = 10;

/// What the generator did in one second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Lanes {
    /// Requests that became due.
    pub(crate) offered: u64,
    /// Requests that went out.
    pub(crate) sent: u64,
    /// Requests whose outcome became known.
    pub(crate) completed: u64,
    /// Arrivals that were given up.
    pub(crate) dropped: u64,
    /// Requests that were out at its end.
    pub(crate) in_flight: u64,
}

/// What became of the requests that were due in one second, as far as it is known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Due {
    /// By class.
    pub(crate) outcomes: OutcomeCounts,
    /// How many response times lie in each band.
    pub(crate) heat: [u64; BANDS],
    /// The median of the response times; failed requests are infinitely slow. `None` without requests.
    pub(crate) p50: Option<Quantile>,
    /// 95 % are not slower.
    pub(crate) p95: Option<Quantile>,
    /// 99 % are not slower.
    pub(crate) p99: Option<Quantile>,
    steps: Vec<(Latency, OutcomeCounts)>,
}

/// One second.
#[derive(Debug, Clone, Default)]
pub(crate) struct Second {
    pub(crate) lanes: Lanes,
    pub(crate) due: Due,
}

/// How a step did in the last seconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct StepFigures {
    /// Response times.
    pub(crate) latency: Latency,
    /// By class.
    pub(crate) outcomes: OutcomeCounts,
}

/// The last seconds, in order and without a gap.
#[derive(Debug, Default)]
pub(crate) struct History {
    first: u64,
    seconds: VecDeque<Second>,
}

impl Default for Due {
    fn default() -> Self {
        let outcomes = OutcomeCounts::default();
        Self { outcomes, heat: [0; BANDS], p50: None, p95: None, p99: None, steps: Vec::new() }
    }
}

impl Due {
    /// What is known of a second.
    pub(super) fn of(second: &LiveSecond<'_>, steps: &[StepInfo]) -> Self {
        let mut due = Self { steps: vec![Default::default(); steps.len()], ..Self::default() };
        for (place, values) in second.cells().filter(|(place, _)| place.measure == Measure::Response) {
            let count = values.values().sum();
            let (latency, outcomes) = &mut due.steps[place.step_index];
            due.outcomes.add(place.outcome, count);
            outcomes.add(place.outcome, count);
            values.iter().for_each(|(value_ns, count)| due.heat[band(*value_ns)] += count);
            if place.outcome.is_good() {
                latency.good.add(&Distribution::of_values(values));
            }
        }
        let mut all = Latency::default();
        for (latency, outcomes) in &mut due.steps {
            latency.failed = outcomes.errors();
            all.good.add(&latency.good);
            all.failed += latency.failed;
        }
        (due.p50, due.p95, due.p99) = (all.quantile(0.5), all.quantile(0.95), all.quantile(0.99));
        due
    }
}

impl History {
    /// The second, made if it is new; `None` when it is older than what is kept.
    pub(super) fn at(&mut self, second: u64) -> Option<&mut Second> {
        let index = usize::try_from(second.checked_sub(self.first)?).ok()?;
        while self.seconds.len() <= index {
            self.seconds.push_back(Second::default());
        }
        let surplus = self.seconds.len().saturating_sub(SECONDS_MAX as usize);
        self.seconds.drain(..surplus);
        self.first += surplus as u64;
        self.seconds.get_mut(index.checked_sub(surplus)?)
    }

    /// Forgets what only the figures of the last seconds need.
    pub(super) fn thin(&mut self, now_s: u64) {
        let old = now_s.saturating_sub(STEP_SECONDS).saturating_sub(self.first);
        for second in self.seconds.iter_mut().take(usize::try_from(old).unwrap_or(usize::MAX)) {
            second.due.steps = Vec::new();
        }
    }

    /// The seconds from one on, each with its number.
    pub(crate) fn since(&self, second: u64) -> impl Iterator<Item = (u64, &Second)> {
        let skipped = usize::try_from(second.saturating_sub(self.first)).unwrap_or(usize::MAX);
        (self.first..).zip(&self.seconds).skip(skipped)
    }

    /// How each step did in the seconds before now.
    pub(super) fn steps(&self, now_s: u64, step_count: usize) -> Vec<StepFigures> {
        let mut figures = vec![StepFigures::default(); step_count];
        let meant = self.since(now_s.saturating_sub(STEP_SECONDS)).filter(|(second, _)| *second < now_s);
        for (_, second) in meant {
            for (figures, (latency, outcomes)) in figures.iter_mut().zip(&second.due.steps) {
                figures.latency.good.add(&latency.good);
                figures.latency.failed += latency.failed;
                figures.outcomes.add_all(outcomes);
            }
        }
        figures
    }
}

/// The band that a response time falls into.
fn band(value_ns: u64) -> usize {
    let position = (value_ns.max(1) as f64 / LOWEST_NS).log10() * BANDS_PER_DECADE;
    (position.max(0.0) as usize).min(BANDS - 1)
}

/// Lower ends of the bands, in milliseconds.
pub(super) fn band_starts_ms() -> [f64; BANDS] {
    std::array::from_fn(|band| LOWEST_NS / 1e6 * 10_f64.powf(band as f64 / BANDS_PER_DECADE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_holds_what_lies_between_its_start_and_the_next() {
        let starts = band_starts_ms();
        assert_eq!((band(0), band(99_999), band(100_000)), (0, 0, 0));
        assert_eq!((band(1_000_000), band(10_000_001), band(u64::MAX)), (6, 12, BANDS - 1));
        for (index, start_ms) in starts.iter().enumerate() {
            assert_eq!(band((start_ms * 1e6 * 1.0001) as u64), index, "{start_ms} ms");
        }
    }

    #[test]
    fn the_history_is_bounded_and_what_is_older_is_let_go() {
        let mut history = History::default();
        for second in 0..SECONDS_MAX + 50 {
            history.at(second).unwrap().lanes.offered = second;
        }
        assert_eq!(history.since(0).count() as u64, SECONDS_MAX);
        assert_eq!(history.since(0).next().map(|(second, kept)| (second, kept.lanes.offered)), Some((50, 50)));
        assert_eq!(history.since(SECONDS_MAX + 48).map(|(second, _)| second).collect::<Vec<_>>(), [648, 649]);
        assert!(history.at(49).is_none() && history.at(50).is_some());
        history.at(2_000).unwrap();
        assert_eq!(history.since(0).count() as u64, SECONDS_MAX, "a gap is filled, and bounded too");
    }
}
