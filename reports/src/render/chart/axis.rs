//! Axes: what range they cover, where their ticks are and what stands beside them; and the frame that two of them make.
use super::{
    bands::Band,
    canvas::{Anchor, Canvas, Drawn, Line, text_width},
    palette::Ink,
};
use crate::number;
use plotters::{
    coord::{CoordTranslate, cartesian::Cartesian2d, types::RangedCoordf64},
    prelude::DrawingBackend,
};

const LABEL_SIZE: f64 = 11.0;

/// One axis. Values of logarithmic axes are logarithms to base ten already.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    pub(super) from: f64,
    pub(super) to: f64,
    /// Positions and labels, from low to high.
    pub(super) ticks: Vec<(f64, String)>,
    pub(super) title: String,
}

impl Axis {
    /// Time since the start of the run; values are in seconds, labels in the unit that suits the length.
    pub(super) fn time(length_seconds: f64, most_ticks: usize) -> Self {
        let length = length_seconds.max(1.0);
        let (unit_seconds, unit) = match length {
            l if l <= 300.0 => (1.0, "seconds"),
            l if l <= 10_800.0 => (60.0, "minutes"),
            _ => (3600.0, "hours"),
        };
        let step = nice_step(length / unit_seconds, most_ticks).max(if unit_seconds > 1.0 { 0.5 } else { 1.0 });
        let ticks = multiples(length / unit_seconds, step).map(|value| (value * unit_seconds, trimmed(value)));
        Self { from: 0.0, to: length, ticks: ticks.collect(), title: format!("{unit} since the start") }
    }

    /// A part of the run, in seconds since its start.
    pub(super) fn stretch(from: f64, to: f64, most_ticks: usize) -> Self {
        let step = nice_step((to - from).max(1.0), most_ticks).max(1.0);
        let ticks = multiples(to, step).filter(|value| *value >= from).map(|value| (value, trimmed(value)));
        Self { from, to, ticks: ticks.collect(), title: "seconds since the start".to_owned() }
    }

    /// From zero to a bit above the largest value.
    pub(super) fn linear(largest: f64, title: &str) -> Self {
        let step = nice_step(largest.max(1.0) * 1.05, 5);
        let to = (largest.max(1.0) * 1.02 / step).ceil() * step;
        let ticks = multiples(to, step).map(|value| (value, trimmed(value))).collect();
        Self { from: 0.0, to, ticks, title: title.to_owned() }
    }

    /// From below zero to above it, on either side as far as the values and to the next tick.
    pub(super) fn signed(smallest: f64, largest: f64, label: impl Fn(f64) -> String, title: &str) -> Self {
        let (low, high) = (smallest.min(0.0), largest.max(0.0));
        let step = nice_step((high - low).max(1e-6), 6);
        let first = (low / step + 1e-9).floor() as i32;
        let last = ((high / step - 1e-9).ceil() as i32).max(first + 1);
        let ticks: Vec<(f64, String)> =
            (first..=last).map(|index| f64::from(index) * step).map(|value| (value, label(value))).collect();
        Self { from: f64::from(first) * step, to: f64::from(last) * step, ticks, title: title.to_owned() }
    }

