//! Packets: how much of a stream one decision of `loss` or `corrupt` is about.
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::setting::Error;

/// Payload of a TCP segment over Ethernet, in bytes: 1500 without 20 of IP, 20 of TCP and 12 of its timestamps.
pub(super) const PACKET_BYTES: usize = 1448;

/// The attribute of the toxics that hit packets.
pub(super) const ATTRIBUTE: &str = "packets_per_mille";

/// The share of packets as the attribute.
pub(super) fn attributes(per_mille: u64) -> Result<Vec<(&'static str, u64)>, Error> {
    match per_mille {
        0 => Err(Error::NoEffect("`per_mille` is 0, so no packet is hit")),
        1..=1000 => Ok(vec![(ATTRIBUTE, per_mille)]),
        _ => Err(Error::PerMille { per_mille }),
    }
}

/// How many whole packets of so many bytes are spared before the first is hit; `None` when all are.
pub(super) fn spared(bytes: usize, per_mille: u64, random: &mut ChaCha8Rng) -> Option<usize> {
    (0..bytes.div_ceil(PACKET_BYTES)).find(|_| is_hit(per_mille, random))
}

/// One decision.
pub(super) fn is_hit(per_mille: u64, random: &mut ChaCha8Rng) -> bool {
    random.random_range(0..1000) < per_mille
}
