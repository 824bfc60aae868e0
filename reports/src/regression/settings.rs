//! How a gate decides: what it compares, how often it may err, and when it looks.
use super::{
    metric::{self, Test},
    power,
    sequential::Plan,
};
use crate::record::LONGEST_NS;
use serde::Serialize;

/// How a gate decides.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Settings {
    /// Chance of a false REGRESS anywhere, and of a false PASS, over all looks: above 0 and below one half.
    pub alpha: f64,
    /// How many cycles are made, and when they are looked at.
    pub plan: Plan,
    /// What a failed request counts for, in nanoseconds; up to ten minutes.
    pub timeout_ns: u64,
    /// What is compared.
    pub tests: Vec<Test>,
}

/// Why a gate cannot decide by some settings.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// What is compared is no list of tests.
    #[error(transparent)]
    Tests(#[from] metric::Error),
    /// The chance of error is none.
    #[error("alpha is {0}; write a chance above 0 and below 0.5, such as 0.05")]
    Alpha(f64),
    /// Failed requests have no place in a histogram.
    #[error("the timeout is {0} ns; it must be above 0 and at most ten minutes")]
    Timeout(u64),
    /// With so few cycles not even agreement of all of them would be significant.
    #[error("{cycles} cycles can prove nothing about {tests} metrics; make at least {fewest}, or compare fewer")]
    Cycles {
        /// Most that the plan makes.
        cycles: usize,
        /// How much is compared.
        tests: usize,
        /// How many cycles it would take.
        fewest: usize,
    },
}

impl Settings {
    /// Checks that these settings can decide anything.
    ///
    /// # Errors
    /// What is wrong with them, and what would do.
    pub fn check(&self) -> Result<(), Error> {
        metric::check(&self.tests)?;
        if !(self.alpha > 0.0 && self.alpha < 0.5) {
            return Err(Error::Alpha(self.alpha));
        }
        if !(1..=LONGEST_NS).contains(&self.timeout_ns) {
            return Err(Error::Timeout(self.timeout_ns));
        }
        let (tests, cycles) = (self.tests.len(), self.plan.most_cycles());
        if self.plan.first_look_that_can_reject(self.alpha, tests).is_none() {
            let fewest = power::fewest_cycles(self.plan.alpha_per_look(self.alpha), tests);
            return Err(Error::Cycles { cycles, tests, fewest });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{regression::sequential::FIXED_CYCLES, summary::Scope};

    fn settings() -> Settings {
        let tests = Test::usual(&[Scope::Step("flights.search".to_owned())]);
        Settings { alpha: 0.05, plan: Plan::Sequential, timeout_ns: 10_000_000_000, tests }
    }

    #[test]
    fn settings_that_cannot_decide_are_refused_with_a_way_out() {
        assert_eq!(settings().check(), Ok(()));
        assert_eq!(Settings { plan: Plan::Fixed(FIXED_CYCLES), ..settings() }.check(), Ok(()));
        let refused = |settings: Settings| settings.check().unwrap_err().to_string();
        for alpha in [0.0, 0.5, f64::NAN, -1.0] {
            let text = refused(Settings { alpha, ..settings() });
            assert_eq!(text, format!("alpha is {alpha}; write a chance above 0 and below 0.5, such as 0.05"));
        }
        for timeout_ns in [0, LONGEST_NS + 1] {
            assert!(refused(Settings { timeout_ns, ..settings() }).starts_with("the timeout is "));
        }
        assert!(refused(Settings { tests: Vec::new(), ..settings() }).starts_with("the gate compares nothing"));
        assert_eq!(
            refused(Settings { plan: Plan::Fixed(6), ..settings() }),
            "6 cycles can prove nothing about 4 metrics; make at least 7, or compare fewer"
        );
    }
}
