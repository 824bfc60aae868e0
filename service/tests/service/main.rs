//! The service from outside: a real server on a real port, its providers played by scripts or by the bundled ones.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod access;
mod auth;
mod chat;
mod chat_ends;
mod chat_handoffs;
mod chat_keys;
mod chat_sessions;
mod chat_tools;
mod destinations;
mod fakes;
mod foreign;
mod gate;
mod lifecycle;
mod memory;
mod openapi;
mod outage;
mod plans;
mod postgres;
mod program;
mod providers;
mod search;
mod stack;
mod stays;
mod trips;
mod unified;
