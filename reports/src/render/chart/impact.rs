//! What one experiment did to users: per journey a lane with the share of requests answered well and in time, its band, and what was lost.
use super::{
    Form, Key, Mark,
    axis::{Axis, Frame},
    bands::Band,
    canvas::{Anchor, Canvas, Drawn, Line},
    palette::Ink,
    picture::Chart,
};
use crate::{
    number,
    record::SECOND_NS,
    render::table::Table,
    report::Report,
    resilience::{Experiment, Figures, Recovery, Served},
};
use plotters::prelude::DrawingBackend;
use std::borrow::Cow;

/// Journeys that have room in one chart; those that noticed something come first.
const MOST_LANES: usize = 6;

/// Seconds that are shown before the faults, and at least so many after they were gone or all was as before.
const MARGIN_S: usize = 20;

/// How much of a lane's height its line takes, from nothing to all requests; the rest is for its name.
const FULL: f64 = 0.7;

const NAME_SIZE: f64 = 11.0;

/// The chart's data.
pub(super) struct ImpactChart {
    id: String,
    title: String,
    /// The first second that is shown.
    from: usize,
    to: usize,
    lanes: Vec<Lane>,
    bands: Vec<Band>,
}

/// One journey.
struct Lane {
    journey: String,
    /// Per second from the first one shown.
    shares: Vec<Option<f64>>,
    /// The usual share, and the lowest that is within the band.
    band: Option<(f64, f64)>,
    figures: Option<Figures>,
}

impl ImpactChart {
    /// One per experiment of which something is known.
    pub(super) fn of(report: &Report) -> Vec<Self> {
        let experiments = report.resilience.experiments.iter().enumerate();
        let is_known = |experiment: &Experiment| experiment.impacts.iter().any(|impact| impact.figures.is_ok());
        experiments
            .filter(|(_, experiment)| is_known(experiment))
            .map(|(index, experiment)| Self::one(report, index, experiment))
            .collect()
    }

    fn one(report: &Report, index: usize, experiment: &Experiment) -> Self {
        let episode = &experiment.episode;
        let until = experiment.impacts.iter().filter_map(|impact| Some(impact.figures.as_ref().ok()?.until_s));
        let until = until.max().and_then(|until| usize::try_from(until).ok()).unwrap_or(0).max(episode.last_second());
        let from = episode.first_second().saturating_sub(MARGIN_S);
        let to = (until + MARGIN_S).min(episode.watched_to()).max(from + 1);
        let journeys = experiment.impacts.iter().zip(&report.resilience.bands).zip(&report.summary.served);
        let mut lanes: Vec<Lane> = journeys
            .map(|((impact, (_, band)), served)| Lane {
                journey: impact.journey.clone(),
                shares: (from..to).map(|second| served.get(second).and_then(Served::share)).collect(),
                band: band.ok().map(|band| (band.usual_share, band.lowest_share)),
                figures: impact.figures.ok(),
            })
            .collect();
        lanes.sort_by_key(|lane| !lane.figures.is_some_and(|figures| figures.was_noticed()));
        lanes.truncate(MOST_LANES);
        let bands = Band::within(Band::of(&report.run, &report.summary), from as f64, to as f64);
        let title = format!("Users around {}", experiment.name());
        Self { id: format!("users-{}", index + 1), title, from, to, lanes, bands }
    }

    fn draw_lane<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, frame: &Frame, lane: &Lane, low: f64) -> Drawn<DB> {
        let height = |share: f64| low + share * FULL;
        let middle = |index: usize| (self.from + index) as f64 + 0.5;
        if let Some((usual, lowest)) = lane.band {
            let corner = |second: usize, share: f64| frame.at(second as f64, height(share));
            canvas.rectangle(corner(self.from, 1.0), corner(self.to, lowest), Ink::Sky, 0.3)?;
            let is_in_episode = |index: &usize| {
                lane.figures
                    .is_some_and(|figures| figures.was_noticed() && ((self.from + index) as u64) < figures.until_s)
            };
            for (index, share) in lane.shares.iter().enumerate().filter(|(index, _)| is_in_episode(index)) {
                if let Some(share) = share.filter(|share| *share < lowest) {
                    let second = self.from + index;
                    canvas.rectangle(corner(second, usual), corner(second + 1, share), Ink::Vermillion, 0.35)?;
                }
            }
        }
        let points: Vec<(f64, Option<f64>)> =
            lane.shares.iter().enumerate().map(|(index, share)| (middle(index), share.map(height))).collect();
        frame.lines(canvas, &points, Ink::Blue, Line::Solid)?;
        let (_, top) = frame.at(self.from as f64, low + 0.85);
        let name = format!("{}: {}", lane.journey, lane.figures.map_or_else(|| "not known".to_owned(), |f| words(&f)));
        canvas.text(&name, (frame.left + 6.0, top), Anchor::Left, Ink::Text, NAME_SIZE)
    }
}

/// What happened, for the lane's head.
fn words(figures: &Figures) -> String {
    let depth = figures.loss.depth.map_or_else(String::new, |depth| format!("fell by {}, ", number::percent(depth)));
    match figures.recovery {
        Recovery::NotNeeded => "nothing seen".to_owned(),
        Recovery::After { after_ns: 0 } => format!("{depth}back at once"),
        Recovery::After { after_ns } => format!("{depth}back {} after", number::seconds(after_ns)),
        Recovery::NotWithin { at_least_ns } => format!("{depth}not back in {}", number::seconds(at_least_ns)),
    }
}

impl Chart for ImpactChart {
    fn id(&self) -> Cow<'static, str> {
        self.id.clone().into()
    }

    fn title(&self) -> Cow<'static, str> {
        self.title.clone().into()
    }

    fn legend(&self) -> Vec<Key> {
        vec![
            Key::new(Mark::Line, Ink::Blue, "answered well and in time"),
            Key::new(Mark::Area, Ink::Sky, "as before"),
            Key::new(Mark::Area, Ink::Vermillion, "lost"),
        ]
    }

    fn table(&self) -> Table {
        let mut table = Table::new(["second"], self.lanes.iter().map(|lane| lane.journey.as_str()));
        for second in self.from..self.to {
            let share = |lane: &Lane| lane.shares[second - self.from].map_or_else(|| "–".to_owned(), number::percent);
            let at = number::seconds(second as u64 * SECOND_NS);
            table.row([at].into_iter().chain(self.lanes.iter().map(share)));
        }
        table
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, form: Form) -> Drawn<DB> {
        let x = Axis::stretch(self.from as f64, self.to as f64, if form == Form::Wide { 10 } else { 5 });
        let lows: Vec<f64> = (0..self.lanes.len()).rev().map(|position| position as f64).collect();
        let ticks = lows.iter().rev().flat_map(|low| [(*low, "0".to_owned()), (low + FULL, "100 %".to_owned())]);
        let y = Axis {
            from: 0.0,
            to: self.lanes.len() as f64,
            ticks: ticks.collect(),
            title: "share of requests".to_owned(),
        };
        let frame = Frame::draw(canvas, &x, &y, &self.bands)?;
        self.lanes.iter().zip(lows).try_for_each(|(lane, low)| self.draw_lane(canvas, &frame, lane, low))
    }
}
