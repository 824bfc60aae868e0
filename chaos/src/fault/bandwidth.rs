//! `bandwidth`: bytes leave at no more than a rate, by a virtual clock, so that late wake-ups do not slow the link down.
use std::{fmt, time::Duration};

use reports::units::format_size;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error as _};
use tokio::time::Instant;

use super::setting::Error;
use crate::link::{Attributes, HELD_LITTLE, Kind, Queue, Reach, Step, Toxic};

/// Bytes leave in pieces of about this long at the rate, so that a slow link drips rather than bursts.
const QUANTUM: Duration = Duration::from_millis(10);
/// How far the virtual clock may lag behind the real one and still catch up; a reader that stalls longer gets no burst.
const CREDIT: Duration = Duration::from_millis(20);

/// Settings of a bandwidth limit in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bandwidth {
    /// Bytes per second and connection, such as `"100KB/s"`; whole kilobytes (1000 bytes). `"0B/s"` stops everything.
    #[serde(deserialize_with = "read_rate")]
    #[schemars(with = "String")]
    pub rate: u64,
}

impl Bandwidth {
    pub(super) fn attributes(&self) -> Result<Vec<(&'static str, u64)>, Error> {
        if !self.rate.is_multiple_of(1000) {
            return Err(Error::RateTooFine { bytes_per_second: self.rate });
        }
        Ok(vec![("rate", self.rate / 1000)])
    }
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bandwidth {}/s", format_size(self.rate))
    }
}

pub(super) fn read_rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    reports::units::parse_byte_rate(&text).map_err(D::Error::custom)
}

pub(super) const KIND: Kind = Kind {
    name: "bandwidth",
    attributes: &["rate"],
    reach: Reach::Stream,
    held_bytes_max: HELD_LITTLE,
    hands_on: true,
    start: |attributes, start| {
        Box::new(Throttle {
            bytes_per_second: bytes_per_second(attributes),
            free_at: start.now,
            waits_until: None,
            has_held_back: false,
            owed_until: start.now,
        })
    },
};

struct Throttle {
    bytes_per_second: u64,
    /// When the last piece has left, on the virtual clock.
    free_at: Instant,
    /// The instant that was waited for.
    waits_until: Option<Instant>,
    /// Whether the sender was held back by then, so that what comes next would have come before.
    has_held_back: bool,
    /// When the last wait was over. It may have been over late, by no fault of either side: that time is made up for.
    owed_until: Instant,
}

impl Throttle {
    fn time_for(&self, bytes: usize) -> Duration {
        let nanos = bytes as u128 * 1_000_000_000 / u128::from(self.bytes_per_second);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    fn quantum_bytes(&self) -> usize {
        let bytes = u128::from(self.bytes_per_second) * QUANTUM.as_nanos() / 1_000_000_000;
        usize::try_from(bytes.max(1)).unwrap_or(usize::MAX)
    }
}

impl Throttle {
    /// When a piece that was read at `read_at` begins to leave, on the virtual clock.
    fn start_of(&self, read_at: Instant, now: Instant) -> Instant {
        let is_owed = self.free_at < self.owed_until;
        if is_owed && self.has_held_back && read_at <= self.owed_until + CREDIT {
            self.free_at
        } else if is_owed {
            self.free_at.max(read_at)
        } else {
            let oldest_start = now.checked_sub(CREDIT).unwrap_or(now);
            self.free_at.max(read_at).max(oldest_start)
        }
    }
}

impl Toxic for Throttle {
    fn configure(&mut self, attributes: &Attributes) {
        self.bytes_per_second = bytes_per_second(attributes);
    }

