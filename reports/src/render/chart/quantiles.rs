//! How far each quantile of one journey's latency lies from that of the first run, with its band.
use super::{
    Form, Key, Mark,
    axis::{Axis, Frame},
    canvas::{Canvas, Drawn, Line},
    palette::Ink,
    picture::Chart,
};
use crate::{
    delta::{Change, change_of},
    number,
    render::table::Table,
    summary::Latency,
};
use plotters::prelude::DrawingBackend;
use std::borrow::Cow;

/// Points along the scale of `1/(1−q)`, per decade.
const PER_DECADE: f64 = 16.0;
/// Changes beyond this run out of the chart, so that one does not flatten all others.
const WIDEST: f64 = 3.0;
/// A band is shown as far as this many times the largest change.
const BAND_REACH: f64 = 1.5;
/// Shares in the data table.
const SHARES: [f64; 8] = [0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999];

/// The chart's data.
pub(super) struct QuantilesChart {
    id: String,
    journey: String,
    first: Latency,
    others: Vec<(String, Ink, Latency)>,
}

impl QuantilesChart {
    /// Of a first latency and others, each with its letter; `None` when the first has no requests.
    pub(super) fn of(journey: &str, first: Latency, others: Vec<(String, Ink, Latency)>) -> Option<Self> {
        let others: Vec<_> = others.into_iter().filter(|(_, _, latency)| latency.count() > 0).collect();
        let id = format!("quantiles-{journey}");
        (first.count() > 0 && !others.is_empty()).then(|| Self { id, journey: journey.to_owned(), first, others })
    }

    /// Places on the scale of `1/(1−q)` as far as both samples reach, with the change there.
    fn changes(&self, other: &Latency) -> Vec<(f64, Option<Change>)> {
        let count = self.first.count().min(other.count());
        // The last quantile still has ten requests beyond it: with fewer, its band says nothing.
        let end = (count as f64 / 10.0).max(2.0).log10();
        let steps = (end * PER_DECADE).ceil().max(1.0);
        let place = |step: u32| 0.05 + (end - 0.05) * f64::from(step) / steps;
        let change = |at: f64| (at, change_of(&self.first, other, 1.0 - 10_f64.powf(-at)));
        (0..=steps as u32).map(place).map(change).collect()
    }
}

impl Chart for QuantilesChart {
    fn id(&self) -> Cow<'static, str> {
        self.id.clone().into()
    }

    fn title(&self) -> Cow<'static, str> {
        format!("{}: change of each quantile against A", self.journey).into()
    }

    fn legend(&self) -> Vec<Key> {
        self.others
            .iter()
            .map(|(letter, ink, _)| Key::new(Mark::Line, *ink, format!("{letter} and its 95 % band")))
            .collect()
    }

    fn table(&self) -> Table {
        let heads = self
            .others
            .iter()
            .flat_map(|(letter, ..)| [letter.clone(), format!("{letter} at least"), format!("{letter} at most")]);
        let mut table = Table::new(["share"], heads);
        for share in SHARES {
            let text = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), percent);
            let cells = self.others.iter().flat_map(|(_, _, other)| {
                let change = change_of(&self.first, other, share);
                let of = |side: fn(&Change) -> Option<f64>| text(change.as_ref().and_then(side));
                [of(|change| Some(change.estimate)), of(|change| change.lower), of(|change| change.upper)]
            });
            table.row([number::exact_percent(share)].into_iter().chain(cells));
        }
        table
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, _: Form) -> Drawn<DB> {
        let lines: Vec<_> = self.others.iter().map(|(_, ink, other)| (*ink, self.changes(other))).collect();
        let all = || lines.iter().flat_map(|(_, changes)| changes.iter().filter_map(|(_, change)| *change));
        // A band that is much wider than what was seen runs out of the chart.
        let widest = all().map(|change| change.estimate.abs()).fold(0.1, f64::max) * BAND_REACH;
        let band = |change: Change| [change.lower, change.upper].map(|end| end.map(|end| end.clamp(-widest, widest)));
        let ends = all().flat_map(|change| [Some(change.estimate)].into_iter().chain(band(change))).flatten();
        let (low, high) = ends.fold((-0.02_f64, 0.02_f64), |(low, high), end| (low.min(end), high.max(end)));
        let end = lines.iter().flat_map(|(_, changes)| changes.last().map(|(at, _)| *at)).fold(1.0, f64::max);
        let y = Axis::signed(low.max(-1.0), high.min(WIDEST), percent, "change of the latency");
        let x = Axis { to: end, ..Axis::spectrum(10_f64.powf(end) as u64) };
        let frame = Frame::draw(canvas, &x, &y, &[])?;
        let within = |value: f64| value.clamp(y.from, y.to);
        canvas.line(&[frame.at(x.from, 0.0), frame.at(x.to, 0.0)], Ink::Shade, 1.5, Line::Solid)?;
        for (ink, changes) in &lines {
            for known in changes.split(|(_, change)| change.is_none()).filter(|known| known.len() > 1) {
                let side = |of: fn(&Change) -> Option<f64>, open: f64| {
                    let place =
                        move |(at, change): &(f64, Option<Change>)| (*at, change.as_ref().and_then(of).unwrap_or(open));
                    known.iter().map(place).map(|(at, value)| frame.at(at, within(value))).collect::<Vec<_>>()
                };
                let upper = side(|change| change.upper, f64::INFINITY);
                let lower = side(|change| change.lower, f64::NEG_INFINITY);
                let outline: Vec<_> = upper.into_iter().chain(lower.into_iter().rev()).collect();
                canvas.polygon(&outline, *ink, 0.18)?;
            }
        }
        for (ink, changes) in &lines {
            let points: Vec<_> =
                changes.iter().map(|(at, change)| (*at, change.map(|change| within(change.estimate)))).collect();
            frame.lines(canvas, &points, *ink, Line::Solid)?;
        }
        Ok(())
    }
}

fn percent(change: f64) -> String {
    let text = format!("{:+.1} %", change * 100.0).replace('-', "−").replace(".0 %", " %");
    if change.abs() < 5e-4 { "0 %".to_owned() } else { text }
}
