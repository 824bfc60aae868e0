//! The open connections of a link: how they are woken after a change, and closed.
use std::{
    collections::HashMap,
    future::poll_fn,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

/// The open connections of one link, by ordinal.
#[derive(Debug, Default)]
pub(crate) struct Live {
    open: Mutex<HashMap<u64, Arc<Control>>>,
    emptied: Notify,
}

/// What a connection listens to beside its sockets.
#[derive(Debug, Default)]
pub(crate) struct Control {
    waker: AtomicWaker,
    is_closed: AtomicBool,
}

impl Control {
    /// Has the task woken on every change from now on, and says whether it must close.
    pub(crate) fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.waker.register(cx.waker());
        if self.is_closed.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Waits until the connection must close.
    pub(crate) async fn closed(&self) {
        poll_fn(|cx| self.poll_closed(cx)).await;
    }
}

/// Keeps a connection in the list; dropping it takes it out.
#[derive(Debug)]
pub(crate) struct Entry {
    live: Arc<Live>,
    ordinal: u64,
    pub(crate) control: Arc<Control>,
}

impl Live {
    pub(crate) fn enter(self: &Arc<Self>, ordinal: u64) -> Entry {
        let control = Arc::new(Control::default());
        self.lock().insert(ordinal, Arc::clone(&control));
        Entry { live: Arc::clone(self), ordinal, control }
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Has every connection look at the toxics again.
    pub(crate) fn wake_all(&self) {
        self.lock().values().for_each(|control| control.waker.wake());
    }

    /// Closes every connection, waits until all are gone, and says how many there were.
    pub(crate) async fn close_all(&self) -> usize {
        let closed = {
            let open = self.lock();
            for control in open.values() {
                control.is_closed.store(true, Ordering::Release);
                control.waker.wake();
            }
            open.len()
        };
        loop {
            let emptied = self.emptied.notified();
            if self.lock().is_empty() {
                return closed;
            }
            emptied.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Control>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut open = self.live.lock();
        open.remove(&self.ordinal);
        if open.is_empty() {
            self.live.emptied.notify_waiters();
        }
    }
}
