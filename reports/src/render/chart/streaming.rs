//! How streamed answers came: first event, first piece of text and the gaps between pieces, over time.
use super::{
    bands::Band,
    canvas::Line,
    latency::{LatencyChart, Pick, TimeLine, values},
    palette::Ink,
};
use crate::{record::Measure, report::Report};

/// One chart for each journey with streamed answers.
pub(super) fn of(report: &Report) -> Vec<LatencyChart> {
    let summary = &report.summary;
    let is_streamed = |journey: &str| summary.steps.iter().any(|step| step.journey == journey && step.is_streamed);
    let journeys = summary.journeys.iter().enumerate().filter(|(_, journey)| is_streamed(journey));
    let charts = journeys.map(|(index, journey)| LatencyChart {
        id: format!("stream-{journey}"),
        title: format!("{journey}: how the stream came"),
        bin_seconds: summary.series.bin_seconds as f64,
        lines: lines(report, index),
        bands: Band::of(&report.run, summary),
    });
    charts.filter(|chart| chart.lines.iter().any(|line| line.values.iter().any(Option::is_some))).collect()
}

fn lines(report: &Report, journey_index: usize) -> Vec<TimeLine> {
    let p50: Pick = |latency| latency.p50;
    let p95: Pick = |latency| latency.p95;
    let line = |label: &str, measure, of, ink, line| TimeLine {
        label: label.to_owned(),
        ink,
        line,
        values: values(report, journey_index, measure, of),
    };
    vec![
        line("first event p50", Measure::FirstEvent, p50, Ink::Blue, Line::Dashed),
        line("first event p95", Measure::FirstEvent, p95, Ink::Blue, Line::Solid),
        line("first token p50", Measure::FirstToken, p50, Ink::Green, Line::Dashed),
        line("first token p95", Measure::FirstToken, p95, Ink::Green, Line::Solid),
        line("gap p50", Measure::Gap, p50, Ink::Purple, Line::Dashed),
        line("gap p95", Measure::Gap, p95, Ink::Purple, Line::Solid),
    ]
}
