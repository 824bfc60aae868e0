//! Orders: taken once per idempotency key, kept for a day.

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp, civil::Date};
use rand::seq::IndexedRandom;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::offers::{Offer, Slice};
use crate::{mcp::refusal::Coded, source::Source};

/// How long an order that is only held can still be confirmed.
const HOLD: SignedDuration = SignedDuration::from_hours(1);

/// How long orders are kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// How many orders are kept: about 40 MB.
const ORDERS_MAX: usize = 20_000;

/// Bytes of a name, an address or a key.
const TEXT_BYTES_MAX: usize = 200;

/// Letters of a booking reference: none that is mistaken for another.
const REFERENCE_LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// What is to be ordered.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OrderRequest {
    /// The `id` of an offer from search_flights.
    pub(super) offer_id: String,
    /// As many as the offer is for.
    passengers: Vec<Passenger>,
    contact: Contact,
    /// Hold the seats for an hour instead of buying them.
    #[serde(default)]
    hold_only: bool,
    /// 1 to 200 bytes, chosen by the client: the same key with the same request is the same order.
    idempotency_key: Option<String>,
}

/// Somebody who travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Passenger {
    #[serde(rename = "type", default)]
    kind: PassengerKind,
    given_name: String,
    family_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// `m` or `f`.
    #[serde(skip_serializing_if = "Option::is_none")]
    gender: Option<Gender>,
    /// YYYY-MM-DD.
    #[schemars(with = "Option<String>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    born_on: Option<Date>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum PassengerKind {
    #[default]
    Adult,
    Child,
    Infant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Gender {
    M,
    F,
}

/// Whom to write to about the journey.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Contact {
    email: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
}

/// An order that was taken.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct Order {
    order_id: String,
    /// Six letters and digits.
    booking_reference: String,
    status: Status,
    offer_id: String,
    total_amount: f64,
    /// ISO 4217 code.
    currency: &'static str,
    passengers: Vec<Passenger>,
    contact: Contact,
    slices: Vec<Slice>,
    /// The key it was created with, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<String>,
    /// RFC 3339.
    #[schemars(with = "String")]
    created_at: Timestamp,
    /// RFC 3339; when a hold ends, absent for an order that is no hold.
    #[schemars(with = "Option<String>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    /// RFC 3339; absent unless cancelled.
    #[schemars(with = "Option<String>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    cancelled_at: Option<Timestamp>,
}

/// What has become of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Status {
    /// Bought.
    Confirmed,
    /// Held until it expires.
    Held,
    /// Was held, and is no more.
    Expired,
    Cancelled,
}

/// Why an order is not taken, found or cancelled.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("{field} must have 1 to {TEXT_BYTES_MAX} bytes, not {bytes}")]
    Text { field: &'static str, bytes: usize },
    #[error("the offer is for {expected} passengers, not {given}")]
    Passengers { expected: u32, given: usize },
    #[error("somebody of age must travel along")]
    NoAdult,
    #[error("idempotency_key `{0}` was used for another order")]
    OtherRequest(String),
    #[error("there is no order `{0}`")]
    Unknown(String),
    #[error("there is no order with idempotency_key `{0}`")]
    UnknownKey(String),
    #[error("order `{0}` was cancelled before")]
    Cancelled(String),
    #[error("order `{0}` was held and has expired")]
    Expired(String),
}

impl Coded for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::Text { .. } => "invalid_text",
            Self::Passengers { .. } | Self::NoAdult => "invalid_passengers",
            Self::OtherRequest(_) => "idempotency_conflict",
            Self::Unknown(_) | Self::UnknownKey(_) => "order_not_found",
            Self::Cancelled(_) => "already_cancelled",
            Self::Expired(_) => "order_expired",
        }
    }
}

/// The orders of the last day, up to a number; they end with the process.
#[derive(Debug)]
pub(super) struct Orders {
    source: Source,
    capacity: usize,
    kept: HashMap<String, Kept>,
    /// Order ids by idempotency key.
    keys: HashMap<String, String>,
    /// Order ids, oldest first.
    by_age: VecDeque<String>,
    created: u64,
}

