//! Toxiproxy's HTTP API over the registry: routes, statuses and texts as the real one has them.
//!
//! Three differences, all to the better: errors are JSON by their Content-Type too, `GET /effects` shows what the links did, and
//! `/proxies/{proxy}/rules` breaks single requests.
mod error;
mod proxies;
mod router;
mod rules;
mod toxics;

pub(super) use router::router;
