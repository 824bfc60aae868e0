//! What a toxic is: a state machine that looks at the front of a queue and says what happens next.
//!
//! A toxic owns no task, timer or socket, so it can be tested by hand-written instants and changed on a live connection.
use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use super::chunk::{Chunk, Queue};
use crate::draw::Draw;

/// No wait is longer; keeps arithmetic on instants far from its limits.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// What a toxic wants done next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Hands the chunk on as if the toxic were not there.
    Pass(Chunk),
    /// Hands the chunk on, this much later than it came.
    Late(Chunk, Duration),
    /// Hands the chunk on with other bytes than it came with.
    Changed(Chunk),
    /// Bytes were taken out of the stream for ever.
    Dropped(usize),
    /// Nothing before this instant.
    Wait(Instant),
    /// Nothing until something arrives.
    Idle,
    /// Passes the end of the stream on, this much later than it came.
    End(Duration),
    /// Ends the connection in both directions once what was handed on has been written.
    Close,
    /// Resets the connection now.
    Reset,
}

/// What becomes of a connection when a toxic leaves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leave {
    /// What the toxic holds flows on.
    Release,
    /// The stream has a hole, so the connection must end.
    Close,
}

/// One toxic on one direction of one connection.
pub(crate) trait Toxic: Send {
    /// Takes new settings; what is held stays held under them.
    fn configure(&mut self, attributes: &Attributes);

    /// Looks at the queue and says what happens next; called again until it waits or idles.
    fn step(&mut self, queue: &mut Queue, now: Instant) -> Step;

    /// Called once, when the toxic is removed.
    fn leave(&self) -> Leave {
        Leave::Release
    }
}

/// What of a link a type of toxic acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The stream that it is set on.
    Stream,
    /// Both streams, whichever it is set on.
    BothStreams,
    /// The listener: while such a toxic is there, the kernel refuses new connections.
    Door,
}

/// A type of toxic: its name on the wire, its attributes, and how it starts on a connection.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// Names of the attributes; all are non-negative whole numbers and 0 unless set.
    pub(crate) attributes: &'static [&'static str],
    pub(crate) reach: Reach,
    /// How much may be held before the sender is slowed down, in bytes of memory.
    pub(crate) held_bytes_max: usize,
    /// False when it never hands anything on; then it acts even while what is behind it is full.
    pub(crate) hands_on: bool,
    pub(crate) start: fn(&Attributes, Start) -> Box<dyn Toxic>,
}

/// Enough to keep a socket busy, little enough that a slow reader is felt by the sender.
pub(crate) const HELD_LITTLE: usize = 64 * 1024;
/// What fits into a long delay at full speed; as much as Toxiproxy holds (1024 chunks of 32 KiB).
pub(crate) const HELD_MUCH: usize = 32 * 1024 * 1024;

/// Where and when a toxic starts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start {
    /// When it took hold of the connection.
    pub(crate) now: Instant,
    /// Its own branch of the seeded decisions.
    pub(crate) draw: Draw,
}

/// The settings of a toxic, all of its kind's attributes always present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attributes(BTreeMap<&'static str, u64>);

impl Attributes {
    pub(crate) fn of(kind: &Kind) -> Self {
        Self(kind.attributes.iter().map(|name| (*name, 0)).collect())
    }

    /// # Panics
    /// When the kind does not list the attribute.
    pub(crate) fn number(&self, name: &str) -> u64 {
        self.0[name]
    }

    /// The attribute as milliseconds, at most a year.
    pub(crate) fn millis(&self, name: &str) -> Duration {
        Duration::from_millis(self.number(name)).min(LONGEST)
    }

    /// The attribute as microseconds, at most a year.
    pub(crate) fn micros(&self, name: &str) -> Duration {
        Duration::from_micros(self.number(name)).min(LONGEST)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().map(|(name, value)| (*name, *value))
    }

    /// Sets every attribute for which `value_of` has a value.
    pub(crate) fn merge<E>(&mut self, value_of: impl Fn(&str) -> Result<Option<u64>, E>) -> Result<(), E> {
        let mut merged = self.0.clone();
        for (name, value) in &mut merged {
            if let Some(new) = value_of(name)? {
                *value = new;
            }
        }
        self.0 = merged;
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! A toxic on a bench: no sockets, instants by hand.
    use bytes::Bytes;

    use super::*;

    pub(crate) struct Bench {
        pub(crate) toxic: Box<dyn Toxic>,
        pub(crate) queue: Queue,
        pub(crate) zero: Instant,
        attributes: Attributes,
    }

    impl Bench {
        pub(crate) fn new(kind: &Kind, settings: &[(&str, u64)]) -> Self {
            let mut attributes = Attributes::of(kind);
            set(&mut attributes, settings);
            let zero = Instant::now();
            let toxic = (kind.start)(&attributes, Start { now: zero, draw: Draw::seeded(1) });
            Self { toxic, queue: Queue::default(), zero, attributes }
        }

        pub(crate) fn configure(&mut self, settings: &[(&str, u64)]) {
            set(&mut self.attributes, settings);
            self.toxic.configure(&self.attributes);
        }

        pub(crate) fn at(&self, ms: u64) -> Instant {
            self.zero + Duration::from_millis(ms)
        }

        pub(crate) fn arrive(&mut self, ms: u64, bytes: &[u8]) {
            let chunk = Chunk { bytes: Bytes::copy_from_slice(bytes), read_at: self.at(ms) };
            self.queue.push(chunk);
        }

        pub(crate) fn step(&mut self, ms: u64) -> Step {
            let now = self.at(ms);
            self.toxic.step(&mut self.queue, now)
        }
    }

    fn set(attributes: &mut Attributes, settings: &[(&str, u64)]) {
        let value_of = |name: &str| Ok::<_, ()>(settings.iter().find(|(key, _)| *key == name).map(|(_, value)| *value));
        attributes.merge(value_of).unwrap();
    }
}
