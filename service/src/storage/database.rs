//! The database behind the storage: pools, time limits, transactions, migrations.
//!
//! SQLite has one connection that writes (`BEGIN IMMEDIATE`, so that no transaction starts as a reader and finds its
//! snapshot outdated when it wants to write) and a pool of connections that only read. WAL keeps readers and the writer
//! out of each other's way. A database that speaks over the network is one more variant of `Pools` and `Connection`.

use std::{borrow::Cow, future::Future, sync::Arc, time::Duration};

use jiff::Timestamp;
use sqlx::{
    SqlSafeStr as _, Sqlite, SqliteConnection, SqlitePool, Transaction,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
    pool::PoolConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};

use super::{
    idempotency::KEY_LIFE,
    row::{Row, Value},
};
use crate::{config::DatabaseUrl, metrics::Metrics};

/// How long SQLite waits for another process's lock, less than a statement may take so that it can say "busy".
const LOCK_WAIT_SHARE: f64 = 0.75;
/// Longest time to open a connection, at start above all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// SQLite's primary result codes for a lock that was not free: SQLITE_BUSY and SQLITE_LOCKED.
const BUSY_CODES: [i32; 2] = [5, 6];

const MIGRATIONS: [(i64, &str, &str); 2] = [
    (1, "initial", include_str!("migrations/0001_initial.sql")),
    (3, "api keys", include_str!("migrations/0003_api_keys.sql")),
];

/// Everything the service remembers.
pub(crate) struct Storage {
    pools: Pools,
    limits: Limits,
    metrics: Arc<Metrics>,
}

/// What the database may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Connections for reading.
    pub(crate) readers: u32,
    /// Longest run of one statement.
    pub(crate) statement_timeout: Duration,
    /// Longest wait for a connection.
    pub(crate) pool_wait: Duration,
}

/// Why a statement gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No connection, or no lock, within the wait.
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

/// Why the storage cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// Only `sqlite://` is known.
    #[error("DATABASE_URL must start with sqlite://")]
    UnknownKind,
    /// The file cannot be opened.
    #[error("cannot open the database")]
    Open(#[source] sqlx::Error),
    /// The tables cannot be brought up to date.
    #[error("cannot migrate the database")]
    Migrate(#[source] MigrateError),
}

enum Pools {
    Sqlite {
        writer: SqlitePool,
        /// Whose turn it is to write: the wait for it is bounded apart from the time that writing takes.
        turn: Arc<Semaphore>,
        readers: SqlitePool,
    },
}

/// A connection in use: reading, or writing within a transaction that is rolled back unless committed.
pub(super) struct Connection {
    kind: Kind,
    /// Given back after the transaction above.
    _turn: Option<OwnedSemaphorePermit>,
    statement_timeout: Duration,
    _in_use: InUse,
}

/// Counts a connection in use for as long as it is.
struct InUse(Arc<Metrics>);

enum Kind {
    SqliteRead(PoolConnection<Sqlite>),
    SqliteWrite(Transaction<'static, Sqlite>),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let is_unique = error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation);
        let is_orphan = error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_foreign_key_violation);
        match &error {
            sqlx::Error::PoolTimedOut => Self::Busy(error),
            _ if is_unique => Self::Duplicate(error),
            _ if is_orphan => Self::Orphan(error),
            _ if is_busy(&error) => Self::Busy(error),
            _ => Self::Failed(error),
        }
    }
}

fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    // Extended codes hold the primary code in their low byte.
    let primary = code.as_deref().and_then(|code: &str| code.parse::<i32>().ok()).map(|code| code & 0xff);
    primary.is_some_and(|code| BUSY_CODES.contains(&code))
}

impl Storage {
    /// Opens the database, creating it when it is new, and brings its tables up to date.
    ///
    /// # Errors
    /// Another kind of database, a file that cannot be opened, or a migration that fails.
    pub(crate) async fn open(url: &DatabaseUrl, limits: Limits, metrics: Arc<Metrics>) -> Result<Self, OpenError> {
        if !url.expose().starts_with("sqlite:") {
            return Err(OpenError::UnknownKind);
        }
        let options: SqliteConnectOptions = url.expose().parse().map_err(OpenError::Open)?;
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
        migrator().run(&writer).await.map_err(OpenError::Migrate)?;
        let reading = options.pragma("query_only", "1");
        let readers = pool(limits.readers).connect_with(reading).await.map_err(OpenError::Open)?;
        Ok(Self { pools: Pools::Sqlite { writer, turn: Arc::new(Semaphore::new(1)), readers }, limits, metrics })
    }

