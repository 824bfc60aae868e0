//! What happens around every handler.

mod admission;
mod client;
mod deadline;
mod envelope;
mod hosts;
mod limits;
mod security_headers;

pub(super) use admission::{Ticket, admission};
pub(crate) use client::Peer;
pub(super) use deadline::{Deadline, deadline};
pub(super) use envelope::{Envelope, envelope};
pub(super) use hosts::hosts;
pub(crate) use hosts::{host_of, is_allowed};
pub(super) use limits::limits;
