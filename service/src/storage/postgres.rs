//! PostgreSQL: a server at the other end of a network.
//!
//! One pool of connections, each with time limits on both ends: the server gives up a little before the client, so that
//! the connection stays in use; when the server is silent the client closes the connection. Nothing waits without a
//! limit, the way back into the pool included, because whatever waits keeps a place in the pool.
//!
//! A test of each connection before its use would cost a round trip per request. Instead a connection is tested when it
//! lay idle for long, or when another one has turned out broken since it was used last. So a server that went away fails
//! the requests that were in progress, and no others once it is back.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sqlx::{
    Connection as _, PgPool, Postgres,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
    raw_sql,
};
use tokio::time::{Instant, error::Elapsed, timeout};

use super::{
    Error, OpenError,
    database::{CONNECT_TIMEOUT, Limits, POSTGRES_MIGRATIONS, migrator},
    row::{Row, Value, bound},
};

/// Longest time to open one more connection while the service runs.
const RECONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// What the server has of the statement timeout, so that it gives up before the client does.
const SERVER_SHARE: f64 = 0.9;
/// What a wait for a lock has of the statement timeout, so that the server can say "busy".
const LOCK_WAIT_SHARE: f64 = 0.75;
/// How many statement timeouts a transaction may do nothing before the server ends it and frees its locks.
const IDLE_TRANSACTION_FACTOR: u32 = 2;
/// A connection that was used within this time is not tested.
const TRUSTED_FOR: Duration = Duration::from_secs(1);
/// Prepared statements per connection: more than the storage has.
const STATEMENT_CACHE_CAPACITY: usize = 512;

/// No lock in time, a deadlock, a conflict of transactions, no connection left.
const BUSY_CODES: [&str; 4] = ["55P03", "40P01", "40001", "53300"];
/// The statement timeout passed.
const TIMEOUT_CODE: &str = "57014";
/// What a connection does not outlive: a lost connection, a server that shuts down or crashed, a session or transaction
/// that was idle for too long, and a server that has become read-only, for which another one must now be in charge.
const BROKEN_CODES: [&str; 8] = ["08003", "08006", "57P01", "57P02", "57P03", "57P05", "25P03", "25006"];

/// The connections to one server.
pub(super) struct Pool {
    pool: PgPool,
    connections: u32,
    statement_timeout: Duration,
    broken: Arc<Breakage>,
}

/// When a connection was last found broken.
#[derive(Default)]
struct Breakage(Mutex<Option<Instant>>);

/// A connection in use; a transaction on it is rolled back unless committed.
pub(super) struct Lease {
    /// Present until dropped.
    connection: Option<PoolConnection<Postgres>>,
    is_in_transaction: bool,
    /// Nothing is in flight on it, and nothing has shown it to be broken.
    is_sound: bool,
    statement_timeout: Duration,
    broken: Arc<Breakage>,
}

