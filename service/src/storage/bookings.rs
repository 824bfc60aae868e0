//! Bookings: written before their provider is asked, changed only from the state in which they were read.

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    Error, Storage,
    connection::Connection,
    idempotency::{Claim, IdempotencyKey, claim, standing},
    row::{Row, Value, json},
};
use crate::domain::{
    amount::Amount,
    booking::Booking,
    booking_state::{Reason, State, Status},
    page::{Page, Slice},
};

/// The operation of the idempotency keys here.
const OPERATION: &str = "booking.create";

const BY_ID: &str = "SELECT id, user_id, trip_id, offer_id, flight, hold_only, passengers_sealed, total_cents, currency, state, \
     reason, placed, attempts, due_at, leased_until, created_at, updated_at FROM bookings WHERE id = $1";

/// One's own, also of one trip only.
const BY_USER: &str = "SELECT id, user_id, trip_id, offer_id, flight, hold_only, passengers_sealed, total_cents, currency, state, \
     reason, placed, attempts, due_at, leased_until, created_at, updated_at FROM bookings \
     WHERE user_id = $1 AND state <> 'failed' AND (CAST($2 AS TEXT) IS NULL OR status = $2) \
       AND (CAST($3 AS TEXT) IS NULL OR trip_id = $3) ORDER BY created_at DESC, id LIMIT $4 OFFSET $5";
const COUNT_BY_USER: &str = "SELECT COUNT(*) AS total FROM bookings \
     WHERE user_id = $1 AND state <> 'failed' AND (CAST($2 AS TEXT) IS NULL OR status = $2) \
       AND (CAST($3 AS TEXT) IS NULL OR trip_id = $3)";

/// Everybody's, of one trip.
const BY_TRIP: &str = "SELECT id, user_id, trip_id, offer_id, flight, hold_only, passengers_sealed, total_cents, currency, state, \
     reason, placed, attempts, due_at, leased_until, created_at, updated_at FROM bookings \
     WHERE trip_id = $1 AND state <> 'failed' AND (CAST($2 AS TEXT) IS NULL OR status = $2) \
     ORDER BY created_at DESC, id LIMIT $3 OFFSET $4";
const COUNT_BY_TRIP: &str = "SELECT COUNT(*) AS total FROM bookings \
     WHERE trip_id = $1 AND state <> 'failed' AND (CAST($2 AS TEXT) IS NULL OR status = $2)";

/// What came of beginning a booking.
pub(crate) enum Beginning {
    /// It is stored; the provider may be asked.
    Begun,
    /// The key was used for the same request before: the booking of that time.
    Replayed(Box<Booking>),
    /// The key was used for another request.
    Clash,
    /// The trip does not exist, or the user may not see it.
    NoTrip,
    /// The user may see the trip, but not change it.
    ReadOnlyTrip,
}

/// What a key stands for already.
pub(crate) enum Standing {
    /// This booking.
    Replayed(Box<Booking>),
    /// Another request.
    Clash,
}

/// Which bookings to list.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct BookingFilter {
    pub(crate) trip_id: Option<Uuid>,
    pub(crate) status: Option<Status>,
}

/// Who takes an open booking to work on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worker {
    /// The background task, when it is due; its attempts are counted.
    Background,
    /// A client that asks again.
    Client,
}

impl Storage {
    /// What the key stands for, when it has been used.
    pub(crate) async fn booking_of_key(
        &self,
        user_id: Uuid,
        key: &IdempotencyKey<'_>,
        now: Timestamp,
    ) -> Result<Option<Standing>, Error> {
        let mut connection = self.read().await?;
        match standing(&mut connection, (user_id, OPERATION), key, now).await? {
            None | Some(Claim::Taken) => Ok(None),
            Some(Claim::Clash) => Ok(Some(Standing::Clash)),
            Some(Claim::Replay(id)) => {
                let booking = find(&mut connection, id).await?;
                Ok(Some(booking.map_or(Standing::Clash, |booking| Standing::Replayed(Box::new(booking)))))
            }
        }
    }

