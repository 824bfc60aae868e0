//! HTTP: the router on one page, one file per resource, errors, middleware.

mod accommodations;
mod auth;
mod chat;
mod chat_sessions;
mod chat_stream;
mod destinations;
mod error;
mod extract;
mod flights;
mod health;
mod idempotency;
mod memory;
mod middleware;
mod openapi;
mod router;
mod search;
mod trips;
mod users;

pub(crate) use router::{document, router};
