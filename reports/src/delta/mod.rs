//! How runs differ, whatever they are: what was different about them, and how far apart their figures are. No verdict.
//!
//! The first run is the one that the others are compared with. Intervals take requests as independent of each other, which they are not
//! quite; whether a candidate is slower is for the [regression gate](crate::regression) to say, which counts restart cycles instead.
mod change;
mod comparison;
mod figure;
mod latency;
mod share;

pub use change::Change;
pub use comparison::{Compared, Deltas, RunHead};
pub use figure::FigureDelta;
pub(crate) use latency::change as change_of;
pub use latency::{LatencyDelta, Value};
pub use share::ShareDelta;
