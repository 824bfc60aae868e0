//! What is kept of a run in a store.
use crate::{
    record::{Measure, Point, PointFigure, conditions},
    report::Report,
    summary::{Quantile, Scope},
    verdict::Overall,
};

/// Percentiles that are kept.
const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)];

/// A run cannot be kept: its figures cannot be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("run {run} is {word}, so its figures are no part of a history: {headline}")]
pub struct Untrusted {
    /// The run.
    pub run: String,
    /// Its verdict.
    pub word: &'static str,
    /// Why.
    pub headline: String,
}

/// The point of a run, which belongs to no baseline yet and has no commit or label.
///
/// # Errors
/// When the measurement is invalid or broke off. One whose gates fail is as true as any other.
pub fn take(report: &Report) -> Result<Point, Untrusted> {
    let (run, verdict) = (&report.run, &report.verdict);
    match verdict.overall {
        Overall::Passed | Overall::Failed | Overall::Inconclusive | Overall::NotResilient | Overall::OracleViolated => {
        }
        Overall::FaultsLeft | Overall::Interrupted | Overall::Invalid | Overall::Aborted => {
            let headline = verdict.headline.clone();
            return Err(Untrusted { run: run.id.to_string(), word: verdict.overall.word(), headline });
        }
    }
    Ok(Point {
        format: 1,
        id: run.id.to_string(),
        scenario: run.scenario.name.clone(),
        at: run.clock_zero.clone(),
        label: None,
        baseline: None,
        commit: None,
        verdict: verdict.overall.word().to_owned(),
        conditions: conditions(run),
        figures: report.summary.scopes().iter().flat_map(|scope| figures(report, scope)).collect(),
    })
}

fn figures(report: &Report, scope: &Scope) -> Vec<PointFigure> {
    let (summary, window) = (&report.summary, report.summary.undisturbed());
    let latency = summary.latency(scope, &window, Measure::Response);
    if latency.count() == 0 {
        return Vec::new();
    }
    let figure = |quantity: &str, value: Option<f64>, ln: Option<f64>| PointFigure {
        scope: scope.kind().to_owned(),
        name: scope.to_string(),
        window: window.to_string(),
        quantity: quantity.to_owned(),
        value,
        ln,
        requests: latency.count(),
    };
    let mut figures: Vec<PointFigure> = Vec::new();
    for (quantity, quantile) in QUANTILES {
        let is_told = latency.count() as f64 * (1.0 - quantile) >= 1.0;
        let value = latency.quantile(quantile).filter(|_| is_told).and_then(Quantile::finite).map(|ns| ns as f64);
        figures.push(figure(quantity, value, value.map(f64::ln)));
    }
    figures.push(figure("errors", summary.outcomes(scope, &window).error_share(), None));
    figures
}
