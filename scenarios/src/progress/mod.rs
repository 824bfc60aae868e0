//! Shows how a run goes, always on standard error: five redrawn lines on a terminal, one line per 10 s elsewhere, or JSON every second.
mod line;
mod panel;

use crate::{
    cli::ProgressStyle,
    live::{self, Board, standing},
    output,
};
use loadtest::{Figures, Progress};
use reports::{
    gate::GateOutcome,
    record::{Outcome, Phase},
    units,
};
use std::{io::IsTerminal as _, sync::Arc, time::Duration};
use tokio::time::{Instant, MissedTickBehavior, interval};

/// Shows a run until it is dropped.
#[derive(Debug)]
pub(crate) struct Display {
    task: tokio::task::JoinHandle<()>,
}

/// Where the figures are read from.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// The clock zero of the run.
    pub(crate) clock_zero: Instant,
    /// The live counters.
    pub(crate) progress: Arc<Progress>,
    /// Phases, classes and gates.
    pub(crate) board: Arc<Board>,
}

impl Drop for Display {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Starts to show a run. `ProgressStyle::None` shows nothing.
#[must_use]
pub(crate) fn show(style: ProgressStyle, source: Source) -> Display {
    let is_terminal = std::io::stderr().is_terminal();
    let task = match style {
        ProgressStyle::None => tokio::spawn(async {}),
        ProgressStyle::Auto if is_terminal => tokio::spawn(panel::redraw(source)),
        ProgressStyle::Tty => tokio::spawn(panel::redraw(source)),
        ProgressStyle::Auto | ProgressStyle::Line => tokio::spawn(line::lines(source)),
        ProgressStyle::Json => tokio::spawn(json(source)),
    };
    Display { task }
}

/// Ends the JSON with a line that has the verdict.
pub(crate) fn finish(style: ProgressStyle, board: &Board) {
    if style == ProgressStyle::Json {
        output::note(&live::as_json(board).to_string());
    }
}

/// One object a line, each time that the run has been looked at.
async fn json(source: Source) {
    let mut changes = source.board.changes();
    while changes.changed().await.is_ok() {
        output::note(&live::as_json(&source.board).to_string());
    }
}

/// What is shown at one moment.
struct Moment<'a> {
    elapsed: Duration,
    phase: Option<&'a Phase>,
    before: Figures,
    now: Figures,
    /// Time between `before` and `now`.
    over: Duration,
}

async fn each(period: Duration, source: &Source, mut draw: impl FnMut(&Moment<'_>)) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut before, mut at) = (source.progress.figures(), Instant::now());
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let (figures, now) = (source.progress.figures(), Instant::now());
        let Some(elapsed) = now.checked_duration_since(source.clock_zero) else { continue };
        let phase = source.board.phase_at(units::nanos(elapsed));
        draw(&Moment { elapsed, phase, before, now: figures, over: now - at });
        (before, at) = (figures, now);
    }
}

impl Moment<'_> {
    fn clock(&self) -> String {
        let seconds = self.elapsed.as_secs();
        format!("{:02}:{:02}", seconds / 60, seconds % 60)
    }

    fn label(&self) -> &str {
        self.phase.map_or("draining", |phase| phase.label.as_str())
    }

    fn faults(&self) -> &[String] {
        self.phase.map(|phase| phase.faults.as_slice()).unwrap_or_default()
    }

    fn per_second(&self, counter: impl Fn(&Figures) -> u64) -> f64 {
        counter(&self.now).saturating_sub(counter(&self.before)) as f64 / self.over.as_secs_f64()
    }

    fn percent(&self, belongs: impl Fn(Outcome) -> bool) -> f64 {
        let count: u64 =
            Outcome::ALL.into_iter().filter(|class| belongs(*class)).map(|class| self.now.count(class)).sum();
        100.0 * count as f64 / self.now.completed.max(1) as f64
    }
}

/// How the gates stand, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Gates {
    total: usize,
    holding: usize,
    /// Each as written, with what was seen.
    failing: Vec<String>,
}

impl Gates {
    fn read(board: &Board) -> Self {
        board.read(|state| {
            let failing = state.gates.iter().filter(|gate| gate.result.outcome == GateOutcome::Fail).map(|gate| {
                let seen = gate.result.observed.map_or_else(String::new, |observed| format!(" (is {observed})"));
                format!("{}{seen}", gate.result.gate)
            });
            Self {
                total: board.subject.gate_count,
                holding: state.gates.iter().filter(|gate| standing(gate) == "holds").count(),
                failing: failing.collect(),
            }
        })
    }
}
