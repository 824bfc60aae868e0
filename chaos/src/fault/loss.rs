//! `loss`: packet loss as an application meets it. TCP sends a lost packet again when its retransmission timer runs out, after 200 ms, then
//! 400 ms, and so on: never a hole in the stream, but a spike of delay for that packet and all behind it.
//!
//! So the median round trip stays as it was and the 99th percentile jumps, as with real loss below TCP. What TCP would mend sooner, by
//! duplicate acknowledgements in the middle of a stream, waits for the timer here.
use std::{fmt, time::Duration};

use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::Instant;

use super::{
    packets::{self, PACKET_BYTES},
    setting::Error,
};
use crate::link::{Attributes, HELD_MUCH, Kind, Queue, Reach, Start, Step, Toxic};

/// Shortest retransmission timeout of Linux (`TCP_RTO_MIN`).
const RTO_MIN: Duration = Duration::from_millis(200);
/// Longest retransmission timeout of Linux (`TCP_RTO_MAX`).
const RTO_MAX: Duration = Duration::from_secs(120);
/// How often a packet is lost at most; Linux gives a connection up after as many (`tcp_retries2`).
const RETRIES_MAX: u32 = 15;

/// Settings of a packet loss in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// Of a thousand packets, how many are lost, 1 to 1000; a packet is up to 1448 bytes of one read.
    #[schemars(range(min = 1, max = 1000))]
    pub per_mille: u64,
}

impl Loss {
    pub(super) fn attributes(&self) -> Result<Vec<(&'static str, u64)>, Error> {
        packets::attributes(self.per_mille)
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "loss of {} ‰ of packets", self.per_mille)
    }
}

pub(super) const KIND: Kind = Kind {
    name: "loss",
    attributes: &[packets::ATTRIBUTE],
    reach: Reach::Stream,
    held_bytes_max: HELD_MUCH,
    hands_on: true,
    start: |attributes, start| Box::new(Retransmitting::new(attributes, start)),
};

struct Retransmitting {
    per_mille: u64,
    random: ChaCha8Rng,
    /// When the packet at the front, which was lost, arrives after all.
    due: Option<Instant>,
}

impl Retransmitting {
    fn new(attributes: &Attributes, start: Start) -> Self {
        Self { per_mille: attributes.number(packets::ATTRIBUTE), random: start.draw.stream(), due: None }
    }

    /// How long until a packet that was lost once has come through; every attempt may be lost again.
    fn delay(&mut self) -> Duration {
        let (mut delay, mut timeout) = (RTO_MIN, RTO_MIN);
        for _ in 1..RETRIES_MAX {
            if !packets::is_hit(self.per_mille, &mut self.random) {
                break;
            }
            timeout = (timeout * 2).min(RTO_MAX);
            delay += timeout;
        }
        delay
    }
}

impl Toxic for Retransmitting {
    /// What was lost already stays so.
    fn configure(&mut self, attributes: &Attributes) {
        self.per_mille = attributes.number(packets::ATTRIBUTE);
    }

    fn step(&mut self, queue: &mut Queue, now: Instant) -> Step {
        let Some(front) = queue.front() else {
            return if queue.has_ended() { Step::End(Duration::ZERO) } else { Step::Idle };
        };
        let (read_at, bytes) = (front.read_at, front.bytes.len());
        if self.due.is_none() {
            let spared = packets::spared(bytes, self.per_mille, &mut self.random);
            let spared_bytes = spared.map_or(bytes, |packets| packets * PACKET_BYTES);
            if spared.is_some() {
                self.due = Some(read_at + self.delay());
            }
            if spared_bytes > 0 {
                return queue.take(spared_bytes).map_or(Step::Idle, Step::Pass);
            }
        }
        match self.due {
            Some(due) if due > now => Step::Wait(due),
            _ => {
                self.due = None;
                let lost = queue.take(PACKET_BYTES);
                lost.map_or(Step::Idle, |chunk| Step::Late(chunk, now.saturating_duration_since(read_at)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::testing::Bench;

    /// The delay of each of so many packets that arrive one by one, each after the one before it has left, in milliseconds.
    fn delays_ms(per_mille: u64, packets: usize) -> Vec<u64> {
        let mut bench = Bench::new(&KIND, &[(packets::ATTRIBUTE, per_mille)]);
        let mut delays = Vec::new();
        for _ in 0..packets {
            bench.arrive(0, b"x");
            let mut now = bench.zero;
            loop {
                match bench.toxic.step(&mut bench.queue, now) {
                    Step::Wait(due) => now = due,
                    Step::Pass(_) | Step::Late(..) => break,
                    other => panic!("{other:?}"),
                }
            }
            delays.push(u64::try_from((now - bench.zero).as_millis()).unwrap());
        }
        delays
    }

    #[test]
    fn a_lost_packet_comes_after_200_ms_doubling() {
        let delays = delays_ms(100, 10_000);
        assert_eq!(delays, delays_ms(100, 10_000), "the same seed, the same packets");
        assert!(delays.iter().all(|delay| [0, 200, 600, 1_400, 3_000, 6_200, 12_600].contains(delay)));
        // Binomial of 10 000 and 10 %, then of those lost and 10 %: standard deviations 30 and 9.5; four of them.
        let [lost, twice] = [0, 200].map(|over| delays.iter().filter(|delay| **delay > over).count());
        assert!((880..=1_120).contains(&lost) && (62..=138).contains(&twice), "{lost} {twice}");
        assert!(delays_ms(0, 100).iter().all(|delay| *delay == 0));
        // 200 ms doubling up to 120 s, 15 times: 200 × (2^10 - 1) ms and five times 120 s.
        assert_eq!(delays_ms(1000, 1), [804_600]);
    }

    #[test]
    fn the_stream_has_no_hole_and_what_is_behind_a_lost_packet_waits_for_it() {
        let mut bench = Bench::new(&KIND, &[(packets::ATTRIBUTE, 300)]);
        let sent: Vec<u8> = (0..100_000_u32).map(|number| number as u8).collect();
        sent.chunks(7_000).for_each(|chunk| bench.arrive(0, chunk));
        bench.queue.end();
        let (mut received, mut late, mut now) = (Vec::new(), 0, bench.zero);
        loop {
            match bench.toxic.step(&mut bench.queue, now) {
                Step::Wait(due) => now = due,
                Step::Pass(chunk) => received.extend_from_slice(&chunk.bytes),
                Step::Late(chunk, by) => {
                    late += 1;
                    assert!(by >= RTO_MIN && chunk.bytes.len() <= PACKET_BYTES);
                    received.extend_from_slice(&chunk.bytes);
                }
                Step::End(_) => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(received, sent);
        // 75 packets, 30 % of them: 22.5 expected, standard deviation 4; four of them.
        assert!((7..=38).contains(&late), "{late}");
    }
}
