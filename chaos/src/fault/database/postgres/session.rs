//! A connection of a fault's own, opened before the run.
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, postgres::PgConnectOptions};
use tokio::time::timeout;

use crate::fault::database::injection::Error;

/// Longest wait for an answer. The server gives up before, so this is for one that is silent.
const ANSWER_WITHIN: Duration = Duration::from_secs(8);

/// A connection that is opened anew when the server went away meanwhile.
#[derive(Debug)]
pub(super) struct Session {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
}

impl Session {
    /// Connects.
    ///
    /// # Errors
    /// When the server refuses, or cannot be reached.
    pub(super) async fn open(options: PgConnectOptions) -> Result<Self, Error> {
        let mut session = Self { options, connection: None };
        session.revive().await?;
        Ok(session)
    }

    /// Sees that the server answers, and connects anew when this connection was lost.
    pub(super) async fn revive(&mut self) -> Result<(), Error> {
        if let Some(connection) = &mut self.connection
            && matches!(timeout(ANSWER_WITHIN, connection.ping()).await, Ok(Ok(())))
        {
            return Ok(());
        }
        self.connection = None;
        let attempt = "connect to the database";
        let connecting = timeout(ANSWER_WITHIN, PgConnection::connect_with(&self.options)).await;
        let connected = connecting.map_err(|_| silent(attempt))?.map_err(Error::statement(attempt))?;
        self.connection = Some(connected);
        Ok(())
    }

    /// Carries out statements, each a transaction of its own unless they say otherwise; `attempt` says what for.
    pub(super) async fn run(&mut self, attempt: &str, sql: impl Into<String>) -> Result<(), Error> {
        let gone = || Error::Gone { how: "its connection is closed".to_owned() };
        let connection = self.connection.as_mut().ok_or_else(gone)?;
        let done = timeout(ANSWER_WITHIN, sqlx::raw_sql(AssertSqlSafe(sql.into())).execute(connection)).await;
        done.map_err(|_| silent(attempt))?.map(drop).map_err(Error::statement(attempt))
    }

    /// Carries out a query and answers with its rows, whose columns must be text.
    pub(super) async fn ask(&mut self, attempt: &str, sql: impl Into<String>) -> Result<Vec<Vec<String>>, Error> {
        let gone = || Error::Gone { how: "its connection is closed".to_owned() };
        let connection = self.connection.as_mut().ok_or_else(gone)?;
        let asked = sqlx::raw_sql(AssertSqlSafe(sql.into())).fetch_all(connection);
        let rows = timeout(ANSWER_WITHIN, asked).await.map_err(|_| silent(attempt))?;
        let rows = rows.map_err(Error::statement(attempt))?;
        let texts = rows.iter().map(|row| (0..row.len()).map(|column| row.try_get(column)).collect());
        texts.collect::<Result<_, _>>().map_err(Error::statement(attempt))
    }

    /// The one number that a query answers with.
    pub(super) async fn number(&mut self, attempt: &str, sql: impl Into<String>) -> Result<u64, Error> {
        let rows = self.ask(attempt, sql).await?;
        let number = rows.first().and_then(|row| row.first()).and_then(|text| text.parse().ok());
        number.ok_or_else(|| Error::statement(attempt)(sqlx::Error::RowNotFound))
    }
}

fn silent(attempt: &str) -> Error {
    Error::Silent { attempt: attempt.to_owned(), within: ANSWER_WITHIN }
}

/// The name as SQL takes it, whatever is in it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
