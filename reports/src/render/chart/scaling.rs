//! The fitted scaling curve with its interval and its data: solid where it was measured, dashed beyond.
use super::{
    Form, Key, Mark,
    axis::{Axis, Frame},
    canvas::{Anchor, Canvas, Drawn, Line},
    palette::Ink,
    picture::Chart,
};
use crate::{
    capacity::{Fit, Prediction},
    number,
    render::table::Table,
};
use plotters::prelude::DrawingBackend;
use std::borrow::Cow;

/// Points that the curve is drawn through.
const STEPS: u32 = 80;
/// How far the curve goes on beyond the data, as a multiple of the largest load; within twice, beyond which nothing is said.
const BEYOND: f64 = 1.3;
const LABEL_SIZE: f64 = 11.0;

/// The chart's data.
pub(super) struct ScalingChart {
    fit: Fit,
}

impl ScalingChart {
    pub(super) fn of(fit: &Fit) -> Self {
        Self { fit: fit.clone() }
    }

    fn curve(&self) -> Vec<Prediction> {
        let (first, largest) = (self.fit.points().first().map_or(1.0, |point| point.load), self.fit.largest_load());
        let end = (BEYOND * largest).max(self.fit.peak().map_or(0.0, |peak| peak.load.value * 1.05)).min(2.0 * largest);
        let at = |step: u32| first + (end - first) * f64::from(step) / f64::from(STEPS);
        (0..=STEPS).filter_map(|step| self.fit.at(at(step)).ok()).collect()
    }
}

impl Chart for ScalingChart {
    fn id(&self) -> Cow<'static, str> {
        "scaling".into()
    }

    fn title(&self) -> Cow<'static, str> {
        "Answers over requests in flight, by the Universal Scalability Law".into()
    }

    fn legend(&self) -> Vec<Key> {
        vec![
            Key::new(Mark::Area, Ink::Purple, "measured"),
            Key::new(Mark::Line, Ink::Blue, "fitted"),
            Key::new(Mark::Dashes, Ink::Blue, "extrapolated"),
            Key::new(Mark::Area, Ink::Sky, "95 % interval of the curve"),
        ]
    }

    fn table(&self) -> Table {
        let mut table = Table::new([] as [&str; 0], ["in flight", "measured", "fitted", "from", "to"]);
        for point in self.fit.points() {
            let fitted = self.fit.at(point.load).ok();
            let cell =
                |of: fn(&Prediction) -> f64| fitted.as_ref().map_or_else(|| "–".to_owned(), |at| number::rate(of(at)));
            table.row([
                number::significant(point.load),
                number::rate(point.per_second),
                cell(|at| at.per_second.value),
                cell(|at| at.per_second.lower),
                cell(|at| at.per_second.upper),
            ]);
        }
        table
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, _: Form) -> Drawn<DB> {
        let curve = self.curve();
        let largest =
            curve.iter().map(|at| at.per_second.value).chain(self.fit.points().iter().map(|point| point.per_second));
        let y = Axis::linear(largest.fold(0.0, f64::max) * 1.05, "answers per second");
        let end = curve.last().map_or(1.0, |at| at.load);
        let x = Axis { to: end, ..Axis::linear(end, "requests in flight") };
        let frame = Frame::draw(canvas, &x, &y, &[])?;
        let within = |value: f64| value.clamp(0.0, y.to);
        let upper = curve.iter().map(|at| frame.at(at.load, within(at.per_second.upper)));
        let lower = curve.iter().rev().map(|at| frame.at(at.load, within(at.per_second.lower)));
        canvas.polygon(&upper.chain(lower).collect::<Vec<_>>(), Ink::Sky, 0.35)?;
        let place = |at: &Prediction| frame.at(at.load, within(at.per_second.value));
        let seen: Vec<_> = curve.iter().filter(|at| !at.is_extrapolated).map(place).collect();
        let beyond = curve.iter().filter(|at| at.is_extrapolated).map(place);
        let beyond: Vec<_> = seen.last().copied().into_iter().chain(beyond).collect();
        canvas.line(&seen, Ink::Blue, 1.75, Line::Solid)?;
        canvas.line(&beyond, Ink::Blue, 1.5, Line::Dashed)?;
        for point in self.fit.points() {
            canvas.spot(frame.at(point.load, within(point.per_second)), Ink::Purple)?;
        }
        match self.fit.peak() {
            Ok(peak) if peak.load.value <= end => {
                let (x, at) = frame.at(peak.load.value, peak.at.per_second.value);
                canvas.line(&[(x, at), (x, frame.bottom)], Ink::Muted, 1.0, Line::Dashed)?;
                let label = format!("peak at {}", number::significant(peak.load.value));
                let (anchor, away) = if x > frame.right - 100.0 { (Anchor::Right, -6.0) } else { (Anchor::Left, 6.0) };
                canvas.text(&label, (x + away, frame.bottom - 12.0), anchor, Ink::Text, LABEL_SIZE)
            }
            _ => Ok(()),
        }
    }
}
