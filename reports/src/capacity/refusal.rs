//! What is not said, and why: a figure that the data do not show is refused by name.
use crate::number::significant;

/// Why there is no figure.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// A fit through few loads shows nothing that was not put into it.
    #[error("{found} different loads were measured, and a scaling curve needs {required}")]
    TooFewLoads {
        /// Different loads.
        found: usize,
        /// So many are needed.
        required: usize,
    },
    /// A narrow range of loads shows no curve.
    #[error(
        "loads from {} to {} span less than a decade: measure from a tenth of the largest on",
        significant(*smallest),
        significant(*largest)
    )]
    TooNarrow {
        /// Smallest load.
        smallest: f64,
        /// Largest load.
        largest: f64,
    },
    /// A load or a throughput is not a positive number.
    #[error("{per_second}/s at a load of {load} is not a point of a scaling curve: both must be positive numbers")]
    NotPositive {
        /// The load.
        load: f64,
        /// The throughput.
        per_second: f64,
    },
    /// No curve of this family comes near the data.
    #[error("no scaling curve fits the points")]
    NoFit,
    /// Coherency may be nothing.
    #[error("no peak identified: κ may be 0 (95 % interval {lower:.2e} to {upper:.2e})")]
    NoPeak {
        /// Lower end of κ's interval.
        lower: f64,
        /// Upper end of κ's interval.
        upper: f64,
    },
    /// The data do not reach so far.
    #[error("a load of {load:.1} is beyond {farthest:.1}, twice the largest that was measured")]
    BeyondRange {
        /// The load asked for.
        load: f64,
        /// The farthest that anything is said of.
        farthest: f64,
    },
    /// A trend through few points shows nothing.
    #[error("a forecast needs {required} peaks of different days, and there are {found}")]
    TooFewPeaks {
        /// Different days.
        found: usize,
        /// So many are needed.
        required: usize,
    },
    /// A peak demand is not a positive number.
    #[error("a peak demand of {0}/s has no logarithm: peaks must be positive numbers")]
    PeakNotPositive(f64),
}
