//! Who travels, and whom to write to: what a booking is asked for with. All of it is personal data.

use garde::Validate;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{storable::is_small, user::looks_like_an_email};

/// A request to book an offer. Also what an idempotency key stands for.
#[derive(Debug, Clone, Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BookingDraft {
    #[garde(length(bytes, min = 1, max = 200))]
    pub(crate) offer_id: String,
    #[garde(length(min = 1, max = 22), custom(include_an_adult), dive)]
    #[schema(min_items = 1, max_items = 22)]
    pub(crate) passengers: Vec<Passenger>,
    #[garde(dive)]
    pub(crate) contact: Contact,
    #[serde(default)]
    #[garde(skip)]
    pub(crate) trip_id: Option<Uuid>,
    /// Whether to hold the seats for a while instead of buying them.
    #[serde(default)]
    #[garde(skip)]
    pub(crate) hold_only: bool,
    /// Anything of the client's own; kept as given, at most 16 KiB as JSON.
    #[serde(default)]
    #[garde(inner(custom(is_small)))]
    #[schema(value_type = Option<Object>)]
    pub(crate) metadata: Option<Map<String, Value>>,
}

/// Somebody who travels.
#[derive(Debug, Clone, Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Passenger {
    #[serde(rename = "type")]
    #[garde(skip)]
    pub(crate) kind: PassengerType,
    #[garde(length(chars, min = 1, max = 50))]
    pub(crate) given_name: String,
    #[garde(length(chars, min = 1, max = 50))]
    pub(crate) family_name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(length(chars, min = 1, max = 20))]
    pub(crate) title: Option<String>,
    #[garde(skip)]
    pub(crate) date_of_birth: Date,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(custom(looks_like_an_email), length(max = 200)))]
    pub(crate) email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(length(chars, min = 3, max = 40))]
    pub(crate) phone: Option<String>,
}

/// How old a passenger is, as fares see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PassengerType {
    Adult,
    Child,
    Infant,
}

/// Whom to write to about the journey.
#[derive(Debug, Clone, Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contact {
    #[garde(custom(looks_like_an_email), length(max = 200))]
    pub(crate) email: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(length(chars, min = 3, max = 40))]
    pub(crate) phone: Option<String>,
}

/// The personal part of a booking, kept apart from the rest of it.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(crate) struct Party {
    pub(crate) passengers: Vec<Passenger>,
    pub(crate) contact: Contact,
    pub(crate) metadata: Option<Map<String, Value>>,
}

impl BookingDraft {
    /// SHA-256 of the request as understood (spaces and the order of known keys do not matter), in hexadecimal.
    pub(crate) fn fingerprint(&self) -> String {
        let json = serde_json::to_vec(self).expect("a draft was read from JSON, so it can be written as JSON");
        Sha256::digest(json).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The position of a passenger who is born after `today`.
    pub(crate) fn unborn(&self, today: Date) -> Option<usize> {
        self.passengers.iter().position(|passenger| passenger.date_of_birth > today)
    }

    /// The personal part of it.
    pub(crate) fn party(&self) -> Party {
        Party { passengers: self.passengers.clone(), contact: self.contact.clone(), metadata: self.metadata.clone() }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is garde's")]
fn include_an_adult(passengers: &[Passenger], (): &()) -> garde::Result {
    let has_adult = passengers.iter().any(|passenger| passenger.kind == PassengerType::Adult);
    if has_adult { Ok(()) } else { Err(garde::Error::new("must include an adult")) }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn draft(change: Value) -> Result<BookingDraft, serde_json::Error> {
        let mut body = json!({"offer_id": "off_1", "contact": {"email": "ann@example.org"}, "passengers":
            [{"type": "adult", "given_name": "Ann", "family_name": "Lee", "date_of_birth": "1990-02-28"}]});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        serde_json::from_value(body)
    }

    fn child(change: Value) -> Value {
        let mut child =
            json!({"type": "child", "given_name": "Bo", "family_name": "Lee", "date_of_birth": "2020-01-01"});
        child.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        child
    }

    #[rstest]
    #[case(json!({}), None)]
    #[case(json!({"offer_id": ""}), Some("offer_id"))]
    #[case(json!({"offer_id": "x".repeat(201)}), Some("offer_id"))]
    #[case(json!({"passengers": []}), Some("passengers"))]
    #[case(json!({"passengers": [child(json!({}))]}), Some("passengers"))]
    #[case(json!({"passengers": vec![child(json!({"type": "adult"})); 23]}), Some("passengers"))]
    #[case(json!({"passengers": [child(json!({"type": "adult", "given_name": ""}))]}), Some("passengers[0].given_name"))]
    #[case(json!({"passengers": [child(json!({"type": "adult", "email": "no"}))]}), Some("passengers[0].email"))]
    #[case(json!({"contact": {"email": "nobody"}}), Some("contact.email"))]
    #[case(json!({"contact": {"email": "ann@example.org", "phone": "1"}}), Some("contact.phone"))]
    fn drafts_are_checked(#[case] change: Value, #[case] wrong: Option<&str>) {
        let report = draft(change).unwrap().validate().err();
        assert_eq!(report.map(|r| r.iter().next().unwrap().0.to_string()).as_deref(), wrong);
    }

    #[rstest]
    #[case(json!({"passengers": [child(json!({"type": "dog"}))]}))]
    #[case(json!({"passengers": [child(json!({"date_of_birth": "2020-02-30"}))]}))]
    #[case(json!({"contact": null}))]
    #[case(json!({"colour": "red"}))]
    fn what_is_no_draft_is_refused(#[case] change: Value) {
        assert!(draft(change).is_err());
    }

    #[test]
    fn nobody_travels_before_birth() {
        let draft = draft(json!({"passengers": [child(json!({"type": "adult"})), child(json!({}))]})).unwrap();
        assert_eq!(draft.unborn(date(2020, 1, 1)), None);
        assert_eq!(draft.unborn(date(2019, 12, 31)), Some(0));
    }

    #[test]
    fn the_fingerprint_knows_every_change() {
        let plain = draft(json!({})).unwrap().fingerprint();
        assert_eq!(plain, draft(json!({"hold_only": false})).unwrap().fingerprint());
        for change in [json!({"hold_only": true}), json!({"offer_id": "off_2"}), json!({"metadata": {"a": 1}})] {
            assert_ne!(plain, draft(change).unwrap().fingerprint());
        }
    }
}
