//! Every chart, by its place on its page.
use super::{
    Picture,
    cycles::CyclesChart,
    ecdf::EcdfChart,
    heat::HeatChart,
    impact::ImpactChart,
    latency::LatencyChart,
    load::LoadChart,
    outcomes::OutcomesChart,
    palette::Ink,
    quantiles::QuantilesChart,
    rate::{GoodputChart, SlownessChart},
    scaling::ScalingChart,
    shift::ShiftChart,
    spectrum::SpectrumChart,
    streaming,
    trend::TrendChart,
};
use crate::{
    capacity::{Answer, Study},
    delta::{Compared, Deltas},
    history::trend::Trend,
    matrix::Matrix,
    record::Measure,
    regression::comparison::Comparison,
    report::Report,
    summary::{Latency, Scope},
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

/// Of a comparison of runs: for each journey that two of them have, how its quantiles changed, and its distribution in each run.
pub(crate) fn journeys_of_runs(compared: &[Compared], deltas: &Deltas) -> Vec<(String, Vec<Box<dyn Picture>>)> {
    let of_journey = |journey: &String| {
        let latency = |(index, one): (usize, &Compared)| {
            let scope = Scope::Journey(journey.clone());
            let latency = one.report.summary.latency(&scope, &deltas.window, Measure::Response);
            (deltas.runs[index].letter.clone(), Ink::SERIES[index % Ink::SERIES.len()], latency)
        };
        let all: Vec<(String, Ink, Latency)> = compared.iter().enumerate().map(latency).collect();
        let mut charts: Vec<Box<dyn Picture>> = Vec::new();
        charts.extend(QuantilesChart::of(journey, all[0].2.clone(), all[1..].to_vec()).map(boxed));
        charts.extend(SpectrumChart::of_runs(journey, all.clone()).map(boxed));
        charts.extend(EcdfChart::of(journey, all).map(boxed));
        (journey.clone(), charts)
    };
    compared[0].report.summary.journeys.iter().map(of_journey).filter(|(_, charts)| charts.len() == 3).collect()
}

/// Of a history: how each metric went.
pub(crate) fn trends(trend: &Trend) -> Vec<Box<dyn Picture>> {
    trend.courses.iter().map(|course| boxed(TrendChart::of(trend, course))).collect()
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
