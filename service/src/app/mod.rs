//! What the service does, composed of its parts: log in, find flights, take a chat turn.
//!
//! `App` holds every long-lived part; nothing is built per request.

mod accounts;
mod cache;
mod chat_turn;
mod clock;
mod flight_finder;
mod health;
mod key_journal;
mod memory_writer;
mod passwords;
mod resealing;
mod servers;
mod state;
mod tokens;
mod tools;

pub(crate) use chat_turn::{BeginError, Listener, Turn, TurnError};
pub(crate) use clock::{now, today};
pub(crate) use health::Health;
pub(crate) use passwords::HashError;
pub(crate) use resealing::reseal;
pub(crate) use state::{App, OpenError};
pub(crate) use tokens::{ADMIN_SCOPE, Kind, TokenError, TokenPair};