    /// Latencies on a logarithmic scale, in nanoseconds; with a place for ∞ above when there is need of one.
    pub(super) fn latency(smallest_ns: u64, largest_ns: u64, has_infinity: bool, title: &str) -> Self {
        let (low, high) = (smallest_ns.max(1_000), largest_ns.max(smallest_ns).max(1_000));
        let steps = || (3..=12).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_u64.pow(power)));
        let from_ns = steps().rfind(|step| *step <= low).unwrap_or(1_000);
        let to_ns = steps().find(|step| *step >= high && *step > from_ns).unwrap_or(10_u64.pow(12));
        let decades = (to_ns as f64 / from_ns as f64).log10();
        let is_narrow = steps().filter(|step| (from_ns..=to_ns).contains(step)).count() <= 9;
        let is_shown = |step: u64| is_narrow || step.to_string().starts_with('1');
        let within = steps().filter(|step| (from_ns..=to_ns).contains(step) && is_shown(*step));
        let mut ticks: Vec<(f64, String)> = within.map(|step| (log_ns(step), whole_latency(step))).collect();
        let mut to = log_ns(to_ns);
        if has_infinity {
            to += decades.max(0.5) * 0.14;
            ticks.push((to, "∞".to_owned()));
        }
        Self { from: log_ns(from_ns), to, ticks, title: title.to_owned() }
    }

    /// Shares of the requests on the scale of `1/(1−q)`, up to one request in `count`.
    pub(super) fn spectrum(count: u64) -> Self {
        let to = (count.max(10) as f64).log10();
        let labels =
            [(0.0, "0 %"), (0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"), (0.9999, "99.99 %")];
        let more = [(0.99999, "99.999 %"), (0.999_999, "99.9999 %")];
        let ticks = labels.into_iter().chain(more).map(|(share, label)| (-(1.0_f64 - share).log10(), label.to_owned()));
        let ticks = ticks.filter(|(at, _)| *at <= to + 1e-9).collect();
        Self { from: 0.0, to, ticks, title: "share of the requests that were not slower".to_owned() }
    }
}

/// The place of a latency on a logarithmic axis.
pub(super) fn log_ns(nanos: u64) -> f64 {
    (nanos.max(1) as f64).log10()
}

/// Two axes on a canvas, with the grid drawn; maps values to places.
pub(super) struct Frame {
    coord: Cartesian2d<RangedCoordf64, RangedCoordf64>,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

impl Frame {
    /// Draws bands, grid and labels, and leaves the middle free for data.
    pub(super) fn draw<DB: DrawingBackend>(
        canvas: &Canvas<DB>,
        x: &Axis,
        y: &Axis,
        bands: &[Band],
    ) -> Result<Self, plotters::drawing::DrawingAreaErrorKind<DB::ErrorType>> {
        let (width, height) = canvas.size();
        let widest = y.ticks.iter().map(|(_, label)| text_width(label, LABEL_SIZE)).fold(18.0, f64::max);
        let lanes = Band::lanes(bands);
        let (left, right) = (widest + 12.0, width - 14.0);
        let (top, bottom) = (26.0 + 17.0 * lanes as f64, height - 38.0);
        let scaled = |from: f64, to: f64| (from * super::canvas::SCALE) as i32..(to * super::canvas::SCALE) as i32;
        let coord = Cartesian2d::new(x.from..x.to, y.from..y.to, (scaled(left, right), scaled(bottom, top)));
        let frame = Self { coord, left, right, top, bottom };
        canvas.text(&y.title, (2.0, 9.0), Anchor::Left, Ink::Muted, LABEL_SIZE)?;
        Band::draw(bands, canvas, &frame)?;
        frame.rows(canvas, y)?;
        frame.columns(canvas, x)?;
        Ok(frame)
    }

    /// The place of a pair of values.
    pub(super) fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let (x, y) = self.coord.translate(&(x, y));
        (f64::from(x) / super::canvas::SCALE, f64::from(y) / super::canvas::SCALE)
    }

    /// Lines through values; broken where one is missing, a dot where one stands alone.
    pub(super) fn lines<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        values: &[(f64, Option<f64>)],
        ink: Ink,
        line: Line,
    ) -> Drawn<DB> {
        for run in values.split(|(_, value)| value.is_none()) {
            let points: Vec<(f64, f64)> = run.iter().filter_map(|(x, y)| Some(self.at(*x, (*y)?))).collect();
            match points.as_slice() {
                [] => {}
                [only] => canvas.dot(*only, ink)?,
                more => canvas.line(more, ink, if line == Line::Solid { 1.75 } else { 1.5 }, line)?,
            }
        }
        Ok(())
    }

    fn rows<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, y: &Axis) -> Drawn<DB> {
        for (value, label) in &y.ticks {
            let (_, at) = self.at(0.0, *value);
            let line = if label == "∞" { Line::Dashed } else { Line::Solid };
            let ink = if label == "∞" { Ink::Shade } else { Ink::Grid };
            canvas.line(&[(self.left, at), (self.right, at)], ink, 1.0, line)?;
            let size = if label == "∞" { 15.0 } else { LABEL_SIZE };
            canvas.text(label, (self.left - 6.0, at), Anchor::Right, Ink::Muted, size)?;
        }
        Ok(())
    }

    fn columns<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, x: &Axis) -> Drawn<DB> {
        canvas.line(&[(self.left, self.bottom), (self.right, self.bottom)], Ink::Shade, 1.0, Line::Solid)?;
        let mut free_from = f64::NEG_INFINITY;
        for (value, label) in &x.ticks {
            let (at, _) = self.at(*value, 0.0);
            let half = text_width(label, LABEL_SIZE) / 2.0;
            if at - half < free_from || at + half > self.right + 13.0 {
                continue;
            }
            free_from = at + half + 6.0;
            canvas.line(&[(at, self.bottom), (at, self.bottom + 4.0)], Ink::Shade, 1.0, Line::Solid)?;
            canvas.text(label, (at, self.bottom + 13.0), Anchor::Middle, Ink::Muted, LABEL_SIZE)?;
        }
        canvas.text(&x.title, (self.right, self.bottom + 29.0), Anchor::Right, Ink::Muted, LABEL_SIZE)
    }
}

