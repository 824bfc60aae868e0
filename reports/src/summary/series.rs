//! The course of a run: counts and quantiles per second, or per few seconds where a run is long.
use super::{Latency, OutcomeCounts, Quantile, is_judged_per_request, needs_stream};
use crate::{
    distribution::Distribution,
    record::{Interval, Measure, SecondCounts, StepInfo},
};
use std::collections::BTreeMap;

/// Charts show at most this many points; longer runs get wider bins.
const MOST_BINS: u64 = 150;

/// Widths that divide minutes and hours.
const WIDTHS: [u64; 12] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];

/// Measures that are drawn over time.
const DRAWN: [Measure; 5] =
    [Measure::Response, Measure::Service, Measure::FirstEvent, Measure::FirstToken, Measure::Gap];

/// Equal stretches of the run, in order, from its first second.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Length of each, in seconds.
    pub bin_seconds: u64,
    /// One per stretch, without a gap.
    pub bins: Vec<Bin>,
}

/// One stretch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bin {
    /// Sums of the seconds in it. Without a table of seconds (a killed run) only `offered` is known, from the measures.
    pub counts: SecondCounts,
    /// Requests due in it, by class.
    pub outcomes: OutcomeCounts,
    /// The same, and the latencies, per journey in the order of [`Summary::journeys`](super::Summary::journeys).
    pub journeys: Vec<JourneyBin>,
}

/// One journey's requests that were due in one stretch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JourneyBin {
    /// By class.
    pub outcomes: OutcomeCounts,
    /// Per measure; absent where nothing was measured.
    pub latencies: BTreeMap<Measure, BinLatency>,
}

/// Quantiles of one measure in one stretch; requests without a good answer are infinitely slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BinLatency {
    /// Values behind it.
    pub count: u64,
    /// The median.
    pub p50: Quantile,
    /// 95 % are not slower.
    pub p95: Quantile,
    /// 99 % are not slower.
    pub p99: Quantile,
}

/// Collects intervals, which come in the order of their seconds, and keeps the values of one bin only.
pub(super) struct SeriesBuilder {
    bin_seconds: u64,
    journey_of_step: Vec<usize>,
    is_streamed: Vec<bool>,
    journey_count: usize,
    bins: Vec<Bin>,
    open: Open,
}

/// What the bin being filled has so far, per step.
#[derive(Default)]
struct Open {
    outcomes: Vec<OutcomeCounts>,
    values: BTreeMap<(usize, Measure), Distribution>,
}

impl SeriesBuilder {
    pub(super) fn new(run_seconds: u64, steps: &[StepInfo], journeys: &[String]) -> Self {
        let position = |step: &StepInfo| journeys.iter().position(|known| *known == step.journey).unwrap_or(0);
        let fits = |width: &u64| run_seconds.div_ceil(*width) <= MOST_BINS;
        Self {
            bin_seconds: WIDTHS.into_iter().find(fits).unwrap_or(run_seconds.div_ceil(MOST_BINS)),
            journey_of_step: steps.iter().map(position).collect(),
            is_streamed: steps.iter().map(|step| step.is_streamed).collect(),
            journey_count: journeys.len(),
            bins: Vec::new(),
            open: Open { outcomes: vec![OutcomeCounts::default(); steps.len()], values: BTreeMap::new() },
        }
    }

    pub(super) fn add(&mut self, interval: &Interval, values: &Distribution) {
        while (self.bins.len() as u64 + 1) * self.bin_seconds <= interval.second {
            self.close();
        }
        if interval.measure == Measure::Response {
            self.open.outcomes[interval.step_index].add(interval.outcome, values.count());
        }
        let is_counted = interval.outcome.is_good() || !is_judged_per_request(interval.measure);
        if is_counted && DRAWN.contains(&interval.measure) {
            self.open.values.entry((interval.step_index, interval.measure)).or_default().add(values);
        }
    }

    /// Bins reach to the last second that is counted, and at least to `run_seconds`.
    pub(super) fn finish(mut self, seconds: &[SecondCounts], run_seconds: u64) -> Series {
        self.close();
        while (self.bins.len() as u64) * self.bin_seconds < run_seconds.max(seconds.len() as u64) {
            self.close();
        }
        for (second, counts) in seconds.iter().enumerate() {
            let sum = &mut self.bins[second / self.bin_seconds as usize].counts;
            sum.offered += counts.offered;
            sum.sent += counts.sent;
            sum.completed += counts.completed;
            sum.dropped += counts.dropped;
        }
        if seconds.is_empty() {
            self.bins.iter_mut().for_each(|bin| bin.counts.offered = bin.outcomes.total());
        }
        Series { bin_seconds: self.bin_seconds, bins: self.bins }
    }

    fn close(&mut self) {
        let mut bin = Bin { journeys: vec![JourneyBin::default(); self.journey_count], ..Bin::default() };
        for (step_index, outcomes) in self.open.outcomes.iter_mut().enumerate() {
            bin.outcomes.add_all(outcomes);
            bin.journeys[self.journey_of_step[step_index]].outcomes.add_all(outcomes);
        }
        for (journey_index, journey) in bin.journeys.iter_mut().enumerate() {
            let found = DRAWN.into_iter().filter_map(|measure| Some((measure, self.latency(journey_index, measure)?)));
            journey.latencies = found.collect();
        }
        self.open.outcomes.fill(OutcomeCounts::default());
        self.open.values.clear();
        self.bins.push(bin);
    }

    fn latency(&self, journey_index: usize, measure: Measure) -> Option<BinLatency> {
        let is_meant = |step: &usize| {
            self.journey_of_step[*step] == journey_index && (self.is_streamed[*step] || !needs_stream(measure))
        };
        let mut latency = Latency::default();
        for step_index in (0..self.journey_of_step.len()).filter(is_meant) {
            if let Some(values) = self.open.values.get(&(step_index, measure)) {
                latency.good.add(values);
            }
            latency.failed += self.open.outcomes[step_index].judged();
        }
        latency.failed = match is_judged_per_request(measure) {
            true => latency.failed.saturating_sub(latency.good.count()),
            false => 0,
        };
        Some(BinLatency {
            count: latency.count(),
            p50: latency.quantile(0.5)?,
            p95: latency.quantile(0.95)?,
            p99: latency.quantile(0.99)?,
        })
    }
}
