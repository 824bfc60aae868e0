//! How finely this machine's clock counts, and how late its timers are.
use crate::timer::Timer;
use hdrhistogram::Histogram;
use reports::{
    record::{ClockFigures, histogram},
    units,
};
use std::{io, time::Duration};
use tokio::time::Instant;

use super::trial::quantile_ns;

/// Steps of the clock that are looked at.
const STEPS: usize = 2_000;
/// Timers that are waited for, one after the other, and for how long each.
const WAITS: usize = 300;
const WAIT: Duration = Duration::from_millis(1);

/// Measures clock and timer.
///
/// # Errors
/// When no timer can be made.
pub(super) async fn measure() -> io::Result<ClockFigures> {
    let timer = Timer::new()?;
    let mut late: Histogram<u64> = histogram();
    for _ in 0..WAITS {
        let due = Instant::now() + WAIT;
        timer.until(due).await?;
        late.saturating_record(units::nanos(due.elapsed()).max(1));
    }
    Ok(ClockFigures {
        resolution_ns: units::nanos(resolution()),
        timer_late_p50_ns: quantile_ns(&late, 0.5),
        timer_late_p99_ns: quantile_ns(&late, 0.99),
    })
}

/// The smallest step that the clock was seen to make.
fn resolution() -> Duration {
    let step = || {
        let begun = Instant::now();
        loop {
            let step = begun.elapsed();
            if !step.is_zero() {
                return step;
            }
        }
    };
    (0..STEPS).map(|_| step()).min().unwrap_or_default()
}
