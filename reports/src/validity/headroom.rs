//! The generator had CPU to spare, so that its own limits are not taken for the target's.
use super::Check;
use crate::{number, record::Run, summary::Summary};

/// Largest share of the machine's cores. Source: measurement.md D3.
const LARGEST_SHARE: f64 = 0.7;

pub(super) fn check(run: &Run, _: &Summary) -> Check {
    let name = "generator headroom";
    let threshold = format!("below {}", number::exact_percent(LARGEST_SHARE));
    let core_seconds = run.finished_ns as f64 / 1e9 * run.machine.cpu_count as f64;
    if core_seconds <= 0.0 {
        return Check::not_applicable(name, "the run has no length", threshold);
    }
    let share = run.generator.cpu_seconds / core_seconds;
    let cores = number::counted(run.machine.cpu_count as u64, "core");
    Check::new(name, share < LARGEST_SHARE, format!("{} of {cores} used", number::percent(share)), threshold)
}
