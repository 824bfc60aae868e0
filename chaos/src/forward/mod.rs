//! The layer-7 half of a link: an HTTP/1.1 forwarder behind the TCP engine, which can break single requests by rules.
//!
//! ```text
//!  client ─▶ TCP link (toxics) ─▶ forwarder ─▶ upstream
//!                                    │ per request: call ─▶ rules ─▶ deed
//!                                    └ without a rule on, requests and answers stream through untouched
//! ```
//!
//! One connection of a client is one connection to the upstream, so whatever ends on one side ends on the other, and an
//! upstream that fails shows as a cut connection and never as an invented answer.
mod protocol;
mod selector;

mod call;
mod deed;
mod event;

mod keys;
mod rule;

mod player;
mod server;

pub use protocol::Protocol;
pub use selector::{Match, Selector};

pub(crate) use call::Call;
pub(crate) use deed::{Deed, Reply, RequestFault, Rewrite, Silence, Step};
pub(crate) use event::Event;
pub(crate) use rule::{Rule, State};
pub(crate) use server::Forwarder;
#[cfg(test)]
pub(crate) use testing::Bench;

#[cfg(test)]
mod testing;
