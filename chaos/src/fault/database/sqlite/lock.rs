//! `lock`: a connection of our own is in a write transaction that it does not end.
//!
//! The lock is one of the kernel's on the file, so it is free at once when this process dies, however it dies.
use std::{path::Path, time::Duration};

use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::time::Instant;

use crate::{
    control::Written,
    fault::database::injection::{Doing, Error, Injection, Seen, code},
};

pub(super) const NAME: &str = "lock";

/// How long the lock may take to get, and others after it: the service writes all the time, in short transactions.
const WAIT: Duration = Duration::from_secs(5);
/// Primary result code for a lock that is not free; extended codes hold it in their low byte.
const BUSY: i32 = 5;

/// Opens the two connections of the fault: one that locks, and one that tries to write all the same.
pub(super) async fn prepare(file: &Path) -> Result<Box<dyn Injection>, Error> {
    let open = async || {
        let options = SqliteConnectOptions::new().filename(file).create_if_missing(false).busy_timeout(WAIT);
        let attempt = format!("open the database {}", file.display());
        SqliteConnection::connect_with(&options.disable_statement_logging()).await.map_err(Error::statement(&attempt))
    };
    Ok(Box::new(Lock { holder: open().await?, probe: open().await?, refused: 0 }))
}

struct Lock {
    holder: SqliteConnection,
    probe: SqliteConnection,
    /// Probe writes that met the lock.
    refused: u64,
}

impl Lock {
    async fn hold(&mut self) -> Result<Written, Error> {
        let before = Instant::now();
        run(&mut self.holder, "take the write lock", "BEGIN IMMEDIATE").await?;
        let after = Instant::now();
        if self.probe_gets_in(Duration::ZERO).await? {
            return Err(Error::NoEffect { seen: "a probe could write".to_owned() });
        }
        Ok(Written { before, after })
    }

    async fn release(&mut self) -> Result<Written, Error> {
        let before = Instant::now();
        // Fails when there is no transaction; whether the lock is free is what the probe says.
        let _ = sqlx::raw_sql("ROLLBACK").execute(&mut self.holder).await;
        let after = Instant::now();
        if self.probe_gets_in(WAIT).await? {
            return Ok(Written { before, after });
        }
        Err(Error::Stays { seen: format!("a probe could not write for {} s", WAIT.as_secs()) })
    }

    async fn still_held(&mut self) -> Result<(), Error> {
        if self.probe_gets_in(Duration::ZERO).await? {
            return Err(Error::Gone { how: "a probe could write".to_owned() });
        }
        Ok(())
    }

    /// Whether somebody else gets the write lock within that time.
    async fn probe_gets_in(&mut self, wait: Duration) -> Result<bool, Error> {
        let patience = format!("PRAGMA busy_timeout = {}", wait.as_millis());
        run(&mut self.probe, "set the patience of the probe", patience).await?;
        match run(&mut self.probe, "probe the write lock", "BEGIN IMMEDIATE").await {
            Ok(()) => run(&mut self.probe, "end the probe", "ROLLBACK").await.map(|()| true),
            Err(Error::Statement { source, .. }) if is_busy(&source) => {
                // The last probe waits for the lock to be free, it does not prove that it was held.
                self.refused += u64::from(wait.is_zero());
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

impl Injection for Lock {
    fn inject(&mut self, _lease: Duration) -> Doing<'_, Written> {
        Box::pin(self.hold())
    }

    fn renew(&mut self) -> Doing<'_, ()> {
        Box::pin(self.still_held())
    }

    fn lift(&mut self) -> Doing<'_, Written> {
        Box::pin(self.release())
    }

    fn seen(&self) -> Seen {
        Seen { count: self.refused, what: "probe writes refused with SQLITE_BUSY".to_owned() }
    }
}

async fn run(connection: &mut SqliteConnection, attempt: &str, sql: impl Into<String>) -> Result<(), Error> {
    let done = sqlx::raw_sql(AssertSqlSafe(sql.into())).execute(connection).await;
    done.map(drop).map_err(Error::statement(attempt))
}

fn is_busy(error: &sqlx::Error) -> bool {
    code(error).and_then(|code| code.parse::<i32>().ok()).is_some_and(|code| code & 0xff == BUSY)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    async fn database(folder: &TempDir) -> (std::path::PathBuf, SqliteConnection) {
        let file = folder.path().join("x.db");
        let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true).busy_timeout(Duration::ZERO);
        let options = options.journal_mode(sqlx::sqlite::SqliteJournalMode::Wal);
        let mut service = SqliteConnection::connect_with(&options).await.unwrap();
        run(&mut service, "create", "CREATE TABLE t (a)").await.unwrap();
        (file, service)
    }

    const WRITE: &str = "INSERT INTO t VALUES (1)";

    #[tokio::test]
    async fn nobody_writes_while_it_is_on_and_everybody_does_afterwards() {
        let folder = TempDir::new().unwrap();
        let (file, mut service) = database(&folder).await;
        let mut fault = prepare(&file).await.unwrap();
        run(&mut service, "write", WRITE).await.unwrap();
        assert_eq!(fault.seen().count, 0);

        let on = fault.inject(WAIT).await.unwrap();
        assert!(on.before <= on.after);
        let refused = run(&mut service, "write", WRITE).await.unwrap_err();
        assert!(matches!(&refused, Error::Statement { source, .. } if is_busy(source)), "{refused}");
        run(&mut service, "read", "SELECT count(*) FROM t").await.unwrap();
        fault.renew().await.unwrap();
        assert_eq!(fault.seen().to_string(), "2 probe writes refused with SQLITE_BUSY");

        fault.lift().await.unwrap();
        run(&mut service, "write", WRITE).await.unwrap();
        fault.lift().await.expect("lifting twice is no error");
        assert!(fault.renew().await.unwrap_err().is_not_found());
    }

    #[tokio::test]
    async fn a_fault_that_is_dropped_lets_go_of_the_lock() {
        let folder = TempDir::new().unwrap();
        let (file, mut service) = database(&folder).await;
        let mut fault = prepare(&file).await.unwrap();
        fault.inject(WAIT).await.unwrap();
        drop(fault);
        run(&mut service, "be patient", "PRAGMA busy_timeout = 10000").await.unwrap();
        run(&mut service, "write", WRITE).await.unwrap();
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_is_refused_before_the_run() {
        let folder = TempDir::new().unwrap();
        let refused = prepare(&folder.path().join("none.db")).await.err().unwrap().to_string();
        assert!(refused.starts_with("cannot open the database") && refused.ends_with("none.db"), "{refused}");
    }
}
