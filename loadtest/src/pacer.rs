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
    let mut burst = 0;
    for arrival in schedule {
        let due = live.instant(arrival.due_ns);
        let mut now = Instant::now();
        if now < due || burst == BURST {
            burst = 0;
            tokio::select! {
                biased;
                () = &mut stopping => return Ok(()),
                waited = wait(&timer, due) => waited?,
            }
            now = Instant::now();
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
            Err(TrySendError::Closed(released)) => live.unfinished(0, released.arrival.due_ns, None),
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
