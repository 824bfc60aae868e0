//! Links: our own TCP fault proxy, driven by Toxiproxy's HTTP API.
//!
//! ```text
//!             api ──▶ registry ──▶ proxy (listener, toxics, lease)
//!                                    │ accept
//!                                    ▼
//!  client ◀──socket──▶ connection: one task, two directions ◀──socket──▶ upstream
//!                         read ─▶ chain of toxics, each with a bounded queue ─▶ write
//! ```
//!
//! A link may speak a protocol (`"protocol": "mcp"` or `"llm"`): then the upstream of its connections is a forwarder in this
//! process (`crate::forward`), which breaks single requests by rules, and leads to the real one.
//!
//! There is one data path: a connection without faults is a chain without toxics. Nothing holds a lock across a read or
//! a write, so a stalled reader cannot hold up the API, and a change of toxics never loses a byte of an open connection.
mod choice;
mod chunk;
mod toxic;

mod chain;
mod connection;
mod counters;
mod live;
mod spec;
mod timer;

mod body;
mod draft;
mod lease;
pub(crate) mod listen;
mod proxy;
mod registry;
mod rules;

mod api;
mod server;
pub mod wire;

pub use listen::Error as ListenError;
pub use server::{Error, Links, PopulateError, Settings, serve};

#[cfg(test)]
pub(crate) use chunk::Chunk;
pub(crate) use chunk::Queue;
#[cfg(test)]
pub(crate) use toxic::testing;
pub(crate) use toxic::{Attributes, HELD_LITTLE, HELD_MUCH, Kind, Leave, Reach, Start, Step, Toxic};
