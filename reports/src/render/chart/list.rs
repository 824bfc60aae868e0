//! Every chart, by its place on its page.
use super::{
    Picture,
    cycles::CyclesChart,
    heat::HeatChart,
    impact::ImpactChart,
    latency::LatencyChart,
    load::LoadChart,
    outcomes::OutcomesChart,
    rate::{GoodputChart, SlownessChart},
    scaling::ScalingChart,
    shift::ShiftChart,
    spectrum::SpectrumChart,
    streaming,
};
use crate::{
    capacity::{Answer, Study},
    matrix::Matrix,
    regression::comparison::Comparison,
    report::Report,
};

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

/// Of many runs: faults against journeys; `None` when no fault was on.
pub(crate) fn heat(matrix: &Matrix) -> Option<Box<dyn Picture>> {
    HeatChart::of(matrix).map(boxed)
}

/// Of a gate: how much worse the candidate is, latencies and failures.
pub(crate) fn shifts(comparison: &Comparison) -> Vec<Box<dyn Picture>> {
    ShiftChart::of(comparison).into_iter().map(boxed).collect()
}

/// Of a gate: what each cycle saw; `None` when no latency was compared.
pub(crate) fn cycles(comparison: &Comparison) -> Option<Box<dyn Picture>> {
    CyclesChart::of(comparison).map(boxed)
}

/// All charts of a run, in the order of the page.
pub(crate) fn all(report: &Report) -> Vec<Box<dyn Picture>> {
    let mut charts = vec![load(report)];
    charts.extend(latencies(report));
    charts.extend(spectrum(report));
    charts.push(outcomes(report));
    charts.extend(streams(report));
    charts.extend(impacts(report));
    charts
}

/// Those of a capacity: latency and goodput over the rate, and the scaling curve where there is one.
pub(crate) fn capacity(study: &Study, answer: &Answer) -> Vec<Box<dyn Picture>> {
    let mut charts: Vec<Box<dyn Picture>> = Vec::new();
    if !study.rungs.is_empty() {
        charts.extend([boxed(SlownessChart::of(study)), boxed(GoodputChart::of(study))]);
    }
    if let Ok(fit) = &answer.scaling {
        charts.push(boxed(ScalingChart::of(fit)));
    }
    charts
}

fn boxed<P: Picture + 'static>(picture: P) -> Box<dyn Picture> {
    Box::new(picture)
}
