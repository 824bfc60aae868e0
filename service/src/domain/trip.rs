//! Trips: what a traveller plans.

use garde::Validate;
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    budget::has_readable_budget,
    storable::{is_date, is_small, is_text},
};

/// A request for a new trip. Also what an idempotency key stands for.
#[derive(Debug, Clone, Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TripDraft {
    #[garde(length(chars, min = 1, max = 100), custom(is_text))]
    pub(crate) title: String,
    #[serde(default)]
    #[garde(length(chars, max = 500), inner(custom(is_text)))]
    pub(crate) description: Option<String>,
    #[garde(custom(is_date))]
    pub(crate) start_date: Date,
    #[garde(custom(is_date), custom(is_not_before(&self.start_date)))]
    pub(crate) end_date: Date,
    #[garde(length(min = 1, max = 50), dive)]
    pub(crate) destinations: Vec<Destination>,
    /// Budget, accommodation, transport and so on; kept as given, at most 16 KiB as JSON.
    #[serde(default)]
    #[garde(inner(custom(has_readable_budget), custom(is_small)))]
    #[schema(value_type = Option<Object>)]
    pub(crate) preferences: Option<Map<String, Value>>,
}

/// A stop of a trip.
#[derive(Debug, Clone, Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TripDestination)]
pub(crate) struct Destination {
    #[garde(length(chars, min = 1, max = 100))]
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(length(chars, max = 100))]
    pub(crate) country: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(length(chars, max = 100))]
    pub(crate) city: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub(crate) coordinates: Option<Coordinates>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(custom(is_date)))]
    pub(crate) arrival_date: Option<Date>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(custom(is_date)))]
    pub(crate) departure_date: Option<Date>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(range(max = 3_650))]
    pub(crate) duration_days: Option<u32>,
}

/// A place on Earth, in degrees.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Coordinates {
    #[garde(range(min = -90.0, max = 90.0))]
    pub(crate) latitude: f64,
    #[garde(range(min = -180.0, max = 180.0))]
    pub(crate) longitude: f64,
}

/// A trip as stored and answered.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Trip {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    pub(crate) start_date: Date,
    pub(crate) end_date: Date,
    /// Nights: end minus start.
    pub(crate) duration_days: i32,
    pub(crate) destinations: Vec<Destination>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub(crate) preferences: Option<Map<String, Value>>,
    pub(crate) status: Status,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    /// Counts changes, from 1.
    pub(crate) version: i64,
}

/// A trip in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListedTrip {
    pub(crate) id: Uuid,
    pub(crate) title: String,
    pub(crate) start_date: Date,
    pub(crate) end_date: Date,
    pub(crate) duration_days: i32,
    /// Names only.
    pub(crate) destinations: Vec<String>,
    pub(crate) status: Status,
    pub(crate) created_at: Timestamp,
}

/// How far a trip has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Planning,
    Booked,
    InProgress,
    Completed,
    Cancelled,
}

impl TripDraft {
    /// SHA-256 of the request as understood (spaces and the order of known keys do not matter), in hexadecimal.
    pub(crate) fn fingerprint(&self) -> String {
        let json = serde_json::to_vec(self).expect("a draft was read from JSON, so it can be written as JSON");
        Sha256::digest(json).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The trip it becomes.
    pub(crate) fn into_trip(self, id: Uuid, user_id: Uuid, now: Timestamp) -> Trip {
        Trip {
            id,
            user_id,
            duration_days: duration_days(self.start_date, self.end_date),
            title: self.title,
            description: self.description,
            start_date: self.start_date,
            end_date: self.end_date,
            destinations: self.destinations,
            preferences: self.preferences,
            status: Status::Planning,
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }
}

/// Days from start to end: 0 for a day trip.
pub(crate) fn duration_days(start: Date, end: Date) -> i32 {
    (end - start).get_days()
}

impl Status {
    /// Its name in JSON and in the database.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Planning => "planning",
            Self::Booked => "booked",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Planning, Self::Booked, Self::InProgress, Self::Completed, Self::Cancelled]
            .into_iter()
            .find(|status| status.as_str() == name)
    }
}

fn is_not_before(start: &Date) -> impl FnOnce(&Date, &()) -> garde::Result + '_ {
    move |end, ()| if end >= start { Ok(()) } else { Err(garde::Error::new("is before the start date")) }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn draft(change: Value) -> Result<TripDraft, serde_json::Error> {
        let mut body = json!({"title": "Alps", "start_date": "2030-01-01", "end_date": "2030-01-08",
            "destinations": [{"name": "Zermatt"}]});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        serde_json::from_value(body)
    }

    #[rstest]
    #[case(json!({}), None)]
    #[case(json!({"end_date": "2030-01-01"}), None)]
    #[case(json!({"end_date": "2029-12-31"}), Some("end_date"))]
    #[case(json!({"title": ""}), Some("title"))]
    #[case(json!({"title": "x".repeat(101)}), Some("title"))]
    #[case(json!({"destinations": []}), Some("destinations"))]
    #[case(json!({"destinations": [{"name": ""}]}), Some("destinations[0].name"))]
    #[case(json!({"destinations": [{"name": "A", "coordinates": {"latitude": 91.0, "longitude": 0.0}}]}),
        Some("destinations[0].coordinates.latitude"))]
    #[case(json!({"title": "a\u{0}b"}), Some("title"))]
    #[case(json!({"start_date": "-000001-01-01"}), Some("start_date"))]
    #[case(json!({"destinations": [{"name": "A", "arrival_date": "0000-01-01"}]}), Some("destinations[0].arrival_date"))]
    #[case(json!({"preferences": {"budget": {"total": 1000, "currency": "EUR"}}}), None)]
    #[case(json!({"preferences": {"budget": {"total": "much"}}}), Some("preferences"))]
    fn drafts_are_checked(#[case] change: Value, #[case] wrong: Option<&str>) {
        let report = draft(change).unwrap().validate().err();
        assert_eq!(report.map(|r| r.iter().next().unwrap().0.to_string()).as_deref(), wrong);
    }

    #[test]
    fn the_fingerprint_knows_a_change_but_not_a_space() {
        let plain = draft(json!({})).unwrap();
        let spaced: TripDraft = serde_json::from_str(&serde_json::to_string_pretty(&plain).unwrap()).unwrap();
        assert_eq!(plain.fingerprint(), spaced.fingerprint());
        assert_ne!(plain.fingerprint(), draft(json!({"title": "Alp"})).unwrap().fingerprint());
        assert_eq!(plain.fingerprint().len(), 64);
    }

    #[test]
    fn duration_is_end_minus_start() {
        let trip = draft(json!({"end_date": "2030-03-01"})).unwrap().into_trip(
            Uuid::nil(),
            Uuid::nil(),
            Timestamp::UNIX_EPOCH,
        );
        assert_eq!(trip.duration_days, 59);
    }
}
