//! The clock is fine enough, and it ran on: nothing was suspended, and nobody set the time.
use super::Check;
use crate::{number, record::Run, summary::Summary};

/// Largest jump, in nanoseconds. Source: measurement.md D3, "suspend jumps > 100 ms".
const LARGEST_NS: u64 = 100_000_000;

/// Coarsest resolution, in nanoseconds. Source: measurement.md D3.
const COARSEST_NS: u64 = 1_000;

pub(super) fn check(run: &Run, _: &Summary) -> Check {
    let jump_ns = run.generator.clock_jump_ns;
    let resolution_ns = run.meter.clock_resolution_ns;
    let steps = resolution_ns.map_or_else(String::new, |ns| format!(", steps of {}", number::latency(ns)));
    let is_fine = resolution_ns.is_none_or(|ns| ns <= COARSEST_NS);
    let figure = format!("largest jump {}{steps}", number::latency(jump_ns));
    let threshold =
        format!("jumps at most {}, steps at most {}", number::latency(LARGEST_NS), number::latency(COARSEST_NS));
    Check::new("clock steady", jump_ns <= LARGEST_NS && is_fine, figure, threshold)
}
