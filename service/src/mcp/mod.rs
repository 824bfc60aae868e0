//! The MCP servers: one small trait per capability, and one client that all of them share.
//!
//! A capability is a trait with plain types, implemented for [`Client`] by naming its tools. A new server is a new file here.

pub(crate) mod airbnb;
mod client;
pub(crate) mod flights;
pub(crate) mod google_maps;
pub(crate) mod keys;
pub(crate) mod memory;
mod memory_owner;
pub(crate) mod orders;
pub(crate) mod time;
pub(crate) mod weather;
pub(crate) mod webcrawl;

pub(crate) use crate::dependency::Caller;
pub(crate) use client::Client;
