//! The MCP servers: streamable HTTP at `/mcp`, one file or folder per server.
//!
//! A call that is understood but cannot be answered (no such offer, same origin and destination) is a result with
//! `isError`, a text, and a stable `code` in its structured content; an unknown tool is a protocol error. Every other
//! result has structured content with an output schema, and the same JSON as text.
//!
//! ```text
//! POST /mcp ─▶ endpoint.rs: key, account, protocol ─▶ hosted.rs: service time, validate_key ─▶ one of the servers
//! ```

mod endpoint;
mod hosted;
mod refusal;
mod sessions;

pub(crate) mod airbnb;

pub(crate) mod flights;

pub(crate) mod google_maps;
mod sights;

pub(crate) mod memory;
mod notes;

pub(crate) mod time;

mod climate;
pub(crate) mod weather;

mod page;
pub(crate) mod webcrawl;
