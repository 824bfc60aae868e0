//! Watches a run from the thread that records it: keeps the board, judges the gates, and ends the run when one of them says so.
use super::{
    board::{Aborted, Board},
    history::{Due, Lanes},
    totals::Totals,
};
use loadtest::Stop;
use reports::{
    gate::LiveGates,
    record::{Counts, LiveSecond, Measure, Round, Run, SECOND_NS, StepInfo, Watcher},
};
use std::{collections::BTreeMap, sync::Arc};

/// Keeps a board.
#[derive(Debug)]
pub(crate) struct Watch {
    board: Arc<Board>,
    stop: Stop,
    steps: Vec<StepInfo>,
    planned_ns: u64,
    gates: LiveGates,
    /// Of the seconds that are complete.
    totals: Totals,
    before: (Counts, u64),
    /// Requests that were in at the last look, of each second that was open.
    shown: BTreeMap<u64, u64>,
}

impl Watch {
    /// Watches the run of this head; a gate that aborts uses `stop`.
    pub(crate) fn new(board: Arc<Board>, head: &Run, stop: Stop) -> Self {
        let (steps, gates) = (head.steps.clone(), LiveGates::new(head));
        let totals = Totals::new(&steps);
        Self {
            board,
            stop,
            steps,
            planned_ns: head.planned_ns,
            gates,
            totals,
            before: Default::default(),
            shown: BTreeMap::new(),
        }
    }

    /// The open seconds of which more is known than at the last look. When one answer takes long, all seconds since stay open.
    fn open(&mut self, round: &Round<'_>) -> Vec<(u64, Due)> {
        let responses = |second: &LiveSecond<'_>| -> u64 {
            let responses = second.cells().filter(|(place, _)| place.measure == Measure::Response);
            responses.map(|(_, values)| values.values().sum::<u64>()).sum()
        };
        let now: BTreeMap<u64, u64> = round.open.iter().map(|second| (second.second(), responses(second))).collect();
        let is_new = |second: &&LiveSecond<'_>| self.shown.get(&second.second()) != now.get(&second.second());
        let due = |second: &LiveSecond<'_>| (second.second(), Due::of(second, &self.steps));
        let open = round.open.iter().filter(is_new).map(due).collect();
        self.shown = now;
        open
    }

    /// What the generator did since the last look.
    fn lanes(&mut self, round: &Round<'_>) -> Lanes {
        let ((before, in_flight_before), now) = (self.before, round.counts);
        let sent = |counts: &Counts, in_flight: u64| counts.completed + counts.unfinished - counts.unsent + in_flight;
        self.before = (now, round.in_flight);
        Lanes {
            offered: now.offered.saturating_sub(before.offered),
            sent: sent(&now, round.in_flight).saturating_sub(sent(&before, in_flight_before)),
            completed: now.completed.saturating_sub(before.completed),
            dropped: now.dropped.saturating_sub(before.dropped),
            in_flight: round.in_flight,
        }
    }
}

impl Watcher for Watch {
    fn closed(&mut self, second: &LiveSecond<'_>) {
        self.gates.closed(second);
        self.totals.add(second);
        let due = Due::of(second, &self.steps);
        self.board.write(|state| {
            if let Some(kept) = state.history.at(second.second()) {
                kept.due = due;
            }
        });
    }

    fn look(&mut self, round: &Round<'_>) {
        let gates = self.gates.judge(round);
        let open = self.open(round);
        let mut totals = self.totals.clone();
        round.open.iter().for_each(|second| totals.add(second));
        // Once the plan is carried out, there is nothing left to abort.
        let may_abort = !round.is_over && round.now_ns < self.planned_ns;
        let abort = gates.iter().find(|gate| gate.aborts && may_abort).map(|gate| gate.result.gate.clone());
        let lanes = self.lanes(round);
        let first_open = round.open.iter().map(LiveSecond::second).chain(round.outstanding.keys().copied()).min();
        let is_stopping = self.stop.drain.is_cancelled();
        let aborts = self.board.write(|state| {
            (state.now_ns, state.is_over, state.counts) = (round.now_ns, round.is_over, round.counts);
            (state.in_flight, state.totals, state.gates) = (round.in_flight, totals, gates);
            state.final_before = first_open.unwrap_or(u64::MAX).min(round.known_before);
            // The last look comes in the middle of a second; what happened since the look before is of that second.
            let second = if round.is_over { round.second() } else { round.second().saturating_sub(1) };
            if let Some(kept) = state.history.at(second) {
                kept.lanes = lanes;
            }
            for (second, due) in open {
                if let Some(kept) = state.history.at(second) {
                    kept.due = due;
                }
            }
            // While the last answers come in, the figures of the steps stay those of the load's last seconds.
            let now_s = round.now_ns.min(self.planned_ns) / SECOND_NS;
            state.steps = state.history.steps(now_s, self.steps.len());
            state.history.thin(now_s);
            let aborted = abort.filter(|_| !is_stopping).map(|rule| Aborted { rule, at_ns: round.now_ns });
            let is_new = aborted.is_some() && state.aborted.is_none();
            state.aborted = state.aborted.take().or(aborted);
            is_new
        });
        if aborts {
            self.stop.drain.cancel();
        }
        self.board.notify();
    }
}

