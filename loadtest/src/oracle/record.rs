//! Records as the target shows them: where they are listed, and what of them counts as their content.
use reports::record::RecordKind;
use serde_json::Value;

/// A record as one answer shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its id.
    pub(crate) id: String,
    /// What it is known by; `None` when nothing that the journeys write.
    pub(crate) reference: Option<String>,
    /// Digest of its content; `None` when this answer does not show the content.
    pub(crate) content: Option<u64>,
    /// Status of a booking.
    pub(crate) status: Option<String>,
    /// The provider's confirmation of a booking.
    pub(crate) confirmation: Option<String>,
}

impl Found {
    /// Reads a whole record.
    pub(crate) fn of_record(kind: RecordKind, body: &Value) -> Option<Self> {
        Some(Self { content: content(kind, body), ..Self::of_listed(kind, body)? })
    }

    /// Reads a record as lists show it, which may be less than the whole.
    pub(crate) fn of_listed(kind: RecordKind, body: &Value) -> Option<Self> {
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let id = match kind {
            RecordKind::Share => text("user_id"),
            RecordKind::Chat => text("session_id"),
            RecordKind::Trip | RecordKind::Booking | RecordKind::Item => text("id"),
        };
        let is_booking = kind == RecordKind::Booking;
        Some(Self {
            id: id?,
            reference: reference(kind, body),
            content: None,
            status: text("status").filter(|_| is_booking),
            confirmation: text("confirmation_number").filter(|_| is_booking),
        })
    }

    /// Reads what acknowledges a write: the record itself, or the first user whom a trip is now shared with.
    pub(crate) fn of_acknowledgement(kind: RecordKind, body: &Value) -> Option<Self> {
        match kind {
            RecordKind::Share => Self::of_record(kind, body.get("added")?.get(0)?),
            _ => Self::of_record(kind, body),
        }
    }
}

/// What a record is known by.
fn reference(kind: RecordKind, body: &Value) -> Option<String> {
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let known_by = match kind {
        RecordKind::Trip | RecordKind::Item => text("title")?.rsplit_once('#')?.1,
        RecordKind::Booking => body.get("metadata")?.get("reference")?.as_str()?,
        RecordKind::Share => text("email")?,
        RecordKind::Chat => return None,
    };
    Some(known_by.to_owned())
}

/// The part of a record that its owner has written, and nobody else changes.
fn content(kind: RecordKind, body: &Value) -> Option<u64> {
    let fields: &[&str] = match kind {
        RecordKind::Trip => &["title", "description", "start_date", "end_date", "destinations", "preferences"],
        // Who travels is left out of an answer that could not open it: such an answer shows no content.
        RecordKind::Booking => {
            body.get("contact").filter(|contact| contact.is_object())?;
            &["offer_id", "hold_only", "trip_id", "passengers", "contact", "metadata", "outbound_segments"]
        }
        RecordKind::Item => &["type", "title", "date", "end_date", "time_slot", "location", "cost", "currency"],
        RecordKind::Share => &["permission_level"],
        RecordKind::Chat => return Some(digest(&turn(body.get("messages")?)?)),
    };
    let field = |hash, name: &&str| digest_into(hash, body.get(*name).unwrap_or(&Value::Null));
    Some(fields.iter().fold(OFFSET, field))
}

/// A digest of a value that does not depend on the order of keys.
fn digest(value: &Value) -> u64 {
    digest_into(OFFSET, value)
}

fn digest_into(hash: u64, value: &Value) -> u64 {
    match value {
        Value::Object(map) => {
            let mut fields: Vec<_> = map.iter().filter(|(_, value)| !value.is_null()).collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            let field = |hash, (name, value): (&String, &Value)| digest_into(bytes(hash, name.as_bytes()), value);
            bytes(fields.into_iter().fold(bytes(hash, b"{"), field), b"}")
        }
        Value::Array(items) => bytes(items.iter().fold(bytes(hash, b"["), digest_into), b"]"),
        plain => bytes(bytes(hash, plain.to_string().as_bytes()), b","),
    }
}

