//! Brings an open booking to its outcome: asks the provider, and stores what it said.
//!
//! ```text
//!   pending:     find (unless it is the first time) ─ unknown ─▶ create ─┬─▶ booked · saved · failed
//!   cancelling:  find (when the order has no id)   ─ known ───▶ cancel ─┴─▶ cancelled · as before
//!                  └──────────────── no answer, or none that says ──────┴─▶ as it is, due again later
//! ```
//!
//! The caller holds the booking's lease. Dropping any of this at any point leaves the booking open, and it is due again
//! when the lease ends.

use std::time::Duration;

use jiff::Timestamp;

use super::{App, now};
use crate::{
    dependency::Failure,
    domain::{
        booking::{Booking, Order},
        booking_state::{Reason, State},
    },
    mcp::{Caller, flights::OfferRefusal, orders::Orders},
    storage::{self, IsFree},
};

/// The part of a wait that chance adds or takes away, so that bookings of one outage do not all come back at once.
const JITTER: std::ops::RangeInclusive<f64> = 0.75..=1.25;

/// For how many first waits after an attempt without an answer an order may still be made of it.
const LANDING_WAITS: u32 = 60;

/// Who waits for the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    /// The request that began it: the provider cannot know it yet, and a refusal is an error.
    First,
    /// Anyone later: the client was told, or may have been, that it is saved.
    Later,
}

/// What the provider said.
enum Verdict {
    Placed(Order),
    NotPlaced(Reason),
    Cancelled,
    NotCancelled(Failure),
    /// Nothing that says whether there is an order.
    Open(Failure),
}

/// A booking after an attempt, and what went wrong in it.
pub(super) struct Settled {
    pub(super) booking: Booking,
    pub(super) failure: Option<Failure>,
}

/// Asks for an order, or for one that was asked for before; for its end, when it is to be cancelled.
///
/// # Errors
/// The booking cannot be read. A failure to store what the provider said is not one: the booking is still as it was.
pub(super) async fn settle(
    app: &App,
    booking: Booking,
    attempt: Attempt,
    caller: &Caller,
) -> Result<Settled, storage::Error> {
    let Some(orders) = app.servers.flights.as_deref() else {
        return Ok(store(app, booking, Verdict::Open(Failure::Absent), attempt).await);
    };
    let verdict = match booking.state {
        State::Pending => place(app, orders, &booking, attempt, caller).await,
        State::Cancelling => cancel(app, orders, &booking, caller).await,
        State::Booked | State::Saved | State::Failed | State::Cancelled => {
            return Ok(Settled { booking, failure: None });
        }
    };
    Ok(store(app, booking, verdict, attempt).await)
}

async fn place(app: &App, orders: &impl Orders, booking: &Booking, attempt: Attempt, caller: &Caller) -> Verdict {
    let now = now();
    let may_land = attempt == Attempt::Later && may_still_land(app, booking, now);
    if attempt == Attempt::Later {
        match orders.find(booking.id, caller).await {
            Ok(Some(order)) => return Verdict::Placed(order),
            Ok(None) if booking.offer_has_expired(now) => {
                return if may_land {
                    Verdict::Open(Failure::TimedOut)
                } else {
                    Verdict::NotPlaced(Reason::OfferExpired)
                };
            }
            Ok(None) => {}
            Err(failure) => return Verdict::Open(failure),
        }
    }
    // Without its passengers it can still be found, but not ordered.
    let Ok(party) = app.party(booking) else {
        return if may_land { Verdict::Open(Failure::TimedOut) } else { Verdict::NotPlaced(Reason::NeverConfirmed) };
    };
    match orders.create(booking, &party, caller).await {
        Ok(order) => Verdict::Placed(order),
        // An earlier one that nobody has answered may be made all the same.
        Err(failure) if may_land => Verdict::Open(failure),
        Err(failure) => match (OfferRefusal::of(&failure), &failure) {
            (Some(OfferRefusal::Unknown), _) => Verdict::NotPlaced(Reason::OfferUnknown),
            (Some(OfferRefusal::Expired), _) => Verdict::NotPlaced(Reason::OfferExpired),
            (None, Failure::Refused { .. }) => Verdict::NotPlaced(Reason::Refused),
            (None, _) => Verdict::Open(failure),
        },
    }
}

/// Whether the provider may still be at work on an order that it was asked for in an earlier attempt.
fn may_still_land(app: &App, booking: &Booking, now: Timestamp) -> bool {
    now < booking.updated_at + app.config.bookings.retry_wait * LANDING_WAITS
}

