//! What happens on which day of a trip.

use garde::Validate;
use jiff::{
    Timestamp, ToSpan as _,
    civil::{Date, DateTime},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    amount::Amount,
    clock_time::ClockTime,
    conflict::{CONFLICTS_MAX, Conflict, conflicts},
    currency::Currency,
    storable::{is_date, is_text},
    trip::Trip,
};

/// Most items of one trip.
pub(crate) const ITEMS_MAX: i64 = 500;

/// A request for a new item. Also what is stored of it.
#[derive(Debug, Clone, Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ItemDraft {
    #[serde(rename = "type")]
    #[garde(skip)]
    pub(crate) kind: ItemKind,
    #[garde(length(chars, min = 1, max = 100), custom(is_text))]
    pub(crate) title: String,
    #[garde(custom(is_date))]
    pub(crate) date: Date,
    /// Day of arrival or of check-out, when it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(custom(is_date), custom(is_not_before(&self.date))))]
    pub(crate) end_date: Option<Date>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(custom(goes_forward(self.date, self.end_date))))]
    pub(crate) time_slot: Option<TimeSlot>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(length(chars, max = 200), inner(custom(is_text)))]
    pub(crate) location: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    pub(crate) cost: Option<Amount>,
    /// Of the cost; without it, that of the trip's budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    pub(crate) currency: Option<Currency>,
}

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ItemKind {
    Flight,
    Accommodation,
    Activity,
    Transportation,
    Meal,
    Rest,
    Other,
}

/// From when to when on the clocks of the place, from the first day to the last.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TimeSlot {
    pub(crate) start: ClockTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) end: Option<ClockTime>,
}

/// An item as stored and answered.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Item {
    pub(crate) id: Uuid,
    pub(crate) trip_id: Uuid,
    #[serde(rename = "type")]
    pub(crate) kind: ItemKind,
    pub(crate) title: String,
    pub(crate) date: Date,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) end_date: Option<Date>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) time_slot: Option<TimeSlot>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cost: Option<Amount>,
    /// Of the cost, when there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) currency: Option<Currency>,
    pub(crate) created_by: Uuid,
    pub(crate) created_at: Timestamp,
}

/// The items of a trip, day by day, and what does not fit.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Itinerary {
    pub(crate) trip_id: Uuid,
    /// Days on which something begins, in order.
    pub(crate) days: Vec<Day>,
    /// The first hundred of them.
    pub(crate) conflicts: Vec<Conflict>,
    pub(crate) conflicts_total: usize,
}

/// A day of an itinerary.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Day {
    pub(crate) date: Date,
    /// Those without a time first, then by the clock.
    pub(crate) items: Vec<Item>,
}

impl ItemDraft {
    /// States the currency of the cost; a currency of nothing is dropped.
    pub(crate) fn priced_in(mut self, usual: Currency) -> Self {
        self.currency = self.cost.map(|_| self.currency.unwrap_or(usual));
        self
    }

    /// The item it becomes.
    pub(crate) fn into_item(self, id: Uuid, trip_id: Uuid, created_by: Uuid, created_at: Timestamp) -> Item {
        Item {
            id,
            trip_id,
            kind: self.kind,
            title: self.title,
            date: self.date,
            end_date: self.end_date,
            time_slot: self.time_slot,
            location: self.location,
            cost: self.cost,
            currency: self.currency,
            created_by,
            created_at,
        }
    }
}

impl Item {
    /// Its last day: of arrival, of check-out.
    pub(crate) fn last_date(&self) -> Date {
        self.end_date.unwrap_or(self.date)
    }

    /// The day of check-out of a stay: the next one, unless it is stated.
    pub(crate) fn check_out(&self) -> Date {
        self.end_date.unwrap_or_else(|| self.date.saturating_add(1.day()))
    }

