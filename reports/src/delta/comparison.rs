//! Runs side by side.
use super::{FigureDelta, LatencyDelta, ShareDelta, figure, latency, share};
use crate::{
    record::{Difference, Metrics, PhaseKind, Run, conditions, differences},
    report::Report,
    summary::{Scope, Summary, Window},
};
use serde::Serialize;

/// A run to compare, read from its folder.
#[derive(Debug, Clone)]
pub struct Compared {
    /// The run, judged.
    pub report: Report,
    /// The target's own metrics; `None` when it was not watched.
    pub metrics: Option<Metrics>,
}

/// A run as the comparison names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunHead {
    /// `A` for the first, which the others are compared with; `B`, `C` …
    pub letter: String,
    /// Its name.
    pub id: String,
    /// What was run.
    pub scenario: String,
    /// Its verdict, in a word and a sentence.
    pub verdict: String,
    /// When it began, RFC 3339.
    pub clock_zero: String,
}

/// Everything in which runs differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Deltas {
    /// The runs, the first being the one compared with.
    pub runs: Vec<RunHead>,
    /// What was different about them; empty when they are alike.
    pub differences: Vec<Difference>,
    /// The part of the runs in which steps and shares are compared: `steady` where all have it, else everything but the warm-up.
    #[serde(serialize_with = "latency::as_text")]
    pub window: Window,
    /// Response time of each journey in each kind of phase.
    pub journeys: Vec<LatencyDelta>,
    /// Response time of each step.
    pub steps: Vec<LatencyDelta>,
    /// Outcome classes of everything and of each journey, over everything but the warm-up.
    pub shares: Vec<ShareDelta>,
    /// What processes used.
    pub usage: Vec<FigureDelta>,
    /// The target's own metrics; empty unless two runs have some.
    pub metrics: Vec<FigureDelta>,
}

impl Deltas {
    /// Compares runs with the first of them; `None` with fewer than two.
    #[must_use]
    pub fn of(compared: &[Compared]) -> Option<Self> {
        if compared.len() < 2 {
            return None;
        }
        let runs: Vec<&Run> = compared.iter().map(|one| &one.report.run).collect();
        let summaries: Vec<&Summary> = compared.iter().map(|one| &one.report.summary).collect();
        let each: Vec<_> = runs.iter().map(|run| conditions(run)).collect();
        let each: Vec<&[_]> = each.iter().map(Vec::as_slice).collect();
        let journeys = union(summaries.iter().flat_map(|summary| &summary.journeys));
        let journeys: Vec<Scope> = journeys.into_iter().map(Scope::Journey).collect();
        let steps = union(summaries.iter().flat_map(|summary| summary.steps.iter().map(|step| &step.name)));
        let kinds = PhaseKind::ALL.into_iter().filter(|kind| *kind != PhaseKind::WarmUp);
        let is_shared = |kind: &PhaseKind| summaries.iter().filter(|summary| summary.has_requests(*kind)).count() > 1;
        let mut windows: Vec<Window> = kinds.filter(is_shared).map(Window::Kind).collect();
        if windows.is_empty() {
            windows.push(Window::Run);
        }
        let is_steady = summaries.iter().all(|summary| summary.has_requests(PhaseKind::Steady));
        let window = if is_steady { Window::Kind(PhaseKind::Steady) } else { Window::Run };
        let of_journey = |journey| {
            windows.iter().flat_map(|window| latency::of_runs(&summaries, journey, window)).collect::<Vec<_>>()
        };
        let steps = steps.into_iter().flat_map(|step| latency::of_runs(&summaries, &Scope::Step(step), &window));
        let with_all: Vec<Scope> = [Scope::All].into_iter().chain(journeys.iter().cloned()).collect();
        let watched: Vec<_> = compared.iter().map(|one| (&one.report.run, one.metrics.as_ref())).collect();
        Some(Self {
            runs: compared.iter().enumerate().map(|(index, one)| head(index, &one.report)).collect(),
            differences: differences(&each),
            journeys: journeys.iter().flat_map(of_journey).collect(),
            steps: steps.collect(),
            shares: share::of_runs(&summaries, &with_all, &Window::Run),
            usage: figure::of_processes(&runs),
            metrics: figure::of_metrics(&watched),
            window,
        })
    }

    /// The letters of the runs that are compared with the first.
    pub fn others(&self) -> impl Iterator<Item = &str> {
        self.runs.iter().skip(1).map(|run| run.letter.as_str())
    }

    /// Whether the runs differ in a way that makes the difference of their figures say nothing about the target's code alone.
    #[must_use]
    pub fn are_unlike(&self) -> bool {
        self.differences.iter().any(|difference| difference.aspect.must_agree())
    }
}

/// A, B, … Z, then A1 …: as many as there are.
fn letter(index: usize) -> String {
    let letter = char::from(b'A' + u8::try_from(index % 26).unwrap_or(0));
    if index < 26 { letter.to_string() } else { format!("{letter}{}", index / 26) }
}

fn head(index: usize, report: &Report) -> RunHead {
    RunHead {
        letter: letter(index),
        id: report.run.id.to_string(),
        scenario: report.run.scenario.name.clone(),
        verdict: format!("{}: {}", report.verdict.overall.word(), report.verdict.headline),
        clock_zero: report.run.clock_zero.clone(),
    }
}

/// Each name once, in the order in which they come.
fn union<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for name in names {
        if !all.contains(name) {
            all.push(name.clone());
        }
    }
    all
}