/// 1, 2 or 5 times a power of ten, so that at most so many steps make the length.
fn nice_step(length: f64, most: usize) -> f64 {
    let rough = length / most as f64;
    let power = 10_f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|digit| digit * power).find(|step| *step >= rough * 0.999).unwrap_or(rough)
}

fn multiples(to: f64, step: f64) -> impl Iterator<Item = f64> {
    (0..).map(move |index| f64::from(index) * step).take_while(move |value| *value <= to * 1.000_1)
}

fn trimmed(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A latency of an axis tick: no digits that say nothing.
fn whole_latency(nanos: u64) -> String {
    let text = number::latency(nanos);
    match text.split_once(' ') {
        Some((value, unit)) if value.contains('.') => {
            format!("{} {unit}", value.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> String {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect::<Vec<_>>().join("|")
    }

    #[test]
    fn ticks_are_round_and_in_a_fitting_unit() {
        assert_eq!(labels(&Axis::time(40.0, 8)), "0|5|10|15|20|25|30|35|40");
        assert_eq!(labels(&Axis::time(3600.0, 8)), "0|10|20|30|40|50|60");
        assert_eq!(labels(&Axis::time(0.0, 8)), "0|1");
        assert_eq!(
            labels(&Axis::signed(-0.07, 0.21, |value| format!("{value:+.2}"), "")),
            "-0.10|-0.05|+0.00|+0.05|+0.10|+0.15|+0.20|+0.25"
        );
        let flat = Axis::signed(0.0, 0.0, |value| format!("{value:.1}"), "");
        assert!(flat.from == 0.0 && flat.to > 0.0 && labels(&flat) == "0.0|0.0", "{flat:?}");
        assert_eq!(labels(&Axis::linear(33.0, "")), "0|10|20|30|40");
        assert_eq!(labels(&Axis::linear(0.0, "")), "0|0.5|1|1.5");
        assert_eq!(
            labels(&Axis::latency(28_000_000, 3_100_000_000, true, "")),
            "20 ms|50 ms|100 ms|200 ms|500 ms|1 s|2 s|5 s|∞"
        );
        assert_eq!(labels(&Axis::latency(0, 0, false, "")), "1 µs|2 µs");
        assert_eq!(
            labels(&Axis::latency(2_000, u64::MAX, false, "")),
            "10 µs|100 µs|1 ms|10 ms|100 ms|1 s|10 s|100 s|1000 s"
        );
        assert_eq!(labels(&Axis::spectrum(1000)), "0 %|50 %|90 %|99 %|99.9 %");
    }
}
