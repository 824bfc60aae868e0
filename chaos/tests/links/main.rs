//! The links as their users meet them: over sockets, with the HTTP API on one side and real connections on the other.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod rig;

mod api;
mod choice;
mod clients;
mod crowds;
mod drive;
mod effects;
mod extensions;
mod faults;
mod foreign;
mod leases;
mod metrics;
mod parts;
mod streams;
mod tls;
#[cfg(feature = "toxiproxy")]
mod toxiproxy_rust;
