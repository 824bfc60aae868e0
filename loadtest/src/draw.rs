//! Counter-based randomness: every random decision is a pure function of (seed, purpose, number), so that arrival k can be
//! computed alone, on any machine and on any shard, without drawing the ones before it.
//!
//! The bits are SplitMix64 over a key mixed from the three. The logarithm is computed here from additions, multiplications and
//! divisions alone, which IEEE 754 fixes to the last bit; the one of the platform's library may differ.

/// What a random number is for. Numbers of different purposes are independent of one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// The gap before an arrival.
    Gap = 1,
    /// The order of the journeys within a block of the mix.
    Mix = 2,
    /// What a journey asks for.
    Payload = 3,
    /// How far a closed user strays from its pacing.
    Pacing = 4,
    /// How long a user thinks between two steps.
    Think = 5,
    /// Accounts and passwords.
    Account = 6,
    /// How early in its time a user renews its session.
    Renewal = 7,
    /// The trace that a request belongs to.
    Trace = 8,
    /// Which row of a data feeder an arrival gets.
    Feeder = 20,
    /// When within its second a recorded arrival came.
    Spread = 21,
    /// Which of two compared variants gets a request.
    Label = 30,
    /// Which of two compared variants is started first.
    Start = 31,
}

/// A short sequence of random numbers for one purpose and one number.
#[derive(Debug, Clone)]
pub struct Draw(u64);

impl Draw {
    /// Starts the sequence of number `k`.
    #[must_use]
    pub fn new(seed: u64, purpose: Purpose, k: u64) -> Self {
        Self(mix(mix(mix(seed) ^ purpose as u64) ^ k))
    }

    /// Starts the sequence of number `k` for one of several things of a purpose that are told apart by their names.
    #[must_use]
    pub fn named(seed: u64, purpose: Purpose, name: &str, k: u64) -> Self {
        let name = name.bytes().fold(GOLDEN, |bits, byte| mix(bits ^ u64::from(byte)));
        Self::new(mix(seed) ^ name, purpose, k)
    }

    /// 64 random bits. Source: G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", 2014.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// A number from 0 (included) to 1 (excluded).
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * TWO_TO_MINUS_53
    }

    /// A whole number from 0 to `n` - 1; 0 when `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        let product = u128::from(self.bits()) * n as u128;
        usize::try_from(product >> 64).expect("less than n")
    }

    /// A whole number from `first` to `last`, both included.
    pub fn between(&mut self, first: u32, last: u32) -> u32 {
        first + u32::try_from(self.below((last - first) as usize + 1)).expect("less than a u32")
    }

    /// One of the items, each as likely as the others.
    ///
    /// # Panics
    /// When there is none.
    pub fn one_of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// One of the items, the first ones more often: with n items, item i has probability `sqrt((i + 1) / n) - sqrt(i / n)`.
    ///
    /// # Panics
    /// When there is none.
    pub fn popular<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let unit = self.unit();
        &items[(unit * unit * items.len() as f64) as usize]
    }

    /// A draw from the exponential distribution with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -logarithm(((self.bits() >> 11) + 1) as f64 * TWO_TO_MINUS_53)
    }
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
const TWO_TO_MINUS_53: f64 = 1.0 / (1_u64 << 53) as f64;

fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (bits ^ (bits >> 31)).wrapping_add(GOLDEN)
}

/// The natural logarithm of a positive normal number: exponent times ln 2, plus the series of 2 atanh((m - 1) / (m + 1)).
fn logarithm(x: f64) -> f64 {
    let bits = x.to_bits();
    let mut exponent = ((bits >> 52) & 0x7ff) as i64 - 1023;
    let mut mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52));
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa /= 2.0;
        exponent += 1;
    }
    let t = (mantissa - 1.0) / (mantissa + 1.0);
    let mut series = 0.0;
    for odd in (0..=10).rev().map(|n| 2 * n + 1) {
        series = series * (t * t) + 1.0 / f64::from(odd);
    }
    exponent as f64 * std::f64::consts::LN_2 + 2.0 * t * series
}

/// χ² of counts that should all be the same, and how likely a larger one is.
#[cfg(test)]
pub(crate) fn evenness(seen: &[f64]) -> (f64, f64) {
    use statrs::distribution::{ChiSquared, ContinuousCDF as _};
    let expected = seen.iter().sum::<f64>() / seen.len() as f64;
    let chi_square: f64 = seen.iter().map(|seen| (seen - expected).powi(2) / expected).sum();
    let law = ChiSquared::new(seen.len() as f64 - 1.0).expect("two counts or more");
    (chi_square, 1.0 - law.cdf(chi_square))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_agrees_with_the_library_to_fourteen_digits() {
        let mut draw = Draw::new(1, Purpose::Gap, 0);
        for x in (0..100_000).map(|_| draw.unit().max(1e-300)).chain([1.0, 0.5, f64::MIN_POSITIVE, TWO_TO_MINUS_53]) {
            let (ours, library) = (logarithm(x), x.ln());
            assert!((ours - library).abs() <= 1e-14 * library.abs().max(1e-2), "ln {x}: {ours} against {library}");
        }
    }

    #[test]
    fn every_bit_is_set_half_of_the_time_and_neighbouring_numbers_are_unrelated() {
        let n = 20_000_u64;
        let words: Vec<u64> = (0..n).map(|k| Draw::new(7, Purpose::Payload, k).bits()).collect();
        let pairs = words.windows(2).map(|pair| pair[0] ^ pair[1]);
        for words in [words.clone(), pairs.collect()] {
            for bit in 0..64 {
                let set = words.iter().filter(|word| *word >> bit & 1 == 1).count() as f64;
                // Six standard deviations of a fair coin: 0.5 sqrt(n) each.
                assert!((set - words.len() as f64 / 2.0).abs() < 3.0 * (n as f64).sqrt(), "bit {bit}: {set} of {n}");
            }
        }
    }

    #[test]
    fn draws_stay_in_their_range() {
        let mut draw = Draw::new(0, Purpose::Mix, u64::MAX);
        for _ in 0..10_000 {
            assert!((0.0..1.0).contains(&draw.unit()));
            assert!(draw.below(6) < 6 && draw.below(1) == 0 && draw.below(0) == 0);
            assert!((3..=5).contains(&draw.between(3, 5)));
            assert!((0.0..37.0).contains(&draw.exponential()));
            assert!([1, 2, 3].contains(draw.popular(&[1, 2, 3])));
        }
    }

    #[test]
    fn the_numbers_of_a_seed_never_change() {
        let mut draw = Draw::new(42, Purpose::Gap, 1_000_000);
        let seen = [draw.bits(), draw.bits(), draw.exponential().to_bits()];
        assert_eq!(seen, PINNED, "a recorded seed must replay on every machine and version: {seen:#x?}");
    }

    const PINNED: [u64; 3] = [0x148d_94dc_52fc_0b6a, 0xf287_5d8c_e225_06bb, 0x3fca_4f3e_e89c_0f4b];
}
