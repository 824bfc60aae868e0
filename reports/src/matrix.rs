//! The faults of many runs against the journeys of their users: what held, what was degraded, what broke. Pure.
use crate::{
    number,
    proportion::{Tally, clopper_pearson},
    record::{Measure, Outcome},
    report::Report,
    summary::{Latency, OutcomeCounts, Quantile, Scope, Summary, Window},
    verdict::Overall,
};
use serde::Serialize;

/// Nobody is to notice a fault by more than this share of failed answers, nor by more than it of degraded ones.
pub const NOTICED: f64 = 0.01;
/// A journey has become slow when its p95 is surely more than so many times what it was.
pub const SLOWER: f64 = 2.0;

/// What a fault did to a journey, while it was on. Better comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Users did not notice: failed and degraded answers are surely below [`NOTICED`], and it was not slow.
    Held,
    /// Users got poorer answers that say so, or slow ones.
    Degraded,
    /// Users got no answer, or an untrue one.
    Broken,
    /// There were too few requests to tell.
    Unknown,
}

impl State {
    /// The word on pages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Degraded => "degraded",
            Self::Broken => "broken",
            Self::Unknown => "too few to tell",
        }
    }

    /// The mark beside the word, so that nothing rests on a colour.
    #[must_use]
    pub fn mark(self) -> &'static str {
        match self {
            Self::Held => "✓",
            Self::Degraded => "~",
            Self::Broken => "✗",
            Self::Unknown => "?",
        }
    }
}

/// One journey under one fault.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cell {
    /// What became of it.
    pub state: State,
    /// Requests that were due while the fault was on, without those refused by an intended limit.
    pub requests: u64,
    /// Share of them without a good answer, from 0 to 1.
    pub failed: f64,
    /// Share of them with a degraded answer that says so, from 0 to 1.
    pub degraded: f64,
    /// Answers that were untrue: wrong, or degraded without saying so.
    pub untrue: u64,
    /// Their p95 over that of the undisturbed time; `None` when one of both is not known or is infinite.
    pub slower: Option<f64>,
}

/// One fault of one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The run.
    pub run: String,
    /// Its scenario.
    pub scenario: String,
    /// What the run is worth.
    pub verdict: Overall,
    /// The fault's name.
    pub fault: String,
    /// What went wrong, in words.
    pub description: String,
    /// Its journeys, in the order of [`Matrix::journeys`]; `None` where the run has none of that name.
    pub cells: Vec<Option<Cell>>,
}

/// Faults against journeys.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Matrix {
    /// The journeys, in the order in which the runs have them.
    pub journeys: Vec<String>,
    /// One per fault that was on.
    pub rows: Vec<Row>,
}

impl Matrix {
    /// Every fault that was on in these runs.
    #[must_use]
    pub fn of(reports: &[Report]) -> Self {
        let mut journeys: Vec<String> = Vec::new();
        for step in reports.iter().flat_map(|report| &report.run.steps) {
            if !journeys.contains(&step.journey) {
                journeys.push(step.journey.clone());
            }
        }
        let rows = reports.iter().flat_map(|report| rows(report, &journeys)).collect();
        Self { journeys, rows }
    }

    /// How many cells are in a state.
    #[must_use]
    pub fn count(&self, state: State) -> usize {
        self.rows.iter().flat_map(|row| row.cells.iter().flatten()).filter(|cell| cell.state == state).count()
    }

    /// What came out, in a sentence.
    #[must_use]
    pub fn headline(&self) -> String {
        let runs: std::collections::BTreeSet<&str> = self.rows.iter().map(|row| row.run.as_str()).collect();
        let states =
            [State::Held, State::Degraded, State::Broken, State::Unknown].map(|state| (state, self.count(state)));
        let counts: Vec<String> = states
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(state, count)| format!("{count} {}", state.word()))
            .collect();
        format!(
            "{} in {}: {}",
            number::counted(self.rows.len() as u64, "fault"),
            number::counted(runs.len() as u64, "run"),
            counts.join(", ")
        )
    }
}

fn rows(report: &Report, journeys: &[String]) -> Vec<Row> {
    let run = &report.run;
    let on = run.faults.iter().filter(|fault| fault.window.is_some());
    let row = |fault: &crate::record::FaultRecord| Row {
        run: run.id.as_str().to_owned(),
        scenario: run.scenario.name.clone(),
        verdict: report.verdict.overall,
        fault: fault.name.clone(),
        description: fault.description.clone(),
        cells: journeys.iter().map(|journey| cell(&report.summary, journey, &fault.name)).collect(),
    };
    on.map(row).collect()
}

