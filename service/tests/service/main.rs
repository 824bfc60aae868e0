//! The service from outside: a real server on a real port, its providers played by scripts or by the bundled ones.

mod auth;
mod chat;
mod fakes;
mod gate;
mod lifecycle;
mod providers;
mod search;
mod stack;
mod trips;
