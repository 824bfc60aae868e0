//! The only place with SQL.
//!
//! `users`, `tokens`, `trips`, `chats` and `chat_turns` hold the statements, one text for every database: `$1`
//! placeholders, `TEXT` and `BIGINT` columns only. Instants are microseconds since 1970, dates ISO 8601, ids and JSON
//! text. `database` hides which database it is; `sqlite` and `postgres` know how each is held. A sum of `BIGINT`s is cast
//! back to one: PostgreSQL makes it a `NUMERIC`.

mod api_keys;
mod audit;
mod audit_chain;
mod belongings;
mod bookings;
mod chat_turns;
mod chats;
mod collaborators;
mod connection;
mod counts;
mod database;
mod deletions;
mod error;
mod exports;
mod idempotency;
mod itinerary;
mod leases;
mod postgres;
mod preferences;
mod row;
mod seals;
mod sqlite;
mod tokens;
mod trips;
mod users;

pub(crate) use api_keys::{KeyCreation, StoredKey};
pub(crate) use audit::AuditFilter;
pub(crate) use bookings::{Beginning, BookingFilter, IsFree, Standing, Worker};
pub(crate) use chat_turns::{
    FailedTurn, FinishedTurn, KnownTurn, NewMessage, NewTurn, SessionState, TurnBeginning, TurnClaim,
};
pub(crate) use chats::Conversation;
pub(crate) use database::{Limits, OpenError, Storage};
pub(crate) use deletions::{Deletion, DueDeletion};
pub(crate) use error::Error;
pub(crate) use exports::DueExport;
pub(crate) use idempotency::IdempotencyKey;
pub(crate) use leases::Lease;
pub(crate) use seals::{API_KEY_SECRETS, BOOKING_PASSENGERS, SEALED, SealedColumn};
pub(crate) use tokens::Spending;
pub(crate) use trips::{Creation, TripError, TripFilter};
pub(crate) use users::NewUser;
