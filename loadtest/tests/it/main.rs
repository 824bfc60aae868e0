//! The load generator against servers in this process: what it measures, what it counts, and how it ends.
#![expect(clippy::unwrap_used, reason = "all of it is tests; the lint looks only for test functions")]

mod client;
mod connection;
mod ending;
mod load;
mod meter;
mod oracle;
mod records;
mod scene;
mod service;
mod session;
mod wire;
mod written;
