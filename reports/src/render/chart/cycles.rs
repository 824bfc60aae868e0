//! What each cycle of a gate saw, in order: a drift or a pattern shows here.
use super::{
    Form, Key, Mark,
    axis::{Axis, Frame},
    canvas::{Canvas, Drawn, Line},
    palette::Ink,
    picture::Chart,
    shift::tick,
};
use crate::{
    regression::{
        comparison::{Comparison, change},
        finding::State,
        metric::{Metric, Quantity},
    },
    render::table::Table,
    summary::Scope,
};
use plotters::prelude::DrawingBackend;
use std::borrow::Cow;

/// More percentiles than this lie on top of each other.
const MOST_SERIES: usize = 3;
/// Effects beyond this share are drawn at the edge.
const WIDEST: f64 = 1.0;

/// The chart's data.
pub(super) struct CyclesChart {
    series: Vec<(Metric, Vec<f64>)>,
}

impl CyclesChart {
    /// The percentiles of all requests together, or, where those were not compared, the first that were. `None` when none was.
    pub(super) fn of(comparison: &Comparison) -> Option<Self> {
        let latencies = comparison.judgement.findings.iter().filter_map(|finding| match &finding.state {
            State::Tested(tested) if matches!(finding.test.metric.quantity, Quantity::Latency(_)) => {
                Some((finding.test.metric.clone(), tested.effects.clone()))
            }
            _ => None,
        });
        let mut series: Vec<(Metric, Vec<f64>)> = latencies.collect();
        series.sort_by_key(|(metric, _)| metric.scope != Scope::All);
        series.truncate(MOST_SERIES);
        (!series.is_empty()).then_some(Self { series })
    }

    fn inks(&self) -> impl Iterator<Item = (Ink, &(Metric, Vec<f64>))> {
        Ink::SERIES.into_iter().zip(&self.series)
    }
}

impl Chart for CyclesChart {
    fn id(&self) -> Cow<'static, str> {
        "cycles".into()
    }

    fn title(&self) -> Cow<'static, str> {
        "Candidate against baseline in each cycle".into()
    }

    fn legend(&self) -> Vec<Key> {
        self.inks().map(|(ink, (metric, _))| Key::new(Mark::Line, ink, metric.to_string())).collect()
    }

    fn table(&self) -> Table {
        let heads: Vec<String> = self.series.iter().map(|(metric, _)| metric.to_string()).collect();
        let mut table = Table::new(["cycle"], heads);
        for cycle in 0..self.series[0].1.len() {
            let cells = self.series.iter().map(|(metric, effects)| change(metric.quantity, effects[cycle]));
            table.row([(cycle + 1).to_string()].into_iter().chain(cells));
        }
        table
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, form: Form) -> Drawn<DB> {
        let all =
            || self.series.iter().flat_map(|(_, effects)| effects.iter().map(|effect| effect.clamp(-WIDEST, WIDEST)));
        let (low, high) = (all().fold(0.0, f64::min), all().fold(0.0, f64::max));
        let quantity = self.series[0].0.quantity;
        let y = Axis::signed(low, high, |effect| tick(quantity, effect), "change");
        let count = self.series[0].1.len();
        let step = if form == Form::Wide { 1 } else { count.div_ceil(10) };
        let ticks = (1..=count).step_by(step).map(|cycle| (cycle as f64, cycle.to_string()));
        let x = Axis { from: 0.5, to: count as f64 + 0.5, ticks: ticks.collect(), title: "cycle".to_owned() };
        let frame = Frame::draw(canvas, &x, &y, &[])?;
        let at = |cycle: f64, effect: f64| frame.at(cycle, effect.clamp(y.from, y.to));
        canvas.line(&[at(x.from, 0.0), at(x.to, 0.0)], Ink::Shade, 1.5, Line::Solid)?;
        for (ink, (_, effects)) in self.inks() {
            let points: Vec<(f64, f64)> = effects.iter().zip(1..).map(|(e, cycle)| at(f64::from(cycle), *e)).collect();
            if points.len() > 1 {
                canvas.line(&points, ink, 1.0, Line::Solid)?;
            }
            points.into_iter().try_for_each(|point| canvas.disc(point, 3.0, ink))?;
        }
        Ok(())
    }
}
