//! What a target does at each rate that is asked of it: how slow it is, and how much of it is good, with what was proven as a band.
use super::{
    Form, Key, Mark,
    axis::{Axis, Frame, log_ns},
    bands::Band,
    canvas::{Anchor, Canvas, Drawn, Line},
    palette::Ink,
    picture::Chart,
};
use crate::{
    capacity::{Rung, Study},
    number,
    render::{capacity_tables, table::Table},
};
use plotters::prelude::DrawingBackend;
use std::borrow::Cow;

const LABEL_SIZE: f64 = 11.0;

/// What both charts are drawn from.
struct Rates {
    rungs: Vec<Rung>,
    bands: Vec<Band>,
    limit_ns: u64,
    promise: String,
}

impl Rates {
    fn of(study: &Study) -> Self {
        let mut rungs = study.rungs.clone();
        rungs.sort_by(|a, b| a.offered_per_second.total_cmp(&b.offered_per_second));
        let claim = &study.claim;
        let top =
            rungs.last().map_or(0.0, |rung| rung.offered_per_second).max(claim.violated_per_second.unwrap_or(0.0));
        let mut bands = Vec::new();
        if let Some(sustained) = claim.sustained_per_second {
            let open_to = claim.violated_per_second.unwrap_or(top);
            bands.push(Band::new(0.0, sustained, "confirmed", Ink::Green));
            bands.push(Band::new(sustained, open_to, "", Ink::Grey));
        }
        if let Some(violated) = claim.violated_per_second {
            bands.push(Band::new(violated, top * 1.02, "too much", Ink::Vermillion));
        }
        Self { rungs, bands, limit_ns: study.level.limit_ns, promise: capacity_tables::promise(study) }
    }

    fn x(&self) -> Axis {
        let largest = self.rungs.last().map_or(0.0, |rung| rung.offered_per_second);
        Axis { to: largest * 1.02, ..Axis::linear(largest, "offered rate, arrivals per second") }
    }

    fn points(&self, value: impl Fn(&Rung) -> f64) -> Vec<(f64, Option<f64>)> {
        self.rungs.iter().map(|rung| (rung.offered_per_second, Some(value(rung)))).collect()
    }

    fn line<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        frame: &Frame,
        ink: Ink,
        value: impl Fn(&Rung) -> f64,
    ) -> Drawn<DB> {
        let points = self.points(value);
        frame.lines(canvas, &points, ink, Line::Solid)?;
        points.iter().filter_map(|(x, y)| Some(frame.at(*x, (*y)?))).try_for_each(|at| canvas.spot(at, ink))
    }

    fn table(&self) -> Table {
        capacity_tables::rungs(&self.rungs)
    }
}

/// Latency over the rate.
pub(super) struct SlownessChart(Rates);

impl SlownessChart {
    pub(super) fn of(study: &Study) -> Self {
        Self(Rates::of(study))
    }
}

impl Chart for SlownessChart {
    fn id(&self) -> Cow<'static, str> {
        "latency-over-rate".into()
    }

    fn title(&self) -> Cow<'static, str> {
        "Response time over the offered rate".into()
    }

    fn legend(&self) -> Vec<Key> {
        vec![
            Key::new(Mark::Line, Ink::Sky, "p50"),
            Key::new(Mark::Line, Ink::Vermillion, "p99"),
            Key::new(Mark::Dashes, Ink::Text, format!("promised: {}", self.0.promise)),
        ]
    }

    fn table(&self) -> Table {
        self.0.table()
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, _: Form) -> Drawn<DB> {
        let Rates { rungs, bands, limit_ns, .. } = &self.0;
        let seen = || rungs.iter().flat_map(|rung| [rung.p50_ns, rung.p99_ns]);
        let finite = || seen().flatten().chain([*limit_ns]);
        let (smallest, largest) = (finite().min().unwrap_or(1), finite().max().unwrap_or(1));
        let y = Axis::latency(smallest, largest, seen().any(|value| value.is_none()), "latency, logarithmic");
        let frame = Frame::draw(canvas, &self.0.x(), &y, bands)?;
        let (_, limit) = frame.at(0.0, log_ns(*limit_ns));
        canvas.line(&[(frame.left, limit), (frame.right, limit)], Ink::Text, 1.25, Line::Dashed)?;
        let place = |value: Option<u64>| value.map_or(y.to, log_ns);
        self.0.line(canvas, &frame, Ink::Sky, |rung| place(rung.p50_ns))?;
        self.0.line(canvas, &frame, Ink::Vermillion, |rung| place(rung.p99_ns))
    }
}

/// Goodput over the rate.
pub(super) struct GoodputChart(Rates);

impl GoodputChart {
    pub(super) fn of(study: &Study) -> Self {
        Self(Rates::of(study))
    }
}

impl Chart for GoodputChart {
    fn id(&self) -> Cow<'static, str> {
        "goodput-over-rate".into()
    }

    fn title(&self) -> Cow<'static, str> {
        "Good answers in time over the offered rate".into()
    }

    fn legend(&self) -> Vec<Key> {
        vec![
            Key::new(Mark::Line, Ink::Blue, format!("good answers within {}", number::latency(self.0.limit_ns))),
            Key::new(Mark::Line, Ink::Orange, "refused at once"),
            Key::new(Mark::Dashes, Ink::Grey, "as many as were asked for"),
        ]
    }

    fn table(&self) -> Table {
        self.0.table()
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, _: Form) -> Drawn<DB> {
        let Rates { rungs, bands, .. } = &self.0;
        let shed = |rung: &Rung| rung.offered_per_second * rung.shed_share;
        let largest = rungs.iter().map(|rung| rung.good_per_second.max(shed(rung))).fold(0.0, f64::max);
        let y = Axis::linear(largest, "per second");
        let frame = Frame::draw(canvas, &self.0.x(), &y, bands)?;
        let end = self.0.x().to.min(y.to);
        canvas.line(&[frame.at(0.0, 0.0), frame.at(end, end)], Ink::Grey, 1.25, Line::Dashed)?;
        if rungs.iter().any(|rung| rung.shed_share > 0.0) {
            self.0.line(canvas, &frame, Ink::Orange, shed)?;
        }
        self.0.line(canvas, &frame, Ink::Blue, |rung| rung.good_per_second)?;
        match rungs.iter().max_by(|a, b| a.good_per_second.total_cmp(&b.good_per_second)) {
            Some(best) => {
                let (x, at) = frame.at(best.offered_per_second, best.good_per_second);
                let label = format!("best {}", number::rate(best.good_per_second));
                let (anchor, away) =
                    if x > frame.right - 110.0 { (Anchor::Right, -14.0) } else { (Anchor::Left, 16.0) };
                canvas.text(&label, (x + away, (at + 3.0).max(frame.top + 7.0)), anchor, Ink::Text, LABEL_SIZE)
            }
            None => Ok(()),
        }
    }
}