    /// Whether the database reads and would write, now.
    ///
    /// # Errors
    /// It does not.
    pub(crate) async fn probe(&self) -> Result<(), Error> {
        self.read().await?.fetch_optional("SELECT id FROM users LIMIT 1", &[]).await?;
        self.write().await?.commit().await
    }

    /// Forgets what has expired: refresh tokens, idempotency keys.
    ///
    /// # Errors
    /// The database fails.
    pub(crate) async fn purge(&self, now: Timestamp) -> Result<u64, Error> {
        let mut transaction = self.write().await?;
        let tokens = transaction.execute("DELETE FROM refresh_tokens WHERE expires_at < $1", &[now.into()]).await?;
        let keys = transaction
            .execute("DELETE FROM idempotency_keys WHERE created_at < $1", &[(now - KEY_LIFE).into()])
            .await?;
        transaction.commit().await?;
        Ok(tokens + keys)
    }

    /// Closes all connections; SQLite folds its write-ahead log into the file.
    pub(crate) async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { writer, readers, .. } => {
                readers.close().await;
                writer.close().await;
            }
        }
    }

    /// A connection to read with.
    pub(super) async fn read(&self) -> Result<Connection, Error> {
        let Pools::Sqlite { readers, .. } = &self.pools;
        let connection = self.waiting(readers.acquire()).await??;
        Ok(self.connection(Kind::SqliteRead(connection), None))
    }

    /// A transaction to write in; nothing is kept until it is committed.
    pub(super) async fn write(&self) -> Result<Connection, Error> {
        let Pools::Sqlite { writer, turn, .. } = &self.pools;
        let turn = self.waiting(Arc::clone(turn).acquire_owned()).await?.ok();
        let transaction = within(self.limits.statement_timeout, writer.begin_with("BEGIN IMMEDIATE")).await?;
        Ok(self.connection(Kind::SqliteWrite(transaction), turn))
    }

    async fn waiting<T>(&self, place: impl Future<Output = T>) -> Result<T, Error> {
        let started = Instant::now();
        let waited = timeout(self.limits.pool_wait, place).await;
        self.metrics.pool_wait_seconds.observe(started.elapsed().as_secs_f64());
        waited.map_err(|_| Error::Busy(sqlx::Error::PoolTimedOut))
    }

    fn connection(&self, kind: Kind, turn: Option<OwnedSemaphorePermit>) -> Connection {
        self.metrics.pool_in_use.inc();
        let in_use = InUse(Arc::clone(&self.metrics));
        Connection { kind, _turn: turn, statement_timeout: self.limits.statement_timeout, _in_use: in_use }
    }
}

impl Connection {
    pub(super) async fn execute(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64, Error> {
        let limit = self.statement_timeout;
        let done = within(limit, bound(sql, values).execute(self.sqlite())).await?;
        Ok(done.rows_affected())
    }

    pub(super) async fn fetch_optional(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Option<Row>, Error> {
        let limit = self.statement_timeout;
        let row = within(limit, bound(sql, values).fetch_optional(self.sqlite())).await?;
        Ok(row.map(Row::Sqlite))
    }

    pub(super) async fn fetch_all(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>, Error> {
        let limit = self.statement_timeout;
        let rows = within(limit, bound(sql, values).fetch_all(self.sqlite())).await?;
        Ok(rows.into_iter().map(Row::Sqlite).collect())
    }

    /// Keeps what was written. A connection that only reads has nothing to keep.
    pub(super) async fn commit(self) -> Result<(), Error> {
        match self.kind {
            Kind::SqliteRead(_) => Ok(()),
            Kind::SqliteWrite(transaction) => within(self.statement_timeout, transaction.commit()).await,
        }
    }

    fn sqlite(&mut self) -> &mut SqliteConnection {
        match &mut self.kind {
            Kind::SqliteRead(connection) => connection,
            Kind::SqliteWrite(transaction) => transaction,
        }
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.pool_in_use.dec();
    }
}

type BoundQuery<'q> = sqlx::query::Query<'q, Sqlite, <Sqlite as sqlx::Database>::Arguments>;

fn bound<'q>(sql: &'static str, values: &'q [Value<'q>]) -> BoundQuery<'q> {
    values.iter().fold(sqlx::query(sql), |query, value| match value {
        Value::Text(text) => query.bind(*text),
        Value::Owned(text) => query.bind(text.as_str()),
        Value::OptionalText(text) => query.bind(*text),
        Value::Integer(number) => query.bind(*number),
    })
}

async fn within<T>(limit: Duration, statement: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, Error> {
    Ok(timeout(limit, statement).await.map_err(|_| Error::TimedOut)??)
}

fn migrator() -> Migrator {
    let migration = |(version, name, sql): (i64, &'static str, &'static str)| {
        Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(MIGRATIONS.into_iter().map(migration).collect())
}
