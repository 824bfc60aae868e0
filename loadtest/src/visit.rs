//! One arrival being carried out by one user: the journeys send their steps through it, and it stamps, classifies and records them.
use crate::{
    chat_stream::ChatStream,
    client::{Answer, Client, Exchange},
    draw::{Draw, Purpose},
    live::Live,
    outcome,
    schedule::Arrival,
    session::Session,
    timer::Timer,
};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use jiff::civil::Date;
use reports::record::{Outcome, Sample, Stream};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// A virtual user: its connection, its session, its timer, and the request that it is waiting for.
pub(crate) struct User {
    pub(crate) index: u32,
    pub(crate) client: Client,
    pub(crate) session: Option<Session>,
    pub(crate) timer: Timer,
    pub(crate) open: Option<Open>,
}

/// A request that is due, or out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Open {
    pub(crate) due_ns: u64,
    pub(crate) sent_ns: Option<u64>,
}

/// One arrival, in the hands of one user.
pub struct Visit<'a> {
    live: &'a Arc<Live>,
    user: &'a mut User,
    arrival: Arrival,
    first_step_index: usize,
    due_ns: u64,
    released_ns: u64,
    done_ns: u64,
    asked: u64,
}

impl<'a> Visit<'a> {
    pub(crate) fn new(live: &'a Arc<Live>, user: &'a mut User, arrival: Arrival, released_ns: u64) -> Self {
        let first_step_index = live.plan.routes()[arrival.journey_index].first_step_index;
        user.open = Some(Open { due_ns: arrival.due_ns, sent_ns: None });
        let due_ns = arrival.due_ns;
        Self { live, user, arrival, first_step_index, due_ns, released_ns, done_ns: due_ns, asked: 0 }
    }

    /// Random numbers for what this arrival asks for; the same at every call.
    #[must_use]
    pub fn draw(&self) -> Draw {
        Draw::new(self.live.plan.seed(), Purpose::Payload, self.arrival.index)
    }

    /// The day of the run, to which dates are relative.
    #[must_use]
    pub fn day(&self) -> Date {
        self.live.plan.day()
    }

    /// A key that no other arrival of this or another run has.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}-{}", self.live.run, self.arrival.index)
    }

    /// When the last answer was complete, in nanoseconds since clock zero.
    #[must_use]
    pub fn done_ns(&self) -> u64 {
        self.done_ns
    }

    /// How long a user waits for an answer.
    #[must_use]
    pub fn request_timeout(&self) -> Duration {
        self.live.plan.settings().request_timeout
    }

    /// How long a user waits for the end of a chat answer.
    #[must_use]
    pub fn chat_timeout(&self) -> Duration {
        self.live.plan.settings().chat_timeout
    }

    /// Sends the request of a step (by its position in the journey) and records what `judge` makes of the answer.
    ///
    /// The first step is due when the arrival is. A later step is due when the previous answer was complete plus a think time: such a
    /// user cannot be late for what it does not know yet.
    ///
    /// Returns the answer with its class, or `None` when there was no whole answer, or the run ends and nothing new is to be sent.
    pub async fn ask(
        &mut self,
        step: usize,
        request: Request<Full<Bytes>>,
        judge: impl FnOnce(&Answer) -> Outcome,
    ) -> Option<(Outcome, Answer)> {
        let timeout = self.request_timeout();
        let (sent_ns, exchange) = self.exchange(request, timeout, None).await?;
        let outcome = exchange.end.as_ref().map_or_else(outcome::of_failure, judge);
        self.record(step, sent_ns, &exchange, outcome, None);
        Some((outcome, exchange.end.ok()?))
    }

    /// Sends the request of a step whose answer is a streamed chat, reads it to its end, and records it.
    pub async fn ask_stream(&mut self, step: usize, request: Request<Full<Bytes>>) -> Option<Outcome> {
        let (timeout, live) = (self.chat_timeout(), self.live.clone());
        let mut chat = ChatStream::default();
        let mut on_piece = |at: Instant, piece: &[u8]| chat.read(live.ns(at), piece);
        let (sent_ns, exchange) = self.exchange(request, timeout, Some(&mut on_piece)).await?;
        let (stream, stream_outcome) = chat.finish();
        let (outcome, has_streamed) = match &exchange.end {
            Ok(answer) if answer.is_stream => (stream_outcome, true),
            Ok(answer) => (outcome::of_refusal(answer), false),
            Err(failure) => (outcome::of_failure(failure), stream.first_event_ns.is_some()),
        };
        self.record(step, sent_ns, &exchange, outcome, has_streamed.then_some(stream));
        Some(outcome)
    }

    async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        timeout: Duration,
        on_piece: Option<&mut crate::client::OnPiece<'_>>,
    ) -> Option<(u64, Exchange)> {
        if self.asked > 0 && !self.next_step_is_due().await {
            return None;
        }
        self.asked += 1;
        let sent_ns = self.live.ns(Instant::now());
        self.user.open = Some(Open { due_ns: self.due_ns, sent_ns: Some(sent_ns) });
        self.live.sending(self.user.index);
        let exchange = self.user.client.exchange(request, timeout, on_piece).await;
        self.live.answered(self.user.index);
        self.done_ns = self.live.ns(exchange.done);
        Some((sent_ns, exchange))
    }

    /// Waits for the next step to become due; whether it did before the run was to end.
    async fn next_step_is_due(&mut self) -> bool {
        let mean_ns = self.live.plan.settings().think_time.as_nanos() as f64;
        let number = self.arrival.index.wrapping_mul(64).wrapping_add(self.asked);
        let think_ns = mean_ns * (0.5 + Draw::new(self.live.plan.seed(), Purpose::Think, number).unit());
        self.due_ns = self.done_ns.saturating_add(think_ns as u64);
        let due = self.live.instant(self.due_ns);
        let is_due = tokio::select! {
            biased;
            () = self.live.stop.stopping() => false,
            waited = self.user.timer.until(due) => waited.is_ok(),
        };
        if is_due {
            self.released_ns = self.live.ns(Instant::now()).max(self.due_ns);
            self.live.offered(self.user.index, self.due_ns);
        }
        is_due
    }

    fn record(&mut self, step: usize, sent_ns: u64, exchange: &Exchange, outcome: Outcome, stream: Option<Stream>) {
        self.user.open = None;
        let sample = Sample {
            step_index: self.first_step_index + step,
            outcome,
            due_ns: self.due_ns,
            released_ns: self.released_ns,
            sent_ns,
            first_byte_ns: exchange.first_byte.map(|at| self.live.ns(at)),
            done_ns: self.done_ns,
            stream,
        };
        if let Err(failure) = &exchange.end {
            tracing::debug!(user = self.user.index, "no answer for user {}: {failure}", self.user.index);
        }
        self.live.completed(self.user.index, sample);
    }
}