/// FNV-1a. Source: G. Fowler, L. C. Noll, K.-P. Vo, "The FNV Non-Cryptographic Hash Algorithm".
fn bytes(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

/// Where the records of a kind are listed: all of a user's, page by page, or all of a trip's at once; `None` where no list is whole.
pub(crate) fn list_path(kind: RecordKind, parent: &str, skip: usize) -> Option<String> {
    Some(match kind {
        RecordKind::Trip => format!("/api/v1/trips?skip={skip}&limit={PAGE}"),
        RecordKind::Booking => format!("/api/v1/bookings?skip={skip}&limit={PAGE}"),
        RecordKind::Item => format!("/api/v1/trips/{parent}/itinerary"),
        RecordKind::Share => format!("/api/v1/trips/{parent}/collaborators"),
        RecordKind::Chat => return None,
    })
}

/// Whether a list shows what the records of a kind are known by, so that one too many, or one without an answer, can be found.
pub(crate) fn is_listed(kind: RecordKind) -> bool {
    list_path(kind, "", 0).is_some()
}

/// Where one record is read; `None` for kinds whose lists show the whole record.
pub(crate) fn record_path(kind: RecordKind, id: &str) -> Option<String> {
    match kind {
        RecordKind::Trip => Some(format!("/api/v1/trips/{id}")),
        RecordKind::Booking => Some(format!("/api/v1/bookings/{id}")),
        RecordKind::Chat => Some(format!("/api/v1/chat/sessions/{id}/messages?limit={PAGE}")),
        RecordKind::Item | RecordKind::Share => None,
    }
}

/// Records on a page of a list.
pub(crate) const PAGE: usize = 100;

/// The records of a list, and whether there may be a further page. `None` when the answer is not such a list.
pub(crate) fn listed(kind: RecordKind, body: &Value) -> Option<(Vec<Found>, bool)> {
    let array = |value: &Value| value.as_array().cloned();
    let (items, is_paged) = match kind {
        RecordKind::Trip | RecordKind::Booking => (array(body.get("items")?)?, true),
        RecordKind::Item => {
            let days = array(body.get("days")?)?;
            (days.iter().map(|day| array(day.get("items")?)).collect::<Option<Vec<_>>>()?.concat(), false)
        }
        RecordKind::Share => (array(body.get("collaborators")?)?, false),
        RecordKind::Chat => return None,
    };
    let is_full = is_paged && items.len() >= PAGE;
    let found = |item: &Value| match is_paged {
        true => Found::of_listed(kind, item),
        false => Found::of_record(kind, item),
    };
    Some((items.iter().map(found).collect::<Option<Vec<_>>>()?, is_full))
}

/// Who said what in a session, as far as people see it.
fn turn(messages: &Value) -> Option<Value> {
    let said = |message: &Value| serde_json::json!([message["role"], message["content"]]);
    Some(messages.as_array()?.iter().map(said).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_digest_sees_every_change_and_no_order_of_keys() {
        let value = json!({ "a": [1, 2.5, "x"], "b": { "c": null, "d": true } });
        assert_eq!(digest(&value), digest(&json!({ "b": { "d": true }, "a": [1, 2.5, "x"] })), "no value is no key");
        for other in [
            json!({ "a": [1, 2.5], "b": { "d": true } }),
            json!({ "a": [2.5, 1, "x"], "b": { "d": true } }),
            json!({ "a": [1, 2.5, "x"], "b": { "d": false } }),
            json!({ "a": [[1, 2.5], "x"], "b": { "d": true } }),
            json!({ "a": [12.5, "x"], "b": { "d": true } }),
            json!({ "d": true, "a": [1, 2.5, "x"], "b": {} }),
        ] {
            assert_ne!(digest(&value), digest(&other), "{other}");
        }
    }

    #[test]
    fn a_record_is_known_by_what_its_write_put_into_it() {
        let known = |kind, body: Value| Found::of_listed(kind, &body).and_then(|found| found.reference);
        assert_eq!(known(RecordKind::Trip, json!({ "id": "t", "title": "Rome #1 in May #17.1" })), Some("17.1".into()));
        assert_eq!(known(RecordKind::Trip, json!({ "id": "t", "title": "Rome" })), None);
        let booking =
            json!({ "id": "b", "metadata": { "reference": "3" }, "status": "booked", "confirmation_number": "X" });
        let found = Found::of_listed(RecordKind::Booking, &booking).unwrap();
        assert_eq!(
            (found.reference, found.status, found.confirmation),
            (Some("3".into()), Some("booked".into()), Some("X".into()))
        );
        assert_eq!(known(RecordKind::Share, json!({ "user_id": "u", "email": "a@b.c" })), Some("a@b.c".into()));
        assert_eq!(Found::of_listed(RecordKind::Trip, &json!({ "title": "no id #1" })), None);
    }

    #[test]
    fn what_the_service_adds_is_no_content_and_what_the_owner_wrote_is() {
        let trip = json!({ "id": "t", "title": "A #1", "destinations": ["x"], "version": 1, "status": "planning" });
        let content = |body: &Value| Found::of_record(RecordKind::Trip, body).unwrap().content;
        let mut later = trip.clone();
        (later["version"], later["updated_at"]) = (2.into(), "now".into());
        assert_eq!(content(&trip), content(&later));
        later["destinations"] = json!([]);
        assert_ne!(content(&trip), content(&later));
        let closed = json!({ "id": "b", "offer_id": "o", "passengers": [] });
        assert_eq!(Found::of_record(RecordKind::Booking, &closed).unwrap().content, None, "it was not shown");
    }

    #[test]
    fn a_chat_is_who_said_what() {
        let messages =
            json!([{ "role": "user", "content": "a", "id": 1 }, { "role": "assistant", "content": "b", "id": 2 }]);
        let found = |messages: &Value| {
            Found::of_record(RecordKind::Chat, &json!({ "session_id": "s", "messages": messages })).unwrap()
        };
        let mut twice = messages.clone();
        twice.as_array_mut().unwrap().push(messages[0].clone());
        assert_eq!(found(&messages).id, "s");
        assert_ne!(found(&messages).content, found(&twice).content, "a question that is there twice");
    }

    #[test]
    fn lists_are_read_whole_or_not_at_all() {
        let days = json!({ "days": [{ "items": [{ "id": "1", "title": "a #1" }] }, { "items": [{ "id": "2", "title": "b" }] }] });
        let (found, is_full) = listed(RecordKind::Item, &days).unwrap();
        assert_eq!(
            (found.len(), found[0].reference.as_deref(), found[1].reference.as_deref(), is_full),
            (2, Some("1"), None, false)
        );
        let page = |count: usize| json!({ "items": vec![json!({ "id": "t", "title": "a #1" }); count] });
        assert!(
            listed(RecordKind::Trip, &page(PAGE)).unwrap().1 && !listed(RecordKind::Trip, &page(PAGE - 1)).unwrap().1
        );
        for broken in [json!({}), json!([]), json!({ "items": 1 }), json!({ "items": [{ "title": "no id" }] })] {
            assert_eq!(listed(RecordKind::Trip, &broken), None, "{broken}");
        }
    }
}
