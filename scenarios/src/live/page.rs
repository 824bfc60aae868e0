//! How the run stands, as JSON for the dashboard and for `--progress json`.
use super::{
    board::{Board, State, standing},
    history::{STEP_SECONDS, band_starts_ms},
};
use reports::{
    gate::Observed,
    record::{Outcome, SECOND_NS},
    summary::{Latency, Quantile},
};
use serde_json::{Value, json};

/// Latency in milliseconds: `null` when nothing was measured, −1 when it is infinite, because too many requests failed.
fn ms(quantile: Option<Quantile>) -> Value {
    match quantile {
        None => Value::Null,
        Some(Quantile::Infinite) => json!(-1),
        Some(Quantile::Finite(ns)) => json!((ns as f64 / 1e3).round() / 1e3),
    }
}

/// Everything that does not depend on who asks.
pub(crate) fn now(board: &Board) -> Value {
    board.read(|state| head(board, state))
}

/// The same, with the seconds from one on.
pub(super) fn since(board: &Board, second: u64) -> Value {
    board.read(|state| {
        let mut page = head(board, state);
        let shown_before = if state.is_over { u64::MAX } else { state.now_ns / SECOND_NS };
        let seconds = state.history.since(second).take_while(|(second, _)| *second < shown_before);
        let seconds = seconds.map(|(second, kept)| {
            let (lanes, due) = (&kept.lanes, &kept.due);
            let bands = due.heat.iter().enumerate().filter(|(_, count)| **count > 0);
            json!({
                "s": second, "offered": lanes.offered, "sent": lanes.sent, "done": lanes.completed,
                "dropped": lanes.dropped, "in_flight": lanes.in_flight,
                "classes": Outcome::ALL.map(|outcome| due.outcomes.get(outcome)),
                "heat": bands.map(|(band, count)| [band as u64, *count]).collect::<Vec<_>>(),
                "p50": ms(due.p50), "p95": ms(due.p95), "p99": ms(due.p99),
            })
        });
        page["seconds"] = seconds.collect();
        page["bands_ms"] = json!(band_starts_ms().to_vec());
        page
    })
}

fn head(board: &Board, state: &State) -> Value {
    let subject = &board.subject;
    let phase = board.phase_at(state.now_ns);
    let phases = subject.phases.iter().map(|phase| {
        json!({ "label": phase.label, "kind": phase.kind, "from_s": seconds(phase.from_ns), "to_s": seconds(phase.to_ns), "faults": phase.faults })
    });
    let classes =
        Outcome::ALL.map(|outcome| json!({ "class": outcome.name(), "count": state.totals.of_class(outcome) }));
    let last = Board::last_second(state).and_then(|second| state.history.since(second).next());
    let lanes = last.map(|(_, kept)| kept.lanes).unwrap_or_default();
    let all = state.steps.iter().fold(Latency::default(), |mut sum, step| {
        sum.good.add(&step.latency.good);
        sum.failed += step.latency.failed;
        sum
    });
    let counts = &state.counts;
    json!({
        "run": subject.run, "scenario": subject.scenario, "title": subject.title, "target": subject.target,
        "planned_s": seconds(subject.planned_ns), "now_s": seconds(state.now_ns), "is_over": state.is_over,
        "phase": phase.map_or("draining", |phase| phase.label.as_str()),
        "faults": phase.map(|phase| phase.faults.clone()).unwrap_or_default(),
        "phases": phases.collect::<Vec<_>>(),
        "offered_per_second": lanes.offered, "done_per_second": lanes.completed, "in_flight": state.in_flight,
        "p50_ms": ms(all.quantile(0.5)), "p95_ms": ms(all.quantile(0.95)), "p99_ms": ms(all.quantile(0.99)),
        "counts": { "offered": counts.offered, "completed": counts.completed, "dropped": counts.dropped,
                    "unfinished": counts.unfinished, "lost": counts.lost },
        "classes": classes,
        "steps": steps(board, state),
        "gates": state.gates.iter().map(|gate| json!({
            "gate": gate.result.gate, "standing": standing(gate), "observed": gate.result.observed.map(text),
            "reason": gate.result.reason,
        })).collect::<Vec<_>>(),
        "aborted": state.aborted.as_ref().map(|aborted| json!({ "rule": aborted.rule, "at_s": seconds(aborted.at_ns) })),
        "verdict": state.verdict.as_ref().map(|(word, headline)| json!({ "word": word, "headline": headline })),
        "final_before": state.final_before.min(1 << 53),
    })
}

fn steps(board: &Board, state: &State) -> Vec<Value> {
    let length_s = (state.now_ns / SECOND_NS).clamp(1, STEP_SECONDS) as f64;
    let row = |(step, figures): (&reports::record::StepInfo, &super::history::StepFigures)| {
        let latency = &figures.latency;
        json!({
            "step": step.tag(&board.subject.steps), "per_second": figures.outcomes.total() as f64 / length_s,
            "good_share": figures.outcomes.good_share(),
            "p50": ms(latency.quantile(0.5)), "p95": ms(latency.quantile(0.95)), "p99": ms(latency.quantile(0.99)),
        })
    };
    board.subject.steps.iter().zip(&state.steps).map(row).collect()
}

fn text(observed: Observed) -> String {
    observed.to_string()
}

fn seconds(ns: u64) -> f64 {
    (ns as f64 / 1e6).round() / 1e3
}