#[derive(Debug)]
struct Kept {
    order: Order,
    request: OrderRequest,
}

impl Orders {
    pub(super) fn new(source: Source) -> Self {
        Self {
            source,
            capacity: ORDERS_MAX,
            kept: HashMap::new(),
            keys: HashMap::new(),
            by_age: VecDeque::new(),
            created: 0,
        }
    }

    /// The order that an equal request with this key has made before.
    pub(super) fn repeated(&self, request: &OrderRequest, now: Timestamp) -> Result<Option<Order>, Refusal> {
        let Some((key, kept)) = request.idempotency_key.as_ref().and_then(|key| Some((key, self.under(key)?))) else {
            return Ok(None);
        };
        if kept.request != *request {
            return Err(Refusal::OtherRequest(key.clone()));
        }
        Ok(Some(kept.order.as_of(now)))
    }

    /// Takes an order for `offer`, which must be the one of the request.
    pub(super) fn create(&mut self, request: OrderRequest, offer: &Offer, now: Timestamp) -> Result<Order, Refusal> {
        request.check(offer)?;
        self.drop_old(now);
        self.created += 1;
        let name = request.idempotency_key.clone().unwrap_or_else(|| format!("{} at {now}", self.created));
        let order_id = format!("ord_{}", self.source.id(&["order", &name]));
        let order = Order {
            booking_reference: self.reference(&order_id),
            status: if request.hold_only { Status::Held } else { Status::Confirmed },
            offer_id: request.offer_id.clone(),
            total_amount: offer.total_amount,
            currency: offer.total_currency,
            passengers: request.passengers.clone(),
            contact: request.contact.clone(),
            slices: offer.slices.clone(),
            idempotency_key: request.idempotency_key.clone(),
            created_at: now,
            expires_at: request.hold_only.then_some(now + HOLD),
            cancelled_at: None,
            order_id: order_id.clone(),
        };
        if let Some(key) = &request.idempotency_key {
            self.keys.insert(key.clone(), order_id.clone());
        }
        self.by_age.push_back(order_id.clone());
        self.kept.insert(order_id, Kept { order: order.clone(), request });
        Ok(order)
    }

    /// The order called `order_id`.
    pub(super) fn get(&self, order_id: &str, now: Timestamp) -> Result<Order, Refusal> {
        let kept = self.kept.get(order_id).ok_or_else(|| Refusal::Unknown(order_id.to_owned()))?;
        Ok(kept.order.as_of(now))
    }

    /// The order that was created with `key`.
    pub(super) fn with_key(&self, key: &str, now: Timestamp) -> Result<Order, Refusal> {
        let kept = self.under(key).ok_or_else(|| Refusal::UnknownKey(key.to_owned()))?;
        Ok(kept.order.as_of(now))
    }

    /// Cancels an order that is confirmed or held.
    pub(super) fn cancel(&mut self, order_id: &str, now: Timestamp) -> Result<Order, Refusal> {
        let unknown = || Refusal::Unknown(order_id.to_owned());
        let order = &mut self.kept.get_mut(order_id).ok_or_else(unknown)?.order;
        match order.as_of(now).status {
            Status::Cancelled => Err(Refusal::Cancelled(order_id.to_owned())),
            Status::Expired => Err(Refusal::Expired(order_id.to_owned())),
            Status::Confirmed | Status::Held => {
                order.status = Status::Cancelled;
                order.cancelled_at = Some(now);
                Ok(order.clone())
            }
        }
    }

    fn under(&self, key: &str) -> Option<&Kept> {
        self.kept.get(self.keys.get(key)?)
    }

    fn reference(&self, order_id: &str) -> String {
        let mut rng = self.source.of(&["reference", order_id]);
        let mut letter = || *REFERENCE_LETTERS.choose(&mut rng).expect("there are letters") as char;
        (0..6).map(|_| letter()).collect()
    }

