//! SQLite: a file beside the service.
//!
//! One connection writes (`BEGIN IMMEDIATE`, so that no transaction starts as a reader and finds its snapshot outdated
//! when it wants to write) and a pool of connections only reads. WAL keeps readers and the writer out of each other's way.

use std::{future::Future, sync::Arc, time::Duration};

use sqlx::{
    Sqlite, SqliteConnection, SqlitePool, Transaction,
    pool::PoolConnection,
    sqlite::{SqliteConnectOptions, SqliteError, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{
    Error, OpenError,
    database::{CONNECT_TIMEOUT, Limits, SQLITE_MIGRATIONS, migrator},
    row::{Row, Value, bound},
};

/// How long SQLite waits for another process's lock, less than a statement may take so that it can say "busy".
const LOCK_WAIT_SHARE: f64 = 0.75;
/// Primary result codes for a lock that was not free: SQLITE_BUSY and SQLITE_LOCKED.
const BUSY_CODES: [i32; 2] = [5, 6];

/// The connections to one file.
pub(super) struct Pools {
    writer: SqlitePool,
    /// Whose turn it is to write: the wait for it is bounded apart from the time that writing takes.
    turn: Arc<Semaphore>,
    readers: SqlitePool,
    statement_timeout: Duration,
}

/// A connection in use.
pub(super) struct Lease {
    role: Role,
    /// Given back after the transaction above.
    _turn: Option<OwnedSemaphorePermit>,
    statement_timeout: Duration,
}

enum Role {
    /// Reads, or writes with statements that are each a transaction.
    Plain(PoolConnection<Sqlite>),
    /// Writes; rolled back unless committed.
    Transaction(Transaction<'static, Sqlite>),
}

impl Pools {
    /// Opens the file, creating it when it is new, and brings its tables up to date.
    pub(super) async fn open(url: &str, limits: Limits) -> Result<Self, OpenError> {
        let options: SqliteConnectOptions = url.parse().map_err(OpenError::Open)?;
        let options = options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            .busy_timeout(limits.statement_timeout.mul_f64(LOCK_WAIT_SHARE));
        let pool = |count| {
            let options = SqlitePoolOptions::new().max_connections(count).min_connections(1);
            options.acquire_timeout(CONNECT_TIMEOUT).test_before_acquire(false)
        };
        let writer = pool(1).connect_with(options.clone()).await.map_err(OpenError::Open)?;
        migrator(SQLITE_MIGRATIONS).run(&writer).await.map_err(OpenError::Migrate)?;
        // What readers need is in the system's cache anyway: their own stay small, as there may be many of them.
        let reading = options.pragma("query_only", "1").pragma("cache_size", "-256");
        let readers = pool(limits.connections).connect_with(reading).await.map_err(OpenError::Open)?;
        Ok(Self { writer, turn: Arc::new(Semaphore::new(1)), readers, statement_timeout: limits.statement_timeout })
    }

    /// A place to read; ready when one is free.
    pub(super) async fn reader(&self) -> Result<Lease, Error> {
        Ok(self.lease(Role::Plain(self.readers.acquire().await?), None))
    }

    /// The place to write; ready when it is free.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.turn).acquire_owned().await.ok()
    }

    /// A transaction in one's turn.
    pub(super) async fn transaction(&self, turn: Option<OwnedSemaphorePermit>) -> Result<Lease, Error> {
        let transaction = within(self.statement_timeout, self.writer.begin_with("BEGIN IMMEDIATE")).await?;
        Ok(self.lease(Role::Transaction(transaction), turn))
    }

    /// The writing connection in one's turn, each statement a transaction of its own.
    pub(super) async fn writer(&self, turn: Option<OwnedSemaphorePermit>) -> Result<Lease, Error> {
        let connection = within(self.statement_timeout, self.writer.acquire()).await?;
        Ok(self.lease(Role::Plain(connection), turn))
    }

    /// Closes all connections; SQLite folds its write-ahead log into the file.
    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    fn lease(&self, role: Role, turn: Option<OwnedSemaphorePermit>) -> Lease {
        Lease { role, _turn: turn, statement_timeout: self.statement_timeout }
    }
}

impl Lease {
    pub(super) async fn execute(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64, Error> {
        let limit = self.statement_timeout;
        Ok(within(limit, bound(sql, values).execute(self.connection())).await?.rows_affected())
    }

    pub(super) async fn fetch_all(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>, Error> {
        let limit = self.statement_timeout;
        let rows = within(limit, bound(sql, values).fetch_all(self.connection())).await?;
        Ok(rows.into_iter().map(Row::Sqlite).collect())
    }

    pub(super) async fn commit(self) -> Result<(), Error> {
        match self.role {
            Role::Plain(_) => Ok(()),
            Role::Transaction(transaction) => within(self.statement_timeout, transaction.commit()).await,
        }
    }

    fn connection(&mut self) -> &mut SqliteConnection {
        match &mut self.role {
            Role::Plain(connection) => connection,
            Role::Transaction(transaction) => transaction,
        }
    }
}

/// Whether a lock was not free.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    let error = error.as_database_error().filter(|error| error.try_downcast_ref::<SqliteError>().is_some());
    let code = error.and_then(sqlx::error::DatabaseError::code);
    // Extended codes hold the primary code in their low byte.
    let primary = code.as_deref().and_then(|code: &str| code.parse::<i32>().ok()).map(|code| code & 0xff);
    primary.is_some_and(|code| BUSY_CODES.contains(&code))
}

async fn within<T>(limit: Duration, statement: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, Error> {
    Ok(timeout(limit, statement).await.map_err(|_| Error::TimedOut)??)
}
