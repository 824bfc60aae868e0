//! One arrival being carried out by one user: the journeys send their steps through it, and it stamps, classifies and records them.
use crate::{
    chat_stream::ChatStream,
    client::{Answer, Client, Exchange, Failure},
    directory::Directory,
    draw::{Draw, Purpose},
    live::Live,
    oracle::{Own, Write},
    outcome::{self, Said},
    progress::add,
    schedule::Arrival,
    session::{Account, Session},
    timer::Timer,
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::Full;
use jiff::civil::Date;
use reports::{
    record::{Connecting, JournalEntry, Outcome, Sample, Stream},
    units,
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// Where sessions are made: what is refused here is no session.
const SESSIONS: &str = "/api/v1/auth/";

/// Source: W3C Trace Context, level 1.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A virtual user: its connection, its session, its timer, and the request that it is waiting for.
pub(crate) struct User {
    pub(crate) index: u32,
    pub(crate) client: Client,
    pub(crate) session: Option<Session>,
    /// That of its second account, if it has one.
    pub(crate) apart: Option<Session>,
    pub(crate) timer: Timer,
    pub(crate) open: Option<Open>,
}

impl User {
    /// Sends as one of its accounts from now on. With one account, that is always the one.
    pub(crate) fn sign_in(&mut self, account: Account) {
        let Self { client, session: Some(own), apart: Some(apart), .. } = self else { return };
        match account {
            Account::Own => own.sign_in(client),
            Account::Apart => apart.sign_in(client),
        }
    }
}

/// A request that is due, or out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Open {
    pub(crate) due_ns: u64,
    pub(crate) sent_ns: Option<u64>,
    /// Whether it is the first request of its arrival.
    pub(crate) is_arrival: bool,
}

impl Open {
    /// An arrival of which nothing is sent yet.
    pub(crate) fn arrival(due_ns: u64) -> Self {
        Self { due_ns, sent_ns: None, is_arrival: true }
    }
}

/// One arrival, in the hands of one user.
pub struct Visit<'a> {
    live: &'a Arc<Live>,
    user: &'a mut User,
    arrival: Arrival,
    first_step_index: usize,
    due_ns: u64,
    /// How long the request waited for a free user, or for a connection of a pool.
    waited_ns: u64,
    done_ns: u64,
    asked: u64,
    think: Option<Duration>,
    pause_ns: u64,
    /// New records of this visit so far.
    pub(crate) written: u64,
    /// Those that were acknowledged.
    pub(crate) own: Vec<Own>,
}

/// A request that was sent, and what came of it.
pub(crate) struct Attempt {
    pub(crate) sent_ns: u64,
    pub(crate) outcome: Outcome,
    pub(crate) end: Result<Answer, Failure>,
}

impl<'a> Visit<'a> {
    pub(crate) fn new(live: &'a Arc<Live>, user: &'a mut User, arrival: Arrival, waited_ns: u64) -> Self {
        let first_step_index = live.plan.routes()[arrival.journey_index].first_step_index;
        user.open = Some(Open::arrival(arrival.due_ns));
        let due_ns = arrival.due_ns;
        Self {
            live,
            user,
            arrival,
            first_step_index,
            due_ns,
            waited_ns,
            done_ns: due_ns,
            asked: 0,
            think: None,
            pause_ns: 0,
            written: 0,
            own: Vec::new(),
        }
    }

    /// Random numbers for what this arrival asks for; the same at every call.
    #[must_use]
    pub fn draw(&self) -> Draw {
        Draw::new(self.live.plan.seed(), Purpose::Payload, self.arrival.index)
    }

    /// Random numbers for one part of what this arrival asks for: the same at every call, whatever was drawn for other parts before.
    #[must_use]
    pub fn draw_for(&self, part: &str) -> Draw {
        Draw::named(self.live.plan.seed(), Purpose::Payload, part, self.arrival.index)
    }

