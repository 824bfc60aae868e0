//! Latency percentiles of one journey over time: from due and, dashed, from sent.
use super::{
    Form, Key, Mark,
    axis::{Axis, Frame, log_ns},
    bands::Band,
    canvas::{Canvas, Drawn, Line},
    palette::Ink,
    picture::Chart,
};
use crate::{
    number,
    record::{Measure, SECOND_NS},
    render::table::Table,
    report::Report,
    summary::{BinLatency, Quantile},
};
use plotters::prelude::DrawingBackend;
use std::borrow::Cow;

/// One line of a chart over time: its quantile in every bin.
pub(super) struct TimeLine {
    pub(super) label: String,
    pub(super) ink: Ink,
    pub(super) line: Line,
    pub(super) values: Vec<Option<Quantile>>,
}

/// The chart's data; also that of other charts with latencies over time.
pub(super) struct LatencyChart {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) bin_seconds: f64,
    pub(super) lines: Vec<TimeLine>,
    pub(super) bands: Vec<Band>,
}

impl LatencyChart {
    /// One chart for each journey that was measured.
    pub(super) fn of(report: &Report) -> Vec<Self> {
        let summary = &report.summary;
        let journeys = summary.journeys.iter().enumerate();
        let charts = journeys.map(|(index, journey)| Self {
            id: format!("latency-{journey}"),
            title: format!("{journey}: response and service time"),
            bin_seconds: summary.series.bin_seconds as f64,
            lines: [("response", Measure::Response, Line::Solid), ("service", Measure::Service, Line::Dashed)]
                .into_iter()
                .flat_map(|(word, measure, line)| lines(report, index, measure, line, word))
                .collect(),
            bands: Band::of(&report.run, summary),
        });
        charts.filter(|chart| chart.seen().next().is_some()).collect()
    }

    fn seen(&self) -> impl Iterator<Item = Quantile> {
        self.lines.iter().flat_map(|line| line.values.iter().flatten().copied())
    }
}

/// Takes one quantile of a bin.
pub(super) type Pick = fn(&BinLatency) -> Quantile;

/// The three percentiles of one measure of one journey.
fn lines(report: &Report, journey_index: usize, measure: Measure, line: Line, word: &str) -> Vec<TimeLine> {
    let quantiles: [(&str, Ink, Pick); 3] = [
        ("p50", Ink::Sky, |latency| latency.p50),
        ("p95", Ink::Blue, |latency| latency.p95),
        ("p99", Ink::Vermillion, |latency| latency.p99),
    ];
    let values = |pick: Pick| values(report, journey_index, measure, pick);
    quantiles
        .map(|(name, ink, pick)| TimeLine { label: format!("{word} {name}"), ink, line, values: values(pick) })
        .into()
}

/// One quantile of one measure of one journey in every bin.
pub(super) fn values(report: &Report, journey_index: usize, measure: Measure, pick: Pick) -> Vec<Option<Quantile>> {
    let bins = report.summary.series.bins.iter();
    bins.map(|bin| bin.journeys[journey_index].latencies.get(&measure).map(pick)).collect()
}

impl Chart for LatencyChart {
    fn id(&self) -> Cow<'static, str> {
        self.id.clone().into()
    }

    fn title(&self) -> Cow<'static, str> {
        self.title.clone().into()
    }

    fn legend(&self) -> Vec<Key> {
        let mark = |line: Line| if line == Line::Solid { Mark::Line } else { Mark::Dashes };
        self.lines.iter().map(|line| Key::new(mark(line.line), line.ink, line.label.clone())).collect()
    }

    fn table(&self) -> Table {
        let labels: Vec<&str> = self.lines.iter().map(|line| line.label.as_str()).collect();
        let mut table = Table::new(["from"], labels);
        let count = self.lines.first().map_or(0, |line| line.values.len());
        for index in 0..count {
            let from = number::seconds((index as f64 * self.bin_seconds) as u64 * SECOND_NS);
            let cell = |line: &TimeLine| line.values[index].map_or_else(|| "–".to_owned(), |value| value.to_string());
            table.row([from].into_iter().chain(self.lines.iter().map(cell)));
        }
        table
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, form: Form) -> Drawn<DB> {
        let finite = || self.seen().filter_map(Quantile::finite);
        let (smallest, largest) = (finite().min().unwrap_or(1_000_000), finite().max().unwrap_or(1_000_000_000));
        let has_infinity = self.seen().any(|value| value == Quantile::Infinite);
        let count = self.lines.first().map_or(0, |line| line.values.len());
        let x = Axis::time(count as f64 * self.bin_seconds, if form == Form::Wide { 10 } else { 5 });
        let y = Axis::latency(smallest, largest, has_infinity, "latency, logarithmic");
        let frame = Frame::draw(canvas, &x, &y, &self.bands)?;
        let place = |value: Quantile| value.finite().map_or(y.to, log_ns);
        // Backwards, so that what comes first in the legend lies on top, and dashes show only where they differ.
        for line in self.lines.iter().rev() {
            let middle = |index: usize| (index as f64 + 0.5) * self.bin_seconds;
            let points = line.values.iter().enumerate().map(|(index, value)| (middle(index), value.map(place)));
            frame.lines(canvas, &points.collect::<Vec<_>>(), line.ink, line.line)?;
        }
        Ok(())
    }
}
