//! A change of a trip: what is not named stays as it is.

use garde::Validate;
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{
    budget::has_readable_budget,
    storable::{is_date, is_small, is_text},
    trip::{Destination, Status, Trip, duration_days},
};

/// A request to change a trip. `null` removes a description or the preferences; anywhere else it changes nothing.
#[derive(Debug, Clone, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TripPatch {
    #[serde(default)]
    #[garde(length(chars, min = 1, max = 100), inner(custom(is_text)))]
    pub(crate) title: Option<String>,
    #[serde(default, deserialize_with = "named")]
    #[garde(inner(length(chars, max = 500), inner(custom(is_text))))]
    #[schema(value_type = Option<String>)]
    pub(crate) description: Option<Option<String>>,
    #[serde(default)]
    #[garde(inner(custom(is_date)))]
    pub(crate) start_date: Option<Date>,
    #[serde(default)]
    #[garde(inner(custom(is_date)))]
    pub(crate) end_date: Option<Date>,
    #[serde(default)]
    #[garde(length(min = 1, max = 50), dive)]
    pub(crate) destinations: Option<Vec<Destination>>,
    /// Replaces all of them.
    #[serde(default, deserialize_with = "named")]
    #[garde(inner(inner(custom(has_readable_budget), custom(is_small))))]
    #[schema(value_type = Option<Object>)]
    pub(crate) preferences: Option<Option<Map<String, Value>>>,
    /// From planning to booked or cancelled, from booked to completed or cancelled.
    #[serde(default)]
    #[garde(skip)]
    pub(crate) status: Option<Status>,
    /// The version that the change is meant for, unless `If-Match` says it.
    #[serde(default)]
    #[garde(skip)]
    pub(crate) version: Option<i64>,
}

/// Why a trip cannot be changed like that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PatchError {
    /// With the date that is not changed, the trip would end before it starts.
    #[error("trip would end before it starts")]
    EndBeforeStart,
    /// There is no way from the one status to the other.
    #[error("status does not go from {from:?} to {to:?}")]
    NoSuchStep {
        /// As it is.
        from: Status,
        /// As it was to be.
        to: Status,
    },
}

impl TripPatch {
    /// The trip as changed.
    pub(crate) fn apply(self, trip: Trip, now: Timestamp) -> Result<Trip, PatchError> {
        let start_date = self.start_date.unwrap_or(trip.start_date);
        let end_date = self.end_date.unwrap_or(trip.end_date);
        if end_date < start_date {
            return Err(PatchError::EndBeforeStart);
        }
        let status = self.status.unwrap_or(trip.status);
        if !trip.status.leads_to(status) {
            return Err(PatchError::NoSuchStep { from: trip.status, to: status });
        }
        Ok(Trip {
            title: self.title.unwrap_or(trip.title),
            description: self.description.unwrap_or(trip.description),
            start_date,
            end_date,
            duration_days: duration_days(start_date, end_date),
            destinations: self.destinations.unwrap_or(trip.destinations),
            preferences: self.preferences.unwrap_or(trip.preferences),
            status,
            updated_at: now,
            version: trip.version + 1,
            ..trip
        })
    }
}

impl Status {
    /// Whether a trip may go from this status to that one. Staying is no step.
    fn leads_to(self, next: Self) -> bool {
        let steps: &[Self] = match self {
            Self::Planning => &[Self::Booked, Self::Cancelled],
            Self::Booked => &[Self::Completed, Self::Cancelled],
            Self::InProgress | Self::Completed | Self::Cancelled => &[],
        };
        next == self || steps.contains(&next)
    }
}

/// Tells a field that is `null` from one that is not there.
fn named<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;
    use uuid::Uuid;

    use super::{super::trip::TripDraft, *};

    fn trip() -> Trip {
        let draft = json!({"title": "Alps", "description": "Snow", "start_date": "2030-01-01", "end_date": "2030-01-08",
            "destinations": [{"name": "Zermatt"}], "preferences": {"pace": "slow"}});
        let draft: TripDraft = serde_json::from_value(draft).unwrap();
        draft.into_trip(Uuid::nil(), Uuid::nil(), Timestamp::UNIX_EPOCH)
    }

    fn patched(patch: Value) -> Result<Value, PatchError> {
        let patch: TripPatch = serde_json::from_value(patch).unwrap();
        patch.apply(trip(), Timestamp::UNIX_EPOCH).map(|trip| serde_json::to_value(trip).unwrap())
    }

    #[rstest]
    #[case(json!({}), json!({}))]
    #[case(json!({"title": "Sea"}), json!({"title": "Sea"}))]
    #[case(json!({"title": null, "start_date": null}), json!({}))]
    #[case(json!({"description": null}), json!({"description": null}))]
    #[case(json!({"preferences": null}), json!({"preferences": null}))]
    #[case(json!({"preferences": {"a": 1}}), json!({"preferences": {"a": 1}}))]
    #[case(json!({"end_date": "2030-01-03"}), json!({"end_date": "2030-01-03", "duration_days": 2}))]
    #[case(json!({"status": "booked"}), json!({"status": "booked"}))]
    #[case(json!({"destinations": [{"name": "Basel"}]}), json!({"destinations": [{"name": "Basel"}]}))]
    fn what_is_not_named_stays(#[case] patch: Value, #[case] changes: Value) {
        let mut expected = serde_json::to_value(trip()).unwrap();
        expected["version"] = json!(2);
        for (field, value) in changes.as_object().unwrap() {
            if value.is_null() {
                expected.as_object_mut().unwrap().remove(field);
            } else {
                expected[field] = value.clone();
            }
        }
        assert_eq!(patched(patch).unwrap(), expected);
    }

    #[rstest]
    #[case(json!({"end_date": "2029-12-31"}))]
    #[case(json!({"start_date": "2030-01-09"}))]
    fn a_trip_does_not_end_before_it_starts(#[case] patch: Value) {
        assert_eq!(patched(patch).unwrap_err(), PatchError::EndBeforeStart);
    }

    #[test]
    fn a_status_goes_forward_only() {
        use Status::{Booked, Cancelled, Completed, InProgress, Planning};
        let all = [Planning, Booked, InProgress, Completed, Cancelled];
        let steps: Vec<_> = all
            .into_iter()
            .flat_map(|from| all.map(|to| (from, to)))
            .filter(|(from, to)| from != to && from.leads_to(*to))
            .collect();
        assert_eq!(steps, [(Planning, Booked), (Planning, Cancelled), (Booked, Completed), (Booked, Cancelled)]);
        assert!(all.into_iter().all(|status| status.leads_to(status)));
    }
}
