//! The share of one journey's requests that had a good answer within each latency, for each run.
use super::{
    Form, Key, Mark,
    axis::{Axis, Frame, log_ns},
    canvas::{Canvas, Drawn, Line},
    palette::Ink,
    picture::Chart,
};
use crate::{number, render::table::Table, summary::Latency};
use plotters::prelude::DrawingBackend;
use std::borrow::Cow;

/// Points closer than this on both axes, in page units, are one.
const APART: f64 = 0.8;
/// Latencies in the data table: 1, 2 and 5 times a power of ten.
const DIGITS: [u64; 3] = [1, 2, 5];

/// The chart's data.
pub(super) struct EcdfChart {
    id: String,
    journey: String,
    curves: Vec<(String, Ink, Latency)>,
}

impl EcdfChart {
    /// Of latencies with their letters; `None` when none has requests.
    pub(super) fn of(journey: &str, curves: Vec<(String, Ink, Latency)>) -> Option<Self> {
        let curves: Vec<_> = curves.into_iter().filter(|(_, _, latency)| latency.good.count() > 0).collect();
        (!curves.is_empty()).then(|| Self { id: format!("ecdf-{journey}"), journey: journey.to_owned(), curves })
    }

    fn range(&self) -> (u64, u64) {
        let values =
            || self.curves.iter().flat_map(|(_, _, latency)| latency.good.buckets().map(|(value_ns, _)| value_ns));
        (values().min().unwrap_or(1_000_000), values().max().unwrap_or(1_000_000_000))
    }
}

impl Chart for EcdfChart {
    fn id(&self) -> Cow<'static, str> {
        self.id.clone().into()
    }

    fn title(&self) -> Cow<'static, str> {
        format!("{}: share of the requests with a good answer by then", self.journey).into()
    }

    fn legend(&self) -> Vec<Key> {
        self.curves.iter().map(|(letter, ink, _)| Key::new(Mark::Line, *ink, letter.clone())).collect()
    }

    fn table(&self) -> Table {
        let (smallest, largest) = self.range();
        let mut table = Table::new(["within"], self.curves.iter().map(|(letter, ..)| letter.clone()));
        let limits = (3..12).flat_map(|power| DIGITS.map(|digit| digit * 10_u64.pow(power)));
        for limit_ns in limits.filter(|limit| *limit * 3 >= smallest && *limit <= largest.saturating_mul(3)) {
            let share = |(_, _, latency): &(String, Ink, Latency)| {
                number::percent(latency.good.count_within(limit_ns) as f64 / latency.count() as f64)
            };
            table.row([number::latency(limit_ns)].into_iter().chain(self.curves.iter().map(share)));
        }
        table
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, _: Form) -> Drawn<DB> {
        let (smallest, largest) = self.range();
        let x = Axis::latency(smallest, largest, false, "latency, logarithmic");
        let share = |value: f64| format!("{:.0} %", value * 100.0);
        let ticks = (0..=5).map(|fifth| f64::from(fifth) / 5.0).map(|value| (value, share(value)));
        let y = Axis { from: 0.0, to: 1.0, ticks: ticks.collect(), title: "share of the requests".to_owned() };
        let frame = Frame::draw(canvas, &x, &y, &[])?;
        for (_, ink, latency) in &self.curves {
            let (mut seen, mut points) = (0, vec![frame.at(x.from, 0.0)]);
            let count = latency.count() as f64;
            for (value_ns, bucket_count) in latency.good.buckets() {
                let before = frame.at(log_ns(value_ns), seen as f64 / count);
                seen += bucket_count;
                let after = frame.at(log_ns(value_ns), seen as f64 / count);
                for at in [before, after] {
                    let is_apart = |last: &(f64, f64)| (last.0 - at.0).abs() >= APART || (last.1 - at.1).abs() >= APART;
                    if points.last().is_none_or(is_apart) {
                        points.push(at);
                    }
                }
            }
            points.push(frame.at(x.to, seen as f64 / count));
            canvas.line(&points, *ink, 1.75, Line::Solid)?;
        }
        Ok(())
    }
}
