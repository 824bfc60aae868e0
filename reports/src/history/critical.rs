//! How large the largest rank statistic of a series may be by chance. Ranks know nothing of the values, so one table serves every series.
//!
//! Source: measurement.md C; computed anew with more permutations, which moved no value of that page by more than 0.04.
use serde::Serialize;

/// Chance of a change point in a series that has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// 1 %: what is used when nothing else is said.
    One,
    /// 5 %.
    Five,
}

/// Points, and the values that are exceeded with a chance of 1 % and of 5 %, from 400 000 permutations of few points to 40 000 of many:
/// within 0.01 up to 100 points and 0.02 beyond.
const TABLE: [(usize, f64, f64); 17] = [
    (8, 2.309, 2.021),
    (10, 2.558, 2.193),
    (12, 2.717, 2.355),
    (16, 2.910, 2.488),
    (20, 2.969, 2.557),
    (30, 3.118, 2.696),
    (40, 3.196, 2.765),
    (50, 3.255, 2.816),
    (60, 3.305, 2.853),
    (80, 3.371, 2.900),
    (100, 3.395, 2.938),
    (150, 3.486, 3.005),
    (200, 3.517, 3.048),
    (300, 3.576, 3.096),
    (500, 3.610, 3.147),
    (1_000, 3.682, 3.208),
    (2_000, 3.754, 3.274),
];

/// The value that the statistic of `count` points exceeds with the chance of the level, between the points of the table by a straight
/// line, beyond its last one along its last line. Below eight points nothing is exceeded: infinity.
#[must_use]
pub fn critical(count: usize, level: Level) -> f64 {
    let value = |(_, one, five): (usize, f64, f64)| match level {
        Level::One => one,
        Level::Five => five,
    };
    if count < TABLE[0].0 {
        return f64::INFINITY;
    }
    let after = TABLE.iter().position(|(points, ..)| *points >= count).unwrap_or(TABLE.len() - 1).max(1);
    let (from, to) = (TABLE[after - 1], TABLE[after]);
    value(from) + (value(to) - value(from)) * (count as f64 - from.0 as f64) / (to.0 as f64 - from.0 as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::change_point::largest;
    use rand::{SeedableRng as _, seq::SliceRandom as _};

    #[test]
    fn the_table_is_what_permutations_give() {
        // So many permutations leave the 1 % point uncertain by about 0.02, and the 5 % point by 0.01; three and a half of them.
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
        for (count, permutations) in [(12, 20_000), (20, 20_000), (50, 20_000), (100, 10_000)] {
            let mut ranks: Vec<f64> = (1..=count).map(f64::from).collect();
            let mut statistics: Vec<f64> = (0..permutations)
                .map(|_| {
                    ranks.shuffle(&mut rng);
                    largest(&ranks).unwrap().1
                })
                .collect();
            statistics.sort_by(f64::total_cmp);
            for (level, share, within) in [(Level::One, 0.99, 0.07), (Level::Five, 0.95, 0.04)] {
                let found = statistics[(share * f64::from(permutations)) as usize];
                let table = critical(count as usize, level);
                assert!((found - table).abs() < within, "{count} points, {level:?}: {found} is not {table}");
            }
        }
    }

    #[test]
    fn the_values_of_the_page_are_those_of_the_table() {
        let one =
            [(8, 2.309), (10, 2.558), (12, 2.717), (16, 2.889), (20, 3.001), (30, 3.118), (40, 3.235), (50, 3.267)];
        let more = [(60, 3.293), (80, 3.370), (100, 3.432), (150, 3.454), (200, 3.534), (300, 3.557), (500, 3.612)];
        let five = [(8, 2.021), (20, 2.575), (50, 2.825), (100, 2.955), (200, 3.027)];
        let of = |level, values: &[(usize, f64)]| {
            for (count, page) in values {
                assert!((critical(*count, level) - page).abs() <= 0.04, "{count} points, {level:?}");
            }
        };
        of(Level::One, &one);
        of(Level::One, &more);
        of(Level::Five, &five);
    }

    #[test]
    fn between_its_points_the_table_is_a_line() {
        assert_eq!(critical(7, Level::One), f64::INFINITY);
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
        near(critical(8, Level::One), 2.309);
        near(critical(11, Level::One), f64::midpoint(2.558, 2.717));
        near(critical(2000, Level::One), 3.754);
        near(critical(35, Level::Five), f64::midpoint(2.696, 2.765));
        assert!(critical(3000, Level::Five) > critical(2000, Level::Five));
    }
}
