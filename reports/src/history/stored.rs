//! What the stored figures of a baseline are worth: their level, their scatter, and what a new run would have to lose to be found.
use crate::{
    record::Point,
    regression::{
        metric::Quantity,
        percentile::Percentile,
        stored::{self, FEWEST_JOBS},
    },
};
use serde::Serialize;

/// Chance of error of a verdict on one metric.
const ALPHA: f64 = 0.05;

/// One metric of a baseline.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoredMetric {
    /// What it is, such as `flights.search p95`.
    pub metric: String,
    /// Runs that have it.
    pub runs: usize,
    /// Geometric mean, in nanoseconds.
    pub mean_ns: f64,
    /// Standard deviation between runs, as a share; `None` with fewer than eight of them.
    pub scatter: Option<f64>,
    /// The smallest slow-down that one new run shows in 80 % of cases, as a share; `None` with fewer than eight.
    pub detectable: Option<f64>,
}

/// The latencies of steps that the runs of a baseline have.
#[must_use]
pub fn stored_metrics(points: &[Point]) -> Vec<StoredMetric> {
    let mut metrics: Vec<String> = Vec::new();
    for figure in points.iter().flat_map(|point| &point.figures) {
        let is_meant = figure.scope == "step" && figure.ln.is_some();
        if is_meant && !metrics.contains(&figure.metric()) {
            metrics.push(figure.metric());
        }
    }
    metrics.into_iter().map(|metric| of(metric, points)).collect()
}

fn of(metric: String, points: &[Point]) -> StoredMetric {
    let logarithms: Vec<f64> = points.iter().filter_map(|point| point.figure(&metric)?.ln).collect();
    let mean = logarithms.iter().sum::<f64>() / logarithms.len() as f64;
    let values: Vec<f64> = logarithms.iter().map(|ln| ln.exp()).collect();
    // The quantile does not matter here: all latencies are compared by their logarithms.
    let quantity = Quantity::Latency(Percentile::P95);
    let found = stored::predict(&values, &[mean.exp()], quantity, 0.0, ALPHA).ok();
    StoredMetric {
        metric,
        runs: logarithms.len(),
        mean_ns: mean.exp(),
        scatter: found.as_ref().map(|found| found.scatter),
        detectable: found.as_ref().map(|found| found.detectable),
    }
}

/// What can be said of a baseline of so many runs.
#[must_use]
pub fn what_it_is_worth(runs: usize) -> String {
    match runs {
        runs if runs < FEWEST_JOBS => {
            format!("{runs} of {FEWEST_JOBS} runs: too few to know how much runs differ from each other, so nothing can be found yet")
        }
        _ => "finds: the smallest slow-down that one new run shows in 80 % of cases; smaller ones need both programs at once".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::PointFigure;

    fn points(values_ms: &[f64]) -> Vec<Point> {
        let figure = |ms: f64| PointFigure {
            scope: "step".to_owned(),
            name: "s".to_owned(),
            window: "steady".to_owned(),
            quantity: "p95".to_owned(),
            value: Some(ms * 1e6),
            ln: Some((ms * 1e6).ln()),
            requests: 100,
        };
        let point = |ms: &f64| Point {
            format: 1,
            id: format!("{ms}"),
            scenario: "x".to_owned(),
            at: String::new(),
            label: None,
            baseline: None,
            commit: None,
            verdict: "PASSED".to_owned(),
            conditions: Vec::new(),
            figures: vec![figure(*ms)],
        };
        values_ms.iter().map(point).collect()
    }

    #[test]
    fn stored_figures_say_what_they_can_find_from_eight_runs_on() {
        let few = stored_metrics(&points(&[100.0; 7]));
        assert_eq!((few[0].runs, few[0].scatter, few[0].detectable), (7, None, None));
        let metrics = stored_metrics(&points(&[90.0, 95.0, 98.0, 100.0, 100.0, 102.0, 105.0, 111.0]));
        let [one] = metrics.as_slice() else { panic!("{metrics:?}") };
        // Deviation of the logarithms 0.0630, error 0.0630·√(1 + 1/8) = 0.0668; t.95,7 + t.8,7 = 1.8946 + 0.8960: e^0.1864 − 1.
        assert!((one.scatter.unwrap() - 0.065).abs() < 0.001, "{one:?}");
        assert!((one.detectable.unwrap() - 0.205).abs() < 0.004, "{one:?}");
        assert!((one.mean_ns / 1e6 - 99.96).abs() < 0.05, "{one:?}");
        assert!(what_it_is_worth(7).starts_with("7 of 8 runs") && what_it_is_worth(8).starts_with("finds"));
    }
}
