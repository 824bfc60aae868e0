//! The clock ran on: nothing was suspended, and nobody set the time.
use super::Check;
use crate::{number, record::Run, summary::Summary};

/// Largest jump, in nanoseconds. Source: measurement.md D3, "suspend jumps > 100 ms".
const LARGEST_NS: u64 = 100_000_000;

pub(super) fn check(run: &Run, _: &Summary) -> Check {
    let jump_ns = run.generator.clock_jump_ns;
    let figure = format!("largest jump {}", number::latency(jump_ns));
    Check::new("clock steady", jump_ns <= LARGEST_NS, figure, format!("at most {}", number::latency(LARGEST_NS)))
}
