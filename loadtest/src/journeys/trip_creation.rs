//! Trip creation: a user saves a trip and opens it, and looks whether it is the one that was saved.
use super::{Journey, Step};
use crate::{
    client::{Answer, get, post},
    draw::Draw,
    feeders,
    outcome::of_refusal,
    visit::Visit,
};
use futures_util::future::BoxFuture;
use http::{HeaderName, HeaderValue, StatusCode, Uri, header};
use jiff::{ToSpan as _, civil::Date};
use reports::record::Outcome;
use serde::{Deserialize, Serialize};

const CREATE: usize = 0;
const READ: usize = 1;
const PATH: &str = "/api/v1/trips";
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The journey of one new trip and its first reading.
pub(super) struct TripCreation;

impl Journey for TripCreation {
    fn name(&self) -> &'static str {
        "trip-creation"
    }

    fn steps(&self) -> &'static [Step] {
        &[Step { name: "trips.create", is_streamed: false }, Step { name: "trips.read", is_streamed: false }]
    }

    fn travel<'a>(&'a self, visit: &'a mut Visit<'_>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let draft = Draft::draw(&mut visit.draw(), visit.day());
            let mut request =
                post(Uri::from_static(PATH), serde_json::to_vec(&draft).expect("a draft has only text keys"));
            let key = HeaderValue::try_from(visit.key()).expect("the name of a run and a number are visible ASCII");
            request.headers_mut().insert(IDEMPOTENCY_KEY, key);
            let Some((Outcome::Full, answer)) = visit.ask(CREATE, request, |answer| draft.judge_created(answer)).await
            else {
                return;
            };
            let Ok(trip) = serde_json::from_slice::<Trip>(&answer.body) else { return };
            let Ok(path) = format!("{PATH}/{}", trip.id).parse::<Uri>() else { return };
            visit.ask(READ, get(path), |answer| draft.judge_read(&trip.id, answer)).await;
        })
    }
}

