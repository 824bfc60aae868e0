//! What happens around every handler.

mod admission;
mod deadline;
mod envelope;

pub(super) use admission::{Ticket, admission};
pub(super) use deadline::{Deadline, deadline};
pub(super) use envelope::envelope;
