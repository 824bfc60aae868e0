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

use super::choice::Census;

/// The open connections of one link, and their count so far.
#[derive(Debug, Default)]
pub(crate) struct Live {
    connections: Mutex<Connections>,
    emptied: Notify,
}

#[derive(Debug, Default)]
struct Connections {
    /// By ordinal.
    open: HashMap<u64, Arc<Control>>,
    /// Never reset: decisions hang on it.
    next_ordinal: u64,
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
    pub(crate) ordinal: u64,
    pub(crate) control: Arc<Control>,
}

impl Live {
    /// Takes the next connection in.
    pub(crate) fn enter(self: &Arc<Self>) -> Entry {
        let control = Arc::new(Control::default());
        let mut connections = self.lock();
        let ordinal = connections.next_ordinal;
        connections.next_ordinal += 1;
        connections.open.insert(ordinal, Arc::clone(&control));
        Entry { live: Arc::clone(self), ordinal, control }
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().open.len()
    }

    pub(crate) fn census(&self) -> Census {
        let connections = self.lock();
        Census::new(connections.open.keys().copied().collect(), connections.next_ordinal)
    }

    /// Has every connection look at the toxics again.
    pub(crate) fn wake_all(&self) {
        self.lock().open.values().for_each(|control| control.waker.wake());
    }

    /// Closes every connection, waits until all are gone, and says how many there were.
    pub(crate) async fn close_all(&self) -> usize {
        let closed = {
            let open = &self.lock().open;
            for control in open.values() {
                control.is_closed.store(true, Ordering::Release);
                control.waker.wake();
            }
            open.len()
        };
        loop {
            let emptied = self.emptied.notified();
            if self.lock().open.is_empty() {
                return closed;
            }
            emptied.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut connections = self.live.lock();
        connections.open.remove(&self.ordinal);
        if connections.open.is_empty() {
            self.live.emptied.notify_waiters();
        }
    }
}
