//! Toxiproxy's HTTP API over the registry: routes, statuses and texts as the real one has them.
//!
//! The differences, all to the better: errors are JSON by their Content-Type too; `GET /effects` shows what the links did, and `GET /metrics`
//! counts live; proxies may be made with `toxics`; toxics have leases (`ttl_ms`) and choose their connections (`skip`, `every`, `count`,
//! `per_mille`). What is added is listed only when it is set, and only as whole numbers, because clients read attributes as such. `/proxies/{proxy}/rules`
//! breaks single requests.
mod error;
mod metrics;
mod proxies;
mod router;
mod rules;
mod toxics;

pub(super) use router::router;
