//! What does not fit in an itinerary. A conflict is shown, never refused: plans are made in any order.

use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    itinerary::{Item, ItemKind},
    trip::Trip,
};

/// Most conflicts in an answer.
pub(crate) const CONFLICTS_MAX: usize = 100;

/// One item that does not fit the trip, or two that do not fit together.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Conflict {
    #[serde(rename = "type")]
    pub(crate) kind: ConflictKind,
    /// Where to look: the day on which the later item begins.
    pub(crate) date: Date,
    pub(crate) item_ids: Vec<Uuid>,
}

/// What does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ConflictKind {
    /// It begins before the trip or ends after it.
    OutsideTrip,
    /// Both want the same hours.
    TimeOverlap,
    /// Two stays for the same night.
    StayOverlap,
    /// The flight leaves before check-out or arrives after the day of check-in.
    FlightDuringStay,
}

/// All conflicts among the items, which are in the order of their dates.
pub(super) fn conflicts(trip: &Trip, items: &[Item]) -> Vec<Conflict> {
    let outside = items.iter().filter(|item| item.date < trip.start_date || item.last_date() > trip.end_date);
    let conflict = |kind, date, item_ids| Conflict { kind, date, item_ids };
    let mut found: Vec<_> = outside.map(|item| conflict(ConflictKind::OutsideTrip, item.date, vec![item.id])).collect();
    for (index, first) in items.iter().enumerate() {
        let clashes = items[index + 1..].iter().filter_map(|second| Some((clash(first, second)?, second)));
        found.extend(clashes.map(|(kind, second)| conflict(kind, second.date, vec![first.id, second.id])));
    }
    found.sort_by_key(|conflict| conflict.date);
    found
}

fn clash(first: &Item, second: &Item) -> Option<ConflictKind> {
    use ItemKind::{Accommodation, Flight};
    let (kind, is_clash) = match (first.kind, second.kind) {
        (Accommodation, Accommodation) => {
            (ConflictKind::StayOverlap, first.date < second.check_out() && second.date < first.check_out())
        }
        (Flight, Accommodation) => (ConflictKind::FlightDuringStay, is_during_stay(first, second)),
        (Accommodation, Flight) => (ConflictKind::FlightDuringStay, is_during_stay(second, first)),
        // A bed is kept for the whole day, whatever one does.
        (Accommodation, _) | (_, Accommodation) => return None,
        _ => (ConflictKind::TimeOverlap, overlap(first, second)),
    };
    is_clash.then_some(kind)
}

/// Whether a traveller is in the air between the days of check-in and check-out.
fn is_during_stay(flight: &Item, stay: &Item) -> bool {
    let is_between = |date: Date| stay.date < date && date < stay.check_out();
    is_between(flight.date) || is_between(flight.last_date())
}

