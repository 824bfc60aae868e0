//! The database behind the storage: which one it is, the wait for a connection, migrations.
//!
//! `sqlite` and `postgres` each hold their pools and what a connection in use of theirs is; here and in `connection` is
//! what they have in common.

use std::{borrow::Cow, future::Future, sync::Arc, time::Duration};

use jiff::Timestamp;
use sqlx::{
    SqlSafeStr as _,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};
use tokio::time::{Instant, timeout};

use super::{
    Error,
    connection::{Connection, Kind},
    idempotency::KEY_LIFE,
    postgres,
    row::Value,
    sqlite,
};
use crate::{config::DatabaseUrl, metrics::Metrics};

/// Longest time to open a connection at start.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Number, name and text of a migration.
type NumberedSql = (i64, &'static str, &'static str);

const MIGRATIONS: &[NumberedSql] = &[
    (1, "initial", include_str!("migrations/0001_initial.sql")),
    (2, "indexes", include_str!("migrations/0002_indexes.sql")),
    (3, "api keys", include_str!("migrations/0003_api_keys.sql")),
    (4, "account", include_str!("migrations/0004_account.sql")),
    (5, "collaboration", include_str!("migrations/0005_collaboration.sql")),
    (6, "bookings", include_str!("migrations/0006_bookings.sql")),
    (7, "chat", include_str!("migrations/0007_chat.sql")),
    (8, "items by author", include_str!("migrations/0008_items_by_author.sql")),
];
/// What each database says in its own words. Numbers from 1000 on are of one database, and come after those of all.
pub(super) const SQLITE_MIGRATIONS: &[NumberedSql] =
    &[(1004, "append only", include_str!("migrations/sqlite/1004_append_only.sql"))];
pub(super) const POSTGRES_MIGRATIONS: &[NumberedSql] =
    &[(1004, "append only", include_str!("migrations/postgres/1004_append_only.sql"))];

const PURGE_TOKENS: &str =
    "DELETE FROM refresh_tokens WHERE id IN (SELECT id FROM refresh_tokens WHERE expires_at < $1 LIMIT 50)";
const PURGE_KEYS: &str = "DELETE FROM idempotency_keys WHERE (user_id, operation, key) IN \
     (SELECT user_id, operation, key FROM idempotency_keys WHERE created_at < $1 LIMIT 50)";
/// Their archives go with them.
const PURGE_EXPORTS: &str = "DELETE FROM exports WHERE id IN (SELECT id FROM exports WHERE expires_at < $1 LIMIT 10)";

/// Everything the service remembers.
pub(crate) struct Storage {
    pools: Pools,
    pool_wait: Duration,
    metrics: Arc<Metrics>,
}

/// What the database may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Connections: for reading with SQLite, which has one more for writing; for everything with PostgreSQL.
    pub(crate) connections: u32,
    /// Longest run of one statement.
    pub(crate) statement_timeout: Duration,
    /// Longest wait for a connection.
    pub(crate) pool_wait: Duration,
}

/// Why the storage cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// Another kind of database.
    #[error("DATABASE_URL must start with sqlite:// or postgres://")]
    UnknownKind,
    /// The file cannot be opened, or the server cannot be reached.
    #[error("cannot open the database")]
    Open(#[source] sqlx::Error),
    /// The tables cannot be brought up to date.
    #[error("cannot migrate the database")]
    Migrate(#[source] MigrateError),
}

enum Pools {
    Sqlite(sqlite::Pools),
    Postgres(postgres::Pool),
}

impl Storage {
    /// Opens the database, creating it when it is a new file, and brings its tables up to date.
    ///
    /// # Errors
    /// Another kind of database, one that cannot be opened or reached, or a migration that fails.
    pub(crate) async fn open(url: &DatabaseUrl, limits: Limits, metrics: Arc<Metrics>) -> Result<Self, OpenError> {
        let text = url.expose();
        let pools = if url.is_postgres() {
            Pools::Postgres(postgres::Pool::open(text, limits).await?)
        } else if text.starts_with("sqlite:") {
            Pools::Sqlite(sqlite::Pools::open(text, limits).await?)
        } else {
            return Err(OpenError::UnknownKind);
        };
        Ok(Self { pools, pool_wait: limits.pool_wait, metrics })
    }

    /// Whether the database reads and would write, now.
    ///
    /// # Errors
    /// It does not.
    pub(crate) async fn probe(&self) -> Result<(), Error> {
        self.read().await?.fetch_optional("SELECT id FROM users LIMIT 1", &[]).await?;
        // Nobody has that id; a database that is read-only refuses all the same.
        self.write_once("UPDATE users SET updated_at = updated_at WHERE id = ''", &[]).await.map(drop)
    }

    /// Forgets what has expired: refresh tokens, idempotency keys and their turns, exports, chat sessions.
    ///
    /// # Errors
    /// The database fails for some of it; the rest is forgotten.
    pub(crate) async fn purge(&self, now: Timestamp) -> Result<u64, Error> {
        let tokens = self.write_in_steps(PURGE_TOKENS, &[now.into()]).await;
        let keys = self.write_in_steps(PURGE_KEYS, &[(now - KEY_LIFE).into()]).await;
        let exports = self.write_in_steps(PURGE_EXPORTS, &[now.into()]).await;
        let (turns, chats) = (self.purge_turns(now).await, self.purge_chats(now).await);
        [tokens, keys, exports, turns, chats].into_iter().sum()
    }

    /// Closes all connections.
    pub(crate) async fn close(&self) {
        match &self.pools {
            Pools::Sqlite(pools) => pools.close().await,
            Pools::Postgres(pool) => pool.close().await,
        }
    }

    /// A connection to read with.
    pub(super) async fn read(&self) -> Result<Connection, Error> {
        let kind = match &self.pools {
            Pools::Sqlite(pools) => Kind::Sqlite(self.waiting(pools.reader()).await??),
            Pools::Postgres(pool) => Kind::Postgres(self.waiting(pool.lease()).await??),
        };
        Ok(Connection::new(kind, &self.metrics))
    }

    /// A transaction to write in; nothing is kept until it is committed.
    pub(super) async fn write(&self) -> Result<Connection, Error> {
        let kind = match &self.pools {
            Pools::Sqlite(pools) => Kind::Sqlite(pools.transaction(self.waiting(pools.turn()).await?).await?),
            Pools::Postgres(pool) => {
                let mut lease = self.waiting(pool.lease()).await??;
                lease.begin().await?;
                Kind::Postgres(lease)
            }
        };
        Ok(Connection::new(kind, &self.metrics))
    }

    /// Writes with one statement, a transaction by itself: one round trip to a server instead of three.
    pub(super) async fn write_once(&self, sql: &'static str, values: &[Value<'_>]) -> Result<u64, Error> {
        let kind = match &self.pools {
            Pools::Sqlite(pools) => Kind::Sqlite(pools.writer(self.waiting(pools.turn()).await?).await?),
            Pools::Postgres(pool) => Kind::Postgres(self.waiting(pool.lease()).await??),
        };
        Connection::new(kind, &self.metrics).execute(sql, values).await
    }

    /// Writes with one statement again and again until it has nothing left to do: each time to few enough rows to be done
    /// within the statement timeout, so that a backlog of any size is worked off and no other writer waits for long.
    pub(super) async fn write_in_steps(&self, sql: &'static str, values: &[Value<'_>]) -> Result<u64, Error> {
        let mut count = 0;
        loop {
            let rows = self.write_once(sql, values).await?;
            count += rows;
            if rows == 0 {
                return Ok(count);
            }
        }
    }

    /// Whether one statement can write to several tables.
    pub(super) fn writes_tables_together(&self) -> bool {
        matches!(self.pools, Pools::Postgres(_))
    }

    async fn waiting<T>(&self, place: impl Future<Output = T>) -> Result<T, Error> {
        let started = Instant::now();
        let waited = timeout(self.pool_wait, place).await;
        self.metrics.pool_wait_seconds.observe(started.elapsed().as_secs_f64());
        waited.map_err(|_| Error::Busy(sqlx::Error::PoolTimedOut))
    }
}

