//! Turns on a shared HTTP/2 connection: as many requests at a time as its server allows; the others wait on this side, where it shows.
//!
//! Left to itself, HTTP/2 holds back what the server does not allow yet, when it is counted as sent already.
use super::Turn;
use crate::client::Failure;
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{
    future::{Future as _, poll_fn},
    pin::pin,
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{Semaphore, watch},
};

/// Streams that are taken for allowed until the server has said how many are. Source: RFC 9113, section 6.5.2: no smaller than 100.
const ASSUMED: usize = 100;
/// What hyper says as long as the server has not said how many.
pub(super) const NOT_SAID: usize = usize::MAX - 1;
/// How often hyper is asked until the server has said how many, and while it allows none.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// The streams of one shared connection, and of those that take its place.
#[derive(Debug)]
pub(crate) struct Streams {
    turns: Arc<Semaphore>,
    allowed: watch::Sender<Allowed>,
}

#[derive(Debug)]
struct Allowed {
    /// Turns that there are, taken or not.
    count: usize,
    /// Turns that there should be. More are there as long as they are taken.
    wanted: usize,
    /// Whether it was the server who said so.
    is_said: bool,
}

impl Default for Streams {
    fn default() -> Self {
        let allowed = watch::Sender::new(Allowed { count: ASSUMED, wanted: ASSUMED, is_said: false });
        Self { turns: Arc::new(Semaphore::new(ASSUMED)), allowed }
    }
}

impl Streams {
    /// Waits for a stream that the server allows.
    pub(crate) async fn turn(&self, timeout: Duration) -> Result<Turn, Failure> {
        Turn::of(&self.turns, timeout).await
    }

    /// Returns when the server has said how many there are.
    pub(crate) async fn said(&self) {
        self.allowed.subscribe().wait_for(|allowed| allowed.is_said).await.expect("its sender is borrowed");
    }

    /// Ends a turn; it is not taken again if the server has come to allow fewer meanwhile.
    pub(crate) fn end(&self, turn: Turn) {
        self.allowed.send_if_modified(|allowed| {
            if allowed.count > allowed.wanted {
                allowed.count -= 1;
                turn.forget();
            }
            false
        });
    }

    /// Makes as many turns as the server allows. Of turns that are taken, those too many go when they end.
    fn allow(&self, count: usize) {
        if count != NOT_SAID {
            self.set(count.min(Semaphore::MAX_PERMITS), true);
        }
    }

    /// Takes the usual number for allowed, until the server of a new connection has said how many.
    fn start_over(&self) {
        self.set(ASSUMED, false);
    }

    fn set(&self, count: usize, is_said: bool) {
        self.allowed.send_if_modified(|allowed| {
            allowed.wanted = count;
            if count >= allowed.count {
                self.turns.add_permits(count - allowed.count);
                allowed.count = count;
            } else {
                allowed.count -= self.turns.forget_permits(allowed.count - count);
            }
            !std::mem::replace(&mut allowed.is_said, is_said) && is_said
        });
    }

    /// Whether nothing will make hyper look at what the server says, but a look: no request is sent before a turn is had.
    fn need_a_look(&self) -> bool {
        let allowed = self.allowed.borrow();
        !allowed.is_said || allowed.wanted == 0
    }
}

/// Drives a connection to its end and follows how many streams its server allows: hyper is asked at each request.
pub(super) async fn drive<S>(
    connection: http2::Connection<TokioIo<S>, Full<Bytes>, TokioExecutor>,
    streams: Arc<Streams>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut connection = pin!(connection);
    streams.start_over();
    let mut look = tokio::time::interval(LOOK_EVERY);
    let ended = poll_fn(|cx| {
        let ended = connection.as_mut().poll(cx);
        streams.allow(connection.current_max_send_streams());
        while streams.need_a_look() && look.poll_tick(cx).is_ready() {
            streams.allow(connection.current_max_send_streams());
        }
        ended
    });
    // Its error reaches the senders.
    let _ = ended.await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn there_are_as_many_turns_as_the_server_allows() {
        let (streams, at_once) = (Streams::default(), Duration::ZERO);
        let free = |count| assert_eq!(streams.turns.available_permits(), count);
        free(ASSUMED);
        streams.allow(NOT_SAID);
        assert!(streams.need_a_look());
        for count in [2, 250, usize::MAX, 0, 3] {
            streams.allow(count);
            free(count.min(Semaphore::MAX_PERMITS));
            assert_eq!(streams.need_a_look(), count == 0, "{count}");
        }
        streams.said().await;
        let taken = [streams.turn(at_once).await.unwrap(), streams.turn(at_once).await.unwrap()];
        streams.allow(1);
        free(0);
        assert!(matches!(streams.turn(at_once).await, Err(Failure::PoolTimeout(_))));
        taken.into_iter().for_each(|turn| streams.end(turn));
        free(1);
        streams.start_over();
        free(ASSUMED);
        assert!(streams.need_a_look(), "the server of the next connection may allow another number");
    }
}
