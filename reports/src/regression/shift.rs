//! How large a difference is: its estimate and its bounds, from all means of two of the differences.
use super::signed_rank::critical_sum;

/// The centre of some differences, and where it lies with a given confidence on either side.
///
/// Source: J. Hodges and E. Lehmann, Annals of Mathematical Statistics 34 (1963); J. Tukey's inversion of the signed-rank test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    /// Hodges–Lehmann estimate: the median of the Walsh averages.
    pub estimate: f64,
    /// The centre is not below, but for a chance of alpha; minus infinity when there are too few differences to say.
    pub lower: f64,
    /// The centre is not above, but for a chance of alpha; infinity when there are too few differences to say.
    pub upper: f64,
}

impl Shift {
    /// Of at least one finite difference; each bound is wrong with a chance of at most `alpha`, so that both make an interval of
    /// confidence 1 − 2·alpha. `None` without differences.
    #[must_use]
    pub fn of(differences: &[f64], alpha: f64) -> Option<Self> {
        let averages = walsh_averages(differences);
        let (first, last) = (averages.first()?, averages.last()?);
        debug_assert!(first.is_finite() && last.is_finite(), "differences are finite");
        let (lower, upper) = match critical_sum(differences.len(), alpha) {
            Some(k) => (averages[k], averages[averages.len() - 1 - k]),
            None => (f64::NEG_INFINITY, f64::INFINITY),
        };
        Some(Self { estimate: median_of_sorted(&averages), lower, upper })
    }
}

/// The mean of every difference with itself and with every later one, in order: n(n + 1)/2 of them.
#[must_use]
pub fn walsh_averages(differences: &[f64]) -> Vec<f64> {
    let pairs = differences
        .iter()
        .enumerate()
        .flat_map(|(index, first)| differences[index..].iter().map(move |second| f64::midpoint(*first, *second)));
    let mut averages: Vec<f64> = pairs.collect();
    averages.sort_by(f64::total_cmp);
    averages
}

/// The middle of values in order, or the mean of the two in the middle; not a number when there are none.
pub(crate) fn median_of_sorted(values: &[f64]) -> f64 {
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => f64::midpoint(values[count / 2 - 1], values[count / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::regression::signed_rank::SignedRank;
    use proptest::prelude::*;

    #[test]
    fn the_estimate_and_its_bounds_are_those_of_the_published_example() {
        // Hollander and Wolfe (1973), depression scale: R's wilcox.test(conf.int = TRUE) gives 0.46 as pseudomedian, and, with
        // conf.level = .9609375, the interval [0.010, 0.786].
        let differences = [0.952, -0.147, 1.022, 0.43, 0.62, 0.59, 0.49, -0.08, 0.01];
        let shift = Shift::of(&differences, (1.0 - 0.960_937_5) / 2.0).unwrap();
        assert!((shift.estimate - 0.46).abs() < 1e-9, "{shift:?}");
        assert!((shift.lower - 0.010).abs() < 1e-9 && (shift.upper - 0.786).abs() < 1e-9, "{shift:?}");
    }

    #[test]
    fn walsh_averages_are_all_means_of_two() {
        assert_eq!(walsh_averages(&[3.0, 1.0]), [1.0, 2.0, 3.0]);
        assert_eq!(walsh_averages(&[0.0; 20]).len(), 210);
        assert_eq!(Shift::of(&[], 0.05), None);
        let four = Shift::of(&[1.0, 2.0, 3.0, 4.0], 0.05).unwrap();
        assert_eq!((four.estimate, four.lower, four.upper), (2.5, f64::NEG_INFINITY, f64::INFINITY));
        let five = Shift::of(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.05).unwrap();
        assert_eq!((five.lower, five.upper), (1.0, 5.0), "2^-5 = .031 allows the extremes");
    }

    proptest! {
        /// The bounds are the test turned around: a margin is outside exactly when the test rejects it.
        #[test]
        fn bounds_and_test_agree(
            differences in prop::collection::vec(-1.0..1.0_f64, 5..24),
            margin in -0.5..0.5_f64,
            alpha in prop::sample::select(vec![0.01, 0.05, 0.1]),
        ) {
            let shift = Shift::of(&differences, alpha).unwrap();
            let moved: Vec<f64> = differences.iter().map(|difference| difference - margin).collect();
            let test = SignedRank::of(&moved);
            prop_assert_eq!(test.p_greater <= alpha, shift.lower > margin, "{:?} {:?}", test, shift);
            prop_assert_eq!(test.p_less <= alpha, shift.upper < margin, "{:?} {:?}", test, shift);
            prop_assert!(shift.lower <= shift.estimate && shift.estimate <= shift.upper);
        }
    }
}
