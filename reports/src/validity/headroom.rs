//! The generator had room to spare, so that its own limits are not taken for the target's: CPU, ports and file descriptors, and requests
//! per second where this machine was calibrated.
use super::Check;
use crate::{
    calibration::standing,
    number,
    record::{Run, SECOND_NS},
    summary::Summary,
};

/// Largest share of the machine's cores. Source: measurement.md D3.
const LARGEST_SHARE: f64 = 0.7;

/// What the generator can do, against what it had to do. Source: measurement.md D3.
const TIMES: f64 = 2.0;

pub(super) fn check(run: &Run, summary: &Summary) -> Check {
    let name = "generator headroom";
    let share_limit = format!("below {}", number::exact_percent(LARGEST_SHARE));
    let unopened = run.generator.unopened;
    if unopened > 0 {
        let figure =
            format!("{} not opened: no local port or file descriptor left", number::counted(unopened, "connection"));
        return Check::new(name, false, figure, "every connection opened");
    }
    let core_seconds = run.finished_ns as f64 / 1e9 * run.machine.cpu_count as f64;
    if core_seconds <= 0.0 {
        return Check::not_applicable(name, "the run has no length", share_limit);
    }
    let share = run.generator.cpu_seconds / core_seconds;
    let cores = number::counted(run.machine.cpu_count as u64, "core");
    let used = format!("{} of {cores} used", number::percent(share));
    let Some(possible) = standing(run).highest_rate() else {
        return Check::new(name, share < LARGEST_SHARE, used, share_limit);
    };
    let tested = busiest_rate(run, summary);
    let passes = share < LARGEST_SHARE && possible >= TIMES * tested;
    let figure = format!("{used}, {} possible, {} tested", number::rate(possible), number::rate(tested));
    Check::new(name, passes, figure, format!("{share_limit}, {TIMES} times the busiest second possible"))
}

/// Requests sent in the busiest second; without a table of seconds, on average.
fn busiest_rate(run: &Run, summary: &Summary) -> f64 {
    let busiest = summary.seconds.iter().map(|second| second.sent).max();
    let average = || run.load.counts.offered as f64 / (run.finished_ns.max(SECOND_NS) as f64 / 1e9);
    busiest.map_or_else(average, |sent| sent as f64)
}
