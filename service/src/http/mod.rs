//! HTTP: the router on one page, one file per resource, errors, middleware.

mod auth;
mod chat;
mod error;
mod extract;
mod flights;
mod health;
mod idempotency;
mod middleware;
mod openapi;
mod router;
mod trips;
mod users;

pub(crate) use error::ApiError;
pub(crate) use middleware::{Peer, host_of, is_allowed};
pub(crate) use router::{Routers, document, with_envelope};
