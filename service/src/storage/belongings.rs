//! What belongs to a user, in one list: what an export holds and what an erasure removes. Another table is one more entry.
//!
//! A test compares the list with the tables that there are, so that none is forgotten.

use jiff::Timestamp;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::{Error, Storage, row::Row};
use crate::domain::export::Kind;

/// A table with rows of users.
struct Belonging {
    /// Its name, and the name of its file in an export.
    table: &'static str,
    /// How to read the rows of user `$1` with an id after `$2`, at most `$3`, by id; none for what says nothing about the user.
    export: Option<(&'static str, &'static [Column])>,
    /// How to remove rows of user `$1`, some at a time; none for what goes with its owner or has its own way.
    erase: Option<&'static str>,
}

/// A column of an export.
enum Column {
    Text(&'static str),
    Integer(&'static str),
    /// Microseconds in the database, RFC 3339 in the export.
    Instant(&'static str),
    /// JSON as text in the database.
    Json(&'static str),
}

use Column::{Instant, Integer, Json as JsonText, Text};

/// In the order of erasure: who refers goes before what is referred to, and keys last, because with them bookings that are
/// open are asked for.
const BELONGINGS: &[Belonging] = &[
    Belonging {
        table: "users",
        export: Some((
            "SELECT id, email, full_name, preferences, created_at, updated_at FROM users \
             WHERE id = $1 AND id > $2 ORDER BY id LIMIT $3",
            &[
                Text("id"),
                Text("email"),
                Text("full_name"),
                JsonText("preferences"),
                Instant("created_at"),
                Instant("updated_at"),
            ],
        )),
        // Becomes a tombstone.
        erase: None,
    },
    Belonging {
        table: "refresh_tokens",
        export: None,
        erase: Some(
            "DELETE FROM refresh_tokens WHERE id IN (SELECT id FROM refresh_tokens WHERE user_id = $1 LIMIT 500)",
        ),
    },
    Belonging {
        table: "trip_collaborators",
        export: Some((
            "SELECT trip_id AS id, permission, added_at FROM trip_collaborators \
             WHERE user_id = $1 AND trip_id > $2 ORDER BY trip_id LIMIT $3",
            &[Text("id"), Text("permission"), Instant("added_at")],
        )),
        erase: Some(
            "DELETE FROM trip_collaborators WHERE user_id = $1 \
             AND trip_id IN (SELECT trip_id FROM trip_collaborators WHERE user_id = $1 LIMIT 100)",
        ),
    },
    Belonging {
        table: "itinerary_items",
        export: Some((
            "SELECT id, trip_id, date, details, created_at FROM itinerary_items WHERE id IN ( \
               SELECT id FROM itinerary_items WHERE trip_id IN (SELECT id FROM trips WHERE user_id = $1) \
               UNION SELECT id FROM itinerary_items WHERE created_by = $1 \
             ) AND id > $2 ORDER BY id LIMIT $3",
            &[Text("id"), Text("trip_id"), Text("date"), JsonText("details"), Instant("created_at")],
        )),
        // What others planned goes with the trip; what the user planned in the trips of others goes, too.
        erase: Some(
            "DELETE FROM itinerary_items WHERE id IN (SELECT id FROM itinerary_items WHERE created_by = $1 LIMIT 500)",
        ),
    },
    Belonging {
        table: "trips",
        export: Some((
            "SELECT id, title, description, start_date, end_date, destinations, preferences, status, version, created_at, \
               updated_at FROM trips WHERE user_id = $1 AND id > $2 ORDER BY id LIMIT $3",
            &[
                Text("id"),
                Text("title"),
                Text("description"),
                Text("start_date"),
                Text("end_date"),
                JsonText("destinations"),
                JsonText("preferences"),
                Text("status"),
                Integer("version"),
                Instant("created_at"),
                Instant("updated_at"),
            ],
        )),
        erase: Some("DELETE FROM trips WHERE id IN (SELECT id FROM trips WHERE user_id = $1 LIMIT 100)"),
    },
    Belonging {
        table: "chat_messages",
        export: Some((
            "SELECT id, session_id, role, content, metadata, created_at FROM chat_messages \
             WHERE session_id IN (SELECT id FROM chat_sessions WHERE user_id = $1) AND id > $2 ORDER BY id LIMIT $3",
            &[
                Text("id"),
                Text("session_id"),
                Text("role"),
                Text("content"),
                JsonText("metadata"),
                Instant("created_at"),
            ],
        )),
        erase: Some(
            "DELETE FROM chat_messages WHERE id IN (SELECT id FROM chat_messages \
             WHERE session_id IN (SELECT id FROM chat_sessions WHERE user_id = $1) LIMIT 500)",
        ),
    },
    Belonging {
        table: "chat_turns",
        // What was said in a turn is among the messages.
        export: None,
        erase: Some("DELETE FROM chat_turns WHERE id IN (SELECT id FROM chat_turns WHERE user_id = $1 LIMIT 500)"),
    },
    Belonging {
        table: "chat_sessions",
        export: Some((
            "SELECT id, agent, title, metadata, trip_id, known, created_at, updated_at, ended_at FROM chat_sessions \
             WHERE user_id = $1 AND id > $2 ORDER BY id LIMIT $3",
            &[
                Text("id"),
                Text("agent"),
                Text("title"),
                JsonText("metadata"),
                Text("trip_id"),
                JsonText("known"),
                Instant("created_at"),
                Instant("updated_at"),
                Instant("ended_at"),
            ],
        )),
        erase: Some(
            "DELETE FROM chat_sessions WHERE id IN (SELECT id FROM chat_sessions WHERE user_id = $1 LIMIT 100)",
        ),
    },
    Belonging {
        table: "idempotency_keys",
        export: None,
        erase: Some("DELETE FROM idempotency_keys WHERE user_id = $1"),
    },
    Belonging {
        table: "audit_events",
        export: Some((
            "SELECT id, action, subject_id, details, created_at FROM audit_events \
             WHERE user_id = $1 AND id > $2 ORDER BY id LIMIT $3",
            &[Text("id"), Text("action"), Text("subject_id"), JsonText("details"), Instant("created_at")],
        )),
        // Stays: it holds no personal data beyond the id.
        erase: None,
    },
    Belonging {
        table: "export_parts",
        export: None,
        erase: Some(
            "DELETE FROM export_parts WHERE export_id IN (SELECT id FROM exports WHERE user_id = $1) \
             AND number IN (SELECT number FROM export_parts \
               WHERE export_id IN (SELECT id FROM exports WHERE user_id = $1) LIMIT 50)",
        ),
    },
    Belonging { table: "exports", export: None, erase: Some("DELETE FROM exports WHERE user_id = $1") },
    Belonging {
        table: "bookings",
        export: Some((
            "SELECT id, trip_id, offer_id, flight, hold_only, passengers_sealed, total_cents, currency, status, reason, placed, created_at, \
               updated_at FROM bookings WHERE user_id = $1 AND state <> 'failed' AND id > $2 ORDER BY id LIMIT $3",
            &[
                Text("id"),
                Text("trip_id"),
                Text("offer_id"),
                JsonText("flight"),
                Integer("hold_only"),
                // Opened on its way into the archive.
                Text("passengers_sealed"),
                Integer("total_cents"),
                Text("currency"),
                Text("status"),
                Text("reason"),
                JsonText("placed"),
                Instant("created_at"),
                Instant("updated_at"),
            ],
        )),
        // The open ones have their own way.
        erase: Some(
            "DELETE FROM bookings WHERE id IN (SELECT id FROM bookings \
             WHERE user_id = $1 AND state NOT IN ('pending', 'cancelling') LIMIT 100)",
        ),
    },
    Belonging {
        table: "api_keys",
        export: Some((
            "SELECT id, service, name, description, is_valid, expires_at, last_used, created_at, updated_at FROM api_keys \
             WHERE user_id = $1 AND id > $2 ORDER BY id LIMIT $3",
            &[
                Text("id"),
                Text("service"),
                Text("name"),
                Text("description"),
                Integer("is_valid"),
                Instant("expires_at"),
                Instant("last_used"),
                Instant("created_at"),
                Instant("updated_at"),
            ],
        )),
        erase: Some(
            "DELETE FROM api_keys WHERE user_id = $1 AND NOT EXISTS (SELECT 1 FROM bookings WHERE user_id = $1)",
        ),
    },
];

/// Bookings that nobody works on; those of the others follow when their lease has ended.
const CANCEL_PENDING: &str = "UPDATE bookings SET state = 'cancelling', due_at = $2 \
     WHERE user_id = $1 AND state = 'pending' AND leased_until <= $2";
const COUNT_BOOKINGS: &str = "SELECT COUNT(*) AS total FROM bookings WHERE user_id = $1";

/// Rows read at once.
const PAGE_ROWS: i64 = 100;

impl Storage {
    /// Everything that is kept about a user, kind by kind; an error when it is more than `bytes_max` as JSON.
    pub(crate) async fn belongings(&self, user_id: Uuid, bytes_max: usize) -> Result<Option<Vec<Kind>>, Error> {
        let mut kinds = Vec::new();
        let mut bytes = 0;
        for belonging in BELONGINGS {
            let Some((sql, columns)) = belonging.export else { continue };
            let mut records = Vec::new();
            let mut last_id = String::new();
            loop {
                // A connection per page: an export must not keep one from requests.
                let values = [user_id.into(), last_id.as_str().into(), PAGE_ROWS.into()];
                let rows = self.read().await?.fetch_all(sql, &values).await?;
                let Some(last) = rows.last() else { break };
                let next_id = last.text("id")?;
                for row in &rows {
                    let record = record(row, columns)?;
                    bytes += record.to_string().len();
                    if bytes > bytes_max {
                        return Ok(None);
                    }
                    records.push(record);
                }
                last_id = next_id;
            }
            kinds.push(Kind { name: belonging.table, records });
        }
        Ok(Some(kinds))
    }

    /// Removes everything that belongs to a user but the tombstone and the bookings whose outcome is not known; counts those.
    ///
    /// They are to be cancelled from now on, and go the next time that they are closed: an order that nobody knows of any more
    /// would be one that nobody can cancel.
    pub(crate) async fn erase_belongings(&self, user_id: Uuid, now: Timestamp) -> Result<u64, Error> {
        self.write_in_steps(CANCEL_PENDING, &[user_id.into(), now.into()]).await?;
        for sql in BELONGINGS.iter().filter_map(|belonging| belonging.erase) {
            self.write_in_steps(sql, &[user_id.into()]).await?;
        }
        let row = self.read().await?.fetch_optional(COUNT_BOOKINGS, &[user_id.into()]).await?;
        let count = row.map_or(Ok(0), |row| row.integer("total"))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }
}

fn record(row: &Row, columns: &[Column]) -> Result<Json, Error> {
    let mut fields = Map::new();
    for column in columns {
        let (name, value) = match column {
            Text(name) => (*name, row.optional_text(name)?.map(Json::from)),
            Integer(name) => (*name, row.optional_integer(name)?.map(Json::from)),
            Instant(name) => (*name, row.optional_integer(name)?.map(|micros| instant(name, micros)).transpose()?),
            JsonText(name) => (*name, row.optional_json(name)?),
        };
        fields.insert(name.to_owned(), value.unwrap_or(Json::Null));
    }
    Ok(Json::Object(fields))
}

fn instant(column: &'static str, micros: i64) -> Result<Json, Error> {
    let instant = Timestamp::from_microsecond(micros).map_err(|_| Error::Corrupt { column })?;
    Ok(Json::from(instant.to_string()))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::Arc, time::Duration};

    use super::*;
    use crate::{Config, metrics::Metrics, storage::Limits};

    /// Tables that hold nothing of a user.
    const OF_NOBODY: [&str; 4] = ["audit_chain", "deletions", "leases", "_sqlx_migrations"];

    #[tokio::test]
    async fn every_table_is_either_of_users_or_of_nobody() {
        let folder = tempfile::TempDir::new().unwrap();
        let url = format!("sqlite://{}/tripsage.db", folder.path().display());
        let vars = [("TRIPSAGE_JWT_KEY", "0123456789abcdef0123456789abcdef"), ("DATABASE_URL", &url)];
        let config = Config::from_vars(vars.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap();
        let second = Duration::from_secs(1);
        let limits = Limits { connections: 1, statement_timeout: second, pool_wait: second };
        let storage = Storage::open(&config.database_url, limits, Arc::new(Metrics::new())).await.unwrap();
        let mut connection = storage.read().await.unwrap();
        let rows = connection.fetch_all("SELECT name FROM sqlite_master WHERE type = 'table'", &[]).await.unwrap();
        let tables: BTreeSet<String> = rows.iter().map(|row| row.text("name").unwrap()).collect();
        let listed = BELONGINGS.iter().map(|belonging| belonging.table).chain(OF_NOBODY);
        assert_eq!(tables, listed.map(str::to_owned).collect());
        // Each statement is one that the database understands.
        for (sql, _) in BELONGINGS.iter().filter_map(|belonging| belonging.export) {
            connection.fetch_all(sql, &[Uuid::nil().into(), "".into(), PAGE_ROWS.into()]).await.unwrap();
        }
        drop(connection);
        assert_eq!(storage.erase_belongings(Uuid::nil(), Timestamp::UNIX_EPOCH).await.unwrap(), 0);
    }
}
