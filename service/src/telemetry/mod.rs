//! What can be seen of the service from outside, besides its metrics: log lines and traces.
//!
//! Both begin with `tracing`. Lines go to stderr. Spans with the target `tripsage_trace`, and only those, go to
//! a collector over OTLP; without a collector nothing listens for them, and none is made. The W3C context of a request
//! goes on to what the service calls, with a collector or without.

mod context;
mod exporter;
mod json;
mod process;
pub(crate) mod spans;

pub(crate) use context::{Origin, carried, outgoing, remote, trace_id};
pub(crate) use exporter::span_outcomes;
pub use process::{Error, Telemetry, start};
