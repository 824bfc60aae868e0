//! What every call to another system goes through: bulkhead → breaker → retry within a budget → attempt timeout.
//!
//! `Dependency` is that path; MCP servers and the LLM each own one. `Failure` is the one way such a call can fail.

mod account;
mod balancer;
mod breaker;
mod connections;
mod failure;
mod guard;
mod latency;
mod single_flight;

pub(crate) use account::{Account, Caller, KeyNote, Notes, OwnKey, Payer};
pub(crate) use balancer::Turn;
use balancer::{Balancer, Meaning};
pub(crate) use breaker::{Attempt, Breaker, State};
pub(crate) use connections::{Connections, Generation};
pub(crate) use failure::Failure;
pub(crate) use guard::{Dependency, Limits, Repeat, Via};
pub(crate) use single_flight::SingleFlight;
