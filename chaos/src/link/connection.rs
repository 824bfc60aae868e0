//! One connection through a link: two sockets, two chains, one task.
use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use bytes::BytesMut;
use tokio::{io::AsyncWrite, net::TcpStream, time::Instant};
use tokio_util::io::poll_read_buf;

use super::{
    chain::{Advance, Chain},
    chunk::Chunk,
    counters::Hits,
    live::Control,
    spec::Spec,
    timer::{Alarm, Timers},
};

/// Size of the first read; doubles when a read is full, halves when it is nearly empty.
const READ_BYTES_MIN: usize = 16 * 1024;
/// Larger reads cost less CPU time (0.45 s/GB at 256 KiB, 0.58 at 64 KiB), but the socket on the other side runs dry meanwhile.
const READ_BYTES_MAX: usize = 64 * 1024;

/// What the connections of a link share in one direction: the toxics as they are now, and a byte count.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    toxics: Mutex<Arc<[Arc<Spec>]>>,
    /// Rises with every change of `toxics`.
    version: AtomicU64,
    /// Bytes read.
    pub(crate) bytes: AtomicU64,
    /// Bytes written.
    pub(crate) sent_bytes: AtomicU64,
}

impl Lane {
    /// Sets the toxics; connections take them over when they are woken.
    pub(crate) fn set(&self, toxics: Arc<[Arc<Spec>]>) {
        *self.toxics.lock().unwrap_or_else(PoisonError::into_inner) = toxics;
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Forgets what has been counted.
    pub(crate) fn reset(&self) {
        self.bytes.store(0, Ordering::Relaxed);
        self.sent_bytes.store(0, Ordering::Relaxed);
    }

    fn get(&self) -> Arc<[Arc<Spec>]> {
        Arc::clone(&self.toxics.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Both sides ended their stream.
    Finished,
    /// A toxic or the link closed it.
    Closed,
    /// A toxic reset it, or one side did and the other was told.
    Reset,
}

/// A connection with both its sockets.
pub(crate) struct Connection {
    client: TcpStream,
    server: TcpStream,
    upstream: Direction,
    downstream: Direction,
}

impl Connection {
    pub(crate) fn new(
        ordinal: u64,
        client: TcpStream,
        server: TcpStream,
        lanes: [Arc<Lane>; 2],
        timers: &Timers,
    ) -> Self {
        let hits = Arc::<Hits>::default();
        let [upstream, downstream] = lanes.map(|lane| Direction::new(ordinal, Arc::clone(&hits), lane, timers));
        Self { client, server, upstream, downstream }
    }

    /// Carries bytes until the connection ends or `control` closes it.
    pub(crate) async fn run(mut self, control: &Control) -> Ending {
        let ending = poll_fn(|cx| {
            if control.poll_closed(cx).is_ready() {
                return Poll::Ready(Ending::Closed);
            }
            self.poll(cx)
        })
        .await;
        if ending == Ending::Reset {
            // A socket that is already gone needs no reset.
            let _ = self.client.set_zero_linger();
            let _ = self.server.set_zero_linger();
        }
        ending
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        let upstream = self.upstream.poll(cx, &mut self.client, &mut self.server);
        let downstream = self.downstream.poll(cx, &mut self.server, &mut self.client);
        match (upstream, downstream) {
            (State::Reset, _) | (_, State::Reset) => Poll::Ready(Ending::Reset),
            (State::Closed, _) | (_, State::Closed) => Poll::Ready(Ending::Closed),
            (State::Done, State::Done) => Poll::Ready(Ending::Finished),
            _ => Poll::Pending,
        }
    }
}

/// One direction of a connection.
struct Direction {
    lane: Arc<Lane>,
    /// The version of the lane's toxics that the chain runs.
    version: u64,
    chain: Chain,
    buffer: BytesMut,
    read_bytes: usize,
    source_has_ended: bool,
    sink_has_ended: bool,
    alarm: Alarm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The end was read and passed on.
    Done,
    /// A toxic wants both directions closed.
    Closed,
    Reset,
}

impl Direction {
    fn new(ordinal: u64, hits: Arc<Hits>, lane: Arc<Lane>, timers: &Timers) -> Self {
        Self {
            lane,
            version: 0,
            chain: Chain::new(ordinal, hits),
            buffer: BytesMut::new(),
            read_bytes: READ_BYTES_MIN,
            source_has_ended: false,
            sink_has_ended: false,
            alarm: timers.alarm(),
        }
    }

    /// Moves all bytes that can move, and has the task woken when more can.
    fn poll(&mut self, cx: &mut Context<'_>, source: &mut TcpStream, sink: &mut TcpStream) -> State {
        loop {
            self.take_over_toxics();
            let Advance::Waits(until) = self.advance() else { return State::Reset };
            let has_written = match self.write(cx, sink) {
                Ok(has_written) => has_written,
                Err(_) => return State::Reset,
            };
            let has_read = match self.read(cx, source) {
                Ok(has_read) => has_read,
                Err(_) => return State::Reset,
            };
            // What was written made room for what toxics hold.
            if has_read || (has_written && self.chain.has_toxics()) {
                continue;
            }
            self.alarm.set(until, cx.waker());
            return match self.sink_has_ended {
                false => State::Open,
                true if self.chain.is_closing() => State::Closed,
                true => State::Done,
            };
        }
    }

    fn take_over_toxics(&mut self) {
        let version = self.lane.version.load(Ordering::Acquire);
        if version != self.version {
            self.version = version;
            self.chain.reconcile(&self.lane.get(), Instant::now());
        }
    }

    /// Moves what toxics let go; without toxics nothing is held and no clock is read.
    fn advance(&mut self) -> Advance {
        if self.chain.has_toxics() { self.chain.advance(Instant::now()) } else { Advance::Waits(None) }
    }

    /// Reads once if there is room; says whether anything came, be it the end.
    fn read(&mut self, cx: &mut Context<'_>, source: &mut TcpStream) -> io::Result<bool> {
        if self.source_has_ended || !self.chain.has_room() {
            return Ok(false);
        }
        self.make_room();
        let Poll::Ready(count) = poll_read_buf(Pin::new(source), cx, &mut self.buffer)? else { return Ok(false) };
        if count == 0 {
            self.source_has_ended = true;
            self.chain.end();
            return Ok(true);
        }
        self.lane.bytes.fetch_add(count as u64, Ordering::Relaxed);
        if count >= self.read_bytes {
            self.read_bytes = (self.read_bytes * 2).min(READ_BYTES_MAX);
        } else if count < self.read_bytes / 4 {
            self.read_bytes = (self.read_bytes / 2).max(READ_BYTES_MIN);
        }
        self.chain.push(Chunk { bytes: self.buffer.split().freeze(), read_at: Instant::now() });
        Ok(true)
    }

    /// Has enough space for the next read; a buffer that was large for a stream is given back after it.
    fn make_room(&mut self) {
        if self.buffer.is_empty() && self.buffer.capacity() > 4 * self.read_bytes {
            self.buffer = BytesMut::new();
        }
        // Half is enough to go on with: small chunks that are held share one buffer.
        if self.buffer.capacity() - self.buffer.len() < self.read_bytes / 2 {
            self.buffer.reserve(self.read_bytes);
        }
    }

    /// Writes what is due; says whether anything went out, be it the end.
    fn write(&mut self, cx: &mut Context<'_>, sink: &mut TcpStream) -> io::Result<bool> {
        let output = self.chain.output();
        let mut has_written = false;
        while let Some(front) = output.front() {
            match Pin::new(&mut *sink).poll_write(cx, &front.bytes)? {
                Poll::Ready(count) => {
                    self.lane.sent_bytes.fetch_add(count as u64, Ordering::Relaxed);
                    output.take(count)
                }
                Poll::Pending => return Ok(has_written),
            };
            has_written = true;
        }
        if output.is_drained() && !self.sink_has_ended {
            // The other side may be gone already; the reading tells.
            let _ = Pin::new(sink).poll_shutdown(cx);
            self.sink_has_ended = true;
            has_written = true;
        }
        Ok(has_written)
    }
}
