//! How one metric went from point to point, against the median of its first level: its levels, its changes, and new conditions.
use super::{
    Form, Key, Mark,
    axis::{Axis, Frame},
    bands::Band,
    canvas::{Canvas, Drawn, Line},
    palette::Ink,
    picture::Chart,
};
use crate::{
    history::trend::{Course, Trend},
    number,
    regression::shift::median_of_sorted,
    render::{delta_tables::signed_percent, table::Table},
};
use plotters::prelude::DrawingBackend;
use std::borrow::Cow;

/// The chart's data.
pub(super) struct TrendChart {
    course: Course,
    /// Below each point of the history.
    marks: Vec<String>,
    /// Positions of the first points with new conditions.
    breaks: Vec<usize>,
}

impl TrendChart {
    pub(super) fn of(trend: &Trend, course: &Course) -> Self {
        Self {
            course: course.clone(),
            marks: trend.points.iter().map(crate::record::Point::mark).collect(),
            breaks: trend.breaks.iter().map(|one| one.index).collect(),
        }
    }

    fn median(&self, (from, to): (usize, usize)) -> f64 {
        let mut values = self.course.values_ns[from..to].to_vec();
        values.sort_by(f64::total_cmp);
        median_of_sorted(&values)
    }

    /// What the values are compared with.
    fn reference(&self) -> f64 {
        self.course.levels().first().map_or(1.0, |level| self.median(*level))
    }
}

impl Chart for TrendChart {
    fn id(&self) -> Cow<'static, str> {
        format!("trend-{}", self.course.metric.replace(' ', "-")).into()
    }

    fn title(&self) -> Cow<'static, str> {
        let first = number::latency(self.reference().round() as u64);
        format!("{}: change against the median of its first level, {first}", self.course.metric).into()
    }

    fn legend(&self) -> Vec<Key> {
        let mut keys =
            vec![Key::new(Mark::Line, Ink::Blue, "each run"), Key::new(Mark::Line, Ink::Vermillion, "level (median)")];
        if !self.course.found().is_empty() {
            keys.push(Key::new(Mark::Area, Ink::Vermillion, "where the level changed"));
        }
        if !self.breaks.is_empty() {
            keys.push(Key::new(Mark::Dashes, Ink::Text, "new conditions"));
        }
        keys
    }

    fn table(&self) -> Table {
        let mut table = Table::new(["run of"], ["latency", "change"]).and_words([""]);
        let reference = self.reference();
        for (at, (place, value)) in self.course.places.iter().zip(&self.course.values_ns).enumerate() {
            let changed = self.course.found().iter().any(|change| change.index == at);
            let remarks = [(changed, "level changed"), (self.breaks.contains(place), "new conditions")];
            let remarks: Vec<&str> = remarks.into_iter().filter(|(is, _)| *is).map(|(_, text)| text).collect();
            let change = signed_percent(value / reference - 1.0);
            table.row([self.marks[*place].clone(), number::latency(value.round() as u64), change, remarks.join(", ")]);
        }
        table
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, _: Form) -> Drawn<DB> {
        let reference = self.reference();
        let change = |value: f64| value / reference - 1.0;
        let changes = || self.course.values_ns.iter().map(|value| change(*value));
        let (low, high) = (changes().fold(-0.02, f64::min), changes().fold(0.02, f64::max));
        let label = |value: f64| {
            if value.abs() < 1e-9 { "0 %".to_owned() } else { signed_percent(value).replace(".0 %", " %") }
        };
        let y = Axis::signed(low, high, label, "change of the latency");
        let last = self.marks.len() as f64 - 0.5;
        let ticks = self.marks.iter().enumerate().map(|(index, mark)| (index as f64, mark.clone())).collect();
        let x = Axis { from: -0.5, to: last, ticks, title: "run, oldest first".to_owned() };
        let place = |at: usize| self.course.places[at] as f64;
        let bands: Vec<Band> = self
            .course
            .found()
            .iter()
            .map(|found| {
                let (from, to) = (found.from_index, found.to_index.min(self.course.places.len() - 1));
                Band::new(place(from) - 0.5, place(to) + 0.5, &signed_percent(found.change), Ink::Vermillion)
            })
            .collect();
        let frame = Frame::draw(canvas, &x, &y, &bands)?;
        canvas.line(&[frame.at(x.from, 0.0), frame.at(x.to, 0.0)], Ink::Shade, 1.5, Line::Solid)?;
        for index in &self.breaks {
            let at = *index as f64 - 0.5;
            canvas.line(&[frame.at(at, y.from), frame.at(at, y.to)], Ink::Text, 1.5, Line::Dashed)?;
        }
        let points: Vec<_> =
            self.course.values_ns.iter().enumerate().map(|(at, value)| frame.at(place(at), change(*value))).collect();
        canvas.line(&points, Ink::Blue, 1.0, Line::Solid)?;
        points.iter().try_for_each(|at| canvas.spot(*at, Ink::Blue))?;
        for (from, to) in self.course.levels() {
            let median = change(self.median((from, to)));
            let (left, right) = (frame.at(place(from) - 0.4, median), frame.at(place(to - 1) + 0.4, median));
            canvas.line(&[left, right], Ink::Vermillion, 2.0, Line::Solid)?;
        }
        Ok(())
    }
}
