//! Booking: a user searches, saves a trip, books an offer for it, waits until the booking is final, and opens it.
use super::{
    Journey, Step,
    flight_search::{self, Search, Which},
    trip::{self, Saved, Size},
};
use crate::{
    client::{Answer, get, post},
    draw::Draw,
    oracle::Write,
    outcome::{Meta, of_refusal},
    visit::Visit,
};
use futures_util::future::BoxFuture;
use http::{StatusCode, Uri};
use reports::record::{Outcome, RecordKind};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

const SEARCH: usize = 0;
const SAVE: usize = 1;
const BOOK: usize = 2;
const PATH: &str = "/api/v1/bookings";
/// How long a user waits for a booking to become final.
const FINAL_WITHIN: Duration = Duration::from_secs(30);
/// Between two looks at it.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often it is looked at, at most.
pub(super) const LOOKS_MAX: u64 = (FINAL_WITHIN.as_millis() / LOOK_EVERY.as_millis()) as u64;
/// The steps of a booking, in the order in which [`book`] counts them from its first.
pub(super) const STEPS: [Step; 3] = [
    Step { name: "bookings.create", is_streamed: false },
    Step { name: "bookings.poll", is_streamed: false },
    Step { name: "bookings.read", is_streamed: false },
];

/// The journey of one booked flight.
pub(super) struct BookingJourney;

impl Journey for BookingJourney {
    fn name(&self) -> &'static str {
        "booking"
    }

    fn steps(&self) -> &'static [Step] {
        &[flight_search::STEP, trip::CREATE, STEPS[0], STEPS[1], STEPS[2]]
    }

    fn requests_max(&self) -> u64 {
        self.steps().len() as u64 - 1 + LOOKS_MAX
    }

    fn writes(&self) -> bool {
        true
    }

    fn travel<'a>(&'a self, visit: &'a mut Visit<'_>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let mut draw = visit.draw();
            let found = flight_search::search(visit, SEARCH, &mut draw, Which::Own).await;
            let Some((search, Some(offer_id))) = found else { return };
            let Some(trip) = trip::create(visit, SAVE, &mut draw, Size::Usual).await else { return };
            book(visit, BOOK, &mut draw, &search, offer_id, &trip).await;
        })
    }
}