    /// Stores a booking that begins, and its idempotency key, both or neither.
    pub(crate) async fn begin_booking(
        &self,
        booking: &Booking,
        key: Option<&IdempotencyKey<'_>>,
    ) -> Result<Beginning, Error> {
        let mut transaction = self.write().await?;
        if let Some(key) = key {
            match claim(&mut transaction, (booking.user_id, OPERATION), key, booking.id, booking.created_at).await? {
                Claim::Taken => {}
                Claim::Replay(id) => {
                    let made = find(&mut transaction, id).await?;
                    return Ok(made.map_or(Beginning::Clash, |booking| Beginning::Replayed(Box::new(booking))));
                }
                Claim::Clash => return Ok(Beginning::Clash),
            }
        }
        if let Some(trip_id) = booking.trip_id {
            match may_edit(&mut transaction, trip_id, booking.user_id).await? {
                None => return Ok(Beginning::NoTrip),
                Some(false) => return Ok(Beginning::ReadOnlyTrip),
                Some(true) => {}
            }
        }
        insert(&mut transaction, booking).await?;
        transaction.commit().await?;
        Ok(Beginning::Begun)
    }

    /// The booking, if the user made it or may see its trip.
    pub(crate) async fn booking(&self, id: Uuid, user_id: Uuid) -> Result<Option<Booking>, Error> {
        let mut connection = self.read().await?;
        let Some(booking) = find(&mut connection, id).await?.filter(|booking| booking.state != State::Failed) else {
            return Ok(None);
        };
        if booking.user_id == user_id {
            return Ok(Some(booking));
        }
        let Some(trip_id) = booking.trip_id else { return Ok(None) };
        let is_visible = may_edit(&mut connection, trip_id, user_id).await?.is_some();
        Ok(is_visible.then_some(booking))
    }

    /// A slice of the user's bookings, newest first; of a trip that the user may see, everybody's.
    pub(crate) async fn bookings(
        &self,
        user_id: Uuid,
        filter: BookingFilter,
        slice: Slice,
    ) -> Result<Page<Booking>, Error> {
        let mut connection = self.read().await?;
        let visible_trip = match filter.trip_id {
            Some(id) => may_edit(&mut connection, id, user_id).await?.map(|_| id),
            None => None,
        };
        let status = Value::from(filter.status.map(Status::as_str));
        let trip_id = filter.trip_id.map(|id| id.to_string());
        let (list, count, mut values) = match visible_trip {
            Some(trip_id) => (BY_TRIP, COUNT_BY_TRIP, vec![trip_id.into(), status]),
            None => (BY_USER, COUNT_BY_USER, vec![user_id.into(), status, Value::from(trip_id.as_deref())]),
        };
        let counted = connection.fetch_optional(count, &values).await?;
        let total = counted.map_or(Ok(0), |row| row.integer("total"))?;
        values.extend([i64::from(slice.limit).into(), i64::from(slice.skip).into()]);
        let rows = connection.fetch_all(list, &values).await?;
        Ok(Page {
            items: rows.iter().map(booking).collect::<Result<_, _>>()?,
            total: u64::try_from(total).unwrap_or_default(),
            skip: slice.skip,
            limit: slice.limit,
        })
    }

    /// Open bookings that nobody works on and whose next attempt is due, longest due first.
    pub(crate) async fn due_bookings(&self, now: Timestamp, limit: u32) -> Result<Vec<Uuid>, Error> {
        let mut connection = self.read().await?;
        let rows = connection
            .fetch_all(
                "SELECT id FROM bookings WHERE state IN ('pending', 'cancelling') AND due_at <= $1 AND leased_until <= $1 \
                 ORDER BY due_at LIMIT $2",
                &[now.into(), i64::from(limit).into()],
            )
            .await?;
        rows.iter().map(|row| row.id("id")).collect()
    }

