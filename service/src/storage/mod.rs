//! The only place with SQL.
//!
//! `database` owns the pools and hides which database it is; the other files hold the statements, one per kind of thing:
//! one text for every database: `$1` placeholders, `TEXT` and `BIGINT` columns only. Another database is another variant
//! in `database`, nothing else. Instants are microseconds since 1970, dates ISO 8601, ids and JSON text.

mod audit;
mod audit_chain;
mod belongings;
mod chats;
mod counts;
mod database;
mod deletions;
mod exports;
mod idempotency;
mod leases;
mod preferences;
mod row;
mod tokens;
mod trips;
mod users;

pub(crate) use audit::AuditFilter;
pub(crate) use chats::{FinishedTurn, NewTurn};
pub(crate) use database::{Error, Limits, OpenError, Storage};
pub(crate) use deletions::{Deletion, DueDeletion};
pub(crate) use exports::DueExport;
pub(crate) use idempotency::IdempotencyKey;
pub(crate) use leases::Lease;
pub(crate) use tokens::Spending;
pub(crate) use trips::{Creation, TripFilter};
pub(crate) use users::NewUser;
