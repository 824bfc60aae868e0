//! The airbnb server: places to stay in the cities it knows, their details, and whether they are free.

mod listings;

mod stay;

mod server;

pub(crate) use server::open;
