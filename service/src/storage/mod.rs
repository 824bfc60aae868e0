//! The only place with SQL.
//!
//! `users`, `tokens`, `trips`, `chats` and `chat_turns` hold the statements, one text for every database: `$1`
//! placeholders, `TEXT` and `BIGINT` columns only. Instants are microseconds since 1970, dates ISO 8601, ids and JSON
//! text. `database` hides which database it is; `sqlite` and `postgres` know how each is held. A sum of `BIGINT`s is cast
//! back to one: PostgreSQL makes it a `NUMERIC`.

mod chat_turns;
mod chats;
mod connection;
mod database;
mod error;
mod idempotency;
mod postgres;
mod row;
mod sqlite;
mod tokens;
mod trips;
mod users;

pub(crate) use chat_turns::{Beginning, FailedTurn, FinishedTurn, KnownTurn, NewMessage, NewTurn, SessionState};
pub(crate) use chats::Conversation;
pub(crate) use database::{Limits, OpenError, Storage};
pub(crate) use error::Error;
pub(crate) use idempotency::IdempotencyKey;
pub(crate) use tokens::Spending;
pub(crate) use trips::{Creation, TripFilter};
pub(crate) use users::NewUser;
