//! The law of a model's gaps: on the scale on which one arrival is expected per unit they are 1, or exponential with mean 1.
//!
//! With it the arrivals as they were released are held against the plan, whatever their rate did meanwhile.
use super::{profile::Profile, spacing::Spacing};
use reports::record::{ArrivalFit, Scatter};
use std::time::Duration;

/// The law of a model's gaps.
#[derive(Debug, Clone, PartialEq)]
pub struct Law {
    profile: Profile,
    spacing: Spacing,
}

impl Law {
    pub(super) fn new(profile: Profile, spacing: Spacing) -> Self {
        Self { profile, spacing }
    }

    /// From when on the rate stays what it is; `None` when it changes more than by one ramp at the beginning.
    #[must_use]
    pub fn level_from(&self) -> Option<Duration> {
        self.profile.is_one_ramp().then(|| self.profile.length())
    }

    /// Starts to compare the arrivals as they are released with this law.
    #[must_use]
    pub fn watch(self) -> GapWatch {
        let scatter = match self.spacing {
            Spacing::Poisson => Scatter::Poisson,
            Spacing::Constant => Scatter::Even,
        };
        let fit = ArrivalFit::new(scatter, self.profile.peak());
        GapWatch { profile: self.profile, fit, seen: 0, last: 0.0 }
    }
}

/// Compares the arrivals as they are released with their law. Its size is fixed.
#[derive(Debug)]
pub struct GapWatch {
    profile: Profile,
    fit: ArrivalFit,
    seen: u64,
    /// Arrivals expected before the last end of a block.
    last: f64,
}

impl GapWatch {
    /// Notes that the next arrival was released, in nanoseconds since clock zero.
    pub fn released(&mut self, released_ns: u64) {
        if self.seen.is_multiple_of(self.fit.block) {
            let expected = self.profile.expected_before(Duration::from_nanos(released_ns));
            if self.seen > 0 {
                self.fit.observe(expected - self.last);
            }
            self.last = expected;
        }
        self.seen += 1;
    }

    /// What was seen.
    #[must_use]
    pub fn fit(self) -> ArrivalFit {
        self.fit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arrivals::{Arrivals, Model};
    use statrs::distribution::{ContinuousCDF as _, Gamma};

    fn law(model: &str, seconds: u64) -> (Law, Vec<u64>) {
        let arrivals: Arrivals = toml::from_str(model).unwrap();
        let duration = Duration::from_secs(seconds);
        let Model::Open(due_times) = arrivals.model(3, duration) else { panic!("open") };
        let end_ns = seconds * 1_000_000_000;
        (arrivals.law(duration).unwrap(), due_times.take_while(|due_ns| *due_ns < end_ns).collect())
    }

    /// Largest distance of the blocks from the Erlang law, times the root of their number.
    fn distance(fit: &ArrivalFit) -> f64 {
        let law = Gamma::new(fit.block as f64, 1.0).unwrap();
        let total = fit.counts.iter().sum::<u64>() as f64;
        let mut below = 0.0;
        let distances = fit.edges().zip(&fit.counts).map(|(edge, count)| {
            below += *count as f64;
            (below / total - law.cdf(edge)).abs()
        });
        distances.fold(0.0, f64::max) * total.sqrt()
    }

    #[test]
    fn gaps_of_independent_users_are_exponential_whatever_their_rate_does() {
        for model in [
            "poisson = { rate = \"40/s\", ramp = \"20s\" }",
            "poisson = { stages = [{ rate = \"90/s\", for = \"20s\" }, { rate = \"5/s\", for = \"30s\" }] }",
            "spike = { base = \"10/s\", peak = \"500/s\", at = \"20s\", for = \"10s\", ramp = \"1s\" }",
            "step = { from = \"20/s\", to = \"80/s\", by = \"20/s\", every = \"15s\" }",
            "soak = { rate = \"2000/s\", swing = 0.9, wave = \"10s\" }",
        ] {
            let (law, dues) = law(model, 60);
            let mut watch = law.watch();
            dues.iter().for_each(|due_ns| watch.released(*due_ns));
            let (fit, count) = (watch.fit(), dues.len() as u64);
            assert_eq!(fit.counts.iter().sum::<u64>(), (count - 1) / fit.block, "{model}");
            // Kolmogorov-Smirnov at p = 0.001.
            assert!(distance(&fit) < 1.95, "{model}: {}", distance(&fit));
        }
    }

    #[test]
    fn even_gaps_are_one() {
        let (law, dues) = law("constant = { rate = \"150/s\", ramp = \"20s\" }", 60);
        let mut watch = law.watch();
        dues.iter().for_each(|due_ns| watch.released(*due_ns));
        let fit = watch.fit();
        let total = fit.counts.iter().sum::<u64>();
        assert_eq!((fit.block, fit.counts[20] + fit.counts[21]), (3, total), "{:?}", fit.counts);
    }

    #[test]
    fn only_a_ramp_at_the_beginning_leaves_the_rest_level() {
        let level = |model: &str| law(model, 60).0.level_from();
        assert_eq!(level("poisson = { rate = \"5/s\", ramp = \"20s\" }"), Some(Duration::from_secs(20)));
        assert_eq!(level("constant = { rate = \"5/s\" }"), Some(Duration::ZERO));
        assert_eq!(level("soak = { rate = \"5/s\" }"), Some(Duration::ZERO));
        assert_eq!(level("soak = { rate = \"5/s\", swing = 0.1, wave = \"9s\" }"), None);
        assert_eq!(level("step = { from = \"2/s\", to = \"8/s\", by = \"2/s\", every = \"1s\" }"), None);
        assert_eq!(level("spike = { base = \"1/s\", peak = \"5/s\", at = \"20s\", for = \"10s\" }"), None);
        let bursts: Arrivals = toml::from_str("bursts = { size = 5, every = \"1s\", base = \"5/s\" }").unwrap();
        assert_eq!(bursts.law(Duration::from_secs(60)), None, "two models at once have no law of their gaps");
    }
}
