//! Shows how a run goes: one redrawn line on a terminal, one line per 10 s elsewhere. Always on standard error.
use crate::{cli::ProgressStyle, output};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle as BarStyle};
use loadtest::{Figures, Progress};
use reports::record::{Outcome, Phase};
use std::{io::IsTerminal as _, sync::Arc, time::Duration};
use tokio::time::{Instant, MissedTickBehavior, interval};

/// Shows a run until it is dropped.
#[derive(Debug)]
pub(crate) struct Display {
    task: tokio::task::JoinHandle<()>,
}

/// What is shown beside the figures.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    /// The clock zero of the run.
    pub(crate) clock_zero: Instant,
    /// How long the load is planned to last.
    pub(crate) planned: Duration,
    /// The phases, for their names and faults.
    pub(crate) phases: Vec<Phase>,
}

impl Drop for Display {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Starts to show a run. `ProgressStyle::None` shows nothing.
#[must_use]
pub(crate) fn show(style: ProgressStyle, subject: Subject, progress: Arc<Progress>) -> Display {
    let is_terminal = std::io::stderr().is_terminal();
    let task = match style {
        ProgressStyle::None => tokio::spawn(async {}),
        ProgressStyle::Auto if is_terminal => tokio::spawn(redraw(subject, progress)),
        ProgressStyle::Tty => tokio::spawn(redraw(subject, progress)),
        ProgressStyle::Auto | ProgressStyle::Line => tokio::spawn(lines(subject, progress)),
    };
    Display { task }
}

async fn redraw(subject: Subject, progress: Arc<Progress>) {
    let bar = ProgressBar::with_draw_target(Some(subject.planned.as_secs().max(1)), ProgressDrawTarget::stderr());
    let style = BarStyle::with_template("{bar:16} {wide_msg}").expect("the template is constant and valid");
    bar.set_style(style.progress_chars("━╸ "));
    each(Duration::from_millis(500), &subject, &progress, |text, second| {
        bar.set_position(second);
        bar.set_message(text);
    })
    .await;
}

async fn lines(subject: Subject, progress: Arc<Progress>) {
    each(Duration::from_secs(10), &subject, &progress, |text, _| output::note(&text)).await;
}

async fn each(period: Duration, subject: &Subject, progress: &Progress, mut draw: impl FnMut(String, u64)) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut before, mut at) = (progress.figures(), Instant::now());
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let (figures, now) = (progress.figures(), Instant::now());
        let Some(elapsed) = now.checked_duration_since(subject.clock_zero) else { continue };
        draw(text(subject, elapsed, &before, &figures, now - at), elapsed.as_secs());
        (before, at) = (figures, now);
    }
}

fn text(subject: &Subject, elapsed: Duration, before: &Figures, now: &Figures, over: Duration) -> String {
    let per_second = |count: u64| count as f64 / over.as_secs_f64();
    let at_ns = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
    let phase = subject.phases.iter().find(|phase| (phase.from_ns..phase.to_ns).contains(&at_ns));
    let label = phase.map_or("draining", |phase| phase.label.as_str());
    let faults = phase.map_or_else(String::new, |phase| match phase.faults.as_slice() {
        [] => String::new(),
        on => format!(" faults[{}]", on.join(", ")),
    });
    let share = |outcomes: &[Outcome]| {
        let count: u64 = outcomes.iter().map(|outcome| now.count(*outcome)).sum();
        100.0 * count as f64 / now.completed.max(1) as f64
    };
    let errors: Vec<Outcome> = Outcome::ALL.into_iter().filter(|outcome| outcome.is_error()).collect();
    let seconds = elapsed.as_secs();
    format!(
        "{:02}:{:02} {label:<8} offered {:.1}/s done {:.1}/s in flight {} p50 {} p99 {} full {:.1}% degraded {:.1}% error {:.1}%{faults}",
        seconds / 60,
        seconds % 60,
        per_second(now.offered.saturating_sub(before.offered)),
        per_second(now.completed.saturating_sub(before.completed)),
        now.in_flight,
        milliseconds(now.p50_ns),
        milliseconds(now.p99_ns),
        share(&[Outcome::Full]),
        share(&[Outcome::Degraded]),
        share(&errors),
    )
}

fn milliseconds(ns: u64) -> String {
    match ns {
        0 => "–".to_owned(),
        1..1_000_000 => "<1ms".to_owned(),
        ns if ns < 10_000_000_000 => format!("{}ms", ns / 1_000_000),
        ns => format!("{}s", ns / 1_000_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reports::record::{FaultWindow, cut};

    #[test]
    fn a_line_says_phase_rates_latency_classes_and_faults() {
        let second = 1_000_000_000;
        let window = FaultWindow { from_ns: 10 * second, to_ns: 20 * second };
        let phases = cut(5 * second, 40 * second, &[("mcp.flights latency".to_owned(), window)]);
        let subject = Subject { clock_zero: Instant::now(), planned: Duration::from_secs(40), phases };
        let mut now = Figures { offered: 250, completed: 240, in_flight: 10, p50_ns: 38_000_000, ..Figures::default() };
        now.outcomes[0] = 216;
        now.outcomes[1] = 24;
        let shown = text(&subject, Duration::from_secs(12), &Figures::default(), &now, Duration::from_secs(10));
        let expected = "00:12 during   offered 25.0/s done 24.0/s in flight 10 p50 38ms p99 – full 90.0% degraded 10.0% error 0.0% \
                        faults[mcp.flights latency]";
        assert_eq!(shown, expected);
    }
}
