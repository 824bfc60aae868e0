//! The numbers that the service shows at `/metrics`, in OpenMetrics text.
//!
//! Labels come from closed sets (routes, statuses, server and tool names, failure labels), so the number of series is
//! bounded. What every request counts is looked up once, not per request.

mod catalogue;
mod labels;
mod looks;
mod routes;

pub(crate) use catalogue::Metrics;
#[cfg(test)]
pub(crate) use labels::RequestLabels;
pub(crate) use labels::{DegradedLabels, HandoffLabels, InstanceLabels, OutcomeLabels, ScopeLabels, ServerLabels};
pub(crate) use looks::{Look, Looks};
pub(crate) use routes::{Route, Routes};