    /// The seed of the run.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.live.plan.seed()
    }

    /// The number of this arrival, from 0.
    #[must_use]
    pub fn arrival(&self) -> u64 {
        self.arrival.index
    }

    /// How long the user thinks before the next steps, on average; `None` is what the settings of the load say.
    pub fn think(&mut self, mean: Option<Duration>) {
        self.think = mean;
    }

    /// The day of the run, to which dates are relative.
    #[must_use]
    pub fn day(&self) -> Date {
        self.live.plan.day()
    }

    /// The number of the arrival.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.arrival.index
    }

    /// The name of the run.
    pub(crate) fn run(&self) -> &str {
        &self.live.run
    }

    pub(crate) fn user_index(&self) -> u32 {
        self.user.index
    }

    /// The address of its user, who has one when the journey needs a session.
    #[must_use]
    pub fn email(&self) -> Option<String> {
        self.user.session.as_ref().map(|session| session.email().to_owned())
    }

    /// What its user logs in with.
    #[must_use]
    pub fn credentials(&self) -> Option<serde_json::Value> {
        self.user.session.as_ref().map(Session::credentials)
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.live.directory
    }

    pub(crate) fn is_journaled(&self) -> bool {
        self.live.journal.is_some()
    }

    pub(crate) fn note(&self, entry: JournalEntry) {
        if let Some(journal) = &self.live.journal {
            journal.note(entry);
        }
    }

    /// How soon an own write must show in an own read.
    pub(crate) fn own_writes_ns(&self) -> u64 {
        units::nanos(self.live.plan.settings().oracle.bounds.own_writes)
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
        let attempt = self.attempt(step, request, None, judge).await?;
        Some((attempt.outcome, attempt.end.ok()?))
    }

    /// As [`Visit::ask`]; a write is noted in the journal before it is sent.
    pub(crate) async fn attempt(
        &mut self,
        step: usize,
        request: Request<Full<Bytes>>,
        write: Option<&Write>,
        judge: impl FnOnce(&Answer) -> Outcome,
    ) -> Option<Attempt> {
        let timeout = self.request_timeout();
        let (sent_ns, exchange) = self.exchange(request, timeout, write, None).await?;
        let outcome = exchange.end.as_ref().map_or_else(outcome::of_failure, judge);
        self.record(step, sent_ns, &exchange, outcome, None);
        Some(Attempt { sent_ns, outcome, end: exchange.end })
    }

    /// Sends the request of a step whose answer is a streamed chat, reads it to its end, and records it.
    pub async fn ask_stream(&mut self, step: usize, request: Request<Full<Bytes>>) -> Option<Outcome> {
        self.attempt_stream(step, request, None).await.map(|(outcome, ..)| outcome)
    }

    /// As [`Visit::ask_stream`], with what was said.
    pub(crate) async fn attempt_stream(
        &mut self,
        step: usize,
        request: Request<Full<Bytes>>,
        write: Option<&Write>,
    ) -> Option<(Outcome, Result<Answer, Failure>, Option<Said>)> {
        let (timeout, live) = (self.chat_timeout(), self.live.clone());
        let mut chat = ChatStream::default();
        let mut on_piece = |at: Instant, piece: &[u8]| chat.read(live.ns(at), piece);
        let (sent_ns, exchange) = self.exchange(request, timeout, write, Some(&mut on_piece)).await?;
        let (stream, stream_outcome, said) = chat.finish();
        let (outcome, has_streamed) = match &exchange.end {
            Ok(answer) if answer.is_stream => (stream_outcome, true),
            Ok(answer) => (outcome::of_refusal(answer), false),
            Err(failure) => (outcome::of_failure(failure), stream.first_event_ns.is_some()),
        };
        self.record(step, sent_ns, &exchange, outcome, has_streamed.then_some(stream));
        Some((outcome, exchange.end, said))
    }

    /// Records a step whose request cannot be made as a wrong one, though nothing was sent: what an earlier answer had made it so.
    pub async fn cannot_ask(&mut self, step: usize) {
        if self.asked > 0 && !self.next_step_is_due().await {
            return;
        }
        self.asked += 1;
        self.live.sending(self.user.index);
        let exchange = Exchange::unsent(None, Failure::TooLarge);
        self.live.answered(self.user.index);
        self.done_ns = self.live.ns(exchange.done);
        self.record(step, self.done_ns, &exchange, Outcome::Wrong, None);
    }

    /// The trace of the request that is sent now, as W3C Trace Context has it: a function of the seed, the arrival and the step, so that
    /// whatever decides by it decides the same in every run.
    fn trace_parent(&self) -> HeaderValue {
        let number = self.arrival.index.wrapping_mul(64).wrapping_add(self.asked);
        let mut draw = Draw::new(self.live.plan.seed(), Purpose::Trace, number);
        let [high, low, span] = [draw.bits(), draw.bits(), draw.bits()];
        // All zeros would be no identifiers. Sampled: whether to keep a trace stays the decision of whoever is asked.
        let text = format!("00-{high:016x}{:016x}-{:016x}-01", low | 1, span | 1);
        HeaderValue::try_from(text).expect("hexadecimal digits are a header's value")
    }

    async fn exchange(
        &mut self,
        mut request: Request<Full<Bytes>>,
        timeout: Duration,
        write: Option<&Write>,
        on_piece: Option<&mut crate::client::OnPiece<'_>>,
    ) -> Option<(u64, Exchange)> {
        if self.asked > 0 && !self.next_step_is_due().await {
            return None;
        }
        self.asked += 1;
        request.headers_mut().entry(TRACEPARENT).or_insert(self.trace_parent());
        let is_of_session = !request.uri().path().starts_with(SESSIONS);
        let open = Open { due_ns: self.due_ns, sent_ns: None, is_arrival: self.asked == 1 };
        self.user.open = Some(open);
        // Waiting for a free connection of a pool is this side's: the request is not out yet.
        let turn = self.user.client.wait_for_turn(timeout).await;
        if turn.is_ok() && self.live.stop.is_stopping() {
            self.user.client.end_turn(false);
            return None;
        }
        let sent_ns = self.live.ns(Instant::now());
        self.user.open = Some(Open { sent_ns: Some(sent_ns), ..open });
        if turn.is_ok() {
            write.into_iter().for_each(|write| self.note(write.sent(sent_ns)));
        }
        self.live.sending(self.user.index);
        let exchange = match turn {
            Ok(waited) => {
                self.waited_ns += units::nanos(waited.unwrap_or_default());
                self.user.client.exchange(request, timeout, on_piece).await
            }
            Err(failure) => {
                self.waited_ns += units::nanos(timeout);
                Exchange::unsent(Some(timeout), failure)
            }
        };
        self.live.answered(self.user.index);
        if is_of_session && exchange.end.as_ref().is_ok_and(|answer| answer.status == StatusCode::UNAUTHORIZED) {
            let User { session, apart, .. } = &mut *self.user;
            [session, apart].into_iter().flatten().for_each(Session::refused);
        }
        // It is out no more, whatever the journey makes of the answer.
        self.user.open = None;
        self.done_ns = self.live.ns(exchange.done);
        Some((sent_ns, exchange))
    }

    /// Lets the next step become due so much later than it would.
    pub fn pause(&mut self, pause: Duration) {
        self.pause_ns = units::nanos(pause);
    }

    /// Waits for the next step to become due; whether it did before the run was to end.
    async fn next_step_is_due(&mut self) -> bool {
        let mean_ns = self.think.unwrap_or(self.live.plan.settings().think_time).as_nanos() as f64;
        let number = self.arrival.index.wrapping_mul(64).wrapping_add(self.asked);
        let think_ns = mean_ns * (0.5 + Draw::new(self.live.plan.seed(), Purpose::Think, number).unit());
        let pause_ns = std::mem::take(&mut self.pause_ns);
        self.due_ns = self.done_ns.saturating_add(think_ns as u64).saturating_add(pause_ns);
        self.waited_ns = 0;
        self.live.mailboxes.request_is_at(self.user.index, self.due_ns);
        let due = self.live.instant(self.due_ns);
        let is_due = tokio::select! {
            biased;
            () = self.live.stop.stopping() => false,
            waited = self.user.timer.until(due) => waited.is_ok(),
        };
        if is_due {
            self.live.offered(self.user.index, self.due_ns);
        }
        is_due
    }

    fn record(&mut self, step: usize, sent_ns: u64, exchange: &Exchange, outcome: Outcome, stream: Option<Stream>) {
        self.user.open = None;
        let sample = Sample {
            step_index: self.first_step_index + step,
            outcome,
            is_arrival: self.asked == 1,
            due_ns: self.due_ns,
            released_ns: sent_ns.saturating_sub(self.waited_ns).max(self.due_ns),
            sent_ns,
            first_byte_ns: exchange.first_byte.map(|at| self.live.ns(at)),
            done_ns: self.done_ns,
            stream,
            connecting: Connecting {
                waited_ns: exchange.waited.map(units::nanos),
                opened_ns: exchange.opened.map(units::nanos),
            },
        };
        if let Err(failure) = &exchange.end {
            if failure.is_own() {
                add(&self.live.progress.unopened);
            }
            tracing::debug!(user = self.user.index, "no answer for user {}: {failure}", self.user.index);
        }
        self.live.completed(self.user.index, sample);
        self.live.mailboxes.request_is_over(self.user.index);
    }
}
