//! The service from outside: a real server on a real port, its providers played by scripts or by the bundled ones.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod auth;
mod chat;
mod connections;
mod edge;
mod fakes;
mod gate;
mod lifecycle;
mod limits;
mod openapi;
mod program;
mod providers;
mod redis_server;
mod search;
mod stack;
mod tls;
mod trips;
mod wire;
