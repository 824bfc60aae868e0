//! The MCP servers: streamable HTTP without sessions at `/mcp`, one file per server.
//!
//! A call that is understood but cannot be answered (no such offer, same origin and destination) is a result with
//! `isError`; an unknown tool is a protocol error. Every other result has structured content with an output
//! schema, and the same JSON as text.

mod endpoint;

pub(crate) mod flights;
mod offers;

pub(crate) mod memory;
mod notes;

mod climate;
pub(crate) mod weather;
