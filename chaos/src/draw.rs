//! Seeded decisions: whether and how a fault hits is a hash of names and numbers, never of time, thread or order of calls.
//!
//! So the same plan meets the same connections with the same faults, and two versions of a service can be compared.
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// A point in the tree of decisions: start from the seed, then narrow down by name and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(mix(seed))
    }

    /// The branch for this name; the length counts, so `("ab", "c")` and `("a", "bc")` differ.
    pub(crate) fn named(self, name: &str) -> Self {
        // FNV-1a, 64 bit.
        let hash = name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self(mix(self.0 ^ mix(hash.wrapping_add(name.len() as u64))))
    }

    /// The branch for this number.
    pub(crate) fn numbered(self, number: u64) -> Self {
        Self(mix(self.0.wrapping_add(mix(!number))))
    }

    /// A number in [0, 1), always the same for this point.
    pub(crate) fn fraction(self) -> f64 {
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A stream of random numbers, always the same for this point.
    pub(crate) fn stream(self) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(self.0)
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_always_answers_the_same_and_every_part_counts() {
        let point = |seed, name: &str, number| Draw::seeded(seed).named(name).numbered(number).fraction();
        assert_eq!(point(7, "flights", 3), point(7, "flights", 3));
        assert_ne!(point(7, "flights", 3), point(8, "flights", 3));
        assert_ne!(point(7, "flights", 3), point(7, "flight", 3));
        assert_ne!(point(7, "flights", 3), point(7, "flights", 4));
        let root = Draw::seeded(7);
        assert_ne!(root.named("ab").named("c"), root.named("a").named("bc"));
        assert_ne!(root.named("a").named("b"), root.named("b").named("a"));
    }

    #[test]
    fn this_value_never_changes_between_versions() {
        assert_eq!(Draw::seeded(42).named("mcp.flights").numbered(0).0, 548_160_378_285_357_342);
    }

    #[test]
    fn fractions_of_consecutive_numbers_are_uniform() {
        let root = Draw::seeded(1).named("link").named("toxic");
        let below = (0..10_000).filter(|number| root.numbered(*number).fraction() < 0.3).count();
        // Binomial: 3000 expected, standard deviation 45.8; four of them.
        assert!((2817..=3183).contains(&below), "{below}");
    }
}
