//! The schedule: when each arrival is due and which journey it is, decided from the seed before the first byte is sent.
//!
//! It is streamed, so its memory does not depend on its length.
use crate::{
    draw::{Draw, Purpose},
    half::Sieve,
};

/// One user's wish: the instant it is due and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Its number, from 0. Everything random about it follows from the seed and this.
    pub index: u64,
    /// When its first step is due, in nanoseconds since clock zero.
    pub due_ns: u64,
    /// Position of its journey in the mix.
    pub journey_index: usize,
}

/// The arrivals of an open model, ascending.
pub struct Schedule {
    due_times: Box<dyn Iterator<Item = u64> + Send>,
    order: Order,
    end_ns: u64,
    next: u64,
    sieve: Option<Sieve>,
}

impl Schedule {
    pub(crate) fn new(due_times: Box<dyn Iterator<Item = u64> + Send>, order: Order, end_ns: u64) -> Self {
        Self { due_times, order, end_ns, next: 0, sieve: None }
    }

    /// Only the arrivals that a sieve lets through; they keep their numbers, and so all that follows from these.
    pub(crate) fn sieved(self, sieve: Option<Sieve>) -> Self {
        Self { sieve, ..self }
    }
}

impl Iterator for Schedule {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        loop {
            let due_ns = self.due_times.next().filter(|due_ns| *due_ns < self.end_ns)?;
            let index = self.next;
            self.next += 1;
            let journey_index = self.order.journey_index(index);
            if self.sieve.as_mut().is_none_or(|sieve| sieve.lets_through(journey_index)) {
                return Some(Arrival { index, due_ns, journey_index });
            }
        }
    }
}

/// The order of the journeys: in every block of as many arrivals as the weights add up to, each journey comes exactly as often as its
/// weight says, in an order shuffled from the seed and the block's number.
///
/// Exact shares instead of independent draws: two runs then differ in what they measure, not in what they asked. The journey of arrival
/// k needs only its own block.
#[derive(Debug, Clone)]
pub struct Order {
    seed: u64,
    sorted: Vec<usize>,
    block: Vec<usize>,
    block_index: Option<u64>,
}

impl Order {
    /// The order of journeys with these weights, of which at least one is more than 0.
    #[must_use]
    pub fn new(weights: &[u32], seed: u64) -> Self {
        let divisor = weights.iter().copied().fold(0, greatest_common_divisor).max(1);
        let repeat = |(index, weight): (usize, &u32)| std::iter::repeat_n(index, (weight / divisor) as usize);
        let sorted: Vec<usize> = weights.iter().enumerate().flat_map(repeat).collect();
        Self { seed, block: sorted.clone(), sorted, block_index: None }
    }

    /// Position in the mix of the journey of arrival `k`.
    pub fn journey_index(&mut self, k: u64) -> usize {
        let length = self.sorted.len() as u64;
        let block_index = k / length;
        if self.block_index != Some(block_index) {
            self.block.copy_from_slice(&self.sorted);
            shuffle(&mut self.block, &mut Draw::new(self.seed, Purpose::Mix, block_index));
            self.block_index = Some(block_index);
        }
        self.block[usize::try_from(k % length).expect("a block fits into memory")]
    }
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// Source: R. Durstenfeld, "Algorithm 235: Random permutation", 1964.
fn shuffle(items: &mut [usize], draw: &mut Draw) {
    for last in (1..items.len()).rev() {
        items.swap(last, draw.below(last + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::evenness;

    fn order(weights: &[u32]) -> Order {
        Order::new(weights, 11)
    }

    #[test]
    fn every_block_holds_each_journey_exactly_as_often_as_its_weight() {
        let mut order = order(&[3, 2, 1]);
        for block in 0..500 {
            let mut counts = [0; 3];
            (block * 6..block * 6 + 6).for_each(|k| counts[order.journey_index(k)] += 1);
            assert_eq!(counts, [3, 2, 1], "block {block}");
        }
    }

    #[test]
    fn weights_are_reduced_so_that_blocks_are_short() {
        assert_eq!(order(&[300, 200, 100]).sorted.len(), 6);
        assert_eq!(order(&[7]).sorted.len(), 1);
    }

    #[test]
    fn every_place_of_a_block_is_as_likely_for_the_rarest_journey() {
        let mut order = order(&[3, 2, 1]);
        let mut places = [0.0; 6];
        for k in 0..60_000 {
            if order.journey_index(k) == 2 {
                places[(k % 6) as usize] += 1.0;
            }
        }
        let (chi_square, p) = evenness(&places);
        assert!(p > 0.001, "chi-square {chi_square:.1}, p {p:.5}: {places:?}");
    }

    #[test]
    fn an_arrival_can_be_computed_alone() {
        let mut in_order = order(&[3, 2, 1]);
        let all: Vec<usize> = (0..600).map(|k| in_order.journey_index(k)).collect();
        for k in [599, 0, 17, 300, 16] {
            assert_eq!(order(&[3, 2, 1]).journey_index(k), all[k as usize], "arrival {k}");
        }
    }
}
