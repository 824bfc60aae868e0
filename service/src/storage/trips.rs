//! Trips.

use uuid::Uuid;

use super::{
    Error, Storage,
    audit::record,
    database::Connection,
    idempotency::{Claim, IdempotencyKey, claim},
    row::{Row, Value, json},
};
use crate::domain::{
    page::{Page, Slice},
    trip::{Destination, Status, Trip, TripSummary, duration_days},
};

/// The operation of the idempotency keys here.
const OPERATION: &str = "trip.create";

const TRIP_COLUMNS: &str = "SELECT id, user_id, title, description, start_date, end_date, destinations, preferences, status, version, \
     created_at, updated_at FROM trips WHERE id = $1 AND user_id = $2";

/// What came of a creation.
pub(crate) enum Creation {
    /// The trip is stored.
    Created,
    /// The key was used for the same request before: the trip of that time.
    Replayed(Box<Trip>),
    /// The key was used for another request.
    Clash,
}

/// Which trips to list.
#[derive(Debug, Default)]
pub(crate) struct TripFilter {
    pub(crate) status: Option<Status>,
    /// Part of the title, in any case.
    pub(crate) text: Option<String>,
}

impl Storage {
    /// Stores a trip, its audit event and its idempotency key, all or nothing.
    pub(crate) async fn create_trip(&self, trip: &Trip, key: Option<IdempotencyKey<'_>>) -> Result<Creation, Error> {
        let mut transaction = self.write().await?;
        if let Some(key) = key {
            match claim(&mut transaction, (trip.user_id, OPERATION), &key, trip.id, trip.created_at).await? {
                Claim::Taken => {}
                Claim::Replay(id) => {
                    let made = find(&mut transaction, id, trip.user_id).await?;
                    // A trip that was deleted since then is not made anew under its old key.
                    return Ok(made.map_or(Creation::Clash, |trip| Creation::Replayed(Box::new(trip))));
                }
                Claim::Clash => return Ok(Creation::Clash),
            }
        }
        insert(&mut transaction, trip).await?;
        record(&mut transaction, trip.user_id, "trip.created", trip.id, None, trip.created_at).await?;
        transaction.commit().await?;
        Ok(Creation::Created)
    }

    /// The trip, if it is that user's.
    pub(crate) async fn trip(&self, id: Uuid, user_id: Uuid) -> Result<Option<Trip>, Error> {
        let mut connection = self.read().await?;
        find(&mut connection, id, user_id).await
    }

    /// A slice of that user's trips, newest first.
    pub(crate) async fn trips(
        &self,
        user_id: Uuid,
        filter: &TripFilter,
        slice: Slice,
    ) -> Result<Page<TripSummary>, Error> {
        let pattern = filter.text.as_ref().map(|text| like_pattern(text));
        let status = filter.status.map(Status::as_str);
        let mut connection = self.read().await?;
        let values = [
            user_id.into(),
            status.into(),
            Value::from(pattern.as_deref()),
            i64::from(slice.limit).into(),
            i64::from(slice.skip).into(),
        ];
        let rows = connection
            .fetch_all(
                "SELECT id, title, start_date, end_date, destinations, status, created_at FROM trips \
                 WHERE user_id = $1 AND (CAST($2 AS TEXT) IS NULL OR status = $2) \
                   AND (CAST($3 AS TEXT) IS NULL OR LOWER(title) LIKE LOWER($3) ESCAPE '\\') \
                 ORDER BY created_at DESC, id LIMIT $4 OFFSET $5",
                &values,
            )
            .await?;
        let count = connection
            .fetch_optional(
                "SELECT COUNT(*) AS total FROM trips \
                 WHERE user_id = $1 AND (CAST($2 AS TEXT) IS NULL OR status = $2) \
                   AND (CAST($3 AS TEXT) IS NULL OR LOWER(title) LIKE LOWER($3) ESCAPE '\\')",
                &values[..3],
            )
            .await?;
        let total = count.map_or(Ok(0), |row| row.integer("total"))?;
        Ok(Page {
            items: rows.iter().map(summary).collect::<Result<_, _>>()?,
            total: u64::try_from(total).unwrap_or_default(),
            skip: slice.skip,
            limit: slice.limit,
        })
    }
}

async fn insert(transaction: &mut Connection, trip: &Trip) -> Result<(), Error> {
    let preferences = trip.preferences.as_ref().map_or(Value::OptionalText(None), json);
    transaction
        .execute(
            "INSERT INTO trips (id, user_id, title, description, start_date, end_date, destinations, preferences, status, version, \
             created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            &[
                trip.id.into(),
                trip.user_id.into(),
                trip.title.as_str().into(),
                trip.description.as_deref().into(),
                trip.start_date.into(),
                trip.end_date.into(),
                json(&trip.destinations),
                preferences,
                trip.status.as_str().into(),
                trip.version.into(),
                trip.created_at.into(),
                trip.updated_at.into(),
            ],
        )
        .await?;
    Ok(())
}

async fn find(connection: &mut Connection, id: Uuid, user_id: Uuid) -> Result<Option<Trip>, Error> {
    let row = connection.fetch_optional(TRIP_COLUMNS, &[id.into(), user_id.into()]).await?;
    row.map(|row| trip(&row)).transpose()
}

fn trip(row: &Row) -> Result<Trip, Error> {
    let (start_date, end_date) = (row.date("start_date")?, row.date("end_date")?);
    Ok(Trip {
        id: row.id("id")?,
        user_id: row.id("user_id")?,
        title: row.text("title")?,
        description: row.optional_text("description")?,
        start_date,
        end_date,
        duration_days: duration_days(start_date, end_date),
        destinations: row.json("destinations")?,
        preferences: row.optional_json("preferences")?,
        status: row.parsed("status", Status::named)?,
        created_at: row.instant("created_at")?,
        updated_at: row.instant("updated_at")?,
        version: row.integer("version")?,
    })
}

fn summary(row: &Row) -> Result<TripSummary, Error> {
    let (start_date, end_date) = (row.date("start_date")?, row.date("end_date")?);
    let destinations: Vec<Destination> = row.json("destinations")?;
    Ok(TripSummary {
        id: row.id("id")?,
        title: row.text("title")?,
        start_date,
        end_date,
        duration_days: duration_days(start_date, end_date),
        destinations: destinations.into_iter().map(|destination| destination.name).collect(),
        status: row.parsed("status", Status::named)?,
        created_at: row.instant("created_at")?,
    })
}

/// A `LIKE` pattern for a part of a text, its wildcards taken literally.
fn like_pattern(text: &str) -> String {
    let literal = text.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_");
    format!("%{literal}%")
}
