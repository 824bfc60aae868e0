//! `bandwidth`: bytes leave at no more than a rate, by a virtual clock, so that late wake-ups do not slow the link down.
use std::{fmt, time::Duration};

use reports::units::format_size;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error as _};
use tokio::time::Instant;

use super::catalogue::Error;
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

fn read_rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
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
        Box::new(Throttle { bytes_per_second: bytes_per_second(attributes), free_at: start.now })
    },
};

struct Throttle {
    bytes_per_second: u64,
    /// When the last piece has left, on the virtual clock.
    free_at: Instant,
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
        let piece_bytes = front.bytes.len().min(self.quantum_bytes());
        let oldest_start = now.checked_sub(CREDIT).unwrap_or(now);
        let due = self.free_at.max(front.read_at).max(oldest_start) + self.time_for(piece_bytes);
        if due > now {
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
    use super::*;
    use crate::link::testing::Bench;

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
