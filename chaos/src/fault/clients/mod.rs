//! Clients that misbehave: they crowd the link to the service, beside the load, for the time of a fault.
//!
//! ```text
//!  driver ─▶ OnClients (one file per fault) ─▶ Crowd: so many tasks, counters, one end ─▶ link `client` ─▶ service
//! ```
//!
//! They are sockets of the harness itself: a crowd ends with the fault, with the driver, or with the harness.
mod crowd;
mod on_clients;

mod connection_flood;
mod large_bodies;
mod slow_clients;

pub use connection_flood::ConnectionFlood;
pub use large_bodies::LargeBodies;
pub use slow_clients::SlowClients;

pub(crate) use crowd::Crowd;
pub(crate) use on_clients::OnClients;
