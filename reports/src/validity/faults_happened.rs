//! Every fault of the plan was really on, when it was meant to be, and touched something where that can be counted.
use super::Check;
use crate::{
    number,
    record::{FaultEffect, FaultEnd, FaultRecord, Run, RunEnd},
    summary::Summary,
};

/// Largest distance of either end from the plan, in nanoseconds.
const LARGEST_SHIFT_NS: u64 = 100_000_000;

pub(super) fn check(run: &Run, _: &Summary) -> Check {
    let (name, threshold) = ("faults happened", "each on within 100 ms of its plan, and touching something");
    let was_reached = |fault: &&FaultRecord| match run.end {
        RunEnd::Completed => true,
        // Between the abort and the last answer, no fault goes on.
        RunEnd::Aborted { at_ns, .. } => fault.planned.from_ns < at_ns,
        _ => fault.planned.from_ns < run.finished_ns,
    };
    let due: Vec<&FaultRecord> = run.faults.iter().filter(was_reached).collect();
    if due.is_empty() {
        return Check::not_applicable(name, "no fault was due", threshold);
    }
    let problems: Vec<String> =
        due.iter().filter_map(|fault| Some(format!("{}: {}", fault.name, problem(fault)?))).collect();
    let figure = match problems.is_empty() {
        true => format!("{} of {}", due.len(), number::counted(due.len() as u64, "fault")),
        false => problems.join("; "),
    };
    Check::new(name, problems.is_empty(), figure, threshold)
}

fn problem(fault: &FaultRecord) -> Option<String> {
    let Some(window) = fault.window else {
        let why = fault.error.as_ref().map_or_else(String::new, |error| format!(" ({error})"));
        return Some(format!("was never on{why}"));
    };
    let late_ns = window.from_ns.abs_diff(fault.planned.from_ns);
    // A part that starts again takes its own time, which is a figure of the target and not a fault that came late.
    let lifted_ns = fault.part.as_ref().and_then(|part| part.undone_from_ns).unwrap_or(window.to_ns);
    let over_ns = lifted_ns.abs_diff(fault.planned.to_ns);
    if late_ns > LARGEST_SHIFT_NS {
        return Some(format!("came on {} off its plan", number::latency(late_ns)));
    }
    if fault.end == FaultEnd::LeaseExpired {
        return Some("ended by its lease, not by the plan".to_owned());
    }
    if fault.end == FaultEnd::Lifted && over_ns > LARGEST_SHIFT_NS {
        return Some(format!("was lifted {} off its plan", number::latency(over_ns)));
    }
    let is_nothing = |effect: FaultEffect| {
        effect.connections == 0 && effect.chunks == 0 && effect.requests == 0 && effect.probes_refused == 0
    };
    let touched_nothing = fault.effect.is_some_and(is_nothing);
    let hit_nothing = fault.part.as_ref().is_some_and(|part| part.hits == Some(0));
    (touched_nothing || hit_nothing).then(|| "touched nothing".to_owned())
}
