//! `corrupt`: a bit of a packet is flipped on the way, and nobody's checksum finds it. What it does is up to the protocol above.
use std::{fmt, time::Duration};

use bytes::{Bytes, BytesMut};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::Instant;

use super::{
    packets::{self, PACKET_BYTES},
    setting::Error,
};
use crate::link::{Attributes, HELD_LITTLE, Kind, Queue, Reach, Start, Step, Toxic};

/// Settings of corruption in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Corrupt {
    /// Of a thousand packets, in how many a bit is flipped, 1 to 1000; a packet is up to 1448 bytes of one read.
    #[schemars(range(min = 1, max = 1000))]
    pub per_mille: u64,
}

impl Corrupt {
    pub(super) fn attributes(&self) -> Result<Vec<(&'static str, u64)>, Error> {
        packets::attributes(self.per_mille)
    }
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "corrupt {} ‰ of packets", self.per_mille)
    }
}

pub(super) const KIND: Kind = Kind {
    name: "corrupt",
    attributes: &[packets::ATTRIBUTE],
    reach: Reach::Stream,
    held_bytes_max: HELD_LITTLE,
    hands_on: true,
    start: |attributes, start| Box::new(Flipping::new(attributes, start)),
};

struct Flipping {
    per_mille: u64,
    random: ChaCha8Rng,
}

impl Flipping {
    fn new(attributes: &Attributes, start: Start) -> Self {
        Self { per_mille: attributes.number(packets::ATTRIBUTE), random: start.draw.stream() }
    }

    fn flipped(&mut self, bytes: &[u8]) -> Bytes {
        let mut copy = BytesMut::from(bytes);
        let bit = self.random.random_range(0..copy.len() * 8);
        copy[bit / 8] ^= 1 << (bit % 8);
        copy.freeze()
    }
}

impl Toxic for Flipping {
    fn configure(&mut self, attributes: &Attributes) {
        self.per_mille = attributes.number(packets::ATTRIBUTE);
    }

    fn step(&mut self, queue: &mut Queue, _now: Instant) -> Step {
        let Some(front) = queue.front() else {
            return if queue.has_ended() { Step::End(Duration::ZERO) } else { Step::Idle };
        };
        let bytes = front.bytes.len();
        let spared = packets::spared(bytes, self.per_mille, &mut self.random);
        // The packet that is hit goes together with those before it, so that it is decided on once.
        let taken = spared.map_or(bytes, |packets| (packets + 1) * PACKET_BYTES);
        let Some(mut chunk) = queue.take(taken) else { return Step::Idle };
        let Some(spared) = spared else { return Step::Pass(chunk) };
        let packet = chunk.bytes.split_off(spared * PACKET_BYTES);
        let mut whole = BytesMut::from(&chunk.bytes[..]);
        whole.extend_from_slice(&self.flipped(&packet));
        chunk.bytes = whole.freeze();
        Step::Changed(chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::testing::Bench;

    /// What comes out of 1000 packets, in chunks of `chunk_bytes`.
    fn corrupted(per_mille: u64, chunk_bytes: usize) -> Vec<u8> {
        let mut bench = Bench::new(&KIND, &[(packets::ATTRIBUTE, per_mille)]);
        vec![0; 1000 * PACKET_BYTES].chunks(chunk_bytes).for_each(|chunk| bench.arrive(0, chunk));
        bench.queue.end();
        let mut received = Vec::new();
        loop {
            match bench.step(0) {
                Step::Pass(chunk) | Step::Changed(chunk) => received.extend_from_slice(&chunk.bytes),
                Step::End(_) => return received,
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn one_bit_of_a_share_of_the_packets_is_flipped_and_nothing_else() {
        for chunk_bytes in [PACKET_BYTES, 5 * PACKET_BYTES] {
            let received = corrupted(200, chunk_bytes);
            assert_eq!(received.len(), 1000 * PACKET_BYTES);
            let bits: Vec<u32> =
                received.chunks(PACKET_BYTES).map(|packet| packet.iter().map(|byte| byte.count_ones()).sum()).collect();
            assert!(bits.iter().all(|flipped| *flipped <= 1));
            // Binomial: 200 expected, standard deviation 12.6; four of them.
            let hit: u32 = bits.iter().sum();
            assert!((149..=251).contains(&hit), "{hit}");
            assert_eq!(received, corrupted(200, chunk_bytes), "the same seed, the same bits");
        }
        assert!(corrupted(1000, PACKET_BYTES).chunks(PACKET_BYTES).all(|packet| packet.iter().any(|byte| *byte != 0)));
        assert!(corrupted(0, PACKET_BYTES).iter().all(|byte| *byte == 0));
    }
}
