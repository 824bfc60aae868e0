//! Which of two compared variants gets a request: a fair coin, balanced so that neither is ever more than two requests ahead.
//!
//! Because every request is sent to either variant with the same chance, two equal variants differ symmetrically whatever the machine
//! does, which is what makes the regression gate's test exact. Source: measurement.md B3, labels.
use crate::draw::{Draw, Purpose};
use reports::record::Variant::{self, Baseline as A, Candidate as B};

/// Requests in a block, half of them for either variant.
const BLOCK: u64 = 4;

/// Every order of two of each.
const ORDERS: [[Variant; BLOCK as usize]; 6] =
    [[A, A, B, B], [A, B, A, B], [A, B, B, A], [B, A, A, B], [B, A, B, A], [B, B, A, A]];

/// The coin of one cycle of a gate. Each cycle has its own: the same request does not meet the same variant in all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Labels {
    cycle_seed: u64,
}

impl Labels {
    /// The coin of a cycle, counted from 0, of the gate with this seed.
    #[must_use]
    pub fn new(seed: u64, cycle_index: u64) -> Self {
        Self { cycle_seed: Draw::new(seed, Purpose::Label, cycle_index).bits() }
    }

    /// The variant of request `k`, counted from 0, of a stream such as a journey. Depends on no other request, so that it can be computed
    /// alone, on any machine.
    #[must_use]
    pub fn of(&self, stream: &str, k: u64) -> Variant {
        let mut draw = Draw::named(self.cycle_seed, Purpose::Label, stream, k / BLOCK);
        draw.one_of(&ORDERS)[(k % BLOCK) as usize]
    }
}

/// The variant that is started first in a cycle, counted from 0, of the gate with this seed.
#[must_use]
pub fn started_first(seed: u64, cycle_index: u64) -> Variant {
    *Draw::new(seed, Purpose::Start, cycle_index).one_of(&[A, B])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::evenness;

    fn candidates(labels: Labels, range: std::ops::Range<u64>) -> u64 {
        range.filter(|k| labels.of("search", *k) == B).count() as u64
    }

    #[test]
    fn every_block_of_four_has_two_of_each_in_every_order_equally_often() {
        let labels = Labels::new(42, 0);
        let mut seen = [0.0; 6];
        for block in 0..6_000 {
            let order: Vec<Variant> = (4 * block..4 * block + 4).map(|k| labels.of("search", k)).collect();
            seen[ORDERS.iter().position(|known| known[..] == order).unwrap()] += 1.0;
        }
        let (chi_square, chance) = evenness(&seen);
        assert!(chance > 1e-3, "{seen:?}: {chi_square}");
        for to in 1..200 {
            assert!(candidates(labels, 0..to).abs_diff(to - candidates(labels, 0..to)) <= 2, "after {to}");
        }
    }

    #[test]
    fn cycles_streams_and_seeds_have_coins_of_their_own() {
        let agree =
            |a: &dyn Fn(u64) -> Variant, b: &dyn Fn(u64) -> Variant| (0..8_000).filter(|k| a(*k) == b(*k)).count();
        let one = |k| Labels::new(7, 3).of("search", k);
        let others: [&dyn Fn(u64) -> Variant; 3] =
            [&|k| Labels::new(7, 4).of("search", k), &|k| Labels::new(8, 3).of("search", k), &|k| {
                Labels::new(7, 3).of("chat", k)
            }];
        for (index, other) in others.into_iter().enumerate() {
            // Two fair coins agree half of the time. A block of balanced ones agrees in 4, 2 or 0 places with 1/6, 4/6, 1/6: variance
            // 4/3 each, so 2 000 blocks have a deviation of 52; six of them.
            let agreed = agree(&one, other);
            assert!(agreed.abs_diff(4_000) < 310, "coin {index} agrees in {agreed} of 8 000");
        }
        assert_eq!(agree(&one, &one), 8_000);
    }

    #[test]
    fn either_variant_is_started_first_about_as_often() {
        let first = (0..2_000).filter(|cycle| started_first(5, *cycle) == B).count();
        // A fair coin: a deviation of 22; six of them.
        assert!(first.abs_diff(1_000) < 134, "{first} of 2 000");
    }

    #[test]
    fn the_labels_of_a_seed_never_change() {
        let labels = Labels::new(42, 5);
        let letter = |k| if labels.of("flights", k) == A { 'A' } else { 'B' };
        let seen: String = (1_000_000..1_000_024).map(letter).collect();
        assert_eq!(seen, PINNED, "a recorded seed must replay on every machine and version");
    }

    const PINNED: &str = "BABABBAAABABBAABABABBABA";
}
