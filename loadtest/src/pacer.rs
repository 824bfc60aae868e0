//! The pacer: releases every arrival of an open model at its due instant, whatever the target does.
use crate::{
    arrivals::{GapWatch, Law},
    live::Live,
    schedule::{Arrival, Schedule},
    timer::Timer,
};
use async_channel::{Sender, TrySendError};
use reports::record::ArrivalFit;
use std::{io, sync::Arc, thread};
use tokio::{sync::oneshot, time::Instant};

/// An arrival that has become due and waits for a free user.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Released {
    pub(crate) arrival: Arrival,
    pub(crate) released_ns: u64,
}

/// After so many late releases in a row, others get their turn on the thread.
const BURST: u32 = 64;

/// When the pacer is to wake for an arrival. Each time it wakes itself and a user, which costs as much as a request does.
///
/// Up to 10 000 arrivals per second, each is released at its own instant. Where they are nearer, those of one span are released together,
/// the last of them on time: the span is as many times 100 µs as the rate is times 10 000 per second, and 400 µs at most.
#[derive(Debug)]
struct Waking {
    last_ns: u64,
    last_due_ns: u64,
    /// Of the latest arrivals, each counting less the longer ago it was due.
    mean_gap_ns: f64,
}

/// Arrivals that are nearer than this are released together.
const NEAR_NS: f64 = 100e3;
const SPAN_MAX_NS: f64 = 400e3;
/// The share by which an arrival moves the mean gap.
const WEIGHT: f64 = 1.0 / 64.0;

impl Waking {
    fn new() -> Self {
        Self { last_ns: 0, last_due_ns: 0, mean_gap_ns: NEAR_NS }
    }

    /// When to wake for what is due then; both in nanoseconds since clock zero.
    fn for_arrival(&mut self, due_ns: u64) -> u64 {
        let gap_ns = due_ns.saturating_sub(self.last_due_ns) as f64;
        self.mean_gap_ns += (gap_ns - self.mean_gap_ns) * WEIGHT;
        self.last_due_ns = due_ns;
        if self.mean_gap_ns >= NEAR_NS {
            return due_ns;
        }
        let span_ns = (NEAR_NS * NEAR_NS / self.mean_gap_ns.max(1.0)).min(SPAN_MAX_NS);
        due_ns.max(self.last_ns + span_ns as u64)
    }

    fn woke(&mut self, now_ns: u64) {
        self.last_ns = now_ns;
    }
}

/// Releases the schedule into the queue, until its end or until the run is to be drained. A full queue drops the arrival, and counts it.
///
/// Returns how the arrivals were spaced when they were released, where the model has a law for that.
///
/// # Errors
/// When the timer does not work.
async fn release(
    schedule: Schedule,
    law: Option<Law>,
    queue: Sender<Released>,
    live: Arc<Live>,
) -> io::Result<Option<ArrivalFit>> {
    let mut watch = law.map(Law::watch);
    release_all(schedule, &mut watch, queue, live).await?;
    Ok(watch.map(GapWatch::fit))
}

async fn release_all(
    schedule: Schedule,
    watch: &mut Option<GapWatch>,
    queue: Sender<Released>,
    live: Arc<Live>,
) -> io::Result<()> {
    let timer = Timer::new()?;
    let stopping = live.stop.stopping();
    tokio::pin!(stopping);
    let (mut waking, mut burst) = (Waking::new(), 0);
    for arrival in schedule {
        let (due, wake_ns) = (live.instant(arrival.due_ns), waking.for_arrival(arrival.due_ns));
        let mut now = Instant::now();
        if now < due || burst == BURST {
            burst = 0;
            let wake = if now < due { live.instant(wake_ns) } else { due };
            tokio::select! {
                biased;
                () = &mut stopping => return Ok(()),
                waited = wait(&timer, wake) => waited?,
            }
            now = Instant::now();
            waking.woke(live.ns(now));
        }
        burst += 1;
        live.arrived(0, arrival.journey_index, arrival.due_ns);
        let released_ns = live.ns(now);
        if let Some(watch) = watch {
            watch.released(released_ns);
        }
        match queue.try_send(Released { arrival, released_ns }) {
            Ok(()) => {}
            Err(TrySendError::Full(released)) => live.dropped(released.arrival.due_ns),
            // Every user has ended: the run was stopped at once.
            Err(TrySendError::Closed(released)) => live.left(released.arrival.due_ns),
        }
    }
    Ok(())
}

/// Does it on a thread of its own, so that an arrival does not wait for the users' turns.
///
/// # Errors
/// When the timer does not work, or no thread is left.
pub(crate) async fn release_apart(
    schedule: Schedule,
    law: Option<Law>,
    queue: Sender<Released>,
    live: Arc<Live>,
) -> io::Result<Option<ArrivalFit>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (tell, ended) = oneshot::channel();
    // Nobody listens any more when the load was given up.
    let work = move || drop(tell.send(runtime.block_on(release(schedule, law, queue, live))));
    thread::Builder::new().name("pacer".into()).spawn(work)?;
    ended.await.unwrap_or_else(|_| Err(io::Error::other("the pacer panicked")))
}

async fn wait(timer: &Timer, due: Instant) -> io::Result<()> {
    if Instant::now() < due {
        return timer.until(due).await;
    }
    tokio::task::yield_now().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// When a pacer that is never late wakes for arrivals that are so far apart, and how late it releases the last of them.
    fn wakes(gap_ns: u64, count: u64) -> Vec<u64> {
        let (mut waking, mut wakes) = (Waking::new(), Vec::new());
        let mut now_ns = 0;
        for due_ns in (1..=count).map(|k| k * gap_ns) {
            let wake_ns = waking.for_arrival(due_ns);
            if now_ns < due_ns {
                now_ns = wake_ns;
                waking.woke(now_ns);
                wakes.push(now_ns);
            }
        }
        wakes
    }

    #[rstest]
    #[case::slow(1_000_000)]
    #[case::the_fastest_that_are_released_one_by_one(100_000)]
    fn arrivals_that_are_far_apart_are_released_at_their_own_instants(#[case] gap_ns: u64) {
        let expected: Vec<u64> = (1..=1_000).map(|k| k * gap_ns).collect();
        assert_eq!(wakes(gap_ns, 1_000), expected);
    }

    #[rstest]
    #[case(50_000, 4)]
    #[case(20_000, 20)]
    #[case(10_000, 40)]
    fn near_ones_are_released_together_and_never_early(#[case] gap_ns: u64, #[case] together: u64) {
        let wakes = wakes(gap_ns, 10_000);
        let settled = &wakes[wakes.len() / 2..];
        let spans: Vec<u64> = settled.windows(2).map(|pair| (pair[1] - pair[0]) / gap_ns).collect();
        assert!(spans.iter().all(|span| (*span).abs_diff(together) <= 1), "{spans:?}");
    }
}
