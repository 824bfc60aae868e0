//! Where a transient ends: the truncation after which the mean of the rest is known best.

/// How many of the first batches to leave out: those without which the standard error of the mean of the rest is smallest, and at most half.
///
/// Noise alone moves the cut: of 120 stationary seconds, one run in twenty loses 45. So a cut is no proof of a transient; see
/// [`Change`](super::Change) for that. Source: K. White, M. Cobb, S. Spratt, "A comparison of five steady-state truncation heuristics",
/// 2000 (MSER-5); measurement.md D3.
#[must_use]
pub fn cut(means: &[f64]) -> usize {
    let error_without = |first: usize| {
        let rest = &means[first..];
        let count = rest.len() as f64;
        let mean = rest.iter().sum::<f64>() / count;
        rest.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count * count)
    };
    let errors = (0..=means.len() / 2).map(|first| (first, error_without(first)));
    errors.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(first, _)| first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transient_is_cut_and_nothing_else() {
        let cases: [(&str, &[f64], usize); 7] = [
            ("level", &[1.0; 12], 0),
            ("a slow start", &[9.0, 1.0, 1.2, 0.9, 1.1, 1.0, 0.8, 1.1, 1.0, 0.9], 1),
            ("a fast start", &[-3.0, -1.0, 1.0, 0.9, 1.1, 1.0, 0.8, 1.1, 1.0, 0.9], 2),
            ("falling for ever", &[10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0], 5),
            ("a slow end", &[1.0, 1.1, 0.9, 1.0, 1.1, 0.9, 1.0, 1.1, 0.9, 7.0], 0),
            ("one", &[4.0], 0),
            ("nothing", &[], 0),
        ];
        for (name, means, expected) in cases {
            assert_eq!(cut(means), expected, "{name}");
        }
    }
}
