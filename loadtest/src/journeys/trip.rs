//! Trips: what users save, and whether what they are shown is what they saved.
use super::Step;
use crate::{
    client::{Answer, get, post},
    draw::Draw,
    feeders,
    oracle::Write,
    outcome::of_refusal,
    visit::Visit,
};
use http::{StatusCode, Uri, header};
use jiff::{ToSpan as _, civil::Date};
use reports::record::{Outcome, RecordKind};
use serde::{Deserialize, Serialize};

pub(super) const PATH: &str = "/api/v1/trips";
/// The step of saving a trip.
pub(super) const CREATE: Step = Step { name: "trips.create", is_streamed: false };
/// The step of opening a trip of one's own.
pub(super) const READ: Step = Step { name: "trips.read", is_streamed: false };

/// How many places a trip leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    /// One to three.
    Usual,
    /// Fifteen to twenty.
    Large,
}

/// A trip that the service has acknowledged.
#[derive(Debug)]
pub(super) struct Saved {
    pub(super) write: Write,
    pub(super) id: String,
    pub(super) draft: Draft,
    pub(super) version: Option<i64>,
}

/// Saves a trip. `None` when the service does not say that it has it.
pub(super) async fn create(visit: &mut Visit<'_>, step: usize, draw: &mut Draw, size: Size) -> Option<Saved> {
    let write = visit.new_record(RecordKind::Trip);
    let draft = Draft::draw(draw, visit.day(), size, write.reference());
    let request = post(Uri::from_static(PATH), serde_json::to_vec(&draft).expect("a draft has only text keys"));
    let (outcome, answer) = visit.write(step, request, &write, |answer| draft.judge_created(answer)).await?;
    let trip: Trip = serde_json::from_slice(&answer.body).ok().filter(|_| outcome == Outcome::Full)?;
    Some(Saved { write, id: trip.id, draft, version: trip.version })
}

impl Saved {
    /// Opens it.
    pub(super) async fn read(&self, visit: &mut Visit<'_>, step: usize) {
        let Some(path) = self.path("") else { return };
        visit.read_own(step, get(path), &self.write, |answer| self.draft.judge_read(&self.id, answer)).await;
    }

    /// Where it is, or something of it; `None` when its id is nothing that a URL can have.
    pub(super) fn path(&self, rest: &str) -> Option<Uri> {
        format!("{PATH}/{}{rest}", self.id).parse().ok()
    }
}

/// What is saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Draft {
    pub(super) title: String,
    description: Option<String>,
    pub(super) start_date: Date,
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
    version: Option<i64>,
}

impl Draft {
    /// Stops of two to five days each, a month to eight months ahead.
    fn draw(draw: &mut Draw, day: Date, size: Size, reference: &str) -> Self {
        let start_date = feeders::day_after(draw, day, 30, 240);
        let mut arrival_date = start_date;
        let mut destinations: Vec<Stop> = Vec::new();
        let stops = match size {
            Size::Usual => *draw.popular(&[1, 2, 3]),
            Size::Large => draw.between(15, 20),
        };
        for _ in 0..stops {
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
            title: format!("{} in {} #{reference}", first.name, start_date.strftime("%B")),
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

    pub(super) fn judge_read(&self, id: &str, answer: &Answer) -> Outcome {
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
    use http::HeaderValue;
    use serde_json::{Value, json};

    fn draft(k: u64) -> Draft {
        sized(k, Size::Usual)
    }

    fn sized(k: u64, size: Size) -> Draft {
        Draft::draw(&mut Draw::new(4, Purpose::Payload, k), "2030-01-01".parse().unwrap(), size, &k.to_string())
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
            assert!(draft.title.ends_with(&format!(" #{k}")), "lists show what it is known by: {}", draft.title);
            let large = sized(k, Size::Large);
            assert!((15..=20).contains(&large.destinations.len()) && large.end_date > large.start_date);
        }
        assert_ne!(draft(1), draft(2));
    }
}
