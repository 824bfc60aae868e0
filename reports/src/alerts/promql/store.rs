//! The samples that expressions are evaluated over.
use super::Semantics;
use crate::record::{Labels, MetricSeries, MetricValue, Metrics};
use promql_parser::{
    label::METRIC_NAME,
    parser::{Offset, VectorSelector},
};
use std::time::Duration;

/// How old the latest sample of a series may be to stand for it. Source: Prometheus, `--query.lookback-delta`.
const LOOKBACK_MS: i64 = 5 * 60 * 1_000;

/// One sample: milliseconds since clock zero, and its value; `None` where the series ended.
pub(crate) type Sample = (i64, Option<f64>);

/// One series, its name among its labels.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) labels: Labels,
    samples: Vec<Sample>,
}

/// Series, as one Prometheus has them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Store {
    series: Vec<Stored>,
}

impl Store {
    /// What a Prometheus holds that looks at every `step`-th of the looks, from number `first` on.
    pub(crate) fn of_looks(metrics: &Metrics, first: usize, step: usize) -> Self {
        let stored = |series: &MetricSeries| {
            let looks = series.values.iter().enumerate().skip(first).step_by(step);
            let sample = |(look, value): (usize, &MetricValue)| {
                let at_ms = metrics.at_ms(look);
                match value {
                    MetricValue::Missing => None,
                    MetricValue::Stale => Some((at_ms, None)),
                    MetricValue::Number(number) => Some((at_ms, Some(*number))),
                }
            };
            let name = (METRIC_NAME.to_owned(), series.name.clone());
            Stored {
                labels: series.labels.clone().into_iter().chain([name]).collect(),
                samples: looks.filter_map(sample).collect(),
            }
        };
        Self { series: metrics.series.iter().map(stored).collect() }
    }

    /// Adds what a recording rule found; series that it found before and not now end.
    pub(crate) fn record(&mut self, name: &str, at_ms: i64, found: Vec<(Labels, f64)>) {
        let mut seen = Vec::new();
        for (mut labels, value) in found {
            labels.insert(METRIC_NAME.to_owned(), name.to_owned());
            let known = self.series.iter().position(|series| series.labels == labels);
            let position = known.unwrap_or_else(|| {
                self.series.push(Stored { labels, samples: Vec::new() });
                self.series.len() - 1
            });
            self.series[position].samples.push((at_ms, Some(value)));
            seen.push(position);
        }
        for (position, series) in self.series.iter_mut().enumerate() {
            let is_recorded = series.labels.get(METRIC_NAME).is_some_and(|known| known == name);
            let goes_on = series.samples.last().is_some_and(|(_, value)| value.is_some());
            if is_recorded && goes_on && !seen.contains(&position) {
                series.samples.push((at_ms, None));
            }
        }
    }

    /// The series that a selector names.
    pub(crate) fn matching<'a>(&'a self, selector: &'a VectorSelector) -> impl Iterator<Item = &'a Stored> {
        let is_named = |series: &Stored| {
            let own = series.labels.get(METRIC_NAME).map_or("", String::as_str);
            selector.name.as_deref().is_none_or(|name| name == own)
        };
        let is_matched = |series: &Stored| {
            let value = |name: &str| series.labels.get(name).map_or("", String::as_str);
            selector.matchers.matchers.iter().all(|matcher| matcher.is_match(value(&matcher.name)))
        };
        self.series.iter().filter(move |series| is_named(series) && is_matched(series))
    }
}

impl Stored {
    /// The latest value at an instant; `None` when the series has ended, or its last sample is too old.
    pub(crate) fn latest(&self, at_ms: i64, semantics: Semantics) -> Option<f64> {
        let last = self.samples.partition_point(|(sample_ms, _)| *sample_ms <= at_ms);
        let (sample_ms, value) = *self.samples[..last].last()?;
        is_within(sample_ms, at_ms - LOOKBACK_MS, semantics).then_some(value)?
    }

    /// The samples of a range that ends at an instant, without the marks of an end.
    pub(crate) fn range(&self, from_ms: i64, to_ms: i64, semantics: Semantics) -> Vec<(i64, f64)> {
        let first = self.samples.partition_point(|(sample_ms, _)| !is_within(*sample_ms, from_ms, semantics));
        let end = self.samples.partition_point(|(sample_ms, _)| *sample_ms <= to_ms);
        let samples = self.samples.get(first..end.max(first)).unwrap_or_default();
        samples.iter().filter_map(|(sample_ms, value)| value.map(|value| (*sample_ms, value))).collect()
    }
}

/// Whether a sample is not too old for a range that begins there.
fn is_within(sample_ms: i64, from_ms: i64, semantics: Semantics) -> bool {
    match semantics {
        Semantics::Two => sample_ms >= from_ms,
        Semantics::Three => sample_ms > from_ms,
    }
}

/// How far back a selector looks, in milliseconds.
pub(crate) fn offset_ms(selector: &VectorSelector) -> i64 {
    match &selector.offset {
        None => 0,
        Some(Offset::Pos(duration)) => millis(*duration),
        Some(Offset::Neg(duration)) => -millis(*duration),
    }
}

/// A duration in whole milliseconds, as expressions count.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
