//! Gates: a bound on a number of the run, written as one line of text.
//!
//! ```text
//! metric op value [for NAME] [class CLASS] [window W]
//!
//! p95 < 500ms for flights.search window=steady      response time since due; requests without a good answer are infinitely slow
//! first_event.p95 < 500ms for chat.message          response, service, first_byte, first_event, first_token, gap, schedule_lag, send_lag
//! p99 < 5s for flights.search class=dependency_error window=during       the requests of one class only
//! max < 30s                                         the slowest
//! error-rate < 0.1% window=steady                   error, good, or an outcome class; intended limits (429) are left out
//! undeclared = 0                                    errors, good, requests, or an outcome class
//! achieved-rate > 99%                               share of the arrivals that were sent
//! dropped = 0                                       arrivals that the generator gave up
//! ```
//! NAME is a step or a journey; without it, all. W is a kind of phase (`steady`, `during`, `after`), the label of one phase (`during-2`)
//! or `run`: everything but the warm-up, also when nothing is said. `class X` and `class=X` are the same, as are `window X` and `window=X`.
//!
//! A gate on a quantile or a share asks whether the *true* value is within: it passes or fails only when that is 95 % sure, and is
//! inconclusive otherwise. Counts are exact. Source: measurement.md D2.
mod evidence;
mod judge;
mod names;
mod parse;
mod rule;
mod token;

pub use evidence::Evidence;
pub use judge::{GateOutcome, GateResult, Observed, ShareBounds, judge};
pub use names::check_names;
pub use parse::{ParseError, Problem, parse};
pub use rule::{Comparison, Gate, Group, Rule, Word};
