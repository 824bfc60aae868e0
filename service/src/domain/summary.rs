//! A trip at a glance: what is planned, what it costs, what is still missing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    amount::{Amount, Balance},
    budget::Budget,
    currency::Currency,
    itinerary::{Item, ItemKind},
    trip::{Status, Trip, duration_days},
};

/// What a plan is complete of, in percent; see [`TripSummary::completion_percentage`].
const OUTLINE: i64 = 20;
const BUDGET: i64 = 10;
const TRANSPORT: i64 = 20;
const NIGHTS: i64 = 20;
const DAYS: i64 = 30;

/// A trip at a glance.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TripSummary {
    pub(crate) id: Uuid,
    pub(crate) title: String,
    /// First and last day as an ISO 8601 interval.
    #[schema(example = "2030-01-01/2030-01-08")]
    pub(crate) date_range: String,
    /// End minus start.
    pub(crate) duration_days: i32,
    /// Names only.
    pub(crate) destinations: Vec<String>,
    /// When there is a stay in the itinerary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) accommodation_summary: Option<AccommodationSummary>,
    /// When there is a flight or another way to travel in the itinerary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) transportation_summary: Option<TransportationSummary>,
    pub(crate) budget_summary: BudgetSummary,
    pub(crate) has_itinerary: bool,
    /// 20 for dates and destinations, 10 for a total budget, 20 for a flight or other transportation, 20 times the share
    /// of nights with a stay, 30 times the share of days on which an item begins. 100 when the trip is completed.
    #[schema(minimum = 0, maximum = 100)]
    pub(crate) completion_percentage: i64,
}

/// Where the nights are spent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccommodationSummary {
    pub(crate) stays: Vec<String>,
    /// Nights of the trip with a stay.
    pub(crate) nights_covered: i64,
    /// Nights of the trip.
    pub(crate) nights: i64,
}

/// How one travels.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TransportationSummary {
    pub(crate) flights: Vec<String>,
    /// Anything that is no flight.
    pub(crate) others: Vec<String>,
}

/// What the trip may cost, and what its items cost.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BudgetSummary {
    /// When the preferences state one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) total: Option<Amount>,
    /// Of all numbers here except those that name another.
    pub(crate) currency: Currency,
    pub(crate) spent: Balance,
    /// Negative when more is spent than there was. Absent without a total.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remaining: Option<Balance>,
    pub(crate) breakdown: Breakdown,
    /// Costs in other currencies. They are in no other number: nothing is converted.
    pub(crate) spent_in_other_currencies: Vec<ForeignCost>,
}

/// The budget by what the money is for.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct Breakdown {
    pub(crate) accommodation: Share,
    pub(crate) transportation: Share,
    pub(crate) food: Share,
    pub(crate) activities: Share,
    pub(crate) other: Share,
}

/// One part of the budget.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = BudgetShare)]
pub(crate) struct Share {
    /// When the preferences state one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) budget: Option<Amount>,
    pub(crate) spent: Balance,
}

/// Costs in a currency that is not the trip's.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ForeignCost {
    pub(crate) currency: Currency,
    pub(crate) spent: Balance,
}

impl TripSummary {
    /// The summary of a trip with these items.
    pub(crate) fn of(trip: &Trip, items: &[Item]) -> Self {
        // What was stored before budgets were checked may be unreadable; it says nothing then.
        let budget = Budget::of(trip.preferences.as_ref()).unwrap_or_default();
        Self {
            id: trip.id,
            title: trip.title.clone(),
            date_range: format!("{}/{}", trip.start_date, trip.end_date),
            duration_days: trip.duration_days,
            destinations: trip.destinations.iter().map(|destination| destination.name.clone()).collect(),
            accommodation_summary: accommodation(trip, items),
            transportation_summary: transportation(items),
            has_itinerary: !items.is_empty(),
            completion_percentage: completion_percentage(trip, &budget, items),
            budget_summary: BudgetSummary::of(&budget, items),
        }
    }
}

