//! How much worse the candidate is in each metric, with its bounds and its margin: one row per metric.
use super::{
    Form, Key, Mark,
    axis::{Axis, Frame},
    canvas::{Canvas, Drawn, Line},
    palette::Ink,
    picture::Chart,
};
use crate::{
    regression::{
        comparison::{Comparison, bounds, change},
        finding::{State, Tested, Verdict},
        metric::{Quantity, Test},
    },
    render::table::Table,
};
use plotters::prelude::DrawingBackend;
use std::borrow::Cow;

/// Height of a row, in page units.
const ROW: f64 = 26.0;
/// Height of everything but the rows.
const REST: f64 = 72.0;
/// Effects beyond this share, or so many margins, run out of the chart, so that one does not flatten all others.
const WIDEST: f64 = 1.0;
const MOST_MARGINS: f64 = 20.0;

/// The chart's data.
pub(super) struct ShiftChart {
    is_latency: bool,
    rows: Vec<(Test, Tested)>,
}

impl ShiftChart {
    /// One of latencies and one of failures, as far as any was compared.
    pub(super) fn of(comparison: &Comparison) -> Vec<Self> {
        let of = |is_latency| {
            let rows = comparison.judgement.findings.iter().filter_map(|finding| match &finding.state {
                State::Tested(tested) => Some((finding.test.clone(), tested.clone())),
                State::NotTested(_) => None,
            });
            let rows = rows.filter(|(test, _)| matches!(test.metric.quantity, Quantity::Latency(_)) == is_latency);
            Self { is_latency, rows: rows.collect() }
        };
        [true, false].map(of).into_iter().filter(|chart| !chart.rows.is_empty()).collect()
    }

    fn quantity(&self) -> Quantity {
        self.rows[0].0.metric.quantity
    }

    /// What is shown of the scale: everything, within limits.
    fn range(&self) -> (f64, f64) {
        let largest_margin = self.rows.iter().map(|(test, _)| test.margin).fold(1e-4, f64::max);
        let widest = WIDEST.min(largest_margin * MOST_MARGINS);
        let ends = |(test, tested): &(Test, Tested)| {
            let least = tested.at_least.unwrap_or(tested.effect);
            let most = tested.at_most.unwrap_or(tested.effect);
            (least.min(-test.margin), most.max(2.0 * test.margin))
        };
        let fold = |(low, high): (f64, f64), (least, most): (f64, f64)| (low.min(least), high.max(most));
        let (low, high) = self.rows.iter().map(ends).fold((0.0, 0.0), fold);
        (low.max(-widest), high.min(widest))
    }

    fn label(&self, test: &Test) -> String {
        if self.is_latency { test.metric.to_string() } else { test.metric.scope.to_string() }
    }
}

fn ink(verdict: Verdict) -> Ink {
    match verdict {
        Verdict::Regress => Ink::Vermillion,
        Verdict::Pass => Ink::Green,
        Verdict::Inconclusive => Ink::Grey,
    }
}

/// An effect beside an axis: no sign at zero, no digits that say nothing.
pub(super) fn tick(quantity: Quantity, effect: f64) -> String {
    let text = change(quantity, effect).replace(".0 %", " %");
    if effect.abs() < 1e-9 { text.trim_start_matches(['+', '−']).to_owned() } else { text }
}

impl Chart for ShiftChart {
    fn id(&self) -> Cow<'static, str> {
        if self.is_latency { "shift" } else { "shift-errors" }.into()
    }

    fn title(&self) -> Cow<'static, str> {
        if self.is_latency {
            "Latency of the candidate against the baseline".into()
        } else {
            "Failed requests of the candidate against the baseline".into()
        }
    }

    fn legend(&self) -> Vec<Key> {
        let has = |verdict| self.rows.iter().any(|(_, tested)| tested.verdict == verdict);
        let words = [(Verdict::Regress, "regressed"), (Verdict::Pass, "passed"), (Verdict::Inconclusive, "open")];
        let keys = words.into_iter().filter(|(verdict, _)| has(*verdict));
        let keys =
            keys.map(|(verdict, word)| Key::new(Mark::Line, ink(verdict), format!("{word}: estimate and bounds")));
        keys.chain([Key::new(Mark::Dashes, Ink::Text, "margin")]).collect()
    }

    fn table(&self) -> Table {
        let mut table = Table::new(["metric"], ["change", "bounds", "margin"]);
        for (test, tested) in &self.rows {
            let quantity = test.metric.quantity;
            let cells = [change(quantity, tested.effect), bounds(quantity, tested), change(quantity, test.margin)];
            table.row([self.label(test)].into_iter().chain(cells));
        }
        table
    }

    fn size(&self, form: Form) -> (f64, f64) {
        (form.size().0, REST + ROW * self.rows.len() as f64)
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, _: Form) -> Drawn<DB> {
        let count = self.rows.len() as f64;
        let place = |index: usize| count - index as f64 - 0.5;
        let ticks = self.rows.iter().enumerate().map(|(index, (test, _))| (place(index), self.label(test)));
        let y = Axis { from: 0.0, to: count, ticks: ticks.collect(), title: String::new() };
        let (low, high) = self.range();
        let quantity = self.quantity();
        let x = Axis::signed(low, high, |effect| tick(quantity, effect), "faster  ←  change  →  slower");
        let x = if self.is_latency { x } else { Axis { title: "fewer  ←  failures  →  more".to_owned(), ..x } };
        let frame = Frame::draw(canvas, &x, &y, &[])?;
        let at = |effect: f64, y: f64| frame.at(effect.clamp(x.from, x.to), y);
        canvas.line(&[at(0.0, 0.0), at(0.0, count)], Ink::Shade, 1.5, Line::Solid)?;
        for (index, (test, tested)) in self.rows.iter().enumerate() {
            let y = place(index);
            let (top, bottom) = (at(test.margin, y + 0.42), at(test.margin, y - 0.42));
            canvas.line(&[top, bottom], Ink::Text, 1.5, Line::Dashed)?;
            let ink = ink(tested.verdict);
            let least = tested.at_least.unwrap_or(f64::NEG_INFINITY);
            let most = tested.at_most.unwrap_or(f64::INFINITY);
            canvas.line(&[at(least, y), at(most, y)], ink, 3.0, Line::Solid)?;
            canvas.disc(at(tested.effect, y), 4.5, ink)?;
        }
        Ok(())
    }
}
