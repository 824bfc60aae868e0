//! The machine was left alone: the hypervisor gave its time to it, and nothing else ran beside generator and target. Only a label.
use super::{Check, check::NOT_NOTED};
use crate::{number, record::Run, summary::Summary};

/// Largest share of time that the hypervisor takes. Source: measurement.md D3.
const LARGEST_STEAL: f64 = 0.02;

/// Largest share of the machine that other programs use.
const LARGEST_OTHER: f64 = 0.1;

pub(super) fn check(run: &Run, _: &Summary) -> Check {
    let (name, largest_steal) = ("quiet host", number::exact_percent(LARGEST_STEAL));
    let Some(host) = run.meter.host else {
        return Check::not_applicable(name, NOT_NOTED, format!("stolen at most {largest_steal}"));
    };
    let stolen = format!("{} stolen", number::percent(host.steal_share));
    let is_given = host.steal_share <= LARGEST_STEAL;
    let core_seconds = run.finished_ns as f64 / 1e9 * run.machine.cpu_count as f64;
    // What a target uses that is not ours cannot be told from what others use.
    if !run.target.is_bundled || core_seconds <= 0.0 {
        return Check::label(name, is_given, stolen, format!("at most {largest_steal}"));
    }
    let ours = run.generator.cpu_seconds + run.target.processes.iter().map(|process| process.cpu_seconds).sum::<f64>();
    let other_share = (host.busy_share - ours / core_seconds).max(0.0);
    let figure = format!("{stolen}, {} used by others", number::percent(other_share));
    let threshold = format!("at most {largest_steal}, and {}", number::exact_percent(LARGEST_OTHER));
    Check::label(name, is_given && other_share <= LARGEST_OTHER, figure, threshold)
}
