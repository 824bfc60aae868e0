//! A fault of a database under its lease: when nobody renews it in time, it is lifted here, whatever became of the driver.
use std::{
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{
    sync::Mutex,
    time::{Instant, sleep_until},
};
use tracing::{error, warn};

use super::injection::{Error, Injection, Seen};
use crate::control::Written;

/// Pause before the end of a lease is tried again, should lifting have failed.
const TRY_AGAIN: Duration = Duration::from_millis(500);

/// A fault that is ready to be put on. Clones are the same fault.
#[derive(Clone)]
pub struct Leased {
    name: String,
    state: Arc<Mutex<State>>,
}

struct State {
    injection: Box<dyn Injection>,
    /// While it is on: when its lease runs out, and how long one is.
    lease: Option<(Instant, Duration)>,
}

impl fmt::Debug for Leased {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leased").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Leased {
    pub(super) fn new(name: &str, injection: Box<dyn Injection>) -> Self {
        Self { name: name.to_owned(), state: Arc::new(Mutex::new(State { injection, lease: None })) }
    }

    /// Puts the fault on for as long as it is renewed within `lease`, and proves that it is.
    ///
    /// # Errors
    /// When the database refuses or cannot be reached, or a probe does not meet the fault. Part of it may be on then: lift it.
    pub async fn inject(&self, lease: Duration) -> Result<Written, Error> {
        let mut state = self.state.lock().await;
        let written = state.injection.inject(lease).await?;
        state.lease = Some((written.before + lease, lease));
        tokio::spawn(watch(self.name.clone(), Arc::downgrade(&self.state)));
        Ok(written)
    }

    /// Renews its lease.
    ///
    /// # Errors
    /// [`Error::is_not_found`] when it is no longer on; others when that cannot be known.
    pub async fn renew(&self) -> Result<(), Error> {
        let before = Instant::now();
        let mut state = self.state.lock().await;
        let Some((_, lease)) = state.lease else { return Err(Error::Gone { how: "its lease ran out".to_owned() }) };
        state.injection.renew().await?;
        state.lease = Some((before + lease, lease));
        Ok(())
    }

    /// Lifts it and proves that it is gone; one that is gone already is no error.
    ///
    /// # Errors
    /// When the database cannot be reached, or a probe still meets the fault.
    pub async fn lift(&self) -> Result<Written, Error> {
        let mut state = self.state.lock().await;
        let written = state.injection.lift().await?;
        state.lease = None;
        Ok(written)
    }

    /// What it has done so far.
    pub async fn seen(&self) -> Seen {
        self.state.lock().await.injection.seen()
    }
}

/// Lifts the fault when its lease runs out. Ends when it is off, or dropped with whatever it holds.
async fn watch(name: String, fault: Weak<Mutex<State>>) {
    while let Some(due) = due(&fault).await {
        sleep_until(due).await;
        let Some(state) = fault.upgrade() else { return };
        let mut state = state.lock().await;
        if state.lease.is_none_or(|(due, _)| due > Instant::now()) {
            continue;
        }
        warn!(fault = %name, "nobody renewed fault `{name}`: lifting it");
        match state.injection.lift().await {
            Ok(_) => state.lease = None,
            Err(cause) => {
                error!(fault = %name, "cannot lift fault `{name}`: {cause}");
                state.lease = Some((Instant::now() + TRY_AGAIN, TRY_AGAIN));
            }
        }
    }
}

/// When its lease runs out; `None` when it is off or gone.
async fn due(fault: &Weak<Mutex<State>>) -> Option<Instant> {
    let state = fault.upgrade()?;
    let lease = state.lock().await.lease;
    lease.map(|(due, _)| due)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::{super::injection::Doing, *};

    /// Counts how often it is on.
    struct Switch(Arc<AtomicU32>);

    fn now() -> Written {
        Written { before: Instant::now(), after: Instant::now() }
    }

    impl Injection for Switch {
        fn inject(&mut self, _lease: Duration) -> Doing<'_, Written> {
            self.0.store(1, Ordering::SeqCst);
            Box::pin(async { Ok(now()) })
        }

        fn renew(&mut self) -> Doing<'_, ()> {
            Box::pin(async { Ok(()) })
        }

        fn lift(&mut self) -> Doing<'_, Written> {
            self.0.store(0, Ordering::SeqCst);
            Box::pin(async { Ok(now()) })
        }

        fn seen(&self) -> Seen {
            Seen { count: 0, what: "switches".to_owned() }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_ends_when_nobody_renews_it_and_not_before() {
        let on = Arc::new(AtomicU32::new(0));
        let fault = Leased::new("x", Box::new(Switch(on.clone())));
        fault.inject(Duration::from_secs(10)).await.unwrap();
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_secs(9)).await;
            fault.renew().await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(9_900)).await;
        assert_eq!(on.load(Ordering::SeqCst), 1, "54.9 s after it was put on, 9.9 s after the last renewal");
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(on.load(Ordering::SeqCst), 0, "10.1 s after the last renewal");
        assert!(fault.renew().await.unwrap_err().is_not_found());
        fault.lift().await.unwrap();
    }
}
