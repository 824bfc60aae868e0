//! The only place with SQL.
//!
//! `database` owns the pools and hides which database it is; `users`, `tokens`, `trips` and `chats` hold the statements,
//! one text for every database: `$1` placeholders, `TEXT` and `BIGINT` columns only. Another database is another variant
//! in `database`, nothing else. Instants are microseconds since 1970, dates ISO 8601, ids and JSON text.

mod api_keys;
mod chats;
mod database;
mod idempotency;
mod row;
mod seals;
mod tokens;
mod trips;
mod users;

pub(crate) use api_keys::{KeyCreation, StoredKey};
pub(crate) use chats::{FinishedTurn, NewTurn};
pub(crate) use database::{Error, Limits, OpenError, Storage};
pub(crate) use idempotency::IdempotencyKey;
pub(crate) use seals::{API_KEY_SECRETS, SEALED, SealedColumn};
pub(crate) use tokens::Spending;
pub(crate) use trips::{Creation, TripFilter};
pub(crate) use users::NewUser;
