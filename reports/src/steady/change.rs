//! Whether latencies at the beginning differ from those of the rest, or only seem to.
use statrs::distribution::{ContinuousCDF as _, StudentsT};

/// Smallest change that counts: a tenth.
const LEAST: f64 = 1.1;
/// Share of the batches that are compared with the second half.
const HEAD_SHARE: f64 = 0.1;

/// How the first batches differ from the second half of all.
///
/// Which batches are compared does not follow from the values. That is what keeps false alarms rare: the part that MSER cuts off is
/// chosen for being different, and on 120 s of stationary but correlated noise (autoregressive, 0.6) a t test of it at 1 % fires on 6 %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// Latency at the beginning over that of the second half (geometric means).
    pub factor: f64,
    /// Probability of so large a difference if there were none.
    pub p: f64,
}

impl Change {
    /// Compares the batches from `first` on, a tenth of them, with the second half; `None` when that leaves nothing to compare.
    #[must_use]
    pub fn of(means: &[f64], first: usize) -> Option<Self> {
        let half = means.len() / 2;
        let head_length = ((means.len().saturating_sub(first)) as f64 * HEAD_SHARE).round().max(1.0) as usize;
        let (head, rest) = (means.get(first..first + head_length)?, means.get(half..)?);
        if first + head_length > half || rest.len() < 3 {
            return None;
        }
        let (head_count, rest_count) = (head.len() as f64, rest.len() as f64);
        let (head_mean, rest_mean) = (head.iter().sum::<f64>() / head_count, rest.iter().sum::<f64>() / rest_count);
        // The head may still be changing, so how much batches scatter is taken from the rest.
        let variance = rest.iter().map(|value| (value - rest_mean).powi(2)).sum::<f64>() / (rest_count - 1.0);
        let error = (variance * (1.0 / head_count + 1.0 / rest_count)).sqrt();
        let difference = head_mean - rest_mean;
        let p = match difference.abs() / error {
            t if t.is_nan() => 1.0,
            t => 2.0 * StudentsT::new(0.0, 1.0, rest_count - 1.0).ok()?.sf(t),
        };
        Some(Self { factor: difference.exp(), p })
    }

    /// Whether it is a change: large enough to matter, and less likely than `p` by chance.
    #[must_use]
    pub fn is_real(&self, p: f64) -> bool {
        self.p < p && (self.factor > LEAST || self.factor < 1.0 / LEAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_large_and_unlikely() {
        let rest = [0.01, -0.02, 0.02, 0.0, -0.01, 0.01, 0.0, -0.02, 0.02, 0.0];
        let with_head = |head: f64| {
            let means: Vec<f64> = [head].into_iter().chain(rest).collect();
            Change::of(&means, 0).unwrap()
        };
        let (twice, hardly, faster) = (with_head(2_f64.ln()), with_head(0.08), with_head(-0.5));
        assert!((twice.factor - 2.0).abs() < 0.03 && twice.p < 1e-4 && twice.is_real(0.001), "{twice:?}");
        assert!(hardly.p < 0.01 && !hardly.is_real(0.01), "8 % are certain, and too little: {hardly:?}");
        assert!(faster.is_real(0.001), "a queue that fills is a transient too: {faster:?}");
        assert!(!with_head(0.0).is_real(0.5));
    }

    #[test]
    fn nothing_is_said_without_two_parts() {
        assert_eq!(Change::of(&[], 0), None);
        assert_eq!(Change::of(&[1.0; 10], 5), None, "the head lies in the second half");
        assert_eq!(Change::of(&[1.0; 10], 99), None);
        assert_eq!(Change::of(&[1.0; 10], 0).map(|change| change.p), Some(1.0), "all the same");
    }
}
