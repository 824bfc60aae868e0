//! Books an offer and cancels a booking, so that there is one order or none, whatever fails in between.
//!
//! The booking is stored before the provider is asked, and the provider is asked under the booking's id. A request that does
//! not learn the outcome, or dies, leaves a booking that is open; `reconciler` brings it to its end.

use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use uuid::Uuid;

use super::{
    App, OfferError, now,
    orders::{Attempt, Settled, settle},
};
use crate::{
    dependency::Failure,
    domain::{
        booking::{Begin, Booking},
        booking_state::{Reason, State},
        passenger::{BookingDraft, Party},
    },
    mcp::Caller,
    sealing::{SealError, Sealer},
    storage::{self, BOOKING_PASSENGERS, Beginning, IdempotencyKey, IsFree, Standing, Worker},
};

/// How many request deadlines a lease lasts: whoever works on a booking has long stopped when it ends.
const LEASE_DEADLINES: u32 = 2;

/// A booking as a request leaves it.
pub(crate) struct Outcome {
    pub(crate) booking: Booking,
    /// Whether the key was used for it before.
    pub(crate) is_replay: bool,
    /// Why the provider has not confirmed it, when it was asked just now.
    pub(crate) failure: Option<Failure>,
}

/// Why nothing is booked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BookError {
    #[error(transparent)]
    Offer(#[from] OfferError),
    #[error("offer cannot be booked")]
    NotBookable,
    #[error("provider refused the order")]
    Refused,
    #[error("idempotency key was used for another request")]
    Clash,
    #[error("no such trip")]
    NoTrip,
    #[error("trip may not be changed by this user")]
    ReadOnlyTrip,
    #[error("passengers cannot be sealed")]
    Seal(#[from] SealError),
    #[error("booking cannot be stored")]
    Storage(#[from] storage::Error),
}

/// Why a booking is not cancelled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CancelError {
    #[error("no such booking")]
    Missing,
    #[error("booking is somebody else's")]
    NotOwner,
    #[error("whether there is an order is not known yet")]
    Unconfirmed,
    #[error("somebody is cancelling it")]
    InProgress,
    #[error("provider refused to cancel")]
    Refused(#[source] Failure),
    #[error("provider did not say whether it is cancelled")]
    Provider(#[source] Failure),
    #[error("cancellation cannot be stored")]
    Storage(#[from] storage::Error),
}

/// Seals the personal part of the booking `id` for storage.
fn seal(sealer: &Sealer, id: Uuid, party: &Party) -> Result<String, SealError> {
    let party = serde_json::to_string(party).expect("a party was read from JSON, so it can be written as JSON");
    sealer.seal(&party.into(), BOOKING_PASSENGERS.place(id))
}

impl App {
    /// Opens the personal part of a booking.
    ///
    /// # Errors
    /// It is not what was sealed, or its master key is not known any more.
    pub(crate) fn party(&self, booking: &Booking) -> Result<Party, storage::Error> {
        let corrupt = storage::Error::Corrupt { column: BOOKING_PASSENGERS.column };
        match self.sealer.open(&booking.passengers_sealed, BOOKING_PASSENGERS.place(booking.id)) {
            Ok(party) => serde_json::from_str(party.expose_secret()).map_err(|_| corrupt),
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(booking = %booking.id, error, "the passengers of booking {} cannot be opened", booking.id);
                Err(corrupt)
            }
        }
    }

    /// Books an offer, or answers with what the key stands for.
    ///
    /// # Errors
    /// Nothing is booked, and nothing will be: the offer, the trip or the key do not allow it, the provider refused, or
    /// it could not be stored before the provider was asked.
    pub(crate) async fn book(
        &self,
        user_id: Uuid,
        draft: &BookingDraft,
        key: Option<&IdempotencyKey<'_>>,
        caller: &Caller,
    ) -> Result<Outcome, BookError> {
        if let Some(key) = key {
            match self.storage.booking_of_key(user_id, key, now()).await? {
                Some(Standing::Replayed(booking)) => return self.replay(*booking, caller).await,
                Some(Standing::Clash) => return Err(BookError::Clash),
                None => {}
            }
        }
        let offer = self.flights.offer(&draft.offer_id, now(), caller).await?;
        if !offer.bookable {
            return Err(BookError::NotBookable);
        }
        let (id, now) = (Uuid::new_v4(), now());
        let begin = Begin {
            user_id,
            trip_id: draft.trip_id,
            hold_only: draft.hold_only,
            passengers_sealed: seal(&self.sealer, id, &draft.party())?,
            now,
            leased_until: self.lease_end(now),
        };
        let booking = Booking::begin(id, &offer, begin);
        match self.storage.begin_booking(&booking, key).await? {
            Beginning::Begun => {}
            Beginning::Replayed(booking) => return self.replay(*booking, caller).await,
            Beginning::Clash => return Err(BookError::Clash),
            Beginning::NoTrip => return Err(BookError::NoTrip),
            Beginning::ReadOnlyTrip => return Err(BookError::ReadOnlyTrip),
        }
        let Settled { booking, failure } = settle(self, booking, Attempt::First, caller).await?;
        answered(booking, failure, false)
    }

    /// Cancels a booking of the user's, also at the provider.
    ///
    /// # Errors
    /// It is not there, not the user's, or not to be cancelled now; or the provider refused, or did not say.
    pub(crate) async fn cancel_booking(&self, user_id: Uuid, id: Uuid, caller: &Caller) -> Result<(), CancelError> {
        let booking = self.storage.booking(id, user_id).await?.ok_or(CancelError::Missing)?;
        if booking.user_id != user_id {
            return Err(CancelError::NotOwner);
        }
        let (now, from) = (now(), booking.state);
        let booking = match from {
            State::Pending => return Err(CancelError::Unconfirmed),
            State::Failed | State::Cancelled => return Err(CancelError::Missing),
            State::Saved if booking.has_no_order() => booking.cancelled(now),
            State::Booked | State::Saved | State::Cancelling => booking.cancelling(self.lease_end(now), now),
        };
        if !self.storage.change_booking(&booking, from, IsFree::Asked(now)).await? {
            return Err(CancelError::InProgress);
        }
        if booking.state == State::Cancelled {
            self.metrics.booking(State::Cancelled.as_str());
            return Ok(());
        }
        let settled = settle(self, booking, Attempt::Later, caller).await?;
        match (settled.booking.state, settled.failure) {
            (State::Cancelled, _) => Ok(()),
            (_, Some(failure @ Failure::Refused { .. })) => Err(CancelError::Refused(failure)),
            (_, Some(failure)) => Err(CancelError::Provider(failure)),
            (_, None) => Err(CancelError::InProgress),
        }
    }

    /// Until when somebody who begins to work on a booking now may do so.
    pub(super) fn lease_end(&self, now: Timestamp) -> Timestamp {
        now + self.config.request_deadline * LEASE_DEADLINES
    }

    /// The booking of a key that is used again; if its outcome is open and nobody works on it, it is asked for first.
    async fn replay(&self, booking: Booking, caller: &Caller) -> Result<Outcome, BookError> {
        if booking.state != State::Pending {
            return answered(booking, None, true);
        }
        let now = now();
        let leased = self.storage.lease_booking(booking.id, Worker::Client, now, self.lease_end(now)).await?;
        let Some(leased) = leased else { return answered(booking, None, true) };
        let Settled { booking, failure } = settle(self, leased, Attempt::Later, caller).await?;
        answered(booking, failure, true)
    }
}

fn answered(booking: Booking, failure: Option<Failure>, is_replay: bool) -> Result<Outcome, BookError> {
    if booking.state != State::Failed {
        return Ok(Outcome { booking, is_replay, failure });
    }
    Err(match booking.reason {
        Some(Reason::OfferExpired) => OfferError::Expired.into(),
        Some(Reason::OfferUnknown) => OfferError::Unknown.into(),
        _ => BookError::Refused,
    })
}