    /// Drops orders older than a day, and makes room for one more.
    fn drop_old(&mut self, now: Timestamp) {
        while let Some(oldest) = self.by_age.front() {
            let is_old = self.kept.get(oldest).is_none_or(|kept| now.duration_since(kept.order.created_at) >= KEPT);
            if !is_old && self.by_age.len() < self.capacity {
                return;
            }
            if !is_old {
                warn!(order = %oldest, "order `{oldest}` is forgotten within its day: more than {ORDERS_MAX} orders");
            }
            let dropped = self.by_age.pop_front().and_then(|oldest| self.kept.remove(&oldest));
            if let Some(key) = dropped.and_then(|kept| kept.order.idempotency_key) {
                self.keys.remove(&key);
            }
        }
    }
}

impl Order {
    /// The order as it is now: a hold may have ended since.
    fn as_of(&self, now: Timestamp) -> Self {
        let mut order = self.clone();
        if order.status == Status::Held && order.expires_at.is_some_and(|expires_at| now >= expires_at) {
            order.status = Status::Expired;
        }
        order
    }
}

impl OrderRequest {
    fn check(&self, offer: &Offer) -> Result<(), Refusal> {
        if self.passengers.len() != offer.passenger_count as usize {
            return Err(Refusal::Passengers { expected: offer.passenger_count, given: self.passengers.len() });
        }
        if self.passengers.iter().all(|passenger| passenger.kind != PassengerKind::Adult) {
            return Err(Refusal::NoAdult);
        }
        for passenger in &self.passengers {
            check_text("given_name", &passenger.given_name)?;
            check_text("family_name", &passenger.family_name)?;
            for text in [&passenger.title, &passenger.email, &passenger.phone].into_iter().flatten() {
                check_text("title, email or phone", text)?;
            }
        }
        check_text("contact.email", &self.contact.email)?;
        self.contact.phone.as_ref().map_or(Ok(()), |phone| check_text("contact.phone", phone))?;
        self.idempotency_key.as_ref().map_or(Ok(()), |key| check_text("idempotency_key", key))
    }
}

