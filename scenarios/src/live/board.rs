//! The board: how the run stands now, written by the one who watches and read by everybody who shows it.
use super::{
    history::{History, StepFigures},
    totals::Totals,
};
use reports::{
    gate::{GateOutcome, SoFar},
    record::{Counts, Phase, Run, SECOND_NS, StepInfo},
};
use std::sync::{Mutex, PoisonError};
use tokio::sync::watch;

/// What never changes while a run goes on.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    /// Name of the run.
    pub(crate) run: String,
    /// Name of the scenario.
    pub(crate) scenario: String,
    /// Its first line for people.
    pub(crate) title: String,
    /// Where the load goes.
    pub(crate) target: String,
    /// How long the load is planned to last, in nanoseconds.
    pub(crate) planned_ns: u64,
    /// The phases of the plan.
    pub(crate) phases: Vec<Phase>,
    /// The steps.
    pub(crate) steps: Vec<StepInfo>,
    /// How many gates there are.
    pub(crate) gate_count: usize,
}

/// How the run stands.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// When it was looked at last, in nanoseconds since clock zero.
    pub(crate) now_ns: u64,
    /// Whether every answer is in that ever will be.
    pub(crate) is_over: bool,
    /// What became of the requests.
    pub(crate) counts: Counts,
    /// Requests that are out.
    pub(crate) in_flight: u64,
    /// The last minutes.
    pub(crate) history: History,
    /// Seconds before this one will not change any more.
    pub(crate) final_before: u64,
    /// The last seconds of each step.
    pub(crate) steps: Vec<StepFigures>,
    /// Everything since the start.
    pub(crate) totals: Totals,
    /// How the gates stand, in the order of the run.
    pub(crate) gates: Vec<SoFar>,
    /// The gate that ended the run.
    pub(crate) aborted: Option<Aborted>,
    /// Word and headline of the verdict, once there is one.
    pub(crate) verdict: Option<(String, String)>,
}

/// A gate ended the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Aborted {
    /// The gate as written.
    pub(crate) rule: String,
    /// When, in nanoseconds since clock zero.
    pub(crate) at_ns: u64,
}

/// Shared by the one who writes and those who read.
#[derive(Debug)]
pub(crate) struct Board {
    /// What never changes.
    pub(crate) subject: Subject,
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

impl Board {
    /// An empty board for a run that is about to start.
    pub(crate) fn new(head: &Run) -> Self {
        let subject = Subject {
            run: head.id.to_string(),
            scenario: head.scenario.name.clone(),
            title: head.scenario.title.clone(),
            target: head.target.url.clone(),
            planned_ns: head.planned_ns,
            phases: head.phases.clone(),
            steps: head.steps.clone(),
            gate_count: head.gates.len(),
        };
        let state = State { totals: Totals::new(&head.steps), ..State::default() };
        Self { subject, state: Mutex::new(state), changed: watch::Sender::new(()) }
    }

    /// Reads how the run stands. What is done meanwhile holds the recorder up, so it must be short.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn write<T>(&self, write: impl FnOnce(&mut State) -> T) -> T {
        write(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells everybody who waits that there is something new.
    pub(super) fn notify(&self) {
        self.changed.send_replace(());
    }

    /// For waiting until there is something new.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Writes the verdict down.
    pub(crate) fn finish(&self, word: &str, headline: &str) {
        self.write(|state| {
            state.is_over = true;
            state.verdict = Some((word.to_owned(), headline.to_owned()));
        });
        self.notify();
    }

    /// The phase of an instant, and the names of the faults that the plan has on then.
    pub(crate) fn phase_at(&self, ns: u64) -> Option<&Phase> {
        self.subject.phases.iter().find(|phase| (phase.from_ns..phase.to_ns).contains(&ns))
    }

    /// The second that was complete when the run was looked at last; `None` before the first.
    pub(crate) fn last_second(state: &State) -> Option<u64> {
        (state.now_ns / SECOND_NS).checked_sub(1)
    }
}

/// How a gate stands, in one word.
pub(crate) fn standing(gate: &SoFar) -> &'static str {
    match gate.result.outcome {
        GateOutcome::Pass => "holds",
        GateOutcome::Fail => "fails",
        GateOutcome::Inconclusive => "open",
        GateOutcome::Invalid => "not yet",
    }
}