/// What is saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Draft {
    title: String,
    description: Option<String>,
    start_date: Date,
    end_date: Date,
    destinations: Vec<Stop>,
    preferences: Preferences,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Stop {
    name: String,
    country: String,
    city: String,
    coordinates: Coordinates,
    arrival_date: Date,
    departure_date: Date,
    duration_days: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Coordinates {
    latitude: f64,
    longitude: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Preferences {
    budget: Budget,
    activities: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Budget {
    total: u32,
    currency: String,
}

/// A trip as answered: what was saved, and what the service adds.
#[derive(Debug, Deserialize)]
struct Trip {
    id: String,
    #[serde(flatten)]
    draft: Draft,
    duration_days: i32,
    status: String,
}

impl Draft {
    /// One to three stops of two to five days each, a month to eight months ahead.
    fn draw(draw: &mut Draw, day: Date) -> Self {
        let start_date = feeders::day_after(draw, day, 30, 240);
        let mut arrival_date = start_date;
        let mut destinations: Vec<Stop> = Vec::new();
        for _ in 0..*draw.popular(&[1, 2, 3]) {
            let place = *draw.popular(&feeders::DESTINATIONS);
            let duration_days = draw.between(2, 5);
            let departure_date = arrival_date.saturating_add(i64::from(duration_days).days());
            destinations.push(Stop {
                name: place.city.to_owned(),
                country: place.country.to_owned(),
                city: place.city.to_owned(),
                coordinates: Coordinates { latitude: place.latitude, longitude: place.longitude },
                arrival_date,
                departure_date,
                duration_days,
            });
            arrival_date = departure_date;
        }
        let first = &destinations[0];
        let activities = ["museums", "food", "hiking", "music", "architecture", "beaches"];
        Self {
            title: format!("{} in {}", first.name, start_date.strftime("%B")),
            description: Some(format!(
                "{} days, starting in {}, {}",
                arrival_date.since(start_date).map_or(0, |span| span.get_days()),
                first.city,
                first.country
            )),
            start_date,
            end_date: arrival_date,
            preferences: Preferences {
                budget: Budget {
                    total: 500 * draw.between(2, 12),
                    currency: (*draw.one_of(&["USD", "EUR"])).to_owned(),
                },
                activities: vec![(*draw.one_of(&activities)).to_owned()],
            },
            destinations,
        }
    }

    fn judge_created(&self, answer: &Answer) -> Outcome {
        if answer.status != StatusCode::CREATED {
            return of_refusal(answer);
        }
        let location = answer.headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
        match serde_json::from_slice::<Trip>(&answer.body) {
            Ok(trip) if self.is(&trip) && location.is_some_and(|location| location.ends_with(&trip.id)) => {
                Outcome::Full
            }
            _ => Outcome::Wrong,
        }
    }

    fn judge_read(&self, id: &str, answer: &Answer) -> Outcome {
        if answer.status != StatusCode::OK {
            return of_refusal(answer);
        }
        match serde_json::from_slice::<Trip>(&answer.body) {
            Ok(trip) if self.is(&trip) && trip.id == id => Outcome::Full,
            _ => Outcome::Wrong,
        }
    }

    fn is(&self, trip: &Trip) -> bool {
        let nights = self.end_date.since(self.start_date).map_or(-1, |span| span.get_days());
        !trip.id.is_empty() && trip.draft == *self && trip.duration_days == nights && trip.status == "planning"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{draw::Purpose, outcome::tests::answer};
    use serde_json::{Value, json};

    fn draft(k: u64) -> Draft {
        Draft::draw(&mut Draw::new(4, Purpose::Payload, k), "2030-01-01".parse().unwrap())
    }

    fn created() -> Value {
        let draft = draft(0);
        let mut body = serde_json::to_value(&draft).unwrap();
        let nights = draft.end_date.since(draft.start_date).unwrap().get_days();
        let added = json!({ "id": "t1", "user_id": "u", "status": "planning", "duration_days": nights, "version": 1,
            "created_at": "2030-01-01T00:00:00Z", "updated_at": "2030-01-01T00:00:00Z" });
        body.as_object_mut().unwrap().extend(added.as_object().unwrap().clone());
        body
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Value), expected: Outcome) {
        let mut body = created();
        change(&mut body);
        let mut answered = answer(201, &body.to_string());
        answered.headers.insert(header::LOCATION, HeaderValue::from_static("/api/v1/trips/t1"));
        assert_eq!(draft(0).judge_created(&answered), expected, "{body}");
        assert_eq!(draft(0).judge_read("t1", &answer(200, &body.to_string())), expected, "{body}");
    }

    #[test]
    fn a_trip_must_come_back_as_it_was_saved() {
        check(|_| {}, Outcome::Full);
        check(|body| body["title"] = "Another".into(), Outcome::Wrong);
        check(|body| body["end_date"] = "2031-01-01".into(), Outcome::Wrong);
        check(|body| body["duration_days"] = 99.into(), Outcome::Wrong);
        check(|body| body["destinations"][0]["coordinates"]["latitude"] = 0.into(), Outcome::Wrong);
        check(|body| body["destinations"] = json!([]), Outcome::Wrong);
        check(|body| body["preferences"]["budget"]["total"] = 1.into(), Outcome::Wrong);
        check(|body| body["status"] = "cancelled".into(), Outcome::Wrong);
        check(|body| body["id"] = "".into(), Outcome::Wrong);
    }

    #[test]
    fn a_trip_must_be_new_where_it_says_it_is_and_the_one_that_was_opened() {
        let body = created().to_string();
        assert_eq!(draft(0).judge_created(&answer(201, &body)), Outcome::Wrong, "no location");
        assert_eq!(draft(0).judge_created(&answer(200, &body)), Outcome::Wrong, "not created");
        assert_eq!(draft(0).judge_read("t2", &answer(200, &body)), Outcome::Wrong, "another trip");
        assert_eq!(draft(0).judge_read("t1", &answer(404, "")), Outcome::Wrong, "lost");
        let error = r#"{"error":true,"code":"DATABASE_ERROR","message":"m"}"#;
        assert_eq!(draft(0).judge_created(&answer(503, error)), Outcome::DependencyError);
    }

    #[test]
    fn drafts_are_within_what_the_service_takes_and_follow_from_the_number() {
        for k in 0..1_000 {
            let draft = draft(k);
            assert!(draft.title.len() <= 100 && (1..=3).contains(&draft.destinations.len()));
            assert!(draft.end_date > draft.start_date && draft == self::draft(k));
        }
        assert_ne!(draft(1), draft(2));
    }
}