/// Books an offer for a trip, waits until the booking is final, and opens it. Its steps are `first` and the two after it.
pub(super) async fn book(
    visit: &mut Visit<'_>,
    first: usize,
    draw: &mut Draw,
    search: &Search,
    offer_id: String,
    trip: &Saved,
) -> Option<()> {
    let write = visit.new_record(RecordKind::Booking);
    let order = Order::draw(draw, search, offer_id, trip, &write, visit.email()?);
    let body = serde_json::to_vec(&order).expect("an order has only text keys");
    let judge = |answer: &Answer| order.judge(answer, StatusCode::CREATED);
    let (_, answer) = visit.write(first, post(Uri::from_static(PATH), body), &write, judge).await?;
    let mut booking: Booking = serde_json::from_slice(&answer.body).ok()?;
    let path: Uri = format!("{PATH}/{}", booking.id).parse().ok()?;
    let judge = |answer: &Answer| order.judge(answer, StatusCode::OK);
    for _ in 0..LOOKS_MAX {
        if booking.is_final() {
            break;
        }
        visit.pause(LOOK_EVERY);
        let (_, answer) = visit.read_own(first + 1, get(path.clone()), &write, judge).await?;
        booking = serde_json::from_slice(&answer.body).unwrap_or(booking);
    }
    visit.read_own(first + 2, get(path), &write, judge).await?;
    Some(())
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Order {
    offer_id: String,
    trip_id: String,
    passengers: Vec<Passenger>,
    contact: Contact,
    metadata: Value,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Passenger {
    #[serde(rename = "type")]
    kind: String,
    given_name: String,
    family_name: String,
    date_of_birth: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Contact {
    email: String,
}

/// A booking as answered.
#[derive(Debug, Deserialize)]
struct Booking {
    id: String,
    offer_id: String,
    trip_id: Option<String>,
    status: String,
    reason: Option<String>,
    confirmation_number: Option<String>,
    passengers: Vec<Passenger>,
    contact: Option<Contact>,
    metadata: Option<Value>,
    meta: Meta,
}

impl Booking {
    /// Whether nothing more is to come: it is not that the provider is still being asked.
    fn is_final(&self) -> bool {
        self.reason.as_deref() != Some("unconfirmed")
    }
}

impl Order {
    /// For as many passengers as were searched for.
    fn draw(draw: &mut Draw, search: &Search, offer_id: String, trip: &Saved, write: &Write, email: String) -> Self {
        let family_name = *draw.one_of(&["Lee", "Moreau", "Novak", "Okafor", "Silva", "Tanaka"]);
        let kinds = (0..search.adults)
            .map(|_| ("adult", 1950, 2000))
            .chain((0..search.children).map(|_| ("child", 2016, 2022)));
        let mut passenger = |(kind, first, last): (&str, u32, u32)| Passenger {
            kind: kind.to_owned(),
            given_name: (*draw.one_of(&["Ann", "Ben", "Chi", "Dana", "Eli", "Fay", "Gus", "Hana"])).to_owned(),
            family_name: family_name.to_owned(),
            date_of_birth: format!(
                "{}-{:02}-{:02}",
                draw.between(first, last),
                draw.between(1, 12),
                draw.between(1, 28)
            ),
        };
        Self {
            offer_id,
            trip_id: trip.id.clone(),
            passengers: kinds.map(&mut passenger).collect(),
            contact: Contact { email },
            metadata: json!({ "reference": write.reference() }),
        }
    }

    /// It must be for what was asked, and `booked` only with a confirmation. One that the provider has not confirmed must say so.
    fn judge(&self, answer: &Answer, expected: StatusCode) -> Outcome {
        if answer.status != expected {
            return of_refusal(answer);
        }
        let Ok(booking) = serde_json::from_slice::<Booking>(&answer.body) else { return Outcome::Wrong };
        let has_confirmation = booking.confirmation_number.as_ref().is_some_and(|number| !number.is_empty());
        match (booking.status.as_str(), booking.meta.outcome(f64::INFINITY)) {
            _ if !self.is_for(&booking) => Outcome::Wrong,
            ("booked", outcome) if has_confirmation => outcome,
            ("saved", Outcome::Degraded) if !has_confirmation && booking.reason.is_some() => Outcome::Degraded,
            ("saved", Outcome::Full) if booking.reason.is_some() && booking.is_final() => Outcome::Degraded,
            ("saved", _) if !has_confirmation => Outcome::Undeclared,
            _ => Outcome::Wrong,
        }
    }

    fn is_for(&self, booking: &Booking) -> bool {
        !booking.id.is_empty()
            && booking.offer_id == self.offer_id
            && booking.trip_id.as_ref() == Some(&self.trip_id)
            && booking.passengers == self.passengers
            && booking.contact.as_ref() == Some(&self.contact)
            && booking.metadata.as_ref() == Some(&self.metadata)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::tests::answer;

    fn order() -> Order {
        let passenger = |given_name: &str| Passenger {
            kind: "adult".into(),
            given_name: given_name.into(),
            family_name: "Lee".into(),
            date_of_birth: "1990-02-28".into(),
        };
        Order {
            offer_id: "o".into(),
            trip_id: "t".into(),
            passengers: vec![passenger("Ann"), passenger("Ben")],
            contact: Contact { email: "ann@example.org".into() },
            metadata: json!({ "reference": "7" }),
        }
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Value), expected: Outcome) {
        let mut body = serde_json::to_value(order()).unwrap();
        let added =
            json!({ "id": "b", "status": "booked", "confirmation_number": "TRIPSG", "meta": { "degraded": false } });
        body.as_object_mut().unwrap().extend(added.as_object().unwrap().clone());
        change(&mut body);
        assert_eq!(order().judge(&answer(201, &body.to_string()), StatusCode::CREATED), expected, "{body}");
        assert_eq!(order().judge(&answer(200, &body.to_string()), StatusCode::OK), expected, "{body}");
    }

    fn unconfirmed(body: &mut Value) {
        (body["status"], body["reason"], body["confirmation_number"]) =
            ("saved".into(), "unconfirmed".into(), Value::Null);
        body["meta"] = json!({ "degraded": true, "degraded_reasons": ["booking_unconfirmed"] });
    }

    #[test]
    fn a_booking_is_for_what_was_asked_and_booked_only_with_a_confirmation() {
        use Outcome::{Degraded, Full, Undeclared, Wrong};
        check(|_| {}, Full);
        check(|body| body["confirmation_number"] = Value::Null, Wrong);
        check(|body| body["confirmation_number"] = "".into(), Wrong);
        check(unconfirmed, Degraded);
        check(
            |body| {
                unconfirmed(body);
                body["meta"] = json!({ "degraded": false });
            },
            Undeclared,
        );
        check(
            |body| {
                unconfirmed(body);
                body["confirmation_number"] = "TRIPSG".into();
            },
            Wrong,
        );
        check(|body| body["status"] = "cancelled".into(), Wrong);
        check(|body| body["offer_id"] = "other".into(), Wrong);
        check(|body| body["trip_id"] = Value::Null, Wrong);
        check(|body| body["passengers"][0]["given_name"] = "Eve".into(), Wrong);
        check(|body| drop(body["passengers"].as_array_mut().unwrap().pop()), Wrong);
        check(|body| body["contact"]["email"] = "eve@example.org".into(), Wrong);
        check(|body| body["metadata"] = json!({}), Wrong);
        check(|body| body["id"] = "".into(), Wrong);
        let error = r#"{"error":true,"code":"MCP_ERROR","message":"m"}"#;
        assert_eq!(order().judge(&answer(503, error), StatusCode::CREATED), Outcome::DependencyError);
        assert_eq!(order().judge(&answer(404, ""), StatusCode::OK), Outcome::Wrong, "lost");
    }
}
