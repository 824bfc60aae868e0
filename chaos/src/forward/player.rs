//! Plays an answer to the client as a rule rewrites it, piece by piece.
use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Response,
    body::{Frame, Incoming},
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use tokio::time::{Instant, sleep};

use super::{Event, Rewrite, State, Step, event::take_event};

/// A larger answer (or event) passes as it is: what a rule holds in memory is bounded.
pub(super) const PIECE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A body of any origin.
pub(super) type Body = UnsyncBoxBody<Bytes, Error>;

/// Why the connection to a client ends before its time.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("the upstream failed")]
    Upstream(#[source] hyper::Error),
    #[error("the client failed")]
    Client(#[source] hyper::Error),
    #[error("a rule cut the connection")]
    Cut,
}

/// The answer as the rewrite has it.
pub(super) async fn play(
    answer: Response<Incoming>,
    rewrite: Box<dyn Rewrite>,
    state: Arc<State>,
) -> Result<Response<Body>, Error> {
    let (mut head, body) = answer.into_parts();
    let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_streamed = content_type.starts_with("text/event-stream");
    let source = Source { body, buffer: BytesMut::new(), is_streamed, has_ended: false };
    let mut player = Player { source, rewrite, state, rest: VecDeque::new(), is_hit: false };
    if is_streamed {
        head.headers.remove(CONTENT_LENGTH);
    } else {
        // The length of the whole must be known before the first byte; a cut answer still promises all of it.
        let promised = player.load().await?;
        if let Some(promised) = promised.filter(|_| head.headers.contains_key(CONTENT_LENGTH)) {
            head.headers.insert(CONTENT_LENGTH, promised.into());
        }
    }
    Ok(Response::from_parts(head, player.into_body()))
}

struct Player {
    source: Source,
    rewrite: Box<dyn Rewrite>,
    state: Arc<State>,
    /// What is still to be done for pieces that were read.
    rest: VecDeque<Step>,
    is_hit: bool,
}

impl Player {
    fn into_body(self) -> Body {
        let frames = stream::unfold(self, |mut player| async move {
            let frame = player.next().await?;
            Some((frame.map(Frame::data), player))
        });
        StreamBody::new(frames).boxed_unsync()
    }

    /// Reads the first piece and says how many bytes its steps promise; none when the body is longer than what is read.
    async fn load(&mut self) -> Result<Option<usize>, Error> {
        let Some(piece) = self.source.next().await.transpose()? else { return Ok(Some(0)) };
        let whole = piece.len();
        self.take(piece);
        let sent = self.rest.iter().map(|step| if let Step::Send(bytes) = step { bytes.len() } else { 0 }).sum();
        let is_cut = self.rest.contains(&Step::Cut);
        Ok(self.source.has_ended.then_some(if is_cut { whole } else { sent }))
    }

    async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        loop {
            match self.rest.pop_front() {
                Some(Step::Send(bytes)) => return Some(Ok(bytes)),
                Some(Step::Wait(time)) => {
                    let _delay = Delay { state: &self.state, begun: Instant::now() };
                    tokio::select! {
                        () = sleep(time) => {}
                        () = self.state.lifted.cancelled() => {}
                    }
                }
                Some(Step::Hold) => {
                    let _delay = Delay { state: &self.state, begun: Instant::now() };
                    self.state.lifted.cancelled().await;
                }
                Some(Step::Cut) => {
                    // What was sent goes out before the connection ends.
                    tokio::task::yield_now().await;
                    self.state.cut.fetch_add(1, Relaxed);
                    return Some(Err(Error::Cut));
                }
                None => match self.source.next().await? {
                    Ok(piece) => self.take(piece),
                    Err(error) => return Some(Err(error)),
                },
            }
        }
    }

    /// Turns a piece into steps; once the rule is lifted, pieces pass.
    fn take(&mut self, piece: Bytes) {
        let is_on = !self.state.lifted.is_cancelled() && piece.len() <= PIECE_BYTES_MAX;
        let event = Event { raw: piece, is_streamed: self.source.is_streamed };
        let steps = if is_on { self.rewrite.event(&event) } else { None };
        match steps {
            Some(steps) => {
                if !std::mem::replace(&mut self.is_hit, true) {
                    self.state.hit.fetch_add(1, Relaxed);
                }
                self.rest.extend(steps.into_iter().filter(|step| *step != Step::Send(Bytes::new())));
            }
            None => self.rest.push_back(Step::Send(event.raw)),
        }
    }
}

/// A wait, which counts as far as it went: a client may leave in its middle.
struct Delay<'a> {
    state: &'a State,
    begun: Instant,
}

impl Drop for Delay<'_> {
    fn drop(&mut self) {
        self.state.count_delay(self.begun.elapsed());
    }
}

/// The pieces of the upstream's answer.
struct Source {
    body: Incoming,
    buffer: BytesMut,
    is_streamed: bool,
    has_ended: bool,
}

impl Source {
    /// The next event, or the whole of an answer that is none; larger ones come in parts.
    async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        loop {
            if self.is_streamed
                && let Some(event) = take_event(&mut self.buffer)
            {
                return Some(Ok(event));
            }
            if self.buffer.len() > PIECE_BYTES_MAX || (self.has_ended && !self.buffer.is_empty()) {
                return Some(Ok(self.buffer.split().freeze()));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => self.buffer.extend(frame.into_data().ok()),
                Some(Err(error)) => return Some(Err(Error::Upstream(error))),
                None if self.has_ended => return None,
                None => self.has_ended = true,
            }
        }
    }
}
