//! Links that speak a protocol, as their users meet them: single requests fail by rules, over sockets.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod rig;
mod upstream;

mod api;
mod draws;
mod drive;
mod leases;
mod llm;
mod mcp;
mod passing;
