//! Whether the meter is proven on a machine: a calibration judged line by line, and what it is worth for a run.
use crate::{
    number,
    record::{Calibration, KEPT_LAG_NS, KEPT_SHARE, QuantileError, Run, SceneResult},
};
use serde::Serialize;

/// One line of a calibration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What is looked at.
    pub name: String,
    /// Whether it is as it must be.
    pub holds: bool,
    /// What was seen.
    pub figure: String,
    /// What is required.
    pub required: String,
}

impl Line {
    fn new(name: impl Into<String>, holds: bool, figure: String, required: String) -> Self {
        Self { name: name.into(), holds, figure, required }
    }
}

/// The coarsest clock that is fine enough, in nanoseconds. Source: measurement.md D3.
const RESOLUTION_NS: u64 = 1_000;
/// The latest timers that are early enough, in nanoseconds.
const TIMER_NS: u64 = 1_000_000;

/// Judges a calibration; the meter is proven when no line fails.
#[must_use]
pub fn judge(calibration: &Calibration) -> Vec<Line> {
    let mut lines = vec![clock(calibration), timer(calibration)];
    for scene in &calibration.scenes {
        lines.push(complete(scene));
        lines.push(quantiles(scene, "response times", &scene.response));
        lines.push(quantiles(scene, "service times", &scene.service));
    }
    lines.push(kept(calibration));
    lines
}

fn clock(calibration: &Calibration) -> Line {
    let resolution_ns = calibration.clock.resolution_ns;
    let required = format!("at most {}", number::latency(RESOLUTION_NS));
    Line::new(
        "clock",
        resolution_ns <= RESOLUTION_NS,
        format!("counts in {}", number::latency(resolution_ns)),
        required,
    )
}

fn timer(calibration: &Calibration) -> Line {
    let clock = calibration.clock;
    let figure = format!("late by {} (p99)", number::latency(clock.timer_late_p99_ns));
    let required = format!("p99 at most {}", number::latency(TIMER_NS));
    Line::new("timer", clock.timer_late_p99_ns <= TIMER_NS, figure, required)
}

fn complete(scene: &SceneResult) -> Line {
    let figure = format!("{} due, {} answered", number::count(scene.offered), number::count(scene.answered));
    let required = format!("{} of each", number::count(scene.intended));
    Line::new(format!("{}: every request", scene.name), scene.is_complete(), figure, required)
}

/// The quantile that is furthest off, in parts of its tolerance, stands for all.
fn quantiles(scene: &SceneResult, what: &str, errors: &[QuantileError]) -> Line {
    let name = format!("{}: {what}", scene.name);
    let parts = |error: &QuantileError| error.error_ns() as f64 / error.tolerance_ns.max(1) as f64;
    match errors.iter().max_by(|a, b| parts(a).total_cmp(&parts(b))) {
        Some(worst) => {
            let figure =
                format!("at worst {} off ({})", number::latency(worst.error_ns()), quantile_name(worst.quantile));
            let required = format!("within {}", number::latency(worst.tolerance_ns));
            Line::new(name, errors.iter().all(QuantileError::holds), figure, required)
        }
        None => Line::new(name, false, "nothing measured".to_owned(), "compared with the truth".to_owned()),
    }
}

fn kept(calibration: &Calibration) -> Line {
    let required = format!("p99 lag {}, {} sent", number::latency(KEPT_LAG_NS), number::exact_percent(KEPT_SHARE));
    let figure = match calibration.highest_kept() {
        Some(trial) => format!("up to {} at {:.1} µs CPU", number::rate(trial.rate), trial.cpu_us),
        None => "at no rate".to_owned(),
    };
    Line::new("schedule kept", calibration.highest_kept().is_some(), figure, required)
}

/// A quantile as people name it: `p99.9`.
pub(crate) fn quantile_name(quantile: f64) -> String {
    format!("p{}", (quantile * 1e5).round() / 1e3)
}

/// What is known of the meter of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing<'a> {
    /// Nobody has calibrated this machine.
    Unknown,
    /// Something has changed since; what.
    Outdated(&'a Calibration, String),
    /// A line of the calibration failed; which.
    Failed(&'a Calibration, String),
    /// Every line holds.
    Proven(&'a Calibration),
}

/// What is known of the meter of a run, from the calibration in its record.
#[must_use]
pub fn standing(run: &Run) -> Standing<'_> {
    let Some(calibration) = &run.calibration else { return Standing::Unknown };
    let (then, now) = (&calibration.machine, &run.machine);
    if (&then.cpu_model, then.cpu_count) != (&now.cpu_model, now.cpu_count) {
        return Standing::Outdated(calibration, "another machine".to_owned());
    }
    if calibration.harness_version != run.harness_version {
        return Standing::Outdated(calibration, format!("version {}", calibration.harness_version));
    }
    if then.system != now.system {
        return Standing::Outdated(calibration, then.system.clone());
    }
    match judge(calibration).into_iter().find(|line| !line.holds) {
        Some(failed) => Standing::Failed(calibration, format!("{}: {}", failed.name, failed.figure)),
        None => Standing::Proven(calibration),
    }
}

impl Standing<'_> {
    /// The mark that stands before the sentence.
    #[must_use]
    pub fn mark(&self) -> &'static str {
        match self {
            Self::Unknown | Self::Outdated(..) => "–",
            Self::Failed(..) => "✗",
            Self::Proven(_) => "✓",
        }
    }

    /// The highest rate that the generator keeps on this machine, in requests per second, where that is known; 0 when it kept none.
    #[must_use]
    pub fn highest_rate(&self) -> Option<f64> {
        match self {
            Self::Unknown | Self::Outdated(..) => None,
            Self::Failed(calibration, _) | Self::Proven(calibration) => {
                Some(calibration.highest_kept().map_or(0.0, |trial| trial.rate))
            }
        }
    }

    /// In one line.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Unknown => "not calibrated on this machine: run `harness calibrate`".to_owned(),
            Self::Outdated(_, what) => format!("calibrated with {what}: run `harness calibrate` again"),
            Self::Failed(_, which) => format!("the calibration failed ({which})"),
            Self::Proven(calibration) => {
                let response = |scene: &SceneResult| scene.response.iter().map(QuantileError::error_ns).max();
                let worst_ns = calibration.scenes.first().and_then(response).unwrap_or(0);
                let (worst, kept) = (number::latency(worst_ns), number::rate(self.highest_rate().unwrap_or(0.0)));
                format!("calibrated: within {worst} of the truth up to p99.9, keeps its schedule up to {kept}")
            }
        }
    }
}
