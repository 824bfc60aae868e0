//! How much a target can take, and what to buy: the mathematics of capacity, pure as all that judges.
//!
//! ```text
//! gates ─▶ promises ─┐
//! run of a trial ────┴▶ observation
//!
//! trials ─▶ violation ─▶ search ─▶ claim ─┬▶ replicas (queue), forecast ─▶ what to buy, and when
//!                                         └▶ usl (least_squares), overload, bottleneck ─▶ why there
//! ```
mod bottleneck;
mod claim;
mod forecast;
mod least_squares;
mod misfit;
mod observation;
mod overload;
mod promise;
mod queue;
mod refusal;
mod replicas;
mod search;
mod study;
mod usl;
mod violation;

pub use bottleneck::{Bottleneck, Bound, Reading, readings};
pub use claim::{Claim, End, TrialResult, Tried};
pub use forecast::{Crossing, DayPeak, Forecast};
pub use misfit::Misfit;
pub use observation::{Lens, Observation, worst_checks};
pub use overload::{Behaviour, Overload, Recovery, Rung};
pub use promise::{Meaning, Promise};
pub use queue::{Error as QueueError, Queue, erlang_b, erlang_c};
pub use refusal::Refusal;
pub use replicas::{
    Balancing, Error as PlanError, Plan, Policy, Replica, Scaling, TENFOLD, Tenfold, cost_per_thousand, headroom, plan,
    tenfold,
};
pub use search::{Error as SearchError, Observed, Purpose, Search, Settings, Trial};
pub use study::{Answer, Price, Purchase, Standing, Study, UnderFault};
pub use usl::{Estimate, Fit, Peak, Point, Prediction, Residuals};
pub use violation::{Finding, Judgement, Level, judge};