fn cell(summary: &Summary, journey: &str, fault: &str) -> Option<Cell> {
    if !summary.journeys.iter().any(|known| known == journey) {
        return None;
    }
    let (scope, window) = (Scope::Journey(journey.to_owned()), Window::WhileFault(fault.to_owned()));
    let during = summary.latency(&scope, &window, Measure::Response);
    let before = summary.latency(&scope, &summary.undisturbed(), Measure::Response);
    Some(judged(&summary.outcomes(&scope, &window), &during, &before))
}

fn judged(counts: &OutcomeCounts, during: &Latency, before: &Latency) -> Cell {
    let requests = counts.judged();
    let untrue = counts.get(Outcome::Wrong) + counts.get(Outcome::Undeclared);
    let tally = |hits: u64| Tally { hits, total: requests };
    let failed = tally(requests.saturating_sub(counts.good()));
    let degraded = tally(counts.get(Outcome::Degraded));
    let state = if untrue > 0 || clopper_pearson(failed).lower > NOTICED {
        State::Broken
    } else if requests > 0 && (clopper_pearson(degraded).lower > NOTICED || is_surely_slower(during, before)) {
        State::Degraded
    } else if requests > 0 && [failed, degraded].into_iter().all(|tally| clopper_pearson(tally).upper < NOTICED) {
        State::Held
    } else {
        State::Unknown
    };
    let p95 = |latency: &Latency| latency.quantile(0.95).and_then(Quantile::finite).filter(|nanos| *nanos > 0);
    let slower = p95(during).zip(p95(before)).map(|(during, before)| during as f64 / before as f64);
    Cell { state, requests, failed: failed.share(), degraded: degraded.share(), untrue, slower }
}

/// By the order-statistic bounds of both p95s, which takes requests as independent of each other.
fn is_surely_slower(during: &Latency, before: &Latency) -> bool {
    let at_least = during.interval(0.95).0;
    let at_most = before.interval(0.95).1.and_then(Quantile::finite);
    match (at_least, at_most) {
        (Some(Quantile::Infinite), Some(_)) => true,
        (Some(Quantile::Finite(at_least)), Some(at_most)) => at_least as f64 > SLOWER * at_most as f64,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::Distribution;

    fn latency(count: u64, nanos: u64, failed: u64) -> Latency {
        Latency { good: Distribution::of_values(&[(nanos, count)].into()), failed }
    }

    fn state(classes: &[(Outcome, u64)], during_ns: u64) -> State {
        let mut counts = OutcomeCounts::default();
        classes.iter().for_each(|(outcome, count)| counts.add(*outcome, *count));
        let during = latency(counts.good(), during_ns, counts.judged() - counts.good());
        judged(&counts, &during, &latency(1_000, 10_000_000, 0)).state
    }

    #[test]
    fn a_journey_holds_only_when_enough_requests_say_so() {
        assert_eq!(state(&[(Outcome::Full, 1_000)], 10_000_000), State::Held);
        assert_eq!(state(&[(Outcome::Full, 100)], 10_000_000), State::Unknown, "none of 100 may still be 3 %");
        assert_eq!(state(&[(Outcome::Full, 999), (Outcome::Timeout, 1)], 10_000_000), State::Held);
        assert_eq!(state(&[(Outcome::Full, 990), (Outcome::Timeout, 10)], 10_000_000), State::Unknown);
        assert_eq!(state(&[], 1), State::Unknown);
        assert_eq!(state(&[(Outcome::Limited, 500)], 1), State::Unknown, "intended limits say nothing");
    }

    #[test]
    fn failed_and_untrue_answers_break_it_and_poorer_or_slow_ones_degrade_it() {
        assert_eq!(state(&[(Outcome::Full, 900), (Outcome::DependencyError, 100)], 10_000_000), State::Broken);
        assert_eq!(state(&[(Outcome::Full, 9_999), (Outcome::Undeclared, 1)], 10_000_000), State::Broken);
        assert_eq!(state(&[(Outcome::Full, 999), (Outcome::Wrong, 1)], 10_000_000), State::Broken);
        assert_eq!(state(&[(Outcome::Full, 900), (Outcome::Degraded, 100)], 10_000_000), State::Degraded);
        assert_eq!(state(&[(Outcome::Full, 1_000)], 25_000_000), State::Degraded);
        assert_eq!(state(&[(Outcome::Full, 1_000)], 19_000_000), State::Held, "not twice as slow");
    }
}
