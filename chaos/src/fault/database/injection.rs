//! What every fault of a database can do, and why it could not.
use std::{fmt, time::Duration};

use futures_util::future::BoxFuture;

use super::postgres::ClusterError;
use crate::control::{self, Written};

/// Something that an injection does, which may fail.
pub(super) type Doing<'a, T> = BoxFuture<'a, Result<T, Error>>;

/// How one fault is put on a database, kept on, and lifted.
pub(super) trait Injection: Send {
    /// Puts it on, and proves by a probe that it is. The server ends it by itself after `lease` where it can.
    fn inject(&mut self, lease: Duration) -> Doing<'_, Written>;

    /// Sees that it is still on, for another `lease`, and counts what it has done.
    ///
    /// Fails with [`Error::Gone`] when it is not.
    fn renew(&mut self) -> Doing<'_, ()>;

    /// Lifts it, and proves by the same probe that it is gone; one that is gone, or never was on, is no error.
    fn lift(&mut self) -> Doing<'_, Written>;

    /// What it has done so far.
    fn seen(&self) -> Seen;
}

/// What a fault did to those who use the database, as far as it can be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// How many were hit; 0 when the fault was on and met nobody.
    pub count: u64,
    /// Who or what was hit, such as `probe writes refused with SQLITE_BUSY`.
    pub what: String,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.count, self.what)
    }
}

/// Why a fault of a database cannot be put on, kept on or lifted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database refused a statement of the fault's own, or could not be reached.
    #[error("cannot {attempt}")]
    Statement {
        /// What was attempted.
        attempt: String,
        /// What came in between.
        #[source]
        source: sqlx::Error,
    },
    /// The database did not answer a statement of the fault's own.
    #[error("cannot {attempt}: no answer within {} s", within.as_secs())]
    Silent {
        /// What was attempted.
        attempt: String,
        /// How long an answer was waited for.
        within: Duration,
    },
    /// The server that the harness started could not be brought to do something.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The link to the database could not be led elsewhere.
    #[error(transparent)]
    Link(control::Error),
    /// There is no link to the database that could lead elsewhere.
    #[error("a failover needs a link to the database, and there is none that the harness made")]
    NoFront,
    /// The server that it would act on does not come back.
    #[error("it comes after a failover, in which the server that it acts on is killed for good")]
    AfterFailover,
    /// The fault is on as far as is known, but a probe does not meet it.
    #[error("the fault was put on, but {seen}")]
    NoEffect {
        /// What the probe met instead.
        seen: String,
    },
    /// The fault is lifted as far as is known, but a probe still meets it.
    #[error("the fault was lifted, but {seen}")]
    Stays {
        /// What the probe met.
        seen: String,
    },
    /// It is no longer on.
    #[error("the fault is no longer on: {how}")]
    Gone {
        /// How that is known.
        how: String,
    },
    /// It is a fault of another kind of database, or none of a database.
    #[error("`{fault}` is not a fault of {database}")]
    OtherDatabase {
        /// The fault in words.
        fault: String,
        /// The database that the target has.
        database: &'static str,
    },
    /// There is no such table.
    #[error("there is no table `{table}`; the tables are {}", known.join(", "))]
    UnknownTable {
        /// As written.
        table: String,
        /// The tables there are.
        known: Vec<String>,
    },
}

impl Error {
    /// True when the fault was found to be gone already.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Error::Gone { .. })
    }

    pub(super) fn statement(attempt: &str) -> impl FnOnce(sqlx::Error) -> Error {
        let attempt = attempt.to_owned();
        move |source| Error::Statement { attempt, source }
    }
}

/// The code that a database gave an error: an SQLSTATE, or a number of SQLite.
pub(super) fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}
