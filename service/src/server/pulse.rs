//! What a connection is doing and since when: enough to tell a slow client from a busy one.
//!
//! All parts of a connection run on one task; the atomics only make it `Sync`, and are never contended.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

use super::connection::Terms;

const IDLE: u64 = 0;
const HEAD: u64 = 1;
const BUSY: u64 = 2;
/// Nothing has ever arrived.
const FRESH: u64 = 3;
/// Bits for the states above; the rest is the time.
const STATE_BITS: u32 = 2;
/// No write is waiting.
const FLOWING: u64 = u64::MAX;

/// The state of one connection.
pub(super) struct Pulse {
    opened: Instant,
    /// State, and since when in milliseconds after `opened`.
    state: AtomicU64,
    /// Since when a write waits for the client, in milliseconds after `opened`.
    write_waits: AtomicU64,
}

/// Why a connection has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    /// No request for long.
    Idle,
    /// The head of a request does not come to its end.
    Header,
    /// The client does not take its answer.
    Write,
}

impl Pulse {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { opened: Instant::now(), state: AtomicU64::new(FRESH), write_waits: AtomicU64::new(FLOWING) })
    }

    /// A request's head is here.
    pub(super) fn busy(&self) {
        self.set(BUSY);
    }

    /// What is overdue now, or when the earliest thing will be.
    pub(super) fn check(&self, terms: &Terms) -> Result<Overdue, Instant> {
        let now = self.now_ms();
        let (state, since) = self.state();
        let waits = self.write_waits.load(Relaxed);
        let of_state = match state {
            IDLE => Some((since, terms.idle_timeout, Overdue::Idle)),
            // Who connects has something to say: it takes as long as a head at most.
            FRESH => Some((since, terms.idle_timeout.min(terms.header_timeout), Overdue::Idle)),
            HEAD => Some((since, terms.header_timeout, Overdue::Header)),
            _ => None,
        };
        let of_write = (waits != FLOWING).then_some((waits, terms.write_timeout, Overdue::Write));
        // A state that begins after this check is seen in time, because the next check is never later than this.
        let mut next = now.saturating_add(millis(terms.shortest()));
        for (since, allowed, overdue) in of_write.into_iter().chain(of_state) {
            let due = since.saturating_add(millis(allowed));
            if due <= now {
                return Ok(overdue);
            }
            next = next.min(due);
        }
        Err(self.opened + Duration::from_millis(next))
    }

    fn idle(&self) {
        self.set(IDLE);
    }

    fn read(&self, count: usize) {
        if count > 0 && matches!(self.state().0, IDLE | FRESH) {
            self.set(HEAD);
        }
    }

    fn wrote<T>(&self, progress: &Poll<T>) {
        match progress {
            Poll::Ready(_) => self.write_waits.store(FLOWING, Relaxed),
            Poll::Pending if self.write_waits.load(Relaxed) == FLOWING => {
                self.write_waits.store(self.now_ms(), Relaxed);
            }
            Poll::Pending => {}
        }
    }

    fn set(&self, state: u64) {
        self.state.store(self.now_ms() << STATE_BITS | state, Relaxed);
    }

    fn state(&self) -> (u64, u64) {
        let state = self.state.load(Relaxed);
        (state & ((1 << STATE_BITS) - 1), state >> STATE_BITS)
    }

    fn now_ms(&self) -> u64 {
        millis(self.opened.elapsed())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX >> STATE_BITS)
}

/// A socket whose reads and writes are noted.
pub(super) struct Watched<S> {
    pub(super) socket: S,
    pub(super) pulse: Arc<Pulse>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(cx, buf);
        self.pulse.read(buf.filled().len() - before);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        let wrote = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.pulse.wrote(&wrote);
        wrote
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let flushed = Pin::new(&mut self.socket).poll_flush(cx);
        self.pulse.wrote(&flushed);
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let shut = Pin::new(&mut self.socket).poll_shutdown(cx);
        self.pulse.wrote(&shut);
        shut
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let wrote = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        self.pulse.wrote(&wrote);
        wrote
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}

/// A body that keeps its connection busy until its end.
pub(super) struct Answer {
    pub(super) body: Body,
    pub(super) pulse: Arc<Pulse>,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.pulse.idle();
    }
}
