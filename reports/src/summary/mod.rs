//! What the measures of a run add up to: counts, latencies and the course of the run, read from the folder once.
mod latency;
mod outcomes;
mod query;
mod read;
mod scope;
mod series;

pub use latency::{Latency, Quantile, is_judged_per_request, needs_stream};
pub use outcomes::OutcomeCounts;
pub use read::{Cell, Summary};
pub use scope::{Scope, Window};
pub use series::{Bin, BinLatency, JourneyBin, Series};
