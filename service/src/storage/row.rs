//! What goes into a statement and what comes out, whichever database it is.

use jiff::{Timestamp, civil::Date};
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{
    Database, Decode, Encode, Postgres, Row as _, Sqlite, Type, postgres::PgRow, query::Query, sqlite::SqliteRow,
};
use uuid::Uuid;

use super::Error;

/// A parameter of a statement.
#[derive(Debug, Clone)]
pub(super) enum Value<'a> {
    Text(&'a str),
    Owned(String),
    OptionalText(Option<&'a str>),
    Integer(i64),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::OptionalText(text)
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<Uuid> for Value<'_> {
    fn from(id: Uuid) -> Self {
        Self::Owned(id.to_string())
    }
}

impl From<Timestamp> for Value<'_> {
    fn from(instant: Timestamp) -> Self {
        Self::Integer(instant.as_microsecond())
    }
}

impl From<Date> for Value<'_> {
    fn from(date: Date) -> Self {
        Self::Owned(date.to_string())
    }
}

impl Value<'_> {
    /// Whether it is a text with the one character that not every database can keep.
    pub(super) fn holds_nul(&self) -> bool {
        let text = match self {
            Self::Text(text) | Self::OptionalText(Some(text)) => text,
            Self::Owned(text) => text.as_str(),
            Self::OptionalText(None) | Self::Integer(_) => return false,
        };
        text.contains('\0')
    }
}

/// A statement with its parameters.
pub(super) fn bound<'q, DB: Database>(sql: &'static str, values: &'q [Value<'q>]) -> Query<'q, DB, DB::Arguments>
where
    &'q str: Encode<'q, DB> + Type<DB>,
    Option<&'q str>: Encode<'q, DB> + Type<DB>,
    i64: Encode<'q, DB> + Type<DB>,
{
    values.iter().fold(sqlx::query(sql), |query, value| match value {
        Value::Text(text) => query.bind(*text),
        Value::Owned(text) => query.bind(text.as_str()),
        Value::OptionalText(text) => query.bind(*text),
        Value::Integer(number) => query.bind(*number),
    })
}

/// A value as JSON text.
pub(super) fn json<'a>(value: &impl Serialize) -> Value<'a> {
    Value::Owned(serde_json::to_string(value).expect("what is stored has only string keys"))
}

/// A row of an answer.
pub(super) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    pub(super) fn text(&self, column: &'static str) -> Result<String, Error> {
        self.value(column)
    }

    pub(super) fn optional_text(&self, column: &'static str) -> Result<Option<String>, Error> {
        self.value(column)
    }

    pub(super) fn integer(&self, column: &'static str) -> Result<i64, Error> {
        self.value(column)
    }

    pub(super) fn optional_instant(&self, column: &'static str) -> Result<Option<Timestamp>, Error> {
        let microseconds: Option<i64> = self.value(column)?;
        let instant = microseconds.map(Timestamp::from_microsecond).transpose();
        instant.map_err(|_| Error::Corrupt { column })
    }

    fn value<T>(&self, column: &'static str) -> Result<T, Error>
    where
        T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>,
    {
        match self {
            Self::Sqlite(row) => Ok(row.try_get(column)?),
            Self::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    pub(super) fn id(&self, column: &'static str) -> Result<Uuid, Error> {
        self.parsed(column, |text| text.parse().ok())
    }

    pub(super) fn date(&self, column: &'static str) -> Result<Date, Error> {
        self.parsed(column, |text| text.parse().ok())
    }

    pub(super) fn instant(&self, column: &'static str) -> Result<Timestamp, Error> {
        Timestamp::from_microsecond(self.integer(column)?).map_err(|_| Error::Corrupt { column })
    }

    /// A text that stands for something else.
    pub(super) fn parsed<T>(&self, column: &'static str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, Error> {
        parse(&self.text(column)?).ok_or(Error::Corrupt { column })
    }

    pub(super) fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, Error> {
        self.parsed(column, |text| serde_json::from_str(text).ok())
    }

    pub(super) fn optional_json<T: DeserializeOwned>(&self, column: &'static str) -> Result<Option<T>, Error> {
        let Some(text) = self.optional_text(column)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|_| Error::Corrupt { column })
    }
}