async fn cancel(app: &App, orders: &impl Orders, booking: &Booking, caller: &Caller) -> Verdict {
    let order_id = match &booking.placed {
        Some(placed) => placed.order_id.clone(),
        None => match orders.find(booking.id, caller).await {
            Ok(Some(order)) => order.order_id,
            Ok(None) if may_still_land(app, booking, now()) => return Verdict::Open(Failure::TimedOut),
            Ok(None) => return Verdict::Cancelled,
            Err(failure) => return Verdict::Open(failure),
        },
    };
    match orders.cancel(&order_id, caller).await {
        Ok(()) => Verdict::Cancelled,
        Err(failure @ Failure::Refused { .. }) => Verdict::NotCancelled(failure),
        Err(failure) => Verdict::Open(failure),
    }
}

/// Stores what came of it. When that fails, the booking stays as it was, and is due again when its lease ends.
async fn store(app: &App, before: Booking, verdict: Verdict, attempt: Attempt) -> Settled {
    let (after, outcome, failure) = conclude(app, before.clone(), verdict, attempt);
    match app.storage.change_booking(&after, before.state, IsFree::NotAsked).await {
        Ok(true) => {
            if let Some(outcome) = outcome {
                app.metrics.booking(outcome);
            }
            if after.state == State::Booked && before.state == State::Pending {
                // Best effort: a full queue is counted, and the booking stands.
                let _ = app.memory_writer.remember(after.user_id, vec![observation(&after)]);
            }
            Settled { booking: after, failure }
        }
        Ok(false) => {
            // Somebody whose lease had ended was not dead, and came to an outcome first.
            let stored = app.storage.booking(after.id, after.user_id).await.ok().flatten();
            Settled { booking: stored.unwrap_or(before), failure }
        }
        Err(error) => {
            tracing::warn!(booking = %before.id, error = &error as &dyn std::error::Error,
                "what the provider said about booking {} is not stored, it will be asked again", before.id);
            Settled { booking: before, failure }
        }
    }
}

/// The booking as it is to be stored, the name of that in metrics if it is news, and the failure that the client may be
/// told.
fn conclude(
    app: &App,
    booking: Booking,
    verdict: Verdict,
    attempt: Attempt,
) -> (Booking, Option<&'static str>, Option<Failure>) {
    let now = now();
    match verdict {
        Verdict::Placed(order) => {
            let booking = booking.placed(order, now);
            let outcome = booking.reason.map_or(booking.state.as_str(), Reason::as_str);
            (booking, Some(outcome), None)
        }
        Verdict::NotPlaced(reason) => {
            let state = if attempt == Attempt::First { State::Failed } else { State::Saved };
            (booking.closed(state, reason, now), Some(reason.as_str()), None)
        }
        Verdict::Cancelled => (booking.cancelled(now), Some(State::Cancelled.as_str()), None),
        Verdict::NotCancelled(failure) => {
            (booking.not_cancelled(now), Some(Reason::NotCancelled.as_str()), Some(failure))
        }
        Verdict::Open(failure) if booking.attempts < app.config.bookings.attempts => {
            let wait = booking.wait(app.config.bookings.retry_wait).mul_f64(rand::random_range(JITTER));
            let wait = wait.max(failure.retry_after().unwrap_or(Duration::ZERO));
            let outcome = booking.visible_reason().filter(|_| booking.attempts == 0).map(Reason::as_str);
            (booking.postponed(now + wait, now), outcome, Some(failure))
        }
        Verdict::Open(failure) => {
            tracing::error!(booking = %booking.id, error = &failure as &dyn std::error::Error,
                "booking {} is given up, whether it has an order is not known", booking.id);
            let (booking, reason) = match booking.state {
                State::Cancelling => (booking.not_cancelled(now), Reason::NotCancelled),
                _ => (booking.closed(State::Saved, Reason::NeverConfirmed, now), Reason::NeverConfirmed),
            };
            (booking, Some(reason.as_str()), Some(failure))
        }
    }
}

/// What the memory server is told; nobody's name.
fn observation(booking: &Booking) -> String {
    let segments = &booking.flight.outbound_segments;
    match (segments.first(), segments.last()) {
        (Some(first), Some(last)) => {
            let (from, to, at) = (&first.departure_airport, &last.arrival_airport, &first.departure_time);
            format!("booked a flight from {from} to {to} at {at}")
        }
        _ => "booked a flight".into(),
    }
}
