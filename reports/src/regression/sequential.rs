//! When a gate looks at its cycles: once, or several times with a smaller chance of error at each.
use serde::Serialize;

/// Cycles after which a sequential gate looks, and stops as soon as it knows. Source: measurement.md B3, sequential rule.
pub const LOOKS: [usize; 5] = [8, 12, 16, 24, 32];

/// Cycles of a gate that looks once.
pub const FIXED_CYCLES: usize = 20;

/// How many cycles are made, and when they are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// Looks after 8, 12, 16, 24 and 32 cycles and stops at the first answer; each look has a fifth of alpha (Bonferroni), so the error
    /// over all of them stays below alpha.
    Sequential,
    /// Looks once, after so many cycles.
    Fixed(usize),
}

impl Plan {
    /// The numbers of cycles after which it looks, in order.
    #[must_use]
    pub fn looks(&self) -> &[usize] {
        match self {
            Self::Sequential => &LOOKS,
            Self::Fixed(cycles) => std::slice::from_ref(cycles),
        }
    }

    /// Most cycles that it makes.
    #[must_use]
    pub fn most_cycles(&self) -> usize {
        self.looks().last().copied().unwrap_or(0)
    }

    /// The first look after this many cycles; `None` when there is no more.
    #[must_use]
    pub fn next_look(&self, cycles: usize) -> Option<usize> {
        self.looks().iter().copied().find(|look| *look > cycles)
    }

    /// What each look may err, of an `alpha` for the whole gate.
    #[must_use]
    pub fn alpha_per_look(&self, alpha: f64) -> f64 {
        alpha / self.looks().len() as f64
    }

    /// The first look at which one of `tests` tests can be significant at all under Holm's correction; `None` when there is none.
    #[must_use]
    pub fn first_look_that_can_reject(&self, alpha: f64, tests: usize) -> Option<usize> {
        let fewest = super::power::fewest_cycles(self.alpha_per_look(alpha), tests);
        self.looks().iter().copied().find(|look| *look >= fewest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::regression::power::fewest_cycles;

    #[test]
    fn looks_come_in_order_and_share_the_error() {
        let plan = Plan::Sequential;
        assert_eq!(
            [0, 7, 8, 12, 31, 32].map(|cycles| plan.next_look(cycles)),
            [Some(8), Some(8), Some(12), Some(16), Some(32), None]
        );
        assert_eq!((plan.most_cycles(), plan.alpha_per_look(0.05)), (32, 0.01));
        let once = Plan::Fixed(FIXED_CYCLES);
        assert_eq!((once.looks(), once.next_look(19), once.next_look(20)), ([20].as_slice(), Some(20), None));
        assert_eq!(once.alpha_per_look(0.05), 0.05);
    }

    #[test]
    fn the_first_look_that_can_reject_grows_with_the_tests() {
        // measurement.md B3: n >= log2(5m/alpha): one test 7 cycles, 24 tests 12.
        assert_eq!([1, 24].map(|tests| fewest_cycles(0.01, tests)), [7, 12]);
        let plan = Plan::Sequential;
        assert_eq!(
            [1, 2, 3, 24, 41].map(|tests| plan.first_look_that_can_reject(0.05, tests)),
            [Some(8), Some(8), Some(12), Some(12), Some(16)]
        );
        assert_eq!(Plan::Fixed(6).first_look_that_can_reject(0.05, 24), None);
    }
}