    fn step(&mut self, queue: &mut Queue, now: Instant) -> Step {
        let Some(front) = queue.front() else {
            return if queue.has_ended() { Step::End(Duration::ZERO) } else { Step::Idle };
        };
        if self.bytes_per_second == 0 {
            return Step::Idle;
        }
        let (read_at, piece_bytes) = (front.read_at, front.bytes.len().min(self.quantum_bytes()));
        if self.waits_until.take_if(|until| *until <= now).is_some() {
            self.owed_until = now;
        }
        let due = self.start_of(read_at, now) + self.time_for(piece_bytes);
        if due > now {
            self.waits_until = Some(due);
            self.has_held_back = queue.weight() >= HELD_LITTLE;
            return Step::Wait(due);
        }
        match queue.take(piece_bytes) {
            Some(mut piece) => {
                let late_by = now.saturating_duration_since(piece.read_at);
                self.free_at = due;
                piece.read_at = due;
                Step::Late(piece, late_by)
            }
            None => Step::Idle,
        }
    }
}

/// 1 KB is 1000 bytes, as in Toxiproxy's arithmetic.
fn bytes_per_second(attributes: &Attributes) -> u64 {
    attributes.number("rate").saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::link::{Chunk, testing::Bench};

    /// Feeds `total` bytes at once, wakes up `late_ms` late each time, and says when the last byte left.
    fn finished_ms(rate: u64, total: usize, late_ms: u64) -> f64 {
        let mut bench = Bench::new(&KIND, &[("rate", rate)]);
        bench.arrive(0, &vec![0; total]);
        bench.queue.end();
        let (mut now, mut left) = (bench.zero, total);
        loop {
            match bench.toxic.step(&mut bench.queue, now) {
                Step::Wait(due) => now = due + Duration::from_millis(late_ms),
                Step::Late(piece, _) => left -= piece.bytes.len(),
                Step::End(_) if left == 0 => return (now - bench.zero).as_secs_f64() * 1e3,
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn the_rate_is_exact_even_when_every_wake_up_is_late() {
        assert_eq!(finished_ms(100, 100_000, 0), 1_000.0);
        assert!((finished_ms(100, 100_000, 3) - 1_000.0).abs() <= 3.0);
        assert!((finished_ms(100_000, 10_000_000, 2) - 100.0).abs() <= 2.0);
    }

    /// Sends as fast as the queue takes it, wakes up `late` each time, and says by how many percent the rate was missed.
    fn error_percent(rate: u64, late: Duration) -> f64 {
        let mut bench = Bench::new(&KIND, &[("rate", rate)]);
        let total = usize::try_from(2 * rate * 1000).unwrap();
        let (mut now, mut sent, mut left) = (bench.zero, 0, total);
        while left > 0 {
            while sent < total && bench.queue.weight() < HELD_LITTLE {
                let bytes = Bytes::from(vec![0; HELD_LITTLE.min(total - sent)]);
                sent += bytes.len();
                bench.queue.push(Chunk { bytes, read_at: now });
            }
            match bench.toxic.step(&mut bench.queue, now) {
                Step::Wait(due) => now = due + late,
                Step::Late(piece, _) => left -= piece.bytes.len(),
                other => panic!("{other:?}"),
            }
        }
        ((now - bench.zero).as_secs_f64() / 2.0 - 1.0) * 100.0
    }

    #[test]
    fn a_sender_that_is_held_back_gets_the_rate_however_late_the_wake_ups_are() {
        for rate in [100, 1_000, 10_000, 100_000] {
            for late_us in [0, 100, 2_000, 30_000] {
                let error = error_percent(rate, Duration::from_micros(late_us));
                // Only the last wake-up is late: at most 30 ms of 2 s.
                assert!((0.0..=1.6).contains(&error), "{rate} KB/s, {late_us} us late: {error} %");
            }
        }
    }

    #[test]
    fn a_small_message_after_a_pause_takes_only_its_own_time() {
        let mut bench = Bench::new(&KIND, &[("rate", 64)]);
        bench.arrive(500, &[0; 64]);
        assert_eq!(bench.step(500), Step::Wait(bench.at(501)));
        assert!(matches!(bench.step(501), Step::Late(..)));
    }

    #[test]
    fn rate_zero_stops_everything_until_it_is_raised() {
        let mut bench = Bench::new(&KIND, &[("rate", 0)]);
        bench.arrive(0, b"abc");
        assert_eq!(bench.step(60_000), Step::Idle);
        bench.configure(&[("rate", 1)]);
        assert!(matches!(bench.step(60_000), Step::Late(..)));
    }

    #[test]
    fn a_reader_that_stalled_gets_at_most_the_credit_at_once() {
        let mut bench = Bench::new(&KIND, &[("rate", 100)]);
        bench.arrive(0, &[0; 100_000]);
        let mut burst = 0;
        while let Step::Late(piece, _) = bench.step(10_000) {
            burst += piece.bytes.len();
        }
        assert_eq!(burst, 2_000, "20 ms at 100 KB/s");
    }
}
