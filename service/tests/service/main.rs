//! The service from outside: a real server on a real port, its providers played by scripts or by the bundled ones.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod access;
mod account;
mod accounts;
mod audit;
mod auth;
mod booking_failures;
mod bookings;
mod chat;
mod collaboration;
mod connections;
mod destinations;
mod edge;
mod erasure;
mod exports;
mod fakes;
mod foreign;
mod gate;
mod instances;
mod itinerary;
mod keys;
mod lifecycle;
mod limits;
mod logs;
mod metrics;
mod openapi;
mod order_book;
mod outage;
mod plans;
mod postgres;
mod program;
mod providers;
mod redis_server;
mod search;
mod stack;
mod stays;
mod tls;
mod traces;
mod trip_bodies;
mod trips;
mod unified;
mod wire;
