//! What faults did to the users: when they noticed, how deep the service fell, when it was back, and what that cost.
//!
//! ```text
//! gates ─▶ objective ─┐
//! record ─▶ served ───┴▶ band (before) ─▶ onset · recovery · loss · burn, per episode and journey ─▶ hypothesis
//! ```
//! All of it is read from the requests themselves, in windows of one second: `Q(t)` is the share of the requests due in second t that were
//! answered well (fully, or degraded and said so) within the limit of their step's gate. Before the first fault, `Q` and the p95 of the good
//! answers make a band; a journey is disturbed when it leaves the band for three seconds, and back when it is inside for five.
//! Source: measurement.md E.
mod assess;
mod band;
mod burn;
mod episode;
mod hypothesis;
mod impact;
mod loss;
mod objective;
mod runs;
mod served;

pub use assess::{Experiment, Resilience, assess};
pub use band::{BAND_SECONDS, Band, FRESH_SECONDS, MOST_STRAYS, NoBand, Place};
pub use burn::{Burn, promised_by};
pub use episode::Episode;
pub use hypothesis::{Finding, Hypothesis, REPEATS};
pub use impact::{Figures, Impact, Recovery, Stuck, Unknown};
pub use loss::Loss;
pub use objective::Objective;
pub use runs::{INSIDE_SECONDS, OUTSIDE_SECONDS, first_run, outside_until};
pub use served::Served;
pub(crate) use served::ServedBuilder;
