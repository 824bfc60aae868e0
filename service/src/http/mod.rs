//! HTTP: the router on one page, one file per resource, errors, middleware.

mod audit;
mod auth;
mod chat;
mod dashboard;
mod error;
mod exports;
mod extract;
mod flights;
mod health;
mod idempotency;
mod middleware;
mod openapi;
mod preferences;
mod router;
mod trips;
mod users;

pub(crate) use router::{document, router};
