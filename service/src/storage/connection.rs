//! A connection in use: one interface to either database.

use std::sync::Arc;

use tracing::{Instrument as _, Span};

use super::{
    Error, postgres,
    row::{Row, Value},
    sqlite,
};
use crate::{metrics::Metrics, telemetry::spans};

/// A connection in use: reading, or writing within a transaction that is rolled back unless committed.
pub(super) struct Connection {
    kind: Kind,
    has_failed: bool,
    _in_use: InUse,
}

/// Whose it is.
pub(super) enum Kind {
    Sqlite(sqlite::Lease),
    Postgres(postgres::Lease),
}

/// Counts a connection in use for as long as it is.
struct InUse(Arc<Metrics>);

impl Connection {
    pub(super) fn new(kind: Kind, metrics: &Arc<Metrics>) -> Self {
        metrics.pool_in_use.inc();
        Self { kind, has_failed: false, _in_use: InUse(Arc::clone(metrics)) }
    }

    pub(super) async fn execute(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64, Error> {
        storable(values)?;
        let span = spans::statement(self.kind.name(), sql);
        let answer = match &mut self.kind {
            Kind::Sqlite(lease) => lease.execute(sql, values).instrument(span.clone()).await,
            Kind::Postgres(lease) => lease.execute(sql, values).instrument(span.clone()).await,
        };
        self.ended(&span, answer.as_ref().err());
        answer
    }

    pub(super) async fn fetch_optional(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Option<Row>, Error> {
        Ok(self.fetch_all(sql, values).await?.into_iter().next())
    }

    pub(super) async fn fetch_all(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>, Error> {
        storable(values)?;
        let span = spans::statement(self.kind.name(), sql);
        let answer = match &mut self.kind {
            Kind::Sqlite(lease) => lease.fetch_all(sql, values).instrument(span.clone()).await,
            Kind::Postgres(lease) => lease.fetch_all(sql, values).instrument(span.clone()).await,
        };
        self.ended(&span, answer.as_ref().err());
        answer
    }

    fn ended(&mut self, span: &Span, error: Option<&Error>) {
        if let Some(error) = error {
            self.has_failed = true;
            spans::failed(span, error.label());
        }
    }

    /// Keeps what was written. A connection that only reads has nothing to keep.
    ///
    /// # Errors
    /// [`Error::Aborted`] after a statement that failed: PostgreSQL keeps nothing of such a transaction and says so of
    /// no `COMMIT`; so that both databases behave alike, SQLite is not asked either.
    pub(super) async fn commit(self) -> Result<(), Error> {
        if self.has_failed {
            return Err(Error::Aborted);
        }
        match self.kind {
            Kind::Sqlite(lease) => lease.commit().await,
            Kind::Postgres(lease) => lease.commit().await,
        }
    }
}

impl Kind {
    /// Its name in traces.
    fn name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgresql",
        }
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.pool_in_use.dec();
    }
}

fn storable(values: &[Value<'_>]) -> Result<(), Error> {
    if values.iter().any(Value::holds_nul) { Err(Error::Unstorable) } else { Ok(()) }
}
