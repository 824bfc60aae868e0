//! Every chart of a run, by its place on the page.
use super::{
    Picture, impact::ImpactChart, latency::LatencyChart, load::LoadChart, outcomes::OutcomesChart,
    spectrum::SpectrumChart, streaming,
};
use crate::report::Report;

/// Offered, achieved and dropped.
pub(crate) fn load(report: &Report) -> Box<dyn Picture> {
    Box::new(LoadChart::of(report))
}

/// One per journey that was measured.
pub(crate) fn latencies(report: &Report) -> Vec<Box<dyn Picture>> {
    LatencyChart::of(report).into_iter().map(boxed).collect()
}

/// All journeys in one; `None` when nothing was measured.
pub(crate) fn spectrum(report: &Report) -> Option<Box<dyn Picture>> {
    SpectrumChart::of(report).map(boxed)
}

/// Classes over time.
pub(crate) fn outcomes(report: &Report) -> Box<dyn Picture> {
    Box::new(OutcomesChart::of(report))
}

/// One per journey with streamed answers.
pub(crate) fn streams(report: &Report) -> Vec<Box<dyn Picture>> {
    streaming::of(report).into_iter().map(boxed).collect()
}

/// One per experiment of which something is known.
pub(crate) fn impacts(report: &Report) -> Vec<Box<dyn Picture>> {
    ImpactChart::of(report).into_iter().map(boxed).collect()
}

/// All of them, in the order of the page.
pub(crate) fn all(report: &Report) -> Vec<Box<dyn Picture>> {
    let mut charts = vec![load(report)];
    charts.extend(latencies(report));
    charts.extend(spectrum(report));
    charts.push(outcomes(report));
    charts.extend(streams(report));
    charts.extend(impacts(report));
    charts
}

fn boxed<P: Picture + 'static>(picture: P) -> Box<dyn Picture> {
    Box::new(picture)
}
