//! What is known of a gate while the run goes on: it never fails what will pass in the end, and in the end it is the verdict.
use crate::synthetic::{Draft, Shape, quickstart};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use reports::{
    gate::{GateOutcome, GateResult, LiveGates, Observed, SoFar},
    record::{LiveSecond, Outcome, Recorder, Round, Run, RunEnd, SECOND_NS, Sample},
    report::Report,
    verdict::Overall,
};
use std::{collections::BTreeMap, io::Sink, time::SystemTime};

const GATES: [&str; 16] = [
    "p95 < 500ms for flights.search window=steady",
    "p95 < 500ms for flights.search window=during",
    "p99 < 5s for flights.search class=dependency_error window=during",
    "p50 > 10s window=5s..12s",
    "error-rate < 1% window=during",
    "good-rate > 99.5%",
    "first_event.p95 < 40ms for chat.message",
    "gap.p90 < 10ms",
    "stalls = 0",
    "max < 2s",
    "undeclared = 0",
    "requests > 600",
    "rate > 20/s for chat",
    "goodput > 15/s window=after",
    "in-flight < 30",
    "achieved-rate > 99%",
];

fn draft(gates: &[&'static str]) -> Draft {
    Draft::new(&Shape { gates: gates.to_vec(), ..quickstart() })
}

/// A run that is watched: its samples come in when they are done, and a second is closed when all of them are in.
struct Watched {
    recorder: Recorder<Sink>,
    gates: LiveGates,
    in_flight: u64,
}

impl Watched {
    fn start(run: &Run) -> Self {
        let (phases, steps) = (run.phases.clone(), run.steps.clone());
        let recorder = Recorder::start(std::io::sink(), SystemTime::UNIX_EPOCH, phases, steps).unwrap();
        Self { recorder, gates: LiveGates::new(run), in_flight: 0 }
    }

    fn close_before(&mut self, second: u64) {
        let gates = &mut self.gates;
        self.recorder.close_watched_before(second, |closed: &LiveSecond<'_>| gates.closed(closed)).unwrap();
    }

    fn judge(&mut self, draft: &Draft, now_s: u64, outstanding: BTreeMap<u64, u64>) -> Vec<SoFar> {
        let is_over = now_s == u64::MAX;
        self.gates.judge(&Round {
            now_ns: if is_over { draft.run.finished_ns } else { now_s * SECOND_NS },
            is_over,
            counts: draft.run.load.counts,
            in_flight: self.in_flight,
            seconds: self.recorder.seconds(),
            open: self.recorder.open().collect(),
            known_before: now_s,
            outstanding,
        })
    }
}

/// How the gates stand after every second, and in the end.
fn watch(draft: &Draft) -> Vec<Vec<SoFar>> {
    let mut watched = Watched::start(&draft.run);
    let mut coming: Vec<&Sample> = draft.samples.iter().collect();
    draft.dropped_ns.iter().for_each(|due_ns| watched.recorder.dropped(*due_ns / SECOND_NS, 1));
    let mut course = Vec::new();
    for now_s in 1..=draft.run.planned_ns / SECOND_NS {
        let (in_now, later): (Vec<_>, Vec<_>) =
            coming.into_iter().partition(|sample| sample.done_ns < now_s * SECOND_NS);
        in_now.into_iter().for_each(|sample| watched.recorder.observe(sample));
        coming = later;
        let mut outstanding = BTreeMap::new();
        for sample in coming.iter().filter(|sample| sample.due_ns < now_s * SECOND_NS) {
            *outstanding.entry(sample.due_ns / SECOND_NS).or_default() += 1;
        }
        watched.close_before(outstanding.keys().next().copied().unwrap_or(now_s));
        course.push(watched.judge(draft, now_s, outstanding));
    }
    coming.into_iter().for_each(|sample| watched.recorder.observe(sample));
    watched.close_before(u64::MAX);
    course.push(watched.judge(draft, u64::MAX, BTreeMap::new()));
    course
}

/// The gates of the same run, had it ended after so many seconds with every answer in.
fn had_it_ended(draft: &Draft, after_s: u64) -> Vec<GateResult> {
    let end_ns = after_s * SECOND_NS;
    let mut short =
        Draft { run: draft.run.clone(), samples: draft.samples.clone(), dropped_ns: Vec::new(), counted: None };
    short.samples.retain(|sample| sample.due_ns < end_ns);
    short.dropped_ns = draft.dropped_ns.iter().copied().filter(|due_ns| *due_ns < end_ns).collect();
    short.count();
    short.run.finished_ns = end_ns;
    let root = tempfile::tempdir().unwrap();
    Report::read(&short.write(root.path())).unwrap().verdict.gates
}

#[test]
fn in_the_end_the_live_gates_are_the_verdict() {
    let draft = draft(&GATES);
    let course = watch(&draft);
    let root = tempfile::tempdir().unwrap();
    let report = Report::read(&draft.write(root.path())).unwrap();
    let live = course.last().unwrap().iter().map(|gate| &gate.result);
    for (live, expected) in live.zip(&report.verdict.gates) {
        // An estimate of what is missing is only for the report.
        let expected = GateResult { more_requests: None, reason: live.reason.clone(), ..expected.clone() };
        assert_eq!(*live, expected);
    }
    let failed = course.last().unwrap().iter().filter(|gate| gate.result.outcome == GateOutcome::Fail).count();
    assert!((4..12).contains(&failed), "gates of both kinds are compared: {failed} fail");
}

#[test]
fn what_fails_early_fails_still_when_every_answer_is_in() {
    // Answers that are out for long make the difference: while a fault is on, the slow ones are missing.
    let mut draft = draft(&GATES);
    draft.samples.iter_mut().step_by(9).for_each(|sample| sample.done_ns += 6 * SECOND_NS);
    draft.count();
    let mut compared = 0;
    for (index, gates) in watch(&draft).iter().enumerate().step_by(7) {
        let failing: Vec<_> = gates.iter().enumerate().filter(|(_, g)| g.result.outcome == GateOutcome::Fail).collect();
        let expected = if failing.is_empty() { Vec::new() } else { had_it_ended(&draft, index as u64 + 1) };
        for (position, gate) in failing {
            compared += 1;
            assert_eq!(expected[position].outcome, GateOutcome::Fail, "after {} s: {gate:?}", index + 1);
        }
    }
    assert!(compared > 10, "{compared}");
}

#[test]
fn a_quick_failure_does_not_fail_a_gate_while_most_answers_are_out() {
    let mut draft = draft(&["error-rate < 50% abort"]);
    for (index, sample) in draft.samples.iter_mut().enumerate() {
        // One in four is refused at once, the others take long.
        (sample.outcome, sample.done_ns) = match index % 4 {
            0 => (Outcome::Transport, sample.sent_ns + 1),
            _ => (Outcome::Full, sample.due_ns + 8 * SECOND_NS),
        };
    }
    draft.count();
    for (second, gates) in watch(&draft).iter().enumerate() {
        assert_ne!(gates[0].result.outcome, GateOutcome::Fail, "after {} s: {:?}", second + 1, gates[0]);
        assert!(!gates[0].aborts);
    }
}

#[test]
fn a_gate_aborts_when_it_is_sure_and_its_delay_is_over_and_not_without_the_clause() {
    let gates =
        ["wrong = 0", "wrong = 0 abort", "wrong = 0 abort after 9s", "requests > 500 abort", "error-rate < 4% abort"];
    let mut draft = draft(&gates);
    // The warm-up lasts four seconds, the first wrong answer comes in the sixth; every tenth request fails from then on.
    for sample in draft.samples.iter_mut().filter(|sample| sample.due_ns > 5 * SECOND_NS).step_by(10) {
        sample.outcome = Outcome::Wrong;
        sample.done_ns = sample.sent_ns + 1;
    }
    draft.count();
    let course = watch(&draft);
    let first = |gate: usize| course.iter().position(|gates| gates[gate].aborts).map(|index| index as u64 + 1);
    assert_eq!((first(0), first(1), first(2), first(3)), (None, Some(6), Some(13), None));
    let statistical = first(4).expect("one in ten is more than one in twenty-five");
    assert!((7..30).contains(&statistical), "not at the first failure, but soon: {statistical}");
}

#[test]
fn an_aborted_run_says_by_which_gate_and_leaves_open_what_it_did_not_reach() {
    let rule = "error-rate < 1% window=steady abort";
    let mut draft = draft(&[rule, "p95 < 500ms for flights.search window=during", "p95 < 1s for trips.get"]);
    draft.samples.retain(|sample| sample.due_ns < 12 * SECOND_NS);
    draft.samples.iter_mut().step_by(3).for_each(|sample| sample.outcome = Outcome::Timeout);
    draft.dropped_ns.clear();
    draft.count();
    // They are spaced as this test likes them.
    draft.run.meter.arrivals = None;
    draft.run.faults.clear();
    draft.run.finished_ns = 13 * SECOND_NS;
    draft.run.end = RunEnd::Aborted { rule: rule.to_owned(), at_ns: 12 * SECOND_NS };
    let root = tempfile::tempdir().unwrap();
    let report = Report::read(&draft.write(root.path())).unwrap();
    let verdict = &report.verdict;
    assert_eq!((verdict.overall, verdict.exit_code), (Overall::Aborted, 6), "{verdict:?}");
    assert!(verdict.headline.starts_with("by a gate after 12 s of 40 s: error-rate < 1%"), "{}", verdict.headline);
    let outcomes: Vec<GateOutcome> = verdict.gates.iter().map(|gate| gate.outcome).collect();
    assert_eq!(outcomes, [GateOutcome::Fail, GateOutcome::Inconclusive, GateOutcome::Inconclusive]);
    assert!(report.story.iter().any(|sentence| sentence.contains("was aborted")), "{:?}", report.story);
}

#[test]
fn a_window_in_seconds_holds_what_was_due_in_them() {
    let mut draft = draft(&["requests > 0 window=5s..7s", "rate > 0/s window=5s..7s", "requests > 0 window=39s..40s"]);
    let due_in = |draft: &Draft, from: u64, to: u64| {
        draft.samples.iter().filter(|sample| (from..to).contains(&(sample.due_ns / SECOND_NS))).count() as u64
    };
    draft.count();
    let (two, last) = (due_in(&draft, 5, 7), due_in(&draft, 39, 40));
    let root = tempfile::tempdir().unwrap();
    let gates = Report::read(&draft.write(root.path())).unwrap().verdict.gates;
    let seen: Vec<String> = gates.iter().map(|gate| gate.observed.unwrap().to_string()).collect();
    assert_eq!(seen, [two.to_string(), format!("{:.1}/s", two as f64 / 2.0), last.to_string()]);
}

/// In how many of so many healthy runs the gate `error-rate < 1% abort` ends the run, when 0.9 % fail.
fn false_aborts(runs: u64) -> usize {
    let mut draft = draft(&["error-rate < 1% abort"]);
    let aborts = |seed: u64| {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        for sample in &mut draft.samples {
            sample.outcome = if random.random_bool(0.009) { Outcome::Shed } else { Outcome::Full };
            sample.done_ns = sample.due_ns + 1_000_000;
        }
        watch(&draft).iter().any(|gates| gates[0].aborts)
    };
    (0..runs).map(aborts).filter(|aborted| *aborted).count()
}

#[test]
fn a_healthy_run_is_not_aborted_because_it_was_looked_at_often() {
    let aborted = false_aborts(100);
    assert!(aborted <= 5, "{aborted} of 100: a judgement at the end may be wrong in 5, at the very limit");
}

#[test]
fn an_outage_in_the_middle_of_a_window_ends_the_run_soon() {
    let mut draft = draft(&["error-rate < 5% window=run abort", "error-rate < 5% window=run abort after 20s"]);
    for sample in &mut draft.samples {
        sample.done_ns = sample.due_ns + 1_000_000;
        sample.outcome = if sample.due_ns < 14 * SECOND_NS { Outcome::Full } else { Outcome::Transport };
    }
    draft.count();
    let course = watch(&draft);
    let first = |gate: usize| course.iter().position(|gates| gates[gate].aborts).map(|index| index as u64 + 1);
    // Ten healthy seconds after the warm-up, then none is answered.
    let (at_once, later) = (first(0).expect("it aborts"), first(1).expect("it aborts"));
    assert!((15..=21).contains(&at_once) && (24..=26).contains(&later), "{at_once} and {later}");
}

#[test]
fn arrivals_that_are_out_were_sent() {
    let draft = draft(&["achieved-rate > 90% abort"]);
    let mut watched = Watched::start(&draft.run);
    watched.recorder.dropped(6, 10);
    watched.close_before(5);
    let mut aborts = |out: u64| watched.judge(&draft, 10, BTreeMap::from([(6, out)]))[0].aborts;
    assert_eq!((aborts(95), aborts(50)), (false, true), "10 of 105, and 10 of 60 were not");
}

#[test]
fn what_is_out_counts_against_a_limit_of_requests_in_flight_at_once() {
    let draft = draft(&["in-flight < 200 abort"]);
    let mut watched = Watched::start(&draft.run);
    watched.close_before(20);
    let mut judge = |now_s: u64, in_flight: u64| {
        watched.in_flight = in_flight;
        watched.judge(&draft, now_s, BTreeMap::new())[0].aborts
    };
    assert_eq!((judge(21, 90), judge(22, 199), judge(23, 200), judge(24, 0)), (false, false, true, true));
}

#[test]
fn a_count_may_still_come_to_its_bound_while_answers_are_out_after_its_window() {
    let mut draft = draft(&["good >= 100 window=10s..20s abort"]);
    draft.samples.retain(|sample| sample.due_ns / SECOND_NS < 10 || sample.due_ns / SECOND_NS >= 30);
    let like = draft.samples[0].clone();
    for k in 0..102 {
        let due_ns = 10 * SECOND_NS + k * 95_000_000;
        let done_ns = due_ns + if k < 3 { 15 * SECOND_NS } else { 1_000_000 };
        draft.samples.push(Sample {
            due_ns,
            sent_ns: due_ns,
            released_ns: due_ns,
            done_ns,
            outcome: Outcome::Full,
            ..like.clone()
        });
    }
    draft.count();
    for (second, gates) in watch(&draft).iter().enumerate() {
        assert!(!gates[0].aborts, "after {} s: {:?}", second + 1, gates[0]);
    }
}

#[test]
fn a_rate_counts_what_was_due_in_the_time_that_it_divides_by() {
    let mut draft = draft(&["rate > 0/s", "rate > 0/s window=steady"]);
    let due_before_the_end = draft.samples.len() + draft.dropped_ns.len();
    let last = draft.samples.last().unwrap().clone();
    for k in 0..500 {
        // Later steps of the last journeys.
        let due_ns = draft.run.planned_ns + k * 10_000_000;
        draft.samples.push(Sample {
            due_ns,
            sent_ns: due_ns,
            done_ns: due_ns + 1_000_000,
            is_arrival: false,
            ..last.clone()
        });
    }
    draft.count();
    let root = tempfile::tempdir().unwrap();
    let gates = Report::read(&draft.write(root.path())).unwrap().verdict.gates;
    let Some(Observed::Rate(rate)) = gates[0].observed else { panic!("{gates:?}") };
    let planned_s = draft.run.planned_ns as f64 / 1e9;
    assert!(rate <= due_before_the_end as f64 / (planned_s - 4.0), "{rate}/s of {due_before_the_end} in {planned_s} s");
}
