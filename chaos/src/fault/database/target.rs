//! The database of a target, as faults see it.
use std::{fmt, path::PathBuf, sync::Arc};

use super::{
    injection::Error,
    leased::Leased,
    postgres::{Cluster, PostgresFault},
    sqlite,
    sqlite::SqliteFault,
};

/// What goes wrong with a database, of whichever kind.
#[derive(Debug, Clone, PartialEq)]
pub enum DatabaseFault {
    /// With a SQLite file.
    Sqlite(SqliteFault),
    /// With a PostgreSQL server.
    Postgres(PostgresFault),
}

impl fmt::Display for DatabaseFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DatabaseFault::Sqlite(fault) => fault.fmt(f),
            DatabaseFault::Postgres(fault) => fault.fmt(f),
        }
    }
}

/// A database that faults may act on, because the harness made it.
#[derive(Debug, Clone)]
pub enum Database {
    /// A SQLite file that the service has open.
    Sqlite {
        /// The file.
        file: PathBuf,
    },
    /// A PostgreSQL server that the harness started.
    Postgres(Arc<Cluster>),
}

impl Database {
    /// Opens what a fault needs, so that it can be put on and lifted later. Done before the run.
    ///
    /// # Errors
    /// When it is not a fault of this database, what it names is not there, or the database cannot be reached.
    pub async fn prepare(&self, name: &str, fault: &DatabaseFault) -> Result<Leased, Error> {
        let injection = match (self, fault) {
            (Self::Sqlite { file }, DatabaseFault::Sqlite(fault)) => sqlite::prepare(fault, file).await?,
            (Self::Postgres(cluster), DatabaseFault::Postgres(fault)) => fault.prepare(cluster).await?,
            _ => return Err(Error::OtherDatabase { fault: fault.to_string(), database: self.kind() }),
        };
        Ok(Leased::new(name, injection))
    }

    /// What kind of database it is, for people.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }
}
