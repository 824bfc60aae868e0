//! Gates: a bound on a number of the run, written as one line of text.
//!
//! ```text
//! metric op value [for NAME] [class CLASS] [window W] [abort [after D]]
//!
//! p95 < 500ms for flights.search window=steady      response time since due; requests without a good answer are infinitely slow
//! first_event.p95 < 500ms for chat.message          response, service, first_byte, first_event, first_token, gap, schedule_lag, send_lag
//! p99 < 5s for flights.search class=dependency_error window=during       the requests of one class only
//! max < 30s                                         the slowest
//! error-rate < 0.1% window=steady abort after 10s   error, good, or an outcome class; intended limits (429) are left out
//! undeclared = 0                                    errors, good, requests, or an outcome class
//! rate > 20/s for chat window=10s..30s              requests with an outcome per second; `goodput` counts those with a good answer
//! in-flight < 200                                   the most that were out at the end of any second
//! stalls = 0 for chat.message                       gaps of streams longer than a second
//! achieved-rate > 99%                               share of the arrivals that were sent
//! recovery < 10s for flight-search                  from the end of each fault until its users were served as before; see `resilience`
//! depth < 50% for mcp.flights-down                  how far the share of requests answered well and in time may fall
//! lost < 100                                        good answers that there would have been without the faults
//! burn < 20 window=during-2                         times as fast as would use up the error budget exactly
//! detection < 60s for mcp.flights-down              from the beginning of a fault until an alert told of it
//! dropped = 0                                       arrivals that the generator gave up
//! ```
//! NAME is a step or a journey; without it, all. W is a kind of phase (`steady`, `during`, `after`), the label of one phase (`during-2`),
//! whole seconds since clock zero (`10s..30s`) or `run`: everything but the warm-up, also when nothing is said. `class X` and `class=X`
//! are the same, as are `window X` and `window=X`. For the four figures of what faults did, NAME is a journey or a fault (its name with `-` for
//! spaces), and W a phase in which a fault is on; the worst of the journeys and faults that are meant counts.
//!
//! A gate with `abort` ends the run as soon as it is sure not to hold, by what is known of its window so far; `after D` leaves it alone
//! for the first D of its window.
//!
//! A gate on a quantile or a share asks whether the *true* value is within: it passes or fails only when that is 95 % sure, and is
//! inconclusive otherwise. Counts are exact. Source: measurement.md D2.
mod abort;
mod detection;
mod evidence;
mod impact;
mod judge;
mod lanes;
mod live;
mod metric;
mod names;
mod parse;
mod rule;
mod span;
mod token;

pub use abort::Abort;
pub use detection::judge_detection;
pub use evidence::Evidence;
pub use impact::{judge_impact, means};
pub use judge::{GateOutcome, GateResult, Observed, ShareBounds, judge};
pub use live::{LiveGates, SoFar};
pub use names::check_names;
pub use parse::{ParseError, Problem, parse};
pub use rule::{Comparison, Gate, Group, ImpactFigure, Rule, STALL_NS, Word};