/// The migrations of every database and those of one; each runs once per database, also when several replicas start at the same time.
pub(super) fn migrator(own: &[NumberedSql]) -> Migrator {
    let migration = |(version, name, sql): &NumberedSql| {
        Migration::new(*version, Cow::Borrowed(*name), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(MIGRATIONS.iter().chain(own).map(migration).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSERT: &str =
        "INSERT INTO users (id, email, password_hash, created_at, updated_at) VALUES ($1, $2, '', 0, 0)";

    async fn storage(folder: &tempfile::TempDir) -> Storage {
        let url = format!("sqlite://{}/x.db", folder.path().display());
        let limit = Duration::from_secs(5);
        let limits = Limits { connections: 2, statement_timeout: limit, pool_wait: limit };
        Storage::open(&url.as_str().into(), limits, Arc::new(Metrics::new())).await.unwrap()
    }

    #[tokio::test]
    async fn a_transaction_with_a_failed_statement_is_not_kept() {
        let folder = tempfile::TempDir::new().unwrap();
        let storage = storage(&folder).await;
        let mut transaction = storage.write().await.unwrap();
        transaction.execute(INSERT, &["1".into(), "a".into()]).await.unwrap();
        let second = transaction.execute(INSERT, &["2".into(), "a".into()]).await;
        assert!(matches!(second, Err(Error::Duplicate(_))), "{second:?}");
        assert!(matches!(transaction.commit().await, Err(Error::Aborted)));
        let rows = storage.read().await.unwrap().fetch_all("SELECT id FROM users", &[]).await.unwrap();
        assert!(rows.is_empty());
    }

    #[tokio::test]
    async fn a_backlog_of_any_size_is_forgotten() {
        let folder = tempfile::TempDir::new().unwrap();
        let storage = storage(&folder).await;
        storage.write_once(INSERT, &["1".into(), "a".into()]).await.unwrap();
        let many = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1200) \
             INSERT INTO idempotency_keys (user_id, operation, key, fingerprint, resource_id, created_at) \
             SELECT '1', 'x', n, '', '', CASE WHEN n > 1190 THEN $1 ELSE 0 END FROM n";
        let now = Timestamp::now();
        storage.write_once(many, &[now.into()]).await.unwrap();
        assert_eq!(storage.purge(now).await.unwrap(), 1_190);
        assert_eq!(storage.purge(now).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn one_statement_is_kept_by_itself_and_a_text_with_nul_is_refused() {
        let folder = tempfile::TempDir::new().unwrap();
        let storage = storage(&folder).await;
        assert_eq!(storage.write_once(INSERT, &["1".into(), "a".into()]).await.unwrap(), 1);
        let refused = storage.write_once(INSERT, &["2".into(), "b\0".into()]).await;
        assert!(matches!(refused, Err(Error::Unstorable)), "{refused:?}");
        let rows = storage.read().await.unwrap().fetch_all("SELECT id FROM users", &[]).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.text("id").unwrap()).collect::<Vec<_>>(), ["1"]);
    }
}
