//! One request as the generator saw it, and the measures that are folded from it.
use super::Outcome;
use std::{fmt, str::FromStr};

/// One request: when it was due, sent and done, in nanoseconds since the run's clock zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Position of its step in the run's list of steps.
    pub step_index: usize,
    /// Its class.
    pub outcome: Outcome,
    /// Whether it is the first request of its arrival.
    pub is_arrival: bool,
    /// When the schedule wanted it sent.
    pub due_ns: u64,
    /// When it would have been sent, had it not waited for a free user or a connection of a pool: later than due only by the generator's
    /// own lateness.
    pub released_ns: u64,
    /// When its first byte was about to be written; later than released while it waited for a free user, or for a connection of a pool.
    pub sent_ns: u64,
    /// When the first byte of the answer arrived.
    pub first_byte_ns: Option<u64>,
    /// When the answer was complete, or given up.
    pub done_ns: u64,
    /// What was seen of a streamed answer.
    pub stream: Option<Stream>,
    /// What getting a connection took.
    pub connecting: Connecting,
}

/// What getting a connection for a request took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Connecting {
    /// Time in which it waited for a free connection of a pool, in nanoseconds; `None` without a pool. It lies before sent.
    pub waited_ns: Option<u64>,
    /// Time in which one was opened for it, name lookup and TLS handshake included, in nanoseconds; `None` when one was open. It
    /// lies after sent.
    pub opened_ns: Option<u64>,
}

/// What was seen of a streamed answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stream {
    /// When the first event arrived.
    pub first_event_ns: Option<u64>,
    /// When the first piece of text arrived.
    pub first_token_ns: Option<u64>,
    /// Times between pieces of text, in nanoseconds, in order.
    pub gaps_ns: Vec<u64>,
    /// Whether it ended as promised: exactly one terminal event, then the end mark.
    pub ended_properly: bool,
}

/// What a histogram holds. All in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// Done minus **due**: what a user felt. Gates are put on this.
    Response,
    /// Done minus sent: what the service took once it was asked.
    Service,
    /// Released minus due: the generator's own lateness.
    ScheduleLag,
    /// Sent minus due: lateness, and waiting for a free user or a free connection.
    SendLag,
    /// Time for which a request waited for a free connection of a pool.
    PoolWait,
    /// Time in which a connection was opened for a request, TLS handshake included; only of requests that opened one.
    Connect,
    /// First byte minus due.
    FirstByte,
    /// First event of a stream minus due.
    FirstEvent,
    /// First piece of text minus due.
    FirstToken,
    /// Time between two pieces of text.
    Gap,
}

impl Measure {
    /// Every measure, in the order of tables.
    pub const ALL: [Self; 10] = [
        Self::Response,
        Self::Service,
        Self::ScheduleLag,
        Self::SendLag,
        Self::PoolWait,
        Self::Connect,
        Self::FirstByte,
        Self::FirstEvent,
        Self::FirstToken,
        Self::Gap,
    ];

    /// The measure as written in files and gates.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Response => "response",
            Self::Service => "service",
            Self::ScheduleLag => "schedule_lag",
            Self::SendLag => "send_lag",
            Self::PoolWait => "pool_wait",
            Self::Connect => "connect",
            Self::FirstByte => "first_byte",
            Self::FirstEvent => "first_event",
            Self::FirstToken => "first_token",
            Self::Gap => "gap",
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Measure {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|measure| measure.name() == text).ok_or(())
    }
}

impl Sample {
    /// Every value that the sample adds to a histogram, with its measure.
    pub fn measures(&self) -> impl Iterator<Item = (Measure, u64)> + '_ {
        let since_due = |instant_ns: u64| instant_ns.saturating_sub(self.due_ns);
        let stream = self.stream.as_ref();
        let always = [
            (Measure::Response, since_due(self.done_ns)),
            (Measure::Service, self.done_ns.saturating_sub(self.sent_ns)),
            (Measure::ScheduleLag, since_due(self.released_ns)),
            (Measure::SendLag, since_due(self.sent_ns)),
        ];
        let sometimes = [
            self.connecting.waited_ns.map(|waited_ns| (Measure::PoolWait, waited_ns)),
            self.connecting.opened_ns.map(|opened_ns| (Measure::Connect, opened_ns)),
            self.first_byte_ns.map(|at| (Measure::FirstByte, since_due(at))),
            stream.and_then(|s| s.first_event_ns).map(|at| (Measure::FirstEvent, since_due(at))),
            stream.and_then(|s| s.first_token_ns).map(|at| (Measure::FirstToken, since_due(at))),
        ];
        let gaps = stream.into_iter().flat_map(|s| &s.gaps_ns).map(|gap| (Measure::Gap, *gap));
        always.into_iter().chain(sometimes.into_iter().flatten()).chain(gaps)
    }
}
