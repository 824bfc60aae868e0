//! HTTP: the router on one page, one file per resource, errors, middleware.

mod auth;
mod chat;
mod error;
mod extract;
mod flights;
mod health;
mod idempotency;
mod keys;
mod middleware;
mod openapi;
mod router;
mod trips;
mod users;

pub(crate) use router::{document, router};
