//! Trips, read and changed by those who have access to them.

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    Error, Storage, audit,
    connection::Connection,
    idempotency::{Claim, IdempotencyKey, claim},
    row::{Row, Value, json},
};
use crate::domain::{
    collaboration::Access,
    page::{Page, Slice},
    trip::{Destination, ListedTrip, Status, Trip, duration_days},
    trip_patch::{PatchError, TripPatch},
};

/// The operation of the idempotency keys here.
const OPERATION: &str = "trip.create";
/// The creation in the audit log.
const CREATED: &str = "trip.created";

/// A trip and the access of `$2` to it; no row when there is none.
const VISIBLE_TRIP: &str = "SELECT trips.id, trips.user_id, title, description, start_date, end_date, destinations, preferences, status, \
       version, created_at, updated_at, CASE WHEN trips.user_id = $2 THEN 'owner' ELSE permission END AS access \
     FROM trips LEFT JOIN trip_collaborators ON trip_collaborators.trip_id = trips.id AND trip_collaborators.user_id = $2 \
     WHERE trips.id = $1 AND (trips.user_id = $2 OR trip_collaborators.user_id IS NOT NULL)";

const INSERT: &str = "INSERT INTO trips (id, user_id, title, description, start_date, end_date, destinations, preferences, \
       status, version, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
/// The trip and its audit event in one statement: one round trip to a server instead of four.
const INSERT_WITH_EVENT: &str = "WITH trip AS (INSERT INTO trips (id, user_id, title, description, start_date, end_date, destinations, \
       preferences, status, version, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)) \
     INSERT INTO audit_events (id, user_id, action, subject_id, created_at) VALUES ($13, $2, $14, $1, $11)";

/// What came of a creation.
pub(crate) enum Creation {
    /// The trip is stored.
    Created,
    /// The key was used for the same request before: the trip of that time.
    Replayed(Box<Trip>),
    /// The key was used for another request.
    Clash,
}

