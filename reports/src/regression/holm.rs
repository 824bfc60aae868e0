//! Many tests at once: Holm's correction, under which the chance of any false alarm among them stays at most alpha, whatever they share.

/// Adjusted chances in the order of the given ones: a test rejects at level alpha when its adjusted chance is below it.
///
/// The smallest of m is multiplied by m, the next by m − 1, and so on; none becomes smaller than the one before, or larger than 1.
/// Source: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979).
#[must_use]
pub fn adjusted(chances: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..chances.len()).collect();
    order.sort_by(|a, b| chances[*a].total_cmp(&chances[*b]));
    let mut adjusted = vec![0.0; chances.len()];
    let mut largest = 0.0_f64;
    for (place, index) in order.into_iter().enumerate() {
        largest = largest.max(chances[index] * (chances.len() - place) as f64).min(1.0);
        adjusted[index] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adjusted_chances_are_those_of_r() {
        let cases: [(&[f64], &[f64]); 5] = [
            (&[], &[]),
            (&[0.03], &[0.03]),
            // R: p.adjust(c(.01, .04, .03, .005), "holm")
            (&[0.01, 0.04, 0.03, 0.005], &[0.03, 0.06, 0.06, 0.02]),
            (&[0.5, 0.9, 0.4], &[1.0, 1.0, 1.0]),
            (&[0.02, 0.02, 0.02], &[0.06, 0.06, 0.06]),
        ];
        for (chances, expected) in cases {
            let found = adjusted(chances);
            assert_eq!(found.len(), expected.len());
            let near = found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-12);
            assert!(near, "{chances:?} gave {found:?}, not {expected:?}");
        }
    }
}
