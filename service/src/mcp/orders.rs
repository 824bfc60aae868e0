//! Orders of flights: `create_order`, `get_order`, `cancel_order`.
//!
//! An order is made under a key of ours, and the provider makes one order per key; still none of these calls is repeated
//! here: whoever does not know what came of a call asks with `find` first.

use futures_util::{FutureExt as _, future::BoxFuture};
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Caller, Client};
use crate::{
    dependency::{Failure, Repeat},
    domain::{
        amount::Amount,
        booking::{Booking, Order, OrderStatus},
        passenger::{Contact, Party, Passenger, PassengerType},
    },
};

/// Places and cancels orders.
pub(crate) trait Orders: Send + Sync {
    /// Orders what is to be booked, under the id of the booking.
    fn create<'a>(
        &'a self,
        booking: &'a Booking,
        party: &'a Party,
        caller: &'a Caller,
    ) -> BoxFuture<'a, Result<Order, Failure>>;

    /// The order made under the key, if there is one.
    fn find<'a>(&'a self, key: Uuid, caller: &'a Caller) -> BoxFuture<'a, Result<Option<Order>, Failure>>;

    /// Sees to it that there is no such order: also when it is gone already.
    fn cancel<'a>(&'a self, order_id: &'a str, caller: &'a Caller) -> BoxFuture<'a, Result<(), Failure>>;
}

#[derive(Serialize)]
struct NewOrder<'a> {
    offer_id: &'a str,
    passengers: Vec<WirePassenger<'a>>,
    contact: &'a Contact,
    hold_only: bool,
    idempotency_key: Uuid,
}

#[derive(Serialize)]
struct WirePassenger<'a> {
    #[serde(rename = "type")]
    kind: PassengerType,
    given_name: &'a str,
    family_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    born_on: Date,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<&'a str>,
}

#[derive(Serialize)]
struct Key {
    idempotency_key: Uuid,
}

#[derive(Serialize)]
struct OrderId<'a> {
    order_id: &'a str,
}

#[derive(Deserialize)]
struct WireOrder {
    order_id: String,
    #[serde(default)]
    booking_reference: String,
    status: OrderStatus,
    total_amount: Amount,
    currency: String,
    expires_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Cancelled {
    status: OrderStatus,
}

/// What is wrong with an order that was told.
#[derive(Debug, thiserror::Error)]
enum BadOrder {
    #[error("order is confirmed without a booking reference")]
    NoReference,
    #[error("order is {0:?} after it was cancelled")]
    NotCancelled(OrderStatus),
}

impl Orders for Client {
    fn create<'a>(
        &'a self,
        booking: &'a Booking,
        party: &'a Party,
        caller: &'a Caller,
    ) -> BoxFuture<'a, Result<Order, Failure>> {
        let order = NewOrder {
            offer_id: &booking.offer_id,
            passengers: party.passengers.iter().map(WirePassenger::from).collect(),
            contact: &party.contact,
            hold_only: booking.hold_only,
            idempotency_key: booking.id,
        };
        async move { self.call::<WireOrder>("create_order", &order, Repeat::Never, caller).await?.checked() }.boxed()
    }

    fn find<'a>(&'a self, key: Uuid, caller: &'a Caller) -> BoxFuture<'a, Result<Option<Order>, Failure>> {
        async move {
            let found = self.call::<WireOrder>("get_order", &Key { idempotency_key: key }, Repeat::Never, caller).await;
            match found {
                Ok(order) => order.checked().map(Some),
                Err(failure) if is_unknown(&failure) => Ok(None),
                Err(failure) => Err(failure),
            }
        }
        .boxed()
    }

    fn cancel<'a>(&'a self, order_id: &'a str, caller: &'a Caller) -> BoxFuture<'a, Result<(), Failure>> {
        async move {
            match self.call::<Cancelled>("cancel_order", &OrderId { order_id }, Repeat::Never, caller).await {
                Ok(order) if order.status == OrderStatus::Cancelled => Ok(()),
                Ok(order) => Err(Failure::malformed(BadOrder::NotCancelled(order.status))),
                Err(failure) if is_unknown(&failure) || is_over(&failure) => Ok(()),
                Err(failure) => Err(failure),
            }
        }
        .boxed()
    }
}

fn is_unknown(failure: &Failure) -> bool {
    matches!(failure.refusal_code(), Some("order_not_found" | "unknown_order"))
}

/// Whether the order was cancelled before, or was a hold that ran out.
fn is_over(failure: &Failure) -> bool {
    matches!(failure.refusal_code(), Some("already_cancelled" | "order_expired"))
}

impl WireOrder {
    fn checked(self) -> Result<Order, Failure> {
        if self.status == OrderStatus::Confirmed && self.booking_reference.trim().is_empty() {
            return Err(Failure::malformed(BadOrder::NoReference));
        }
        Ok(Order {
            order_id: self.order_id,
            booking_reference: self.booking_reference,
            status: self.status,
            total_price: self.total_amount,
            currency: self.currency,
            expires_at: self.expires_at,
        })
    }
}

impl<'a> From<&'a Passenger> for WirePassenger<'a> {
    fn from(passenger: &'a Passenger) -> Self {
        Self {
            kind: passenger.kind,
            given_name: &passenger.given_name,
            family_name: &passenger.family_name,
            title: passenger.title.as_deref(),
            born_on: passenger.date_of_birth,
            email: passenger.email.as_deref(),
            phone: passenger.phone.as_deref(),
        }
    }
}
