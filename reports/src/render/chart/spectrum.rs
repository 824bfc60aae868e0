//! The whole distribution of each journey's latency, from the median to the slowest request: from due and, dashed, from sent.
//!
//! Source: G. Tene, HdrHistogram, percentile plots on the scale of `1/(1−q)`.
use super::{
    Form, Key, Mark,
    axis::{Axis, Frame, log_ns},
    canvas::{Canvas, Drawn, Line},
    palette::Ink,
    picture::Chart,
};
use crate::{
    number,
    record::Measure,
    render::table::Table,
    report::Report,
    summary::{Latency, Scope, Window},
};
use plotters::prelude::DrawingBackend;
use std::borrow::Cow;

/// Shares in the data table.
const SHARES: [f64; 9] = [0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9999, 1.0];

/// Points closer than this on both axes, in page units, are one.
const APART: f64 = 0.8;

/// The chart's data.
pub(super) struct SpectrumChart {
    id: String,
    title: String,
    curves: Vec<Curve>,
}

struct Curve {
    label: String,
    ink: Ink,
    line: Line,
    latency: Latency,
}

impl SpectrumChart {
    /// Everything but the warm-up; `None` when nothing was measured.
    pub(super) fn of(report: &Report) -> Option<Self> {
        let curve = |(index, journey): (usize, &String), measure, line, word: &str| Curve {
            label: format!("{journey} {word}"),
            ink: Ink::SERIES[index % Ink::SERIES.len()],
            line,
            latency: report.summary.latency(&Scope::Journey(journey.clone()), &Window::Run, measure),
        };
        let both = |journey| {
            [
                curve(journey, Measure::Response, Line::Solid, "from due"),
                curve(journey, Measure::Service, Line::Dashed, "from sent"),
            ]
        };
        let curves: Vec<Curve> = report.summary.journeys.iter().enumerate().flat_map(both).collect();
        let curves: Vec<Curve> = curves.into_iter().filter(|curve| curve.latency.count() > 0).collect();
        let title = "Latency by share of the requests, warm-up left out".to_owned();
        (!curves.is_empty()).then(|| Self { id: "spectrum".to_owned(), title, curves })
    }

    /// One journey in several runs, each with its letter; `None` when none has requests.
    pub(super) fn of_runs(journey: &str, runs: Vec<(String, Ink, Latency)>) -> Option<Self> {
        let curves = runs.into_iter().filter(|(_, _, latency)| latency.count() > 0);
        let curve = |(label, ink, latency)| Curve { label, ink, line: Line::Solid, latency };
        let curves: Vec<Curve> = curves.map(curve).collect();
        let title = format!("{journey}: latency by share of the requests");
        (!curves.is_empty()).then(|| Self { id: format!("spectrum-{journey}"), title, curves })
    }
}

impl Curve {
    /// Places on the axes: each value at the share of requests that were not slower, then up to ∞ where the failed begin.
    fn points(&self, top: f64) -> Vec<(f64, f64)> {
        let count = self.latency.count();
        let place = |not_slower: u64| (count as f64 / (count - not_slower).max(1) as f64).log10();
        let (mut seen, mut points) = (0, Vec::new());
        for (value_ns, bucket_count) in self.latency.good.buckets() {
            points.push((place(seen), log_ns(value_ns)));
            seen += bucket_count;
            points.push((place(seen), log_ns(value_ns)));
        }
        if self.latency.failed > 0 {
            points.extend([(place(seen), top), (place(count), top)]);
        }
        points
    }
}

impl Chart for SpectrumChart {
    fn id(&self) -> Cow<'static, str> {
        self.id.clone().into()
    }

    fn title(&self) -> Cow<'static, str> {
        self.title.clone().into()
    }

    fn legend(&self) -> Vec<Key> {
        let mark = |line: Line| if line == Line::Solid { Mark::Line } else { Mark::Dashes };
        self.curves.iter().map(|curve| Key::new(mark(curve.line), curve.ink, curve.label.clone())).collect()
    }

    fn table(&self) -> Table {
        let labels: Vec<&str> = self.curves.iter().map(|curve| curve.label.as_str()).collect();
        let mut table = Table::new(["share"], labels);
        for share in SHARES {
            let cell = |curve: &Curve| {
                // A sample says nothing about a share that is finer than one of its requests.
                let is_fine = share < 1.0 && (1.0 - share) * (curve.latency.count() as f64) < 1.0;
                let value = curve.latency.quantile(share).filter(|_| !is_fine);
                value.map_or_else(|| "–".to_owned(), |value| value.to_string())
            };
            table.row([number::exact_percent(share)].into_iter().chain(self.curves.iter().map(cell)));
        }
        table
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, _: Form) -> Drawn<DB> {
        let finite = || self.curves.iter().flat_map(|curve| curve.latency.good.buckets().map(|(value_ns, _)| value_ns));
        let (smallest, largest) = (finite().min().unwrap_or(1_000_000), finite().max().unwrap_or(1_000_000_000));
        let has_infinity = self.curves.iter().any(|curve| curve.latency.failed > 0);
        let most = self.curves.iter().map(|curve| curve.latency.count()).max().unwrap_or(0);
        let y = Axis::latency(smallest, largest, has_infinity, "latency, logarithmic");
        let frame = Frame::draw(canvas, &Axis::spectrum(most), &y, &[])?;
        for curve in &self.curves {
            let mut points: Vec<(f64, f64)> = Vec::new();
            for (x, y) in curve.points(y.to).into_iter().map(|(x, y)| frame.at(x, y)) {
                let is_apart = |last: &(f64, f64)| (last.0 - x).abs() >= APART || (last.1 - y).abs() >= APART;
                if points.last().is_none_or(is_apart) {
                    points.push((x, y));
                }
            }
            match points.as_slice() {
                [only] => canvas.dot(*only, curve.ink)?,
                more => canvas.line(more, curve.ink, 1.75, curve.line)?,
            }
        }
        Ok(())
    }
}
