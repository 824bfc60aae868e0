//! How the quantiles of a latency differ.
use super::change::{Change, Interval};
use crate::{
    record::Measure,
    summary::{Latency, Quantile, Scope, Summary, Window},
};
use serde::{Serialize, Serializer};
use std::fmt::Display;

/// Quantiles of tables.
pub(super) const QUANTILES: [f64; 4] = [0.5, 0.95, 0.99, 0.999];

/// One quantile of one latency in each run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LatencyDelta {
    /// Whose requests.
    #[serde(serialize_with = "as_text")]
    pub scope: Scope,
    /// Which part of the run.
    #[serde(serialize_with = "as_text")]
    pub window: Window,
    /// What was measured.
    #[serde(serialize_with = "as_text")]
    pub measure: Measure,
    /// Share of the requests that are not slower.
    pub quantile: f64,
    /// In nanoseconds, in each run.
    pub values: Vec<Value>,
    /// Of each run but the first: the change as a share of the first run's; `None` where either is infinite or not known.
    pub changes: Vec<Option<Change>>,
}

/// A quantile of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// In nanoseconds.
    Ns(u64),
    /// It falls among the requests that got no good answer.
    Infinite,
    /// Too few requests.
    Unknown,
}

impl Value {
    fn of(latency: &Latency, quantile: f64) -> Self {
        match latency.quantile(quantile).filter(|_| latency.resolves(quantile)) {
            Some(Quantile::Finite(nanos)) => Self::Ns(nanos),
            Some(Quantile::Infinite) => Self::Infinite,
            None => Self::Unknown,
        }
    }
}

pub(super) fn as_text<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// The change of one quantile from one latency to another.
pub(crate) fn change(first: &Latency, other: &Latency, quantile: f64) -> Option<Change> {
    let seen = |latency: &Latency| -> Option<Interval> {
        let value = latency.quantile(quantile).filter(|_| latency.resolves(quantile))?;
        let (lower, upper) = latency.interval(quantile);
        Some((Some(value), lower, upper))
    };
    Change::of_latencies(seen(first)?, seen(other)?)
}

/// Every quantile of the response time that any run has requests for.
pub(super) fn of_runs(summaries: &[&Summary], scope: &Scope, window: &Window) -> Vec<LatencyDelta> {
    let latencies: Vec<Latency> =
        summaries.iter().map(|summary| summary.latency(scope, window, Measure::Response)).collect();
    let delta = |quantile: f64| LatencyDelta {
        scope: scope.clone(),
        window: window.clone(),
        measure: Measure::Response,
        quantile,
        values: latencies.iter().map(|latency| Value::of(latency, quantile)).collect(),
        changes: latencies[1..].iter().map(|other| change(&latencies[0], other, quantile)).collect(),
    };
    let is_known = |delta: &LatencyDelta| delta.values.iter().any(|value| *value != Value::Unknown);
    QUANTILES.into_iter().map(delta).filter(is_known).collect()
}
