//! Bookings: an order at the provider, as far as it is known.
//!
//! ```text
//!               ┌─▶ booked ──┐          ┌─▶ cancelled
//!   pending ────┼─▶ saved ───┼─▶ cancelling ─▶ what it was before
//!               └─▶ failed   │
//!                            └ saved: held, or given up for a reason
//! ```
//!
//! It is `pending` from before the provider is asked until the provider's answer is stored, and `cancelling` likewise. Only
//! an order that the provider has confirmed makes it `booked`.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    amount::Amount,
    booking_state::{Reason, State, Status},
    flight::{Offer, Segment},
};

/// Longest wait between two attempts to learn an outcome.
const WAIT_MAX: Duration = Duration::from_secs(300);

/// A booking, with what is known of its order.
#[derive(Debug, Clone)]
pub(crate) struct Booking {
    /// Also the key under which the provider makes at most one order.
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) trip_id: Option<Uuid>,
    pub(crate) offer_id: String,
    pub(crate) flight: Flight,
    pub(crate) hold_only: bool,
    /// The passengers and the contact, closed to everyone but `app::bookings`.
    pub(crate) passengers_sealed: String,
    /// What the offer costs; what the order costs, once there is one.
    pub(crate) total_price: Amount,
    pub(crate) currency: String,
    pub(crate) state: State,
    pub(crate) reason: Option<Reason>,
    pub(crate) placed: Option<Placed>,
    /// Attempts made in the background so far.
    pub(crate) attempts: u32,
    /// When the next of them is due, while the outcome is open.
    pub(crate) due_at: Timestamp,
    /// Until when somebody works on it.
    pub(crate) leased_until: Timestamp,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

/// What was offered.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(crate) struct Flight {
    pub(crate) outbound_segments: Vec<Segment>,
    pub(crate) return_segments: Option<Vec<Segment>>,
    pub(crate) expires_at: Option<Timestamp>,
}

/// What the provider has said about an order of ours that exists.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Placed {
    pub(crate) order_id: String,
    /// Only a confirmed order has one.
    pub(crate) confirmation_number: Option<String>,
    pub(crate) booked_at: Option<Timestamp>,
    /// When a hold ends.
    pub(crate) hold_expires_at: Option<Timestamp>,
}

/// An order as the provider tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) order_id: String,
    pub(crate) booking_reference: String,
    pub(crate) status: OrderStatus,
    pub(crate) total_price: Amount,
    pub(crate) currency: String,
    pub(crate) expires_at: Option<Timestamp>,
}

/// What has become of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OrderStatus {
    Confirmed,
    Held,
    /// Was held, and is no more.
    Expired,
    Cancelled,
}

/// Whose request begins a booking, and until when that request works on it.
pub(crate) struct Begin {
    pub(crate) user_id: Uuid,
    pub(crate) trip_id: Option<Uuid>,
    pub(crate) hold_only: bool,
    pub(crate) passengers_sealed: String,
    pub(crate) now: Timestamp,
    pub(crate) leased_until: Timestamp,
}

impl Booking {
    /// A booking of `offer`, before the provider is asked. Should its request die, it is due when the lease ends.
    pub(crate) fn begin(id: Uuid, offer: &Offer, begin: Begin) -> Self {
        Self {
            id,
            user_id: begin.user_id,
            trip_id: begin.trip_id,
            offer_id: offer.id.clone(),
            flight: Flight {
                outbound_segments: offer.outbound_segments.clone(),
                return_segments: offer.return_segments.clone(),
                expires_at: offer.expires_at,
            },
            hold_only: begin.hold_only,
            passengers_sealed: begin.passengers_sealed,
            total_price: offer.total_price,
            currency: offer.currency.clone(),
            state: State::Pending,
            reason: None,
            placed: None,
            attempts: 0,
            due_at: begin.leased_until,
            leased_until: begin.leased_until,
            created_at: begin.now,
            updated_at: begin.now,
        }
    }

    /// With the order that the provider has made for it.
    pub(crate) fn placed(mut self, order: Order, now: Timestamp) -> Self {
        let is_confirmed = order.status == OrderStatus::Confirmed;
        (self.state, self.reason) = match order.status {
            OrderStatus::Confirmed => (State::Booked, None),
            OrderStatus::Held => (State::Saved, None),
            OrderStatus::Expired => (State::Saved, Some(Reason::HoldExpired)),
            OrderStatus::Cancelled => (State::Cancelled, None),
        };
        self.placed = Some(Placed {
            order_id: order.order_id,
            confirmation_number: is_confirmed.then_some(order.booking_reference),
            booked_at: is_confirmed.then_some(now),
            hold_expires_at: order.expires_at.filter(|_| !is_confirmed),
        });
        (self.total_price, self.currency) = (order.total_price, order.currency);
        self.settled(now)
    }