    /// When it begins and ends, if its times are known. What has no end takes a minute.
    pub(crate) fn hours(&self) -> Option<(DateTime, DateTime)> {
        let slot = self.time_slot?;
        let begin = slot.start.on(self.date);
        let end = slot.end.map_or_else(|| begin.saturating_add(1.minute()), |end| end.on(self.last_date()));
        Some((begin, end))
    }
}

impl Itinerary {
    /// The itinerary of a trip with these items.
    pub(crate) fn of(trip: &Trip, mut items: Vec<Item>) -> Self {
        items.sort_by_key(|item| (item.date, item.time_slot.map(|slot| slot.start), item.created_at));
        let mut conflicts = conflicts(trip, &items);
        let conflicts_total = conflicts.len();
        conflicts.truncate(CONFLICTS_MAX);
        let mut days: Vec<Day> = Vec::new();
        for item in items {
            match days.last_mut() {
                Some(day) if day.date == item.date => day.items.push(item),
                _ => days.push(Day { date: item.date, items: vec![item] }),
            }
        }
        Self { trip_id: trip.id, days, conflicts, conflicts_total }
    }
}

fn is_not_before(first: &Date) -> impl FnOnce(&Date, &()) -> garde::Result + '_ {
    move |last, ()| if last >= first { Ok(()) } else { Err(garde::Error::new("is before the date")) }
}

fn goes_forward(first: Date, last: Option<Date>) -> impl FnOnce(&TimeSlot, &()) -> garde::Result {
    move |slot, ()| {
        let is_one_day = last.is_none_or(|last| last == first);
        if is_one_day && slot.end.is_some_and(|end| end <= slot.start) {
            return Err(garde::Error::new("ends before it starts; what ends on another day needs an end date"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn draft(change: &Value) -> Result<ItemDraft, serde_json::Error> {
        let mut body = json!({"type": "activity", "title": "Museum", "date": "2030-01-02"});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        serde_json::from_value(body)
    }

    #[rstest]
    #[case(json!({}), None)]
    #[case(json!({"end_date": "2030-01-02", "time_slot": {"start": "09:00", "end": "09:01"}}), None)]
    #[case(json!({"end_date": "2030-01-03", "time_slot": {"start": "23:00", "end": "01:00"}}), None)]
    #[case(json!({"time_slot": {"start": "23:00"}}), None)]
    #[case(json!({"time_slot": {"start": "23:00", "end": "23:00"}}), Some("time_slot"))]
    #[case(json!({"end_date": "2030-01-01"}), Some("end_date"))]
    #[case(json!({"date": "0000-01-01"}), Some("date"))]
    #[case(json!({"title": ""}), Some("title"))]
    #[case(json!({"location": "a\u{0}"}), Some("location"))]
    #[case(json!({"location": "x".repeat(201)}), Some("location"))]
    fn items_are_checked(#[case] change: Value, #[case] wrong: Option<&str>) {
        let report = draft(&change).unwrap().validate().err();
        assert_eq!(report.map(|report| report.iter().next().unwrap().0.to_string()).as_deref(), wrong);
    }

    #[rstest]
    #[case(json!({"type": "war"}))]
    #[case(json!({"cost": -1}))]
    #[case(json!({"currency": "euro"}))]
    #[case(json!({"time_slot": {"end": "10:00"}}))]
    #[case(json!({"colour": "red"}))]
    fn what_cannot_be_an_item_is_not_read(#[case] change: Value) {
        assert!(draft(&change).is_err());
    }

    #[rstest]
    #[case(json!({}), None)]
    #[case(json!({"currency": "EUR"}), None)]
    #[case(json!({"cost": 5}), Some("CHF"))]
    #[case(json!({"cost": 5, "currency": "EUR"}), Some("EUR"))]
    fn a_cost_has_a_currency(#[case] change: Value, #[case] expected: Option<&str>) {
        let usual: Currency = serde_json::from_value(json!("CHF")).unwrap();
        let priced = draft(&change).unwrap().priced_in(usual);
        assert_eq!(serde_json::to_value(priced.currency).unwrap(), json!(expected));
    }
}
