//! What the service does, composed of its parts: log in, find flights, take a chat turn.
//!
//! `App` holds every long-lived part; nothing is built per request.

mod account_work;
mod accounts;
mod archive;
mod audit_sealer;
mod bookings;
mod cache;
mod chat_begin;
mod chat_turn;
mod clock;
mod dashboard;
mod database_probe;
mod deletion_ledger;
mod deletions;
mod destination_finder;
mod exporter;
mod flight_finder;
mod health;
mod key_journal;
mod limiter;
mod listener;
mod memory_finder;
mod memory_writer;
mod orders;
mod part;
mod passwords;
mod prepared;
mod reconciler;
mod resealing;
mod servers;
mod state;
mod stay_finder;
mod tokens;
mod tools;
mod unified_search;
mod weather_finder;

pub(crate) use account_work::account_work;
pub(crate) use bookings::{BookError, CancelError};
pub(crate) use chat_begin::{BeginError, Begun};
pub(crate) use chat_turn::{Turn, TurnError};
pub(crate) use clock::{now, today};
pub(crate) use dashboard::Overview;
pub(crate) use flight_finder::{OfferError, PROVIDER as FLIGHTS_PROVIDER};
pub(crate) use health::Health;
pub(crate) use limiter::{Limiter, Subject};
pub(crate) use listener::Listener;
pub(crate) use memory_finder::{PART as MEMORY, Search as MemorySearch};
pub(crate) use memory_writer::NotQueued;
pub(crate) use passwords::HashError;
pub(crate) use reconciler::reconcile;
pub(crate) use resealing::reseal;
pub(crate) use state::{App, OpenError};
pub(crate) use tokens::{ADMIN_SCOPE, Kind, TokenError, TokenPair};
pub(crate) use unified_search::Everything;
