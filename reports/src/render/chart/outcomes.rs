//! What became of the requests, by the second in which they were due, stacked by outcome class.
use super::{
    Form, Key, Mark,
    axis::{Axis, Frame},
    bands::Band,
    canvas::{Canvas, Drawn},
    palette::Ink,
    picture::Chart,
};
use crate::{
    number,
    record::{Outcome, SECOND_NS},
    render::table::Table,
    report::Report,
    summary::OutcomeCounts,
};
use plotters::prelude::DrawingBackend;
use std::borrow::Cow;

/// The chart's data.
pub(super) struct OutcomesChart {
    bin_seconds: f64,
    bins: Vec<OutcomeCounts>,
    /// Classes that were seen at all, best first: from the bottom to the top of the stack.
    classes: Vec<Outcome>,
    bands: Vec<Band>,
}

impl OutcomesChart {
    pub(super) fn of(report: &Report) -> Self {
        let bins: Vec<OutcomeCounts> = report.summary.series.bins.iter().map(|bin| bin.outcomes).collect();
        let was_seen = |class: &Outcome| bins.iter().any(|bin| bin.get(*class) > 0);
        Self {
            bin_seconds: report.summary.series.bin_seconds as f64,
            classes: Outcome::ALL.into_iter().filter(was_seen).collect(),
            bins,
            bands: Band::of(&report.run, &report.summary),
        }
    }
}

impl Chart for OutcomesChart {
    fn id(&self) -> Cow<'static, str> {
        "outcomes".into()
    }

    fn title(&self) -> Cow<'static, str> {
        "Outcomes over time".into()
    }

    fn legend(&self) -> Vec<Key> {
        let key = |class: &Outcome| Key::new(Mark::Area, Ink::of_outcome(*class), class.name().replace('_', " "));
        self.classes.iter().map(key).collect()
    }

    fn table(&self) -> Table {
        let names: Vec<String> = self.classes.iter().map(|class| class.name().replace('_', " ")).collect();
        let mut table = Table::new(["from"], names.iter().map(String::as_str));
        for (index, bin) in self.bins.iter().enumerate() {
            let from = number::seconds((index as f64 * self.bin_seconds) as u64 * SECOND_NS);
            table.row([from].into_iter().chain(self.classes.iter().map(|class| number::count(bin.get(*class)))));
        }
        table
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, form: Form) -> Drawn<DB> {
        let rate = |count: u64| count as f64 / self.bin_seconds;
        let largest = self.bins.iter().map(|bin| rate(bin.total())).fold(0.0, f64::max);
        let x = Axis::time(self.bins.len() as f64 * self.bin_seconds, if form == Form::Wide { 10 } else { 5 });
        let frame = Frame::draw(canvas, &x, &Axis::linear(largest, "requests per second"), &self.bands)?;
        for (index, bin) in self.bins.iter().enumerate() {
            let (from, to) = (index as f64 * self.bin_seconds, (index + 1) as f64 * self.bin_seconds);
            let gap = if frame.at(to, 0.0).0 - frame.at(from, 0.0).0 >= 5.0 { 0.06 * self.bin_seconds } else { 0.0 };
            let mut below = 0;
            for class in self.classes.iter().filter(|class| bin.get(**class) > 0) {
                let above = below + bin.get(*class);
                let (low, high) = (frame.at(from + gap, rate(below)), frame.at(to - gap, rate(above)));
                canvas.rectangle((low.0, high.1), (high.0, low.1), Ink::of_outcome(*class), 1.0)?;
                below = above;
            }
        }
        Ok(())
    }
}
