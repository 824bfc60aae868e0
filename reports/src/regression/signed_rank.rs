//! The exact signed-rank test: how likely are so many large positive differences if positive and negative ones are equally likely?
//!
//! Under a fair coin that sends each request to one of two equal variants, differences are symmetric whatever the noise is, so the test
//! is exact by design and not by a model. Source: F. Wilcoxon, Biometrics Bulletin 1 (1945); J. Pratt, "Remarks on zeros and ties in
//! the Wilcoxon signed rank procedures", JASA 54 (1959); measurement.md B3.

/// Differences closer than this are the same: far below what a histogram tells apart, far above rounding.
const SAME: f64 = 1e-12;

/// The signed-rank sum of some differences, and how extreme it is.
///
/// Equal magnitudes share their mean rank. Zeros keep their rank and add nothing (Pratt).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignedRank {
    /// The sum of the ranks of the positive differences, W⁺.
    pub positive: f64,
    /// Chance of a sum at least as large if the differences are symmetric around zero.
    pub p_greater: f64,
    /// Chance of a sum at most as large if the differences are symmetric around zero.
    pub p_less: f64,
}

impl SignedRank {
    /// Tests finite differences against zero; without any, or with zeros only, both chances are 1.
    ///
    /// Time grows with the cube of their number (64 differences: 0.3 million steps). Beyond about 1 000 the smallest chances become 0.
    #[must_use]
    pub fn of(differences: &[f64]) -> Self {
        let ranks = doubled_ranks(differences);
        let signed = || ranks.iter().zip(differences).filter(|(_, difference)| difference.abs() > SAME);
        let positive: usize = signed().filter(|(_, difference)| **difference > 0.0).map(|(rank, _)| rank).sum();
        let law = law(&signed().map(|(rank, _)| *rank).collect::<Vec<_>>());
        Self {
            positive: positive as f64 / 2.0,
            p_greater: law[positive..].iter().sum::<f64>().min(1.0),
            p_less: law[..=positive].iter().sum::<f64>().min(1.0),
        }
    }
}

/// Twice the mean rank of each difference by its magnitude: whole numbers also where ranks are shared.
fn doubled_ranks(differences: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..differences.len()).collect();
    order.sort_by(|a, b| differences[*a].abs().total_cmp(&differences[*b].abs()));
    let mut ranks = vec![0; differences.len()];
    let mut first = 0;
    while first < order.len() {
        let magnitude = differences[order[first]].abs();
        let is_same = |index: &&usize| differences[**index].abs() - magnitude <= SAME;
        let after = first + order[first..].iter().take_while(is_same).count();
        // The ranks first + 1 to after, whose mean is half of the sum of both ends.
        order[first..after].iter().for_each(|index| ranks[*index] = first + 1 + after);
        first = after;
    }
    ranks
}

/// The chance of each sum of ranks when every rank is counted with a chance of one half: position = sum.
fn law(ranks: &[usize]) -> Vec<f64> {
    let mut chances = vec![0.0; ranks.iter().sum::<usize>() + 1];
    chances[0] = 1.0;
    let mut largest = 0;
    for rank in ranks {
        largest += rank;
        for sum in (0..=largest).rev() {
            let with = if sum >= *rank { chances[sum - rank] } else { 0.0 };
            chances[sum] = f64::midpoint(chances[sum], with);
        }
    }
    chances
}

