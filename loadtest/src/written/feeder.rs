//! Data feeders: which row of a data file an arrival gets. Pure: the row of arrival k follows from seed, feeder and k alone.
use super::rows::Rows;
use crate::draw::{Draw, Purpose};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use toml::Spanned;

/// `[feeders.NAME]`: a data file whose rows journeys use as `${NAME.column}`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeederSettings {
    /// The file, relative to the scenario file: .csv with a header, .json (an array of objects), .ndjson or .jsonl (an object per line).
    #[schemars(with = "String")]
    pub file: Spanned<String>,
    /// Which row arrival k gets. Default: "sequential".
    #[serde(default)]
    pub order: RowOrder,
}

/// Which row arrival k gets, of n. Arrivals are counted over all journeys of the mix, so that k and its row can be computed alone; a
/// journey that is a part of the mix sees a part of the rows in each turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowOrder {
    /// Row k modulo n.
    #[default]
    Sequential,
    /// Every row once in every n arrivals, in an order of its own each time.
    Shuffled,
    /// Any row, drawn anew for each arrival.
    Random,
}

impl RowOrder {
    /// Its name in scenario files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::Shuffled => "shuffled",
            Self::Random => "random",
        }
    }
}

/// A data file in memory.
#[derive(Debug)]
pub(super) struct Feeder {
    pub(super) name: String,
    pub(super) order: RowOrder,
    pub(super) rows: Rows,
}

impl Feeder {
    /// The row of arrival `k`.
    pub(super) fn row(&self, seed: u64, k: u64) -> &[Value] {
        let n = self.rows.rows.len() as u64;
        let index = match self.order {
            RowOrder::Sequential => k % n,
            RowOrder::Shuffled => {
                let key = Draw::named(seed, Purpose::Feeder, &self.name, k / n).bits();
                permuted(k % n, n, key)
            }
            RowOrder::Random => Draw::named(seed, Purpose::Feeder, &self.name, k).below(self.rows.rows.len()) as u64,
        };
        &self.rows.rows[usize::try_from(index).expect("less than the number of rows")]
    }
}

/// Where a key's permutation of 0..n takes `index`, without computing the rest of it.
///
/// A Feistel network permutes the numbers of an even count of bits; what lands beyond n is sent through again, which stays a
/// permutation of 0..n and takes fewer than four turns on average. Source: J. Black, P. Rogaway, "Ciphers with arbitrary finite
/// domains", 2002.
fn permuted(index: u64, n: u64, key: u64) -> u64 {
    let half_bits = (u64::BITS - n.saturating_sub(1).leading_zeros()).div_ceil(2).max(1);
    let mask = (1 << half_bits) - 1;
    let mut place = index;
    loop {
        let (mut left, mut right) = (place >> half_bits, place & mask);
        for round in 0..ROUNDS {
            let scrambled = Draw::new(key, Purpose::Feeder, (round << 40) ^ right).bits() & mask;
            (left, right) = (right, left ^ scrambled);
        }
        place = (left << half_bits) | right;
        if place < n {
            return place;
        }
    }
}

/// Rounds of the network; four make it hard to tell from random, and small domains get a few more.
const ROUNDS: u64 = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::evenness;
    use std::collections::BTreeSet;

    fn feeder(name: &str, order: RowOrder, n: u64) -> Feeder {
        let rows = (0..n).map(|row| Box::from([Value::from(row)])).collect();
        Feeder { name: name.into(), order, rows: Rows { columns: vec!["id".into()], rows, digest: String::new() } }
    }

    fn ids(feeder: &Feeder, seed: u64, ks: impl Iterator<Item = u64>) -> Vec<u64> {
        ks.map(|k| feeder.row(seed, k)[0].as_u64().unwrap()).collect()
    }

    #[test]
    fn sequential_rows_come_one_after_the_other_again_and_again() {
        assert_eq!(ids(&feeder("a", RowOrder::Sequential, 3), 9, 0..7), [0, 1, 2, 0, 1, 2, 0]);
    }

    #[test]
    fn shuffled_rows_come_once_in_every_turn_and_each_turn_has_its_own_order() {
        for n in (1..=70).chain([255, 256, 257, 1_000]) {
            let feeder = feeder("a", RowOrder::Shuffled, n);
            let turns: Vec<_> = (0..3).map(|turn| ids(&feeder, 5, turn * n..(turn + 1) * n)).collect();
            assert!(turns.iter().all(|turn| turn.iter().collect::<BTreeSet<_>>().len() as u64 == n), "{n} rows");
            assert!(n < 20 || (turns[0] != turns[1] && turns[1] != turns[2]), "{n} rows");
        }
    }

    #[test]
    fn every_place_of_a_turn_is_as_likely_for_a_row() {
        let feeder = feeder("a", RowOrder::Shuffled, 6);
        let mut places = [0.0; 6];
        for k in 0..60_000 {
            if feeder.row(3, k)[0] == 2 {
                places[(k % 6) as usize] += 1.0;
            }
        }
        let (chi_square, p) = evenness(&places);
        assert!(p > 0.001, "chi-square {chi_square:.1}, p {p:.5}: {places:?}");
    }

    #[test]
    fn a_row_follows_from_seed_feeder_and_number_alone() {
        for order in [RowOrder::Shuffled, RowOrder::Random] {
            let all = ids(&feeder("a", order, 50), 5, 0..200);
            assert_eq!(ids(&feeder("a", order, 50), 5, (0..200).rev()).into_iter().rev().collect::<Vec<_>>(), all);
            assert_ne!(ids(&feeder("a", order, 50), 6, 0..200), all, "another seed");
            assert_ne!(ids(&feeder("b", order, 50), 5, 0..200), all, "another feeder");
        }
    }

    #[test]
    fn the_rows_of_a_seed_never_change() {
        assert_eq!(ids(&feeder("users", RowOrder::Shuffled, 10), 42, 0..10), SHUFFLED);
        assert_eq!(ids(&feeder("users", RowOrder::Random, 10), 42, 0..10), RANDOM);
    }

    const SHUFFLED: [u64; 10] = [0, 7, 6, 2, 5, 8, 3, 4, 1, 9];
    const RANDOM: [u64; 10] = [8, 7, 9, 3, 3, 9, 5, 3, 4, 0];
}
