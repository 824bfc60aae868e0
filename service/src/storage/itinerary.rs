//! The items of a trip's itinerary.

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    Error, Storage, audit,
    connection::Connection,
    row::{Row, json},
    trips::{TripError, locked_trip_for, trip_for},
};
use crate::domain::{
    budget::Budget,
    collaboration::Access,
    itinerary::{ITEMS_MAX, Item, ItemDraft},
    trip::Trip,
};

impl Storage {
    /// Adds an item to a trip's itinerary, and its audit event, both or neither.
    pub(crate) async fn add_item(
        &self,
        trip_id: Uuid,
        user_id: Uuid,
        draft: ItemDraft,
        now: Timestamp,
    ) -> Result<Item, TripError> {
        let mut transaction = self.write().await?;
        let trip = locked_trip_for(&mut transaction, trip_id, user_id, Access::Edit).await?;
        let count = "SELECT COUNT(*) AS total FROM itinerary_items WHERE trip_id = $1";
        let count = transaction.fetch_optional(count, &[trip_id.into()]).await?;
        if count.map_or(Ok(0), |row| row.integer("total"))? >= ITEMS_MAX {
            return Err(TripError::ItineraryFull);
        }
        // What was stored before budgets were checked may be unreadable; it says nothing then.
        let budget = Budget::of(trip.preferences.as_ref()).unwrap_or_default();
        let draft = draft.priced_in(budget.currency());
        let id = Uuid::new_v4();
        transaction
            .execute(
                "INSERT INTO itinerary_items (id, trip_id, date, details, created_by, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
                &[id.into(), trip_id.into(), draft.date.into(), json(&draft), user_id.into(), now.into()],
            )
            .await?;
        audit::record(&mut transaction, user_id, "trip.item_added", trip_id, None, now).await?;
        transaction.commit().await?;
        Ok(draft.into_item(id, trip_id, user_id, now))
    }

    /// A trip and all items of its itinerary, if that user may see it.
    pub(crate) async fn trip_with_items(&self, id: Uuid, user_id: Uuid) -> Result<(Trip, Vec<Item>), TripError> {
        let mut connection = self.read().await?;
        let trip = trip_for(&mut connection, id, user_id, Access::View).await?;
        Ok((trip, items(&mut connection, id).await?))
    }
}

async fn items(connection: &mut Connection, trip_id: Uuid) -> Result<Vec<Item>, Error> {
    let rows = connection
        .fetch_all(
            "SELECT id, trip_id, details, created_by, created_at FROM itinerary_items WHERE trip_id = $1 ORDER BY date, id",
            &[trip_id.into()],
        )
        .await?;
    rows.iter().map(item).collect()
}

fn item(row: &Row) -> Result<Item, Error> {
    let draft: ItemDraft = row.json("details")?;
    Ok(draft.into_item(row.id("id")?, row.id("trip_id")?, row.id("created_by")?, row.instant("created_at")?))
}
