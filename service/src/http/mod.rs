//! HTTP: the router on one page, one file per resource, errors, middleware.

mod accommodations;
mod audit;
mod auth;
mod bookings;
mod chat;
mod chat_sessions;
mod chat_stream;
mod collaborators;
mod dashboard;
mod destinations;
mod error;
mod exports;
mod extract;
mod flights;
mod health;
mod idempotency;
mod itinerary;
mod keys;
mod memory;
mod middleware;
mod openapi;
mod preferences;
mod router;
mod search;
mod trips;
mod users;
mod version;

pub(crate) use error::ApiError;
pub(crate) use middleware::{Peer, host_of, is_allowed};
pub(crate) use router::{Routers, document, with_envelope};
