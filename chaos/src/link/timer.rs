//! Precise alarms: one thread that wakes tasks at their instant.
//!
//! tokio's own timer has slots of 1 ms and rounds up, which would add 1.1 ms to every delay of a link.
use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::Waker,
    thread,
    time::Duration,
};

use tokio::time::Instant;

/// A wait longer than this is cut in two: a processor that slept briefly wakes faster than one that slept long.
const NEAR: Duration = Duration::from_millis(1);
/// How long before the instant the second, short wait begins.
const LEAD: Duration = Duration::from_micros(500);

/// The alarms of all links. Clones share one thread, which ends with the last of them.
#[derive(Debug, Clone)]
pub(crate) struct Timers(Arc<Owner>);

#[derive(Debug)]
struct Owner(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    earlier: Condvar,
}

#[derive(Debug, Default)]
struct State {
    due: BTreeMap<(Instant, u64), Waker>,
    next_id: u64,
    stopped: bool,
}

impl Timers {
    pub(crate) fn start() -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        thread::Builder::new().name("link-timer".to_owned()).spawn(move || of_thread.run())?;
        Ok(Self(Arc::new(Owner(shared))))
    }

    /// An alarm that is not set yet.
    pub(crate) fn alarm(&self) -> Alarm {
        Alarm { timers: self.clone(), set: None }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.lock().stopped = true;
        self.0.earlier.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        // Without this the kernel may wake the thread 50 us late; a refusal only costs exactness.
        let _ = nix::sys::prctl::set_timerslack(1);
        let mut state = self.lock();
        while !state.stopped {
            let now = Instant::now();
            let later = state.due.split_off(&(now + Duration::from_nanos(1), 0));
            let due = std::mem::replace(&mut state.due, later);
            if !due.is_empty() {
                drop(state);
                due.into_values().for_each(Waker::wake);
                state = self.lock();
                continue;
            }
            let next = state.due.first_key_value().map(|((at, _), _)| at.saturating_duration_since(now));
            state = match next {
                None => self.earlier.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(wait) => {
                    let wait = if wait > NEAR { wait - LEAD } else { wait };
                    self.earlier.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

/// Wakes one task at one instant; setting it again replaces the instant, dropping it cancels.
#[derive(Debug)]
pub(crate) struct Alarm {
    timers: Timers,
    set: Option<(Instant, u64, Waker)>,
}

impl Alarm {
    /// Wakes the task at `at`, or never.
    pub(crate) fn set(&mut self, at: Option<Instant>, waker: &Waker) {
        match (&self.set, at) {
            (None, None) => return,
            (Some((set_at, _, set_waker)), Some(at)) if *set_at == at && set_waker.will_wake(waker) => return,
            _ => {}
        }
        let shared = &self.timers.0.0;
        let mut state = shared.lock();
        if let Some((set_at, id, _)) = self.set.take() {
            state.due.remove(&(set_at, id));
        }
        let Some(at) = at else { return };
        let id = state.next_id;
        state.next_id += 1;
        let is_first = state.due.first_key_value().is_none_or(|((first, _), _)| at < *first);
        state.due.insert((at, id), waker.clone());
        self.set = Some((at, id, waker.clone()));
        if is_first {
            drop(state);
            shared.earlier.notify_one();
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.set(None, Waker::noop());
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, task::Poll};

    use super::*;

    async fn sleep_until(alarm: &mut Alarm, at: Instant) {
        poll_fn(|cx| {
            if Instant::now() >= at {
                return Poll::Ready(());
            }
            alarm.set(Some(at), cx.waker());
            Poll::Pending
        })
        .await;
    }

    #[tokio::test]
    async fn alarms_ring_at_their_instant_and_never_before() {
        let timers = Timers::start().unwrap();
        let mut late_us = Vec::new();
        for round in 0..40_u64 {
            let mut alarm = timers.alarm();
            let at = Instant::now() + Duration::from_micros(500 + 50 * round);
            sleep_until(&mut alarm, at).await;
            late_us.push((Instant::now() - at).as_micros());
        }
        late_us.sort_unstable();
        assert!(late_us[20] < 1_000, "median lateness {} us: tokio's timer has 1100", late_us[20]);
    }

    #[tokio::test]
    async fn an_earlier_instant_overtakes_and_a_dropped_alarm_is_gone() {
        let timers = Timers::start().unwrap();
        let mut far = timers.alarm();
        far.set(Some(Instant::now() + Duration::from_secs(3600)), Waker::noop());
        let mut near = timers.alarm();
        sleep_until(&mut near, Instant::now() + Duration::from_millis(2)).await;
        drop((far, near));
        assert!(timers.0.0.lock().due.is_empty());
    }

    #[test]
    fn the_thread_ends_with_the_last_handle() {
        let timers = Timers::start().unwrap();
        let shared = Arc::clone(&timers.0.0);
        drop((timers.alarm(), timers));
        let deadline = Instant::now() + Duration::from_secs(5);
        while Arc::strong_count(&shared) > 1 && Instant::now() < deadline {
            thread::yield_now();
        }
        assert_eq!(Arc::strong_count(&shared), 1);
    }
}