/// The largest k for which a signed-rank sum of `count` different magnitudes is at most k with a chance of at most `alpha`.
///
/// `None` when even a sum of 0, which has the chance 2^−count, is likelier than that.
#[must_use]
pub fn critical_sum(count: usize, alpha: f64) -> Option<usize> {
    let ranks: Vec<usize> = (1..=count).collect();
    let mut chance = 0.0;
    let likely = law(&ranks).into_iter().position(|of_sum| {
        chance += of_sum;
        chance > alpha
    });
    likely.unwrap_or(0).checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every choice of signs, counted: the definition of the test, for a dozen differences at most.
    fn by_counting(differences: &[f64]) -> (f64, f64) {
        let ranks = doubled_ranks(differences);
        let kept: Vec<(usize, bool)> = ranks
            .into_iter()
            .zip(differences)
            .filter(|(_, difference)| **difference != 0.0)
            .map(|(rank, difference)| (rank, *difference > 0.0))
            .collect();
        let seen: usize = kept.iter().filter(|(_, is_positive)| *is_positive).map(|(rank, _)| rank).sum();
        let sums = (0..1_u32 << kept.len()).map(|signs| {
            kept.iter().enumerate().filter(|(bit, _)| signs >> bit & 1 == 1).map(|(_, (rank, _))| rank).sum::<usize>()
        });
        let (mut greater, mut less, mut all) = (0.0, 0.0, 0.0);
        for sum in sums {
            greater += f64::from(u8::from(sum >= seen));
            less += f64::from(u8::from(sum <= seen));
            all += 1.0;
        }
        (greater / all, less / all)
    }

    #[test]
    fn chances_are_those_of_every_choice_of_signs() {
        let cases: [&[f64]; 9] = [
            &[],
            &[0.0],
            &[0.0, 0.0, 0.0],
            &[1.0],
            &[-2.0, 1.0],
            &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
            &[1.0, -1.0, 2.0, 2.0, -2.0, 0.0, 0.0, 5.0, -4.0],
            &[0.3, 0.3, 0.3, 0.3, -0.3, -0.3],
            &[0.0, -0.02, 0.05, 0.051, 0.02, -0.07, 0.08, 0.0, 0.1, -0.1, 0.1],
        ];
        for case in cases {
            let found = SignedRank::of(case);
            let (greater, less) = by_counting(case);
            assert!((found.p_greater - greater).abs() < 1e-12, "{case:?}: {found:?}, counted {greater}");
            assert!((found.p_less - less).abs() < 1e-12, "{case:?}: {found:?}, counted {less}");
        }
    }

    #[test]
    fn published_examples_have_their_published_chances() {
        // R: wilcox.test(depression, paired, alternative = "greater"): V = 40, p = 0.01953. Source: Hollander and Wolfe (1973), p. 29.
        let differences = [0.952, -0.147, 1.022, 0.43, 0.62, 0.59, 0.49, -0.08, 0.01];
        let found = SignedRank::of(&differences);
        assert_eq!(found.positive, 40.0);
        assert!((found.p_greater - 10.0 / 512.0).abs() < 1e-12, "{found:?}");
        // Eight differences of one sign: the smallest chance there is, 2^-8 = .0039.
        let found = SignedRank::of(&[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]);
        assert_eq!((found.positive, found.p_greater, found.p_less), (36.0, 0.003_906_25, 1.0));
    }

    #[test]
    fn zeros_keep_their_rank_and_add_nothing() {
        // Ranks by magnitude: zeros 1.5 each, then 3 (−), 4, 5. Dropping the zeros first would give W+ = 5 of 1, 2, 3.
        let found = SignedRank::of(&[0.0, 0.0, -1.0, 2.0, 3.0]);
        assert_eq!(found.positive, 9.0);
        // Sums of {3, 4, 5}: 9 and 12 of 0 3 4 5 7 8 9 12.
        assert_eq!((found.p_greater, found.p_less), (2.0 / 8.0, 7.0 / 8.0));
    }

    #[test]
    fn differences_that_rounding_alone_sets_apart_share_their_rank() {
        let differences = [0.3, -(0.1 + 0.2), 0.7];
        assert_ne!(differences[0], -differences[1]);
        assert_eq!(SignedRank::of(&differences).positive, 1.5 + 3.0);
    }

    #[test]
    fn both_chances_mirror_each_other_up_to_64_cycles() {
        for count in [5, 12, 32, 64] {
            let differences: Vec<f64> = (1..=count).map(|k| f64::from(k * 7_919 % 101) - 40.0).collect();
            let mirrored: Vec<f64> = differences.iter().map(|difference| -difference).collect();
            let (found, other) = (SignedRank::of(&differences), SignedRank::of(&mirrored));
            assert!((found.p_greater / other.p_less - 1.0).abs() < 1e-9, "{count}: {found:?} {other:?}");
            let of_positive = SignedRank::of(&differences.iter().map(|d| d.abs() + 0.5).collect::<Vec<_>>());
            assert_eq!(of_positive.p_greater, 0.5_f64.powi(count), "all of one sign");
        }
    }

    #[test]
    fn critical_sums_are_those_of_the_published_tables() {
        // One-sided 5 % and 1 %. Source: Wilcoxon and Wilcox, Some Rapid Approximate Statistical Procedures (1964), table 2.
        let five =
            [(5, 0), (6, 2), (7, 3), (8, 5), (9, 8), (10, 10), (12, 17), (15, 30), (20, 60), (25, 100), (30, 151)];
        let one = [(7, 0), (8, 1), (9, 3), (10, 5), (12, 9), (15, 19), (20, 43), (25, 76), (30, 120)];
        for (alpha, table) in [(0.05, five.as_slice()), (0.01, one.as_slice())] {
            for (count, expected) in table {
                assert_eq!(critical_sum(*count, alpha), Some(*expected), "{count} at {alpha}");
            }
        }
        assert_eq!((critical_sum(4, 0.05), critical_sum(6, 0.01), critical_sum(0, 0.05)), (None, None, None));
    }
}