/// Why something was not done with a trip.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TripError {
    /// There is none, or none that the user may see.
    #[error("there is no such trip")]
    NoTrip,
    /// The user may see it, no more.
    #[error("the trip is not the user's to change like that")]
    Forbidden,
    /// The trip is not shared with that user.
    #[error("there is no such collaborator")]
    NoCollaborator,
    /// Its itinerary has as many items as it can have.
    #[error("the itinerary is full")]
    ItineraryFull,
    /// It has changed since the version that the change was meant for.
    #[error("the trip has another version")]
    Stale,
    /// The change makes no sense for it.
    #[error(transparent)]
    Patch(#[from] PatchError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] Error),
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
        if key.is_none() && self.writes_tables_together() {
            let values: Vec<_> = values(trip).into_iter().chain([Uuid::now_v7().into(), CREATED.into()]).collect();
            self.write_once(INSERT_WITH_EVENT, &values).await?;
            return Ok(Creation::Created);
        }
        let mut transaction = self.write().await?;
        if let Some(key) = key {
            match claim(&mut transaction, (trip.user_id, OPERATION), &key, trip.id, trip.created_at).await? {
                Claim::Taken => {}
                Claim::Replay(id) => {
                    let made = visible_trip(&mut transaction, id, trip.user_id).await?.map(|(trip, _)| trip);
                    // A trip that was deleted since then is not made anew under its old key.
                    return Ok(made.map_or(Creation::Clash, |trip| Creation::Replayed(Box::new(trip))));
                }
                Claim::Clash => return Ok(Creation::Clash),
            }
        }
        transaction.execute(INSERT, &values(trip)).await?;
        audit::record(&mut transaction, trip.user_id, CREATED, trip.id, None, trip.created_at).await?;
        transaction.commit().await?;
        Ok(Creation::Created)
    }

    /// The trip, if that user may see it.
    pub(crate) async fn trip(&self, id: Uuid, user_id: Uuid) -> Result<Trip, TripError> {
        let mut connection = self.read().await?;
        trip_for(&mut connection, id, user_id, Access::View).await
    }

    /// Changes a trip that still has that version, and its audit event, both or neither.
    ///
    /// Of two changes meant for one version, one finds another version: the second to reach the row.
    pub(crate) async fn update_trip(
        &self,
        id: Uuid,
        user_id: Uuid,
        version: i64,
        patch: TripPatch,
        now: Timestamp,
    ) -> Result<Trip, TripError> {
        let mut transaction = self.write().await?;
        let trip = trip_for(&mut transaction, id, user_id, Access::Edit).await?;
        if trip.version != version {
            return Err(TripError::Stale);
        }
        let trip = patch.apply(trip, now)?;
        if update(&mut transaction, &trip, version).await? == 0 {
            return Err(TripError::Stale);
        }
        audit::record(&mut transaction, user_id, "trip.updated", id, None, now).await?;
        transaction.commit().await?;
        Ok(trip)
    }

    /// Deletes a trip, whom it is shared with and its itinerary; its owner alone may do so.
    pub(crate) async fn delete_trip(&self, id: Uuid, user_id: Uuid, now: Timestamp) -> Result<(), TripError> {
        let mut transaction = self.write().await?;
        trip_for(&mut transaction, id, user_id, Access::Owner).await?;
        if transaction.execute("DELETE FROM trips WHERE id = $1", &[id.into()]).await? == 0 {
            return Err(TripError::NoTrip);
        }
        audit::record(&mut transaction, user_id, "trip.deleted", id, None, now).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// A slice of the trips that are that user's or shared with that user, newest first.
    pub(crate) async fn trips(
        &self,
        user_id: Uuid,
        filter: &TripFilter,
        slice: Slice,
    ) -> Result<Page<ListedTrip>, Error> {
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
                "SELECT id, title, start_date, end_date, destinations, status, created_at FROM ( \
                   SELECT id, title, start_date, end_date, destinations, status, created_at FROM trips WHERE user_id = $1 \
                   UNION ALL \
                   SELECT id, title, start_date, end_date, destinations, status, created_at FROM trip_collaborators \
                     JOIN trips ON trips.id = trip_collaborators.trip_id WHERE trip_collaborators.user_id = $1 \
                 ) AS visible WHERE (CAST($2 AS TEXT) IS NULL OR status = $2) \
                   AND (CAST($3 AS TEXT) IS NULL OR LOWER(title) LIKE LOWER($3) ESCAPE '\\') \
                 ORDER BY created_at DESC, id LIMIT $4 OFFSET $5",
                &values,
            )
            .await?;
        let count = connection
            .fetch_optional(
                "SELECT \
                   (SELECT COUNT(*) FROM trips WHERE user_id = $1 AND (CAST($2 AS TEXT) IS NULL OR status = $2) \
                       AND (CAST($3 AS TEXT) IS NULL OR LOWER(title) LIKE LOWER($3) ESCAPE '\\')) \
                   + (SELECT COUNT(*) FROM trip_collaborators JOIN trips ON trips.id = trip_collaborators.trip_id \
                     WHERE trip_collaborators.user_id = $1 AND (CAST($2 AS TEXT) IS NULL OR status = $2) \
                       AND (CAST($3 AS TEXT) IS NULL OR LOWER(title) LIKE LOWER($3) ESCAPE '\\')) AS total",
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

/// What [`INSERT`] inserts.
fn values(trip: &Trip) -> [Value<'_>; 12] {
    [
        trip.id.into(),
        trip.user_id.into(),
        trip.title.as_str().into(),
        trip.description.as_deref().into(),
        trip.start_date.into(),
        trip.end_date.into(),
        json(&trip.destinations),
        trip.preferences.as_ref().map_or(Value::OptionalText(None), json),
        trip.status.as_str().into(),
        trip.version.into(),
        trip.created_at.into(),
        trip.updated_at.into(),
    ]
}

/// Writes all that may change, if the trip still has that version. Counts the trips written.
async fn update(transaction: &mut Connection, trip: &Trip, version: i64) -> Result<u64, Error> {
    let preferences = trip.preferences.as_ref().map_or(Value::OptionalText(None), json);
    transaction
        .execute(
            "UPDATE trips SET title = $1, description = $2, start_date = $3, end_date = $4, destinations = $5, preferences = $6, \
             status = $7, version = $8, updated_at = $9 WHERE id = $10 AND version = $11",
            &[
                trip.title.as_str().into(),
                trip.description.as_deref().into(),
                trip.start_date.into(),
                trip.end_date.into(),
                json(&trip.destinations),
                preferences,
                trip.status.as_str().into(),
                trip.version.into(),
                trip.updated_at.into(),
                trip.id.into(),
                version.into(),
            ],
        )
        .await
}

/// The trip, for a user with at least the access that is needed.
pub(super) async fn trip_for(
    connection: &mut Connection,
    id: Uuid,
    user_id: Uuid,
    needed: Access,
) -> Result<Trip, TripError> {
    match visible_trip(connection, id, user_id).await? {
        Some((trip, access)) if access >= needed => Ok(trip),
        Some(_) => Err(TripError::Forbidden),
        None => Err(TripError::NoTrip),
    }
}

/// The same, and until the end of the transaction nobody else changes, deletes or locks the trip.
pub(super) async fn locked_trip_for(
    transaction: &mut Connection,
    id: Uuid,
    user_id: Uuid,
    needed: Access,
) -> Result<Trip, TripError> {
    // SQLite writers are alone anyway; PostgreSQL locks the row that it writes, and `FOR UPDATE` is not SQLite's.
    transaction.execute("UPDATE trips SET version = version WHERE id = $1", &[id.into()]).await?;
    trip_for(transaction, id, user_id, needed).await
}

async fn visible_trip(connection: &mut Connection, id: Uuid, user_id: Uuid) -> Result<Option<(Trip, Access)>, Error> {
    let row = connection.fetch_optional(VISIBLE_TRIP, &[id.into(), user_id.into()]).await?;
    row.map(|row| Ok((trip(&row)?, row.parsed("access", Access::named)?))).transpose()
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

fn summary(row: &Row) -> Result<ListedTrip, Error> {
    let (start_date, end_date) = (row.date("start_date")?, row.date("end_date")?);
    let destinations: Vec<Destination> = row.json("destinations")?;
    Ok(ListedTrip {
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
