//! The catalogue of faults: one file each, with its settings in a scenario, its behaviour on a link, and its tests.
//!
//! A new fault is a new file, a line in [`Fault`] and, if it acts on the bytes of a connection, a line in `KINDS`. Those that act
//! on single requests lie in [`mcp`] and [`llm`].
mod bandwidth;
mod down;
mod http_error;
mod latency;
mod limit_data;
mod noop;
mod reset_peer;
mod slicer;
mod slow_close;
mod timeout;

pub mod llm;
pub mod mcp;

mod catalogue;

pub use bandwidth::Bandwidth;
pub use catalogue::{Error, Fault, Means};
pub use http_error::HttpError;
pub use latency::Latency;
pub use limit_data::LimitData;
pub use reset_peer::ResetPeer;
pub use slicer::Slicer;
pub use slow_close::SlowClose;
pub use timeout::Timeout;

pub(crate) use catalogue::{WithSettings, kind, request_fault};