impl BudgetSummary {
    fn of(budget: &Budget, items: &[Item]) -> Self {
        let currency = budget.currency();
        let mut breakdown = Breakdown::default();
        breakdown.accommodation.budget = budget.accommodation;
        breakdown.transportation.budget = budget.transportation;
        breakdown.food.budget = budget.food;
        breakdown.activities.budget = budget.activities;
        let mut spent = Balance::default();
        let mut foreign: BTreeMap<Currency, Balance> = BTreeMap::new();
        for item in items {
            match (item.cost, &item.currency) {
                (Some(cost), Some(other)) if *other != currency => *foreign.entry(other.clone()).or_default() += cost,
                (Some(cost), _) => {
                    breakdown.share_of(item.kind).spent += cost;
                    spent += cost;
                }
                (None, _) => {}
            }
        }
        let foreign = foreign.into_iter().map(|(currency, spent)| ForeignCost { currency, spent });
        Self {
            total: budget.total,
            currency,
            spent,
            remaining: budget.total.map(|total| Balance::from(total) - spent),
            breakdown,
            spent_in_other_currencies: foreign.collect(),
        }
    }
}

impl Breakdown {
    fn share_of(&mut self, kind: ItemKind) -> &mut Share {
        match kind {
            ItemKind::Accommodation => &mut self.accommodation,
            ItemKind::Flight | ItemKind::Transportation => &mut self.transportation,
            ItemKind::Meal => &mut self.food,
            ItemKind::Activity => &mut self.activities,
            ItemKind::Rest | ItemKind::Other => &mut self.other,
        }
    }
}

fn accommodation(trip: &Trip, items: &[Item]) -> Option<AccommodationSummary> {
    let stays = titles(items, ItemKind::Accommodation);
    let nights = i64::from(trip.duration_days);
    (!stays.is_empty()).then(|| AccommodationSummary { stays, nights_covered: nights_covered(trip, items), nights })
}

fn transportation(items: &[Item]) -> Option<TransportationSummary> {
    let (flights, others) = (titles(items, ItemKind::Flight), titles(items, ItemKind::Transportation));
    (!flights.is_empty() || !others.is_empty()).then_some(TransportationSummary { flights, others })
}

fn titles(items: &[Item], kind: ItemKind) -> Vec<String> {
    items.iter().filter(|item| item.kind == kind).map(|item| item.title.clone()).collect()
}

/// How much of a trip is planned: it rises with each item that fills a gap, and never falls by adding one.
fn completion_percentage(trip: &Trip, budget: &Budget, items: &[Item]) -> i64 {
    if trip.status == Status::Completed {
        return 100;
    }
    let nights = i64::from(trip.duration_days);
    let days = nights + 1;
    let travels = items.iter().any(|item| matches!(item.kind, ItemKind::Flight | ItemKind::Transportation));
    // A day trip has no night without a bed.
    let nights_part = if nights == 0 { NIGHTS } else { NIGHTS * nights_covered(trip, items) / nights };
    OUTLINE
        + if budget.total.is_some() { BUDGET } else { 0 }
        + if travels { TRANSPORT } else { 0 }
        + nights_part
        + DAYS * days_planned(trip, items) / days
}

/// Nights of the trip with at least one stay.
fn nights_covered(trip: &Trip, items: &[Item]) -> i64 {
    let mut stays: Vec<(Date, Date)> = items
        .iter()
        .filter(|item| item.kind == ItemKind::Accommodation)
        .map(|item| (item.date, item.check_out().min(trip.end_date)))
        .collect();
    stays.sort_unstable();
    let (mut covered, mut until) = (0, trip.start_date);
    for (from, to) in stays {
        let from = from.max(until);
        if to > from {
            covered += i64::from(duration_days(from, to));
            until = to;
        }
    }
    covered
}

