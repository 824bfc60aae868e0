//! HTTP: the router on one page, one file per resource, errors, middleware.

mod auth;
mod bookings;
mod chat;
mod collaborators;
mod error;
mod extract;
mod flights;
mod health;
mod idempotency;
mod itinerary;
mod middleware;
mod openapi;
mod router;
mod trips;
mod users;
mod version;

pub(crate) use router::{document, router};
