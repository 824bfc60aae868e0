//! What was on while: fault windows and the warm-up, as bands behind the data with their names in lanes above it.
use super::{
    axis::Frame,
    canvas::{Anchor, Canvas, Drawn, text_width},
    palette::Ink,
};
use crate::{
    record::{PhaseKind, Run},
    summary::Summary,
};
use plotters::prelude::DrawingBackend;

const LABEL_SIZE: f64 = 11.0;

/// One stretch of the horizontal axis: of time, in seconds, unless the chart says otherwise.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Band {
    from: f64,
    to: f64,
    label: String,
    ink: Ink,
    lane: usize,
}

impl Band {
    /// The warm-up and every fault that was on, in lanes so that none lies upon another.
    pub(super) fn of(run: &Run, summary: &Summary) -> Vec<Self> {
        let seconds = |nanos: u64| nanos as f64 / 1e9;
        let warm_up = summary.phases.iter().filter(|phase| phase.kind == PhaseKind::WarmUp).map(|phase| Self {
            from: seconds(phase.from_ns),
            to: seconds(phase.to_ns),
            label: "warm-up".to_owned(),
            ink: Ink::Grey,
            lane: 0,
        });
        let faults = run.faults.iter().filter_map(|fault| {
            let window = fault.window?;
            let (from, to) = (seconds(window.from_ns), seconds(window.to_ns));
            Some(Self { from, to, label: fault.name.clone(), ink: Ink::Vermillion, lane: 0 })
        });
        let mut bands: Vec<Self> = warm_up.chain(faults).collect();
        let mut busy_until: Vec<f64> = Vec::new();
        for band in &mut bands {
            band.lane = busy_until.iter().position(|end| *end <= band.from).unwrap_or(busy_until.len());
            busy_until.resize(busy_until.len().max(band.lane + 1), f64::NEG_INFINITY);
            busy_until[band.lane] = band.to;
        }
        bands
    }

    /// One stretch of whatever the axis shows.
    pub(super) fn new(from: f64, to: f64, label: &str, ink: Ink) -> Self {
        Self { from, to, label: label.to_owned(), ink, lane: 0 }
    }

    /// Those that can be seen in a part of the run, in seconds.
    pub(super) fn within(bands: Vec<Self>, from: f64, to: f64) -> Vec<Self> {
        bands.into_iter().filter(|band| band.from < to && band.to > from).collect()
    }

    /// Lanes that the bands need.
    pub(super) fn lanes(bands: &[Self]) -> usize {
        bands.iter().map(|band| band.lane + 1).max().unwrap_or(0)
    }

    /// Draws the bands behind a frame's data.
    pub(super) fn draw<DB: DrawingBackend>(bands: &[Self], canvas: &Canvas<DB>, frame: &Frame) -> Drawn<DB> {
        for (index, band) in bands.iter().enumerate() {
            let within = |at: f64| at.clamp(frame.left, frame.right);
            let (from, to) = (within(frame.at(band.from, 0.0).0), within(frame.at(band.to, 0.0).0));
            let lane_top = 19.0 + 17.0 * band.lane as f64;
            canvas.rectangle((from, frame.top), (to, frame.bottom), band.ink, 0.09)?;
            canvas.rectangle((from, lane_top), (to, lane_top + 15.0), band.ink, 0.2)?;
            // A label may run on behind its band, up to the next one in its lane.
            let next = bands[index + 1..].iter().find(|other| other.lane == band.lane);
            let free_to = next.map_or(frame.right, |next| within(frame.at(next.from, 0.0).0) - 6.0);
            let label = fitting(&band.label, free_to - from - 5.0);
            canvas.text(&label, (from + 5.0, lane_top + 7.5), Anchor::Left, Ink::Text, LABEL_SIZE)?;
        }
        Ok(())
    }
}

/// As much of a text as fits; nothing when that would be less than three letters.
fn fitting(text: &str, width: f64) -> String {
    if text_width(text, LABEL_SIZE) <= width {
        return text.to_owned();
    }
    let room = (width / text_width("x", LABEL_SIZE)).floor() as usize;
    match room {
        0..=3 => String::new(),
        room => text.chars().take(room - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_cut_to_its_band() {
        assert_eq!(fitting("warm-up", 100.0), "warm-up");
        assert_eq!(fitting("mcp.flights latency", 70.0), "mcp.fligh…");
        assert_eq!(fitting("mcp.flights latency", 12.0), "");
    }
}
