//! The database of the bundled service: a file in the run's folder, or a PostgreSQL server that goes with the run.
use crate::{
    exit::{Failure, OrExit as _},
    scenario::DatabaseKind,
};
use anyhow::Context as _;
use chaos::fault::database::{Cluster, Database, Programs};
use std::{path::Path, sync::Arc};

/// Says where the file will be, or starts the server.
///
/// # Errors
/// When PostgreSQL is asked for and not installed, or does not start.
pub(super) async fn start(kind: DatabaseKind, folder: &Path) -> Result<Database, Failure> {
    match kind {
        DatabaseKind::Sqlite => Ok(Database::Sqlite { file: folder.join("tripsage.db") }),
        DatabaseKind::Postgres => {
            let programs = Programs::find(&std::env::var_os("PATH").unwrap_or_default());
            let programs = programs
                .context("the scenario's database is PostgreSQL, whose programs (initdb, pg_ctl) are not installed")
                .or_usage("install it, such as with `apt install postgresql`; nothing needs to be configured")?;
            let cluster = Cluster::start(&programs, &std::env::temp_dir()).await.context("starting PostgreSQL");
            Ok(Database::Postgres(Arc::new(cluster.or_try_again("its last words are above")?)))
        }
    }
}

/// What a record says of a server: SQLite comes with the program, so its version is the program's.
pub(super) fn version(database: &Database) -> Option<String> {
    match database {
        Database::Sqlite { .. } => None,
        Database::Postgres(cluster) => Some(cluster.version()),
    }
}