/// Whether the hours of both are known and some are the same. What begins when the other ends does not overlap.
fn overlap(first: &Item, second: &Item) -> bool {
    let (Some((a_begin, a_end)), Some((b_begin, b_end))) = (first.hours(), second.hours()) else { return false };
    a_begin < b_end && b_begin < a_end
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::{
        super::{itinerary::ItemDraft, trip::TripDraft},
        *,
    };

    fn trip() -> Trip {
        let draft = json!({"title": "Alps", "start_date": "2030-01-01", "end_date": "2030-01-08",
            "destinations": [{"name": "Zermatt"}]});
        let draft: TripDraft = serde_json::from_value(draft).unwrap();
        draft.into_trip(Uuid::nil(), Uuid::nil(), Timestamp::UNIX_EPOCH)
    }

    fn item(kind: &str, dates: &str, slot: &str) -> Item {
        let mut draft = json!({"type": kind, "title": "x"});
        for (field, day) in ["date", "end_date"].into_iter().zip(dates.split(' ')) {
            draft[field] = format!("2030-01-{day}").into();
        }
        if !slot.is_empty() {
            let mut times = slot.split('-').map(Value::from);
            draft["time_slot"] = json!({"start": times.next(), "end": times.next()});
        }
        let draft: ItemDraft = serde_json::from_value(draft).unwrap();
        draft.into_item(Uuid::new_v4(), Uuid::nil(), Uuid::nil(), Timestamp::UNIX_EPOCH)
    }

    const ACTIVITY: &str = "activity";
    const STAY: &str = "accommodation";

    #[rstest]
    #[case("same hours", (ACTIVITY, "02", "09:00-11:00"), ("meal", "02", "10:00-12:00"), Some(ConflictKind::TimeOverlap))]
    #[case("inside", (ACTIVITY, "02", "09:00-18:00"), ("meal", "02", "12:00-13:00"), Some(ConflictKind::TimeOverlap))]
    #[case("one after the other", (ACTIVITY, "02", "09:00-11:00"), ("meal", "02", "11:00-12:00"), None)]
    #[case("another day", (ACTIVITY, "02", "09:00-11:00"), ("meal", "03", "09:00-11:00"), None)]
    #[case("no hours", (ACTIVITY, "02", ""), ("meal", "02", "09:00-11:00"), None)]
    #[case("no end, inside", (ACTIVITY, "02", "09:00-11:00"), ("meal", "02", "10:00"), Some(ConflictKind::TimeOverlap))]
    #[case("no end, at the start", (ACTIVITY, "02", "09:00-11:00"), ("meal", "02", "09:00"), Some(ConflictKind::TimeOverlap))]
    #[case("no end, at the end", (ACTIVITY, "02", "09:00-11:00"), ("meal", "02", "11:00"), None)]
    #[case("over midnight", ("flight", "02 03", "22:00-02:00"), (ACTIVITY, "03", "01:00-03:00"), Some(ConflictKind::TimeOverlap))]
    #[case("two stays", (STAY, "02 05", ""), (STAY, "04 06", ""), Some(ConflictKind::StayOverlap))]
    #[case("stay after stay", (STAY, "02 05", ""), (STAY, "05 06", ""), None)]
    #[case("one night each", (STAY, "02", ""), (STAY, "03", ""), None)]
    #[case("the same night", (STAY, "02", ""), (STAY, "02", ""), Some(ConflictKind::StayOverlap))]
    #[case("arrival after check-in", (STAY, "02 05", ""), ("flight", "02 03", ""), Some(ConflictKind::FlightDuringStay))]
    #[case("arrival at check-in", ("flight", "01 02", ""), (STAY, "02 05", ""), None)]
    #[case("departure before check-out", ("flight", "04", ""), (STAY, "02 05", ""), Some(ConflictKind::FlightDuringStay))]
    #[case("departure at check-out", (STAY, "02 05", ""), ("flight", "05", "07:00-09:00"), None)]
    #[case("a day at the hotel", (STAY, "02 05", "15:00-10:00"), (ACTIVITY, "03", "09:00-11:00"), None)]
    fn two_items_fit_or_not(
        #[case] name: &str,
        #[case] first: (&str, &str, &str),
        #[case] second: (&str, &str, &str),
        #[case] expected: Option<ConflictKind>,
    ) {
        let (first, second) = (item(first.0, first.1, first.2), item(second.0, second.1, second.2));
        let ids = vec![first.id, second.id];
        let date = second.date;
        let reversed = [second.clone(), first.clone()];
        let found = conflicts(&trip(), &[first, second]);
        let expected: Vec<_> =
            expected.into_iter().map(|kind| Conflict { kind, date, item_ids: ids.clone() }).collect();
        assert_eq!(found, expected, "{name}");
        assert_eq!(conflicts(&trip(), &reversed).len(), expected.len(), "{name}, the other way round");
    }

    #[rstest]
    #[case("01", false)]
    #[case("08", false)]
    #[case("01 08", false)]
    #[case("09", true)]
    #[case("08 09", true)]
    fn an_item_outside_the_trip_is_a_conflict(#[case] dates: &str, #[case] is_outside: bool) {
        let found = conflicts(&trip(), &[item(ACTIVITY, dates, "")]);
        assert_eq!(found.first().map(|conflict| conflict.kind), is_outside.then_some(ConflictKind::OutsideTrip));
    }
}
