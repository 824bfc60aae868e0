//! What the generator noted beside the samples, so that the measurement itself can be checked. Older records do not have it.
use serde::{Deserialize, Serialize};

/// What the generator noted beside the samples.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Meter {
    /// The kind of the arrival model.
    pub model: Option<ModelKind>,
    /// From when on the plan is the same to its end (one rate, or one population), in nanoseconds; `None` when it never is.
    pub level_from_ns: Option<u64>,
    /// Where the warm-up came from.
    pub warm_up: WarmUp,
    /// Time of the requests that have no sample; there whenever the table of seconds says how many requests were there.
    pub cut_off: Option<CutOff>,
    /// How the released arrivals were spaced; `None` for models without a law of their gaps.
    pub arrivals: Option<ArrivalFit>,
    /// Smallest step of the clock that stamps the samples, in nanoseconds.
    pub clock_resolution_ns: Option<u64>,
    /// What the machine did while the load ran; `None` where the system does not tell.
    pub host: Option<HostUse>,
}

/// Who decides when users come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelKind {
    /// The plan: arrivals come in the order of their numbers.
    Open,
    /// Each user for itself, when it is done.
    Closed,
}

/// Where the end of the warm-up came from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WarmUp {
    /// The scenario.
    #[default]
    Given,
    /// The run itself: from then on it was steady. Samples due before belong to the warm-up, whatever their tag says.
    Found {
        /// Whole seconds, in nanoseconds since clock zero.
        until_ns: u64,
    },
    /// It was to be found, and the run never became steady, or broke off.
    NotFound,
}

/// Time that requests without a sample (dropped, or cut off at the end) were there, in nanoseconds, summed over them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutOff {
    /// Since they were due.
    pub due_ns: u64,
    /// Since they were sent, where they were.
    pub sent_ns: u64,
}

/// How arrivals scatter around the planned rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scatter {
    /// As those of independent users.
    Poisson,
    /// Evenly.
    Even,
}

/// How the released arrivals were spaced, on the scale on which one arrival is expected per unit (a change of time by the planned rate).
///
/// The sum of `block` neighbouring gaps has the mean `block`: it is exactly that for even arrivals, and Erlang for independent ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArrivalFit {
    /// What was planned.
    pub scatter: Scatter,
    /// The highest planned rate, in arrivals per second.
    pub peak_per_second: f64,
    /// Gaps per block.
    pub block: u64,
    /// Blocks by the sum of their gaps: below the first edge, between two edges …, beyond the last edge.
    pub counts: Vec<u64>,
}

/// How long a block is at the peak rate at least, in seconds: long enough for the lateness of a release to be little of it.
const BLOCK_S: f64 = 0.020;
/// Distance between the edges at the peak rate where arrivals are even, in seconds.
const EVEN_S: f64 = 1e-3;

impl ArrivalFit {
    /// Bounds between the counts.
    const EDGES: u32 = 60;

    /// Nothing seen yet.
    #[must_use]
    pub fn new(scatter: Scatter, peak_per_second: f64) -> Self {
        let block = (peak_per_second * BLOCK_S).ceil().max(1.0) as u64;
        Self { scatter, peak_per_second, block, counts: vec![0; Self::EDGES as usize + 1] }
    }

    /// The bounds between the counts, ascending: from 4 scales below the mean to 7.8 above, a fifth apart.
    pub fn edges(&self) -> impl Iterator<Item = f64> + use<> {
        let (mean, scale) = (self.block as f64, self.scale());
        (0..Self::EDGES).map(move |index| mean + scale * (f64::from(index) - 20.0) / 5.0)
    }

    /// Counts one block by the sum of its gaps.
    pub fn observe(&mut self, sum: f64) {
        let position = (sum - self.block as f64) / self.scale() * 5.0 + 21.0;
        let last = self.counts.len() - 1;
        // A cast takes what is below nothing (and NaN) as 0.
        self.counts[(position as usize).min(last)] += 1;
    }

    /// The standard deviation of a sum of independent gaps; 5 ms at the peak rate where there is none.
    fn scale(&self) -> f64 {
        match self.scatter {
            Scatter::Poisson => (self.block as f64).sqrt(),
            Scatter::Even => 5.0 * self.peak_per_second * EVEN_S,
        }
    }
}

/// What the machine did between the first and the last request, as shares of all its processors' time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HostUse {
    /// Taken by the hypervisor for others.
    pub steal_share: f64,
    /// Spent working, whoever for: generator, target and everything else on the machine.
    pub busy_share: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_counted_between_the_edges_that_hold_its_sum() {
        let shapes = [(Scatter::Poisson, 5.0, 1), (Scatter::Even, 100.0, 2), (Scatter::Poisson, 1e5, 2_000)];
        for (scatter, peak_per_second, block) in shapes {
            let mut fit = ArrivalFit::new(scatter, peak_per_second);
            assert_eq!(fit.block, block);
            let edges: Vec<f64> = fit.edges().collect();
            assert!(edges.windows(2).all(|pair| pair[0] < pair[1]));
            let middles = edges.windows(2).map(|pair| f64::midpoint(pair[0], pair[1]));
            let sums: Vec<f64> = [edges[0] - 1.0].into_iter().chain(middles).chain([edges[59] + 1.0]).collect();
            for (position, sum) in sums.into_iter().enumerate() {
                fit.observe(sum);
                assert_eq!(fit.counts[position], 1, "block {block}: {sum} at {position}");
            }
            fit.observe(f64::MAX);
            fit.observe(-1e9);
            fit.observe(f64::NAN);
            assert_eq!((fit.counts[60], fit.counts[0]), (2, 3));
        }
    }
}