impl Pool {
    /// Connects, waiting for a server that is about to start, and brings the tables up to date.
    ///
    /// Of several replicas that start at once one migrates while the others wait, for as long as that takes.
    pub(super) async fn open(url: &str, limits: Limits) -> Result<Self, OpenError> {
        let options: PgConnectOptions = url.parse().map_err(OpenError::Open)?;
        let options = options.application_name("tripsage").statement_cache_capacity(STATEMENT_CACHE_CAPACITY);
        let migrating = PgPoolOptions::new().max_connections(1).acquire_timeout(CONNECT_TIMEOUT);
        let migrating = migrating.connect_with(options.clone()).await.map_err(OpenError::Open)?;
        migrator(POSTGRES_MIGRATIONS).run(&migrating).await.map_err(OpenError::Migrate)?;
        migrating.close().await;

        let broken = Arc::new(Breakage::default());
        let suspicion = Arc::clone(&broken);
        let pool = PgPoolOptions::new()
            .max_connections(limits.connections)
            .acquire_timeout(RECONNECT_TIMEOUT)
            .test_before_acquire(false)
            .before_acquire(move |connection, seen| {
                let is_trusted = seen.idle_for < TRUSTED_FOR && !suspicion.is_within(seen.idle_for);
                Box::pin(async move {
                    if !is_trusted {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            });
        let timeout = limits.statement_timeout;
        let options = options.options([
            ("statement_timeout", millis(timeout.mul_f64(SERVER_SHARE))),
            ("lock_timeout", millis(timeout.mul_f64(LOCK_WAIT_SHARE))),
            ("idle_in_transaction_session_timeout", millis(timeout * IDLE_TRANSACTION_FACTOR)),
        ]);
        let pool = pool.connect_with(options).await.map_err(OpenError::Open)?;
        Ok(Self { pool, connections: limits.connections, statement_timeout: timeout, broken })
    }

    /// A connection; ready when one is free or one more is open.
    pub(super) async fn lease(&self) -> Result<Lease, Error> {
        let connection = if self.pool.num_idle() > 0 || self.pool.size() >= self.connections {
            self.pool.acquire().await?
        } else {
            // On a slow link this may take longer than a request may wait: it goes on for the requests that follow.
            let pool = self.pool.clone();
            let connecting = tokio::spawn(async move { pool.acquire().await });
            connecting.await.map_err(|_| Error::Failed(sqlx::Error::PoolClosed))??
        };
        Ok(Lease {
            connection: Some(connection),
            is_in_transaction: false,
            is_sound: true,
            statement_timeout: self.statement_timeout,
            broken: Arc::clone(&self.broken),
        })
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

impl Lease {
    pub(super) async fn begin(&mut self) -> Result<(), Error> {
        self.control("BEGIN").await?;
        self.is_in_transaction = true;
        Ok(())
    }

    pub(super) async fn execute(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64, Error> {
        let (limit, connection) = self.start();
        let outcome = timeout(limit, bound(sql, values).execute(&mut **connection)).await;
        Ok(self.finish(outcome)?.rows_affected())
    }

    pub(super) async fn fetch_all(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>, Error> {
        let (limit, connection) = self.start();
        let outcome = timeout(limit, bound(sql, values).fetch_all(&mut **connection)).await;
        Ok(self.finish(outcome)?.into_iter().map(Row::Postgres).collect())
    }

    pub(super) async fn commit(mut self) -> Result<(), Error> {
        if self.is_in_transaction {
            self.control("COMMIT").await?;
            self.is_in_transaction = false;
        }
        Ok(())
    }

    async fn control(&mut self, sql: &'static str) -> Result<(), Error> {
        let (limit, connection) = self.start();
        let outcome = timeout(limit, raw_sql(sql).execute(&mut **connection)).await;
        self.finish(outcome).map(drop)
    }

    fn start(&mut self) -> (Duration, &mut PoolConnection<Postgres>) {
        // Until the answer is there: a request that is dropped meanwhile leaves a connection that nobody can use.
        self.is_sound = false;
        (self.statement_timeout, self.connection.as_mut().expect("the connection is present until dropped"))
    }

    fn finish<T>(&mut self, outcome: Result<Result<T, sqlx::Error>, Elapsed>) -> Result<T, Error> {
        self.is_sound = matches!(&outcome, Ok(answer) if !answer.as_ref().is_err_and(is_broken));
        if !self.is_sound {
            self.broken.note();
        }
        Ok(outcome.map_err(|_| Error::TimedOut)??)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        // It is closed unless it gets back into the pool below.
        connection.close_on_drop();
        if !self.is_sound {
            return;
        }
        let (limit, is_open) = (self.statement_timeout, self.is_in_transaction);
        tokio::spawn(timeout(limit, async move {
            if !is_open || raw_sql("ROLLBACK").execute(&mut *connection).await.is_ok() {
                connection.return_to_pool().await;
            }
        }));
    }
}

impl Breakage {
    fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether it was less than `time` ago.
    fn is_within(&self, time: Duration) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|at| at.elapsed() <= time)
    }
}

/// Whether another transaction, or too many connections, stood in the way.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| BUSY_CODES.contains(&code))
}

/// Whether the server gave up because of the statement timeout.
pub(super) fn is_timeout(error: &sqlx::Error) -> bool {
    code(error) == Some(TIMEOUT_CODE)
}

fn is_broken(error: &sqlx::Error) -> bool {
    match code(error) {
        Some(code) => BROKEN_CODES.contains(&code),
        None => !matches!(error, sqlx::Error::RowNotFound | sqlx::Error::Encode(_)),
    }
}

fn code(error: &sqlx::Error) -> Option<&str> {
    error.as_database_error()?.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().map(|error| error.code())
}

/// A setting of the server; 0 would mean "no limit".
fn millis(limit: Duration) -> String {
    format!("{}ms", limit.as_millis().max(1))
}
