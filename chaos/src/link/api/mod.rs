//! Toxiproxy's HTTP API over the registry: routes, statuses and texts as the real one has them.
//!
//! Two differences, both to the better: errors are JSON by their Content-Type too, and `GET /effects` shows what the links did.
mod error;
mod metrics;
mod proxies;
mod router;
mod toxics;

pub(super) use router::router;
