//! How much a target can take, and what to buy: the mathematics of capacity, pure as all that judges.
//!
//! ```text
//! trials ─▶ violation ─▶ search ─▶ claim ─┬▶ replicas (queue), forecast ─▶ what to buy, and when
//!                                         └▶ usl (least_squares), overload, bottleneck ─▶ why there
//! ```
mod claim;
mod queue;
mod search;
mod violation;

pub use claim::{Claim, End, TrialResult, Tried};
pub use queue::{Error as QueueError, Queue, erlang_b, erlang_c};
pub use search::{Error as SearchError, Observed, Purpose, Search, Settings, Trial};
pub use violation::{Finding, Judgement, Level, judge};
