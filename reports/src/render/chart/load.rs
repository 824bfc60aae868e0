//! What was offered, achieved and given up, per second of the run.
use super::{
    Form, Key, Mark,
    axis::{Axis, Frame},
    bands::Band,
    canvas::{Canvas, Drawn, Line},
    palette::Ink,
    picture::Chart,
};
use crate::{
    number,
    record::{SECOND_NS, SecondCounts},
    render::table::Table,
    report::Report,
};
use plotters::prelude::DrawingBackend;
use std::borrow::Cow;

/// The chart's data.
pub(super) struct LoadChart {
    bin_seconds: f64,
    bins: Vec<SecondCounts>,
    has_seconds: bool,
    bands: Vec<Band>,
}

impl LoadChart {
    pub(super) fn of(report: &Report) -> Self {
        let summary = &report.summary;
        Self {
            bin_seconds: summary.series.bin_seconds as f64,
            bins: summary.series.bins.iter().map(|bin| bin.counts).collect(),
            has_seconds: !summary.seconds.is_empty(),
            bands: Band::of(&report.run, summary),
        }
    }

    fn rates(&self, count: impl Fn(&SecondCounts) -> u64) -> Vec<f64> {
        self.bins.iter().map(|bin| count(bin) as f64 / self.bin_seconds).collect()
    }
}

impl Chart for LoadChart {
    fn id(&self) -> Cow<'static, str> {
        "load".into()
    }

    fn title(&self) -> Cow<'static, str> {
        "Offered, achieved and dropped requests".into()
    }

    fn legend(&self) -> Vec<Key> {
        let offered = Key::new(Mark::Area, Ink::Shade, "offered (due)");
        match self.has_seconds {
            true => vec![
                offered,
                Key::new(Mark::Line, Ink::Blue, "achieved (completed)"),
                Key::new(Mark::Area, Ink::Vermillion, "dropped by the generator"),
            ],
            false => vec![offered],
        }
    }

    fn table(&self) -> Table {
        let mut table = Table::new(["from"], ["offered", "sent", "completed", "dropped"]);
        for (index, bin) in self.bins.iter().enumerate() {
            let from = number::seconds((index as f64 * self.bin_seconds) as u64 * SECOND_NS);
            let known = |count: u64| if self.has_seconds { number::count(count) } else { "–".to_owned() };
            let counts = [number::count(bin.offered), known(bin.sent), known(bin.completed), known(bin.dropped)];
            table.row([from].into_iter().chain(counts));
        }
        table
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, form: Form) -> Drawn<DB> {
        let (offered, completed) = (self.rates(|bin| bin.offered), self.rates(|bin| bin.completed));
        let largest = offered.iter().chain(&completed).copied().fold(0.0, f64::max);
        let length = self.bins.len() as f64 * self.bin_seconds;
        let x = Axis::time(length, if form == Form::Wide { 10 } else { 5 });
        let frame = Frame::draw(canvas, &x, &Axis::linear(largest, "requests per second"), &self.bands)?;
        let middle = |index: usize| (index as f64 + 0.5) * self.bin_seconds;
        let edge = |index: usize| index as f64 * self.bin_seconds;
        let mut outline = vec![frame.at(0.0, 0.0)];
        for (index, rate) in offered.iter().enumerate() {
            outline.extend([frame.at(edge(index), *rate), frame.at(edge(index + 1), *rate)]);
        }
        outline.push(frame.at(edge(offered.len()), 0.0));
        canvas.polygon(&outline, Ink::Shade, 0.65)?;
        if !self.has_seconds {
            return Ok(());
        }
        let line: Vec<_> = completed.iter().enumerate().map(|(index, rate)| (middle(index), Some(*rate))).collect();
        frame.lines(canvas, &line, Ink::Blue, Line::Solid)?;
        for (index, rate) in self.rates(|bin| bin.dropped).into_iter().enumerate().filter(|(_, rate)| *rate > 0.0) {
            let (from, to) = (edge(index) + 0.15 * self.bin_seconds, edge(index + 1) - 0.15 * self.bin_seconds);
            canvas.rectangle(frame.at(from, rate), frame.at(to, 0.0), Ink::Vermillion, 1.0)?;
        }
        Ok(())
    }
}
