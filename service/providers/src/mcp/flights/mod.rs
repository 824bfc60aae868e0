//! The flights server: searches offers, looks them up until they expire, and takes orders for them.

mod search;

mod offers;

mod orders;

mod server;

pub(crate) use server::open;
