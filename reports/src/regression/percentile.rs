//! The percentiles that a gate compares, and how many requests each needs.
use serde::{Serialize, Serializer};
use std::fmt;

/// Requests that must be slower than a percentile for it to be compared. Source: measurement.md B3, percentile eligibility.
const FEWEST_BEYOND: f64 = 10.0;

/// A whole percentile from 1 to 99: p99.9 is never compared, because a cycle has too few requests beyond it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percentile(u8);

impl Percentile {
    /// Half of the requests are slower.
    pub const P50: Self = Self(50);
    /// One request in twenty is slower.
    pub const P95: Self = Self(95);
    /// One request in a hundred is slower.
    pub const P99: Self = Self(99);

    /// `None` unless it is from 1 to 99.
    #[must_use]
    pub fn new(percent: u8) -> Option<Self> {
        (1..=99).contains(&percent).then_some(Self(percent))
    }

    /// As a share between 0 and 1.
    #[must_use]
    pub fn share(self) -> f64 {
        f64::from(self.0) / 100.0
    }

    /// Fewest requests, per variant and cycle, with which it may be compared: ten must be slower.
    #[must_use]
    pub fn fewest_requests(self) -> u64 {
        // 10 / (1 - 0.95) = 199.99999999999983, and others lie above.
        (FEWEST_BEYOND * 100.0 / f64::from(100 - self.0)).ceil() as u64
    }
}

impl fmt::Display for Percentile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("p{}", self.0))
    }
}

impl Serialize for Percentile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::rank;

    #[test]
    fn ten_requests_must_be_slower() {
        let cases = [(50, 20), (90, 100), (95, 200), (99, 1000), (1, 11), (97, 334)];
        for (percent, fewest) in cases {
            let percentile = Percentile::new(percent).unwrap();
            assert_eq!(percentile.fewest_requests(), fewest, "{percentile}");
            let beyond = |count| count - rank(percentile.share(), count);
            assert!(beyond(fewest) >= 10 && beyond(fewest - 1) < 10, "{percentile}");
        }
        assert_eq!((Percentile::new(0), Percentile::new(100)), (None, None));
        assert_eq!(Percentile::P95.to_string(), "p95");
    }
}
