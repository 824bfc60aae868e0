//! When to send, what to send, and what came back: the load generator.
//!
//! A [`Settings`] part of a scenario becomes a [`LoadPlan`] (pure: due times, journeys and payloads follow from the seed).
//! [`prepare`] logs the users in, [`Ready::drive`] carries the plan out and hands every request to the run's record, measured from
//! the instant at which it was **due**. goose runs the users; clock, wire and record are here.
pub mod arrivals;
pub mod draw;
pub mod half;
pub mod labels;
pub mod mix;
mod plan;
pub mod schedule;
pub mod settings;
pub mod warm_up;

mod chat_stream;
pub mod directory;
mod feeders;
pub mod journeys;
pub mod oracle;
mod outcome;
pub mod session;
mod sse;
mod visit;
mod writing;

pub mod calibration;
pub mod client;
pub mod connection;
pub mod engine;
pub mod executor;
pub mod health;
pub mod host;
mod live;
mod mailboxes;
mod pacer;
mod presence;
mod progress;
mod recent;
mod recording;
mod stop;
pub mod target;
pub mod timer;
mod user;
pub mod written;

pub use engine::{LoadResult, Ready, prepare};
pub use mix::Mix;
pub use plan::LoadPlan;
pub use progress::{Figures, Progress};
pub use recording::Recording;
pub use settings::{Overrides, Settings};
pub use stop::Stop;
pub use target::Target;
pub use visit::Visit;
pub use warm_up::WarmUp;
