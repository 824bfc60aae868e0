//! Types and rules of travel planning: no HTTP, no SQL, no sockets, no clock.

pub(crate) mod agent;
pub(crate) mod amount;
pub(crate) mod chat;
pub(crate) mod chat_session;
pub(crate) mod destination;
pub(crate) mod flight;
pub(crate) mod handoff;
pub(crate) mod intent;
pub(crate) mod known;
pub(crate) mod memory;
pub(crate) mod meta;
pub(crate) mod page;
pub(crate) mod place;
pub(crate) mod stay;
pub(crate) mod trip;
pub(crate) mod unified;
pub(crate) mod user;
pub(crate) mod weather;