fn check_text(field: &'static str, text: &str) -> Result<(), Refusal> {
    if (1..=TEXT_BYTES_MAX).contains(&text.len()) {
        return Ok(());
    }
    Err(Refusal::Text { field, bytes: text.len() })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::mcp::flights::{
        offers::{Search, offers},
        search::SearchFlights,
    };

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn orders() -> Orders {
        Orders::new(Source::new(1, "flights"))
    }

    fn offer() -> Offer {
        let search =
            json!({"origin": "JFK", "destination": "CDG", "departure_date": "2027-05-01", "adults": 1, "children": 1});
        let search: Search = serde_json::from_value::<SearchFlights>(search).unwrap().checked().unwrap();
        offers(&Source::new(1, "flights"), &search, "abc", NOW).remove(0)
    }

    fn request(change: Value) -> OrderRequest {
        let mut request = json!({
            "offer_id": offer().id,
            "passengers": [
                {"given_name": "Ann", "family_name": "Lee", "gender": "f", "born_on": "1990-01-31"},
                {"type": "child", "given_name": "Bo", "family_name": "Lee"},
            ],
            "contact": {"email": "ann@example.com"},
        });
        request.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        serde_json::from_value(request).unwrap()
    }

    fn ordered(orders: &mut Orders, change: Value, now: Timestamp) -> Order {
        orders.create(request(change), &offer(), now).unwrap()
    }

    #[test]
    fn an_order_is_confirmed_with_the_price_of_its_offer() {
        let mut orders = orders();
        let order = ordered(&mut orders, json!({"idempotency_key": "k"}), NOW);
        assert_eq!(
            (order.status, order.total_amount, order.currency),
            (Status::Confirmed, offer().total_amount, "USD")
        );
        assert_eq!((order.booking_reference.len(), order.slices.clone()), (6, offer().slices));
        assert_eq!(orders.get(&order.order_id, NOW).unwrap(), order);
        assert_eq!(orders.with_key("k", NOW).unwrap(), order);
        assert_eq!(orders.repeated(&request(json!({"idempotency_key": "k"})), NOW).unwrap(), Some(order));
    }

    #[test]
    fn a_key_belongs_to_one_request() {
        let mut orders = orders();
        ordered(&mut orders, json!({"idempotency_key": "k"}), NOW);
        for change in
            [json!({"hold_only": true}), json!({"contact": {"email": "bob@example.com"}}), json!({"offer_id": "x"})]
        {
            let mut other = request(change);
            other.idempotency_key = Some("k".into());
            assert_eq!(orders.repeated(&other, NOW).unwrap_err().code(), "idempotency_conflict");
        }
    }

    #[test]
    fn without_a_key_every_order_is_another() {
        let mut orders = orders();
        let (first, second) = (ordered(&mut orders, json!({}), NOW), ordered(&mut orders, json!({}), NOW));
        assert_ne!((&first.order_id, &first.booking_reference), (&second.order_id, &second.booking_reference));
        assert_eq!(orders.repeated(&request(json!({})), NOW).unwrap(), None);
    }

    #[test]
    fn a_hold_expires_and_a_confirmed_order_does_not() {
        let mut orders = orders();
        let held = ordered(&mut orders, json!({"hold_only": true}), NOW);
        let bought = ordered(&mut orders, json!({}), NOW);
        let statuses =
            |orders: &Orders, now| [&held, &bought].map(|order| orders.get(&order.order_id, now).unwrap().status);
        let almost = NOW + HOLD - SignedDuration::from_nanos(1);
        assert_eq!(statuses(&orders, almost), [Status::Held, Status::Confirmed]);
        assert_eq!(statuses(&orders, NOW + HOLD), [Status::Expired, Status::Confirmed]);
        assert_eq!(orders.cancel(&held.order_id, NOW + HOLD).unwrap_err().code(), "order_expired");
    }

    #[test]
    fn an_order_is_cancelled_once() {
        let mut orders = orders();
        let order = ordered(&mut orders, json!({"idempotency_key": "k"}), NOW);
        let cancelled = orders.cancel(&order.order_id, NOW).unwrap();
        assert_eq!((cancelled.status, cancelled.cancelled_at), (Status::Cancelled, Some(NOW)));
        assert_eq!(orders.cancel(&order.order_id, NOW).unwrap_err().code(), "already_cancelled");
        assert_eq!(orders.cancel("ord_x", NOW).unwrap_err().code(), "order_not_found");
        // A repeated request must not buy a second time.
        assert_eq!(orders.repeated(&request(json!({"idempotency_key": "k"})), NOW).unwrap(), Some(cancelled));
    }

    #[rstest]
    #[case(json!({"passengers": []}), "the offer is for 2 passengers, not 0")]
    #[case(json!({"passengers": [{"given_name": "A", "family_name": "B"}]}), "the offer is for 2 passengers, not 1")]
    #[case(json!({"passengers": [{"given_name": "A", "family_name": "B"}, {"given_name": "", "family_name": "B"}]}), "given_name must have 1 to 200 bytes, not 0")]
    #[case(json!({"passengers": [{"type": "child", "given_name": "A", "family_name": "B"}, {"type": "infant", "given_name": "C", "family_name": "B"}]}), "somebody of age must travel along")]
    #[case(json!({"contact": {"email": ""}}), "contact.email must have 1 to 200 bytes, not 0")]
    #[case(json!({"idempotency_key": ""}), "idempotency_key must have 1 to 200 bytes, not 0")]
    fn impossible_orders_are_refused(#[case] change: Value, #[case] message: &str) {
        let mut orders = orders();
        assert_eq!(orders.create(request(change), &offer(), NOW).unwrap_err().to_string(), message);
        assert!(orders.kept.is_empty() && orders.keys.is_empty());
    }

    #[test]
    fn orders_are_kept_for_a_day_and_up_to_a_number() {
        let mut orders = orders();
        orders.capacity = 3;
        for key in 0..5 {
            ordered(&mut orders, json!({"idempotency_key": key.to_string()}), NOW);
        }
        assert_eq!((orders.kept.len(), orders.keys.len(), orders.by_age.len()), (3, 3, 3));
        assert!(orders.with_key("1", NOW).is_err() && orders.with_key("2", NOW).is_ok());
        ordered(&mut orders, json!({"idempotency_key": "next day"}), NOW + KEPT);
        assert_eq!((orders.kept.len(), orders.keys.len(), orders.by_age.len()), (1, 1, 1));
    }
}