    /// Without an order, for good.
    pub(crate) fn closed(mut self, state: State, reason: Reason, now: Timestamp) -> Self {
        (self.state, self.reason) = (state, Some(reason));
        self.settled(now)
    }

    /// About to be cancelled, by somebody who works on it until `leased_until`.
    pub(crate) fn cancelling(mut self, leased_until: Timestamp, now: Timestamp) -> Self {
        self.state = State::Cancelling;
        (self.attempts, self.due_at, self.leased_until, self.updated_at) = (0, leased_until, leased_until, now);
        self
    }

    /// Cancelled.
    pub(crate) fn cancelled(mut self, now: Timestamp) -> Self {
        (self.state, self.reason) = (State::Cancelled, None);
        self.settled(now)
    }

    /// As it was before it was to be cancelled.
    pub(crate) fn not_cancelled(mut self, now: Timestamp) -> Self {
        self.state = self.before_cancelling();
        if self.reason.is_none() {
            self.reason = Some(Reason::NotCancelled);
        }
        self.settled(now)
    }

    /// Still open, to be tried again at `due_at`.
    pub(crate) fn postponed(mut self, due_at: Timestamp, now: Timestamp) -> Self {
        (self.due_at, self.leased_until, self.updated_at) = (due_at, now, now);
        self
    }

    fn settled(mut self, now: Timestamp) -> Self {
        (self.leased_until, self.updated_at) = (now, now);
        self
    }

    /// What the client sees.
    pub(crate) fn status(&self) -> Status {
        match self.state {
            State::Booked => Status::Booked,
            State::Cancelled => Status::Cancelled,
            State::Cancelling if self.before_cancelling() == State::Booked => Status::Booked,
            State::Pending | State::Saved | State::Failed | State::Cancelling => Status::Saved,
        }
    }

    /// Why it is not what was asked for, as the client sees it.
    pub(crate) fn visible_reason(&self) -> Option<Reason> {
        match self.state {
            State::Pending => Some(Reason::Unconfirmed),
            State::Cancelling => Some(Reason::CancellationUnconfirmed),
            _ => self.reason,
        }
    }

    /// Whether the provider did not confirm what was asked for.
    pub(crate) fn is_unconfirmed(&self) -> bool {
        self.status() == Status::Saved && (self.placed.is_none() || !self.hold_only)
    }

    /// Whether it may be cancelled now.
    pub(crate) fn is_cancellable(&self) -> bool {
        matches!(self.state, State::Booked | State::Saved)
    }

    /// Whether there is nothing at the provider, for certain.
    pub(crate) fn has_no_order(&self) -> bool {
        self.placed.is_none() && self.reason != Some(Reason::NeverConfirmed)
    }

    /// Whether its offer can no longer be ordered.
    pub(crate) fn offer_has_expired(&self, now: Timestamp) -> bool {
        self.flight.expires_at.is_some_and(|expires_at| expires_at <= now)
    }

    /// The wait before the next attempt: it doubles with every attempt, up to 5 minutes.
    pub(crate) fn wait(&self, first: Duration) -> Duration {
        first.saturating_mul(2_u32.saturating_pow(self.attempts)).min(WAIT_MAX)
    }