#[cfg(test)]
mod tests {
    use crate::live::{page, scene::Scene};
    use reports::{record::Outcome, summary::Quantile};
    use std::time::Duration;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_board_shows_what_was_measured_second_by_second() {
        let mut scene = Scene::new(&["p50 < 1s", "errors = 0"]);
        for second in 0..15 {
            (0..8).for_each(|_| scene.request(0, Outcome::Full, 20 * MS));
            scene.request(1, if second == 12 { Outcome::Timeout } else { Outcome::Full }, 400 * MS);
            scene.second_ends();
        }
        scene.board.read(|state| {
            let seconds: Vec<_> = state.history.since(0).collect();
            assert_eq!(seconds.len(), 15);
            let (lanes, due) = (seconds[12].1.lanes, &seconds[12].1.due);
            assert_eq!((lanes.offered, lanes.completed, lanes.in_flight), (9, 9, 3));
            assert_eq!((due.outcomes.total(), due.outcomes.errors()), (9, 1));
            assert_eq!(due.p99, Some(Quantile::Infinite), "a failed request is infinitely slow");
            assert_eq!(seconds[11].1.due.p99.and_then(Quantile::finite).map(|ns| ns / 1_000_000), Some(400));
            assert_eq!(due.heat.iter().sum::<u64>(), 9);
            assert_eq!(state.totals.of_class(Outcome::Full), 15 * 9 - 1);
            assert_eq!(state.steps[0].outcomes.total(), 80, "ten seconds of eight");
        });
        let page = page::since(&scene.board, 14);
        assert_eq!(page["seconds"].as_array().unwrap().len(), 1, "only what was asked for");
        assert_eq!(page["phase"], "during");
        assert_eq!(page["faults"][0], "mcp.flights latency");
        let standings: Vec<_> = page["gates"].as_array().unwrap().iter().map(|gate| gate["standing"].clone()).collect();
        assert_eq!(standings, ["holds", "fails"]);
    }

    #[test]
    fn what_is_complete_counts_once() {
        let mut scene = Scene::new(&[]);
        (0..5).for_each(|_| {
            scene.request(0, Outcome::Full, MS);
            scene.second_ends();
        });
        let before = scene.board.read(|state| state.totals.of_class(Outcome::Full));
        scene.run_ends();
        let (after, is_over) = scene.board.read(|state| (state.totals.of_class(Outcome::Full), state.is_over));
        assert_eq!((before, after, is_over), (5, 5, true));
    }

    #[test]
    fn a_gate_that_aborts_stops_the_run_once_and_an_interrupted_run_is_not_aborted() {
        let mut scene = Scene::new(&["wrong = 0 abort"]);
        scene.request(0, Outcome::Full, MS);
        scene.second_ends();
        assert!(!scene.stop.drain.is_cancelled());
        scene.request(0, Outcome::Wrong, MS);
        scene.second_ends();
        assert!(scene.stop.drain.is_cancelled() && !scene.stop.now.is_cancelled(), "answers are waited for");
        scene.second_ends();
        let aborted = scene.board.read(|state| state.aborted.clone()).unwrap();
        assert_eq!((aborted.rule.as_str(), aborted.at_ns), ("wrong = 0 abort", 2_000_000_000));

        let mut interrupted = Scene::new(&["wrong = 0 abort"]);
        interrupted.stop.drain.cancel();
        interrupted.request(0, Outcome::Wrong, MS);
        interrupted.second_ends();
        assert_eq!(interrupted.board.read(|state| state.aborted.clone()), None);
    }
}