    /// Takes an open booking to work on it until `until`; nothing when somebody else does, or it is not open.
    pub(crate) async fn lease_booking(
        &self,
        id: Uuid,
        worker: Worker,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Booking>, Error> {
        let mut transaction = self.write().await?;
        let (attempt, due_before) = match worker {
            Worker::Background => (1, now),
            Worker::Client => (0, Timestamp::MAX),
        };
        let rows = transaction
            .execute(
                "UPDATE bookings SET leased_until = $2, attempts = attempts + $3 WHERE id = $1 \
                 AND state IN ('pending', 'cancelling') AND leased_until <= $4 AND due_at <= $5",
                &[id.into(), until.into(), attempt.into(), now.into(), due_before.into()],
            )
            .await?;
        if rows == 0 {
            return Ok(None);
        }
        let booking = find(&mut transaction, id).await?;
        transaction.commit().await?;
        Ok(booking)
    }

    /// Stores a booking that was read in the state `from`. False when it is in another state by now, or, when `is_free`
    /// is asked for, when somebody works on it: then nothing is stored.
    pub(crate) async fn change_booking(&self, booking: &Booking, from: State, is_free: IsFree) -> Result<bool, Error> {
        let placed = booking.placed.as_ref().map_or(Value::OptionalText(None), json);
        let free_at = match is_free {
            IsFree::Asked(now) => now,
            IsFree::NotAsked => Timestamp::MAX,
        };
        let mut transaction = self.write().await?;
        let rows = transaction
            .execute(
                "UPDATE bookings SET state = $2, status = $3, reason = $4, placed = $5, total_cents = $6, currency = $7, \
                 attempts = $8, due_at = $9, leased_until = $10, updated_at = $11 \
                 WHERE id = $1 AND state = $12 AND leased_until <= $13",
                &[
                    booking.id.into(),
                    booking.state.as_str().into(),
                    booking.status().as_str().into(),
                    booking.reason.map(Reason::as_str).into(),
                    placed,
                    booking.total_price.cents().into(),
                    booking.currency.as_str().into(),
                    i64::from(booking.attempts).into(),
                    booking.due_at.into(),
                    booking.leased_until.into(),
                    booking.updated_at.into(),
                    from.as_str().into(),
                    free_at.into(),
                ],
            )
            .await?;
        transaction.commit().await?;
        Ok(rows == 1)
    }
}

/// Whether a change needs that nobody works on the booking.
#[derive(Debug, Clone, Copy)]
pub(crate) enum IsFree {
    /// Nobody may, as of then.
    Asked(Timestamp),
    /// The one who changes it is the one who works on it.
    NotAsked,
}

/// Whether the user may change the trip; nothing when the user may not even see it.
async fn may_edit(connection: &mut Connection, trip_id: Uuid, user_id: Uuid) -> Result<Option<bool>, Error> {
    let row = connection
        .fetch_optional(
            "SELECT t.user_id AS owner, c.permission AS permission FROM trips AS t \
             LEFT JOIN trip_collaborators AS c ON c.trip_id = t.id AND c.user_id = $2 WHERE t.id = $1",
            &[trip_id.into(), user_id.into()],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    if row.id("owner")? == user_id {
        return Ok(Some(true));
    }
    Ok(row.optional_text("permission")?.map(|permission| permission != "view"))
}

async fn insert(transaction: &mut Connection, booking: &Booking) -> Result<(), Error> {
    let trip_id = booking.trip_id.map(|id| id.to_string());
    transaction
        .execute(
            "INSERT INTO bookings (id, user_id, trip_id, offer_id, flight, hold_only, passengers_sealed, total_cents, currency, \
             state, status, attempts, due_at, leased_until, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
            &[
                booking.id.into(),
                booking.user_id.into(),
                trip_id.as_deref().into(),
                booking.offer_id.as_str().into(),
                json(&booking.flight),
                i64::from(booking.hold_only).into(),
                booking.passengers_sealed.as_str().into(),
                booking.total_price.cents().into(),
                booking.currency.as_str().into(),
                booking.state.as_str().into(),
                booking.status().as_str().into(),
                i64::from(booking.attempts).into(),
                booking.due_at.into(),
                booking.leased_until.into(),
                booking.created_at.into(),
                booking.updated_at.into(),
            ],
        )
        .await?;
    Ok(())
}

async fn find(connection: &mut Connection, id: Uuid) -> Result<Option<Booking>, Error> {
    let row = connection.fetch_optional(BY_ID, &[id.into()]).await?;
    row.map(|row| booking(&row)).transpose()
}

fn booking(row: &Row) -> Result<Booking, Error> {
    let known = |text: Option<String>, column| match text {
        None => Ok(None),
        Some(text) => Reason::named(&text).map(Some).ok_or(Error::Corrupt { column }),
    };
    let count = |column| u64::try_from(row.integer(column)?).map_err(|_| Error::Corrupt { column });
    let trip_id = row.optional_text("trip_id")?.map(|id| id.parse()).transpose();
    Ok(Booking {
        id: row.id("id")?,
        user_id: row.id("user_id")?,
        trip_id: trip_id.map_err(|_| Error::Corrupt { column: "trip_id" })?,
        offer_id: row.text("offer_id")?,
        flight: row.json("flight")?,
        hold_only: row.integer("hold_only")? != 0,
        passengers_sealed: row.text("passengers_sealed")?,
        total_price: Amount::from_cents(count("total_cents")?),
        currency: row.text("currency")?,
        state: row.parsed("state", State::named)?,
        reason: known(row.optional_text("reason")?, "reason")?,
        placed: row.optional_json("placed")?,
        attempts: u32::try_from(count("attempts")?).unwrap_or(u32::MAX),
        due_at: row.instant("due_at")?,
        leased_until: row.instant("leased_until")?,
        created_at: row.instant("created_at")?,
        updated_at: row.instant("updated_at")?,
    })
}
