//! Why a statement gave no answer, whichever database it was put to.

use sqlx::error::{DatabaseError, ErrorKind};

use super::{postgres, sqlite};

/// Why a statement gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No connection, or no lock, within the wait; or two transactions in each other's way.
    #[error("database is busy")]
    Busy(#[source] sqlx::Error),
    /// The statement ran longer than it may.
    #[error("database did not answer in time")]
    TimedOut,
    /// A unique key is taken.
    #[error("value is taken")]
    Duplicate(#[source] sqlx::Error),
    /// It belongs to something that is gone.
    #[error("owner is gone")]
    Orphan(#[source] sqlx::Error),
    /// A text holds U+0000, which PostgreSQL cannot keep; no database is asked to.
    #[error("text holds the character U+0000")]
    Unstorable,
    /// A transaction cannot be kept because one of its statements failed.
    #[error("transaction failed before its end")]
    Aborted,
    /// Anything else that the database refuses or cannot do.
    #[error("database failed")]
    Failed(#[source] sqlx::Error),
    /// A stored value is not what it was when it was written.
    #[error("column `{column}` holds something else than it should")]
    Corrupt {
        /// Its name.
        column: &'static str,
    },
}

impl Error {
    /// Its name in traces; a small closed set.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Busy(_) => "busy",
            Self::TimedOut => "timeout",
            Self::Duplicate(_) => "duplicate",
            Self::Orphan(_) => "orphan",
            Self::Unstorable => "unstorable",
            Self::Aborted => "aborted",
            Self::Failed(_) => "failed",
            Self::Corrupt { .. } => "corrupt",
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if matches!(error, sqlx::Error::PoolTimedOut) {
            return Self::Busy(error);
        }
        match error.as_database_error().map(DatabaseError::kind) {
            Some(ErrorKind::UniqueViolation) => Self::Duplicate(error),
            Some(ErrorKind::ForeignKeyViolation) => Self::Orphan(error),
            _ if postgres::is_timeout(&error) => Self::TimedOut,
            _ if sqlite::is_busy(&error) || postgres::is_busy(&error) => Self::Busy(error),
            _ => Self::Failed(error),
        }
    }
}