/// Days of the trip on which at least one item begins.
fn days_planned(trip: &Trip, items: &[Item]) -> i64 {
    let dates: BTreeSet<Date> =
        items.iter().map(|item| item.date).filter(|date| (trip.start_date..=trip.end_date).contains(date)).collect();
    i64::try_from(dates.len()).unwrap_or(i64::MAX)
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

    fn trip(end: &str, budget: &Value) -> Trip {
        let draft = json!({"title": "Alps", "start_date": "2030-01-01", "end_date": end,
            "destinations": [{"name": "Zermatt"}], "preferences": {"budget": budget}});
        let draft: TripDraft = serde_json::from_value(draft).unwrap();
        draft.into_trip(Uuid::nil(), Uuid::nil(), Timestamp::UNIX_EPOCH)
    }

    fn item((kind, dates): (&str, &str), cost: Option<Value>) -> Item {
        let mut draft = json!({"type": kind, "title": kind});
        for (field, day) in ["date", "end_date"].into_iter().zip(dates.split(' ')) {
            draft[field] = format!("2030-01-{day}").into();
        }
        draft.as_object_mut().unwrap().extend(cost.into_iter().flat_map(|cost| cost.as_object().unwrap().clone()));
        let draft: ItemDraft = serde_json::from_value(draft).unwrap();
        draft.into_item(Uuid::nil(), Uuid::nil(), Uuid::nil(), Timestamp::UNIX_EPOCH)
    }

    const STAY: &str = "accommodation";

    #[rstest]
    #[case("nothing but the outline", "05", json!(null), &[], 20)]
    #[case("a total", "05", json!({"total": 0}), &[], 30)]
    #[case("a budget without a total", "05", json!({"food_budget": 5}), &[], 20)]
    #[case("a flight on one of five days", "05", json!(null), &[("flight", "01")], 20 + 20 + 6)]
    #[case("two of four nights", "05", json!(null), &[(STAY, "01 03")], 20 + 10 + 6)]
    #[case("the same night twice", "05", json!(null), &[(STAY, "01 02"), (STAY, "01 02")], 20 + 5 + 6)]
    #[case("stays one within the other", "05", json!(null), &[(STAY, "01 04"), (STAY, "02 03")], 20 + 15 + 12)]
    #[case("a stay longer than the trip", "05", json!(null), &[(STAY, "01 20")], 20 + 20 + 6)]
    #[case("a stay after the last night", "05", json!(null), &[(STAY, "05")], 20 + 6)]
    #[case("an item outside", "05", json!(null), &[("meal", "09")], 20)]
    #[case("a day trip", "01", json!(null), &[], 20 + 20)]
    #[case("all", "02", json!({"total": 9}), &[("flight", "01"), (STAY, "01 02"), ("flight", "02")], 100)]
    fn completion_rises_with_what_is_planned(
        #[case] name: &str,
        #[case] end: &str,
        #[case] budget: Value,
        #[case] items: &[(&str, &str)],
        #[case] expected: i64,
    ) {
        let items: Vec<_> = items.iter().map(|kind_and_dates| item(*kind_and_dates, None)).collect();
        let summary = TripSummary::of(&trip(&format!("2030-01-{end}"), &budget), &items);
        assert_eq!(summary.completion_percentage, expected, "{name}");
        assert_eq!(summary.has_itinerary, !items.is_empty(), "{name}");
    }

    #[test]
    fn a_completed_trip_is_complete() {
        let trip = Trip { status: Status::Completed, ..trip("2030-01-05", &json!(null)) };
        assert_eq!(TripSummary::of(&trip, &[]).completion_percentage, 100);
    }

    #[test]
    fn costs_are_added_up_by_what_they_are_for_and_never_converted() {
        let budget = json!({"total": 100, "currency": "EUR", "food_budget": 30.5, "accommodation_budget": 50});
        let cost = |amount: f64, currency: &str| Some(json!({"cost": amount, "currency": currency}));
        let items = [
            item(("meal", "01"), cost(20.1, "EUR")),
            item(("meal", "01"), cost(0.2, "EUR")),
            item(("flight", "01"), cost(99.99, "EUR")),
            item(("transportation", "01"), cost(0.01, "EUR")),
            item(("activity", "01"), cost(7.0, "CHF")),
            item(("activity", "02"), cost(8.0, "CHF")),
            item(("rest", "02"), None),
        ];
        let summary = serde_json::to_value(TripSummary::of(&trip("2030-01-05", &budget), &items)).unwrap();
        let expected = json!({
            "total": 100.0, "currency": "EUR", "spent": 120.3, "remaining": -20.3,
            "breakdown": {
                "accommodation": {"budget": 50.0, "spent": 0.0},
                "transportation": {"spent": 100.0},
                "food": {"budget": 30.5, "spent": 20.3},
                "activities": {"spent": 0.0},
                "other": {"spent": 0.0}
            },
            "spent_in_other_currencies": [{"currency": "CHF", "spent": 15.0}]
        });
        assert_eq!(summary["budget_summary"], expected);
    }

    #[test]
    fn without_a_budget_nothing_remains_and_nothing_is_assumed() {
        let summary = serde_json::to_value(TripSummary::of(&trip("2030-01-05", &json!(null)), &[])).unwrap();
        let budget = &summary["budget_summary"];
        assert_eq!((budget.get("total"), budget.get("remaining"), &budget["currency"]), (None, None, &json!("USD")));
        assert_eq!((summary.get("accommodation_summary"), summary.get("transportation_summary")), (None, None));
    }
}
