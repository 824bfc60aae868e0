//! `latency`: every chunk arrives later, counted from the instant it was read, so delays overlap and a stream keeps its speed.
use std::{fmt, time::Duration};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use reports::units::format_duration;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::Instant;

use super::setting::{Error, whole_millis};
use crate::link::{Attributes, HELD_MUCH, Kind, Queue, Reach, Start, Step, Toxic};

/// Settings of a latency in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// How much later, such as `"250ms"`; whole milliseconds.
    #[serde(with = "reports::units::duration")]
    #[schemars(with = "String")]
    pub delay: Duration,
    /// The delay is drawn evenly from `delay - jitter` to `delay + jitter`; less than zero counts as zero. 0 unless set.
    #[serde(default, with = "reports::units::duration")]
    #[schemars(with = "String")]
    pub jitter: Duration,
}

impl Latency {
    pub(super) fn attributes(&self) -> Result<Vec<(&'static str, u64)>, Error> {
        if self.delay.is_zero() && self.jitter.is_zero() {
            return Err(Error::NoEffect("a latency without delay and jitter does nothing"));
        }
        Ok(vec![("latency", whole_millis("delay", self.delay)?), ("jitter", whole_millis("jitter", self.jitter)?)])
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "latency {}", format_duration(self.delay))?;
        if !self.jitter.is_zero() {
            write!(f, " ± {}", format_duration(self.jitter))?;
        }
        Ok(())
    }
}

pub(super) const KIND: Kind = Kind {
    name: "latency",
    attributes: &["latency", "jitter"],
    reach: Reach::Stream,
    held_bytes_max: HELD_MUCH,
    hands_on: true,
    start: |attributes, start| Box::new(Delay::new(attributes, start)),
};

struct Delay {
    delay: Duration,
    jitter: Duration,
    random: ChaCha8Rng,
    /// When the chunk at the front is due; drawn once.
    due: Option<Instant>,
}

impl Delay {
    fn new(attributes: &Attributes, start: Start) -> Self {
        let (delay, jitter) = (attributes.millis("latency"), attributes.millis("jitter"));
        Self { delay, jitter, random: start.draw.stream(), due: None }
    }

    fn draw(&mut self) -> Duration {
        if self.jitter.is_zero() {
            return self.delay;
        }
        let jitter_ns = self.jitter.as_nanos() as u64;
        let added = Duration::from_nanos(self.random.random_range(0..2 * jitter_ns));
        (self.delay + added).saturating_sub(self.jitter)
    }
}

impl Toxic for Delay {
    fn configure(&mut self, attributes: &Attributes) {
        let (delay, jitter) = (attributes.millis("latency"), attributes.millis("jitter"));
        if (delay, jitter) != (self.delay, self.jitter) {
            (self.delay, self.jitter, self.due) = (delay, jitter, None);
        }
    }

    fn step(&mut self, queue: &mut Queue, now: Instant) -> Step {
        let Some(front) = queue.front() else {
            return if queue.has_ended() { Step::End(Duration::ZERO) } else { Step::Idle };
        };
        let read_at = front.read_at;
        let due = match self.due {
            Some(due) => due,
            None => read_at + self.draw(),
        };
        if due > now {
            self.due = Some(due);
            return Step::Wait(due);
        }
        self.due = None;
        match queue.pop() {
            Some(chunk) if due == read_at => Step::Pass(chunk),
            Some(mut chunk) => {
                // The next latency counts from when this one was due, so that two of them add up exactly.
                chunk.read_at = due;
                Step::Late(chunk, now.saturating_duration_since(read_at))
            }
            None => Step::Idle,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::testing::Bench;

    #[test]
    fn chunks_are_due_a_delay_after_they_were_read_and_overlap() {
        let mut bench = Bench::new(&KIND, &[("latency", 100)]);
        assert_eq!(bench.step(0), Step::Idle);
        bench.arrive(0, b"a");
        bench.arrive(30, b"b");
        assert_eq!(bench.step(40), Step::Wait(bench.at(100)));
        assert!(matches!(bench.step(101), Step::Late(chunk, by)
            if chunk.bytes == "a" && by == Duration::from_millis(101) && chunk.read_at == bench.at(100)));
        assert_eq!(bench.step(101), Step::Wait(bench.at(130)));
        bench.queue.end();
        assert!(matches!(bench.step(130), Step::Late(..)));
        assert_eq!(bench.step(130), Step::End(Duration::ZERO));
    }

    #[test]
    fn new_settings_hold_for_what_waits() {
        let mut bench = Bench::new(&KIND, &[("latency", 100)]);
        bench.arrive(0, b"a");
        assert_eq!(bench.step(0), Step::Wait(bench.at(100)));
        bench.configure(&[("latency", 20)]);
        assert_eq!(bench.step(1), Step::Wait(bench.at(20)));
        bench.configure(&[("latency", 0)]);
        assert!(matches!(bench.step(2), Step::Pass(chunk) if chunk.bytes == "a"));
    }

    #[test]
    fn jitter_is_drawn_evenly_within_its_range_and_never_below_zero() {
        let mut bench = Bench::new(&KIND, &[("latency", 100), ("jitter", 50)]);
        let mut sum_ms = 0.0;
        for _ in 0..2_000 {
            bench.arrive(0, b"x");
            let Step::Wait(due) = bench.step(0) else { panic!("the shortest delay is 50 ms") };
            let delay_ms = (due - bench.zero).as_secs_f64() * 1e3;
            assert!((50.0..150.0).contains(&delay_ms), "{delay_ms}");
            sum_ms += delay_ms;
            assert!(matches!(bench.step(150), Step::Late(..)));
        }
        // Uniform of width 100 ms: standard deviation 28.9 ms, of the mean 0.65 ms; four of them.
        assert!((sum_ms / 2_000.0 - 100.0).abs() < 2.6, "{}", sum_ms / 2_000.0);

        let mut bench = Bench::new(&KIND, &[("latency", 5), ("jitter", 20)]);
        for _ in 0..200 {
            bench.arrive(0, b"x");
            assert!(matches!(bench.step(25), Step::Late(..) | Step::Pass(_)));
        }
    }

    #[test]
    fn a_renewal_does_not_draw_again() {
        let mut bench = Bench::new(&KIND, &[("latency", 100), ("jitter", 50)]);
        bench.arrive(0, b"x");
        let first = bench.step(0);
        bench.configure(&[]);
        assert_eq!(bench.step(1), first);
    }
}