    fn before_cancelling(&self) -> State {
        let is_confirmed = self.placed.as_ref().is_some_and(|placed| placed.confirmation_number.is_some());
        if is_confirmed { State::Booked } else { State::Saved }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use rstest::rstest;

    use super::*;

    const T0: Timestamp = Timestamp::UNIX_EPOCH;

    fn at(seconds: i64) -> Timestamp {
        T0 + SignedDuration::from_secs(seconds)
    }

    fn pending() -> Booking {
        Booking {
            id: Uuid::nil(),
            user_id: Uuid::nil(),
            trip_id: None,
            offer_id: "off".into(),
            flight: Flight { outbound_segments: Vec::new(), return_segments: None, expires_at: Some(at(1_800)) },
            hold_only: false,
            passengers_sealed: String::new(),
            total_price: Amount::from_cents(10_000),
            currency: "USD".into(),
            state: State::Pending,
            reason: None,
            placed: None,
            attempts: 0,
            due_at: at(10),
            leased_until: at(10),
            created_at: T0,
            updated_at: T0,
        }
    }

    fn order(status: OrderStatus) -> Order {
        Order {
            order_id: "ord".into(),
            booking_reference: "REF".into(),
            status,
            total_price: Amount::from_cents(12_000),
            currency: "EUR".into(),
            expires_at: Some(at(3_600)),
        }
    }

    #[rstest]
    #[case(OrderStatus::Confirmed, State::Booked, Status::Booked, None, Some("REF"))]
    #[case(OrderStatus::Held, State::Saved, Status::Saved, None, None)]
    #[case(OrderStatus::Expired, State::Saved, Status::Saved, Some(Reason::HoldExpired), None)]
    #[case(OrderStatus::Cancelled, State::Cancelled, Status::Cancelled, None, None)]
    fn only_a_confirmed_order_books(
        #[case] told: OrderStatus,
        #[case] state: State,
        #[case] status: Status,
        #[case] reason: Option<Reason>,
        #[case] confirmation_number: Option<&str>,
    ) {
        let booking = pending().placed(order(told), at(5));
        assert_eq!((booking.state, booking.status(), booking.visible_reason()), (state, status, reason));
        let placed = booking.placed.as_ref().unwrap();
        assert_eq!(placed.confirmation_number.as_deref(), confirmation_number);
        assert_eq!(
            (placed.booked_at.is_some(), placed.hold_expires_at.is_some()),
            (state == State::Booked, state != State::Booked)
        );
        assert_eq!((booking.total_price.cents(), booking.currency.as_str()), (12_000, "EUR"));
    }

    #[test]
    fn a_booking_without_an_outcome_promises_nothing() {
        let booking = pending();
        assert_eq!((booking.status(), booking.visible_reason()), (Status::Saved, Some(Reason::Unconfirmed)));
        assert!(booking.is_unconfirmed() && !booking.is_cancellable());
        let held = Booking { hold_only: true, ..pending() }.placed(order(OrderStatus::Held), at(5));
        assert!(!held.is_unconfirmed() && held.is_cancellable());
        // Seats that are only held are not what was asked for.
        assert!(pending().placed(order(OrderStatus::Held), at(5)).is_unconfirmed());
    }

    #[rstest]
    #[case(pending().placed(order(OrderStatus::Confirmed), T0), Status::Booked, Some(Reason::NotCancelled))]
    #[case(pending().placed(order(OrderStatus::Held), T0), Status::Saved, Some(Reason::NotCancelled))]
    #[case(pending().closed(State::Saved, Reason::NeverConfirmed, T0), Status::Saved, Some(Reason::NeverConfirmed))]
    fn until_it_is_cancelled_it_is_what_it_was(
        #[case] before: Booking,
        #[case] status: Status,
        #[case] reason_after: Option<Reason>,
    ) {
        let cancelling = before.clone().cancelling(at(20), at(10));
        assert_eq!((cancelling.status(), cancelling.visible_reason()), (status, Some(Reason::CancellationUnconfirmed)));
        assert_eq!((cancelling.due_at, cancelling.leased_until), (at(20), at(20)));
        let back = cancelling.clone().not_cancelled(at(15));
        assert_eq!((back.state, back.status(), back.visible_reason()), (before.state, status, reason_after));
        assert!(back.leased_until <= at(15));
        assert_eq!(cancelling.cancelled(at(15)).status(), Status::Cancelled);
    }

    #[rstest]
    #[case(Reason::OfferExpired, true)]
    #[case(Reason::Refused, true)]
    #[case(Reason::NeverConfirmed, false)]
    fn what_was_given_up_may_have_an_order(#[case] reason: Reason, #[case] has_none: bool) {
        assert_eq!(pending().closed(State::Saved, reason, T0).has_no_order(), has_none);
        assert!(!pending().placed(order(OrderStatus::Held), T0).has_no_order());
    }

    #[rstest]
    #[case(0, 1)]
    #[case(1, 2)]
    #[case(8, 256)]
    #[case(9, 300)]
    #[case(u32::MAX, 300)]
    fn waits_double_up_to_five_minutes(#[case] attempts: u32, #[case] seconds: u64) {
        let booking = Booking { attempts, ..pending() };
        assert_eq!(booking.wait(Duration::from_secs(1)), Duration::from_secs(seconds));
    }

    #[test]
    fn an_offer_expires_at_its_instant() {
        assert!(!pending().offer_has_expired(at(1_799)) && pending().offer_has_expired(at(1_800)));
    }
}
