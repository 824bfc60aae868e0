//! Planning a trip: items, what does not fit, and the summary.

use reqwest::Method;
use serde_json::{Value, json};

use rstest::rstest;

use crate::stack::{Database, Stack, User};

const TRIPS: &str = "/api/v1/trips";

async fn create(stack: &Stack, user: &User) -> String {
    let trip = json!({"title": "Lisbon", "start_date": "2099-05-01", "end_date": "2099-05-03",
        "destinations": [{"name": "Lisbon"}, {"name": "Sintra"}],
        "preferences": {"budget": {"total": 1000, "currency": "EUR", "food_budget": 200}}});
    stack.post(TRIPS, user, &trip).await.header("location").to_owned()
}

#[rstest]
#[tokio::test]
async fn a_plan_fills_up_item_by_item(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let Some(stack) = Stack::on(database, &[]).await else { return };
    let user = stack.user().await;
    let trip = create(&stack, &user).await;
    let (items, summary) = (format!("{trip}/itinerary/items"), format!("{trip}/summary"));
    let completion = async || stack.get(&summary, &user).await.json()["completion_percentage"].as_i64().unwrap();
    let empty = stack.get(&format!("{trip}/itinerary"), &user).await.json();
    assert_eq!((&empty["days"], &empty["conflicts"]), (&json!([]), &json!([])));

    let plan = [
        (
            json!({"type": "flight", "title": "BSL-LIS", "date": "2099-05-01", "cost": 250.5,
            "time_slot": {"start": "07:00", "end": "09:15"}}),
            60,
        ),
        (
            json!({"type": "accommodation", "title": "Hotel Tejo", "date": "2099-05-01", "end_date": "2099-05-03",
            "cost": 300.0, "location": "Rua Augusta 1"}),
            80,
        ),
        (json!({"type": "activity", "title": "Sintra", "date": "2099-05-02", "cost": 20.0, "currency": "USD"}), 90),
        (json!({"type": "flight", "title": "LIS-BSL", "date": "2099-05-03", "time_slot": {"start": "20:00"}}), 100),
    ];
    assert_eq!(completion().await, 30);
    for (draft, expected) in &plan {
        let added = stack.post(&items, &user, draft).await;
        assert_eq!(added.status, 201, "{added:?}");
        for (field, value) in draft.as_object().unwrap() {
            assert_eq!(&added.json()[field], value, "{field}");
        }
        assert_eq!(completion().await, *expected, "after {draft}");
    }

    let itinerary = stack.get(&format!("{trip}/itinerary"), &user).await.json();
    let days: Vec<(&str, usize)> = itinerary["days"]
        .as_array()
        .unwrap()
        .iter()
        .map(|day| (day["date"].as_str().unwrap(), day["items"].as_array().unwrap().len()))
        .collect();
    assert_eq!(days, [("2099-05-01", 2), ("2099-05-02", 1), ("2099-05-03", 1)]);
    assert_eq!((&itinerary["conflicts"], &itinerary["conflicts_total"]), (&json!([]), &json!(0)));
    assert_eq!(itinerary["days"][0]["items"][1]["currency"], "EUR", "the currency of the budget");

    let seen = stack.get(&summary, &user).await.json();
    let expected = json!({
        "title": "Lisbon", "date_range": "2099-05-01/2099-05-03", "duration_days": 2,
        "destinations": ["Lisbon", "Sintra"], "has_itinerary": true,
        "accommodation_summary": {"stays": ["Hotel Tejo"], "nights_covered": 2, "nights": 2},
        "transportation_summary": {"flights": ["BSL-LIS", "LIS-BSL"], "others": []}
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&seen[field], value, "{field}");
    }
    let budget = &seen["budget_summary"];
    assert_eq!((&budget["spent"], &budget["remaining"]), (&json!(550.5), &json!(449.5)));
    assert_eq!(budget["spent_in_other_currencies"], json!([{"currency": "USD", "spent": 20.0}]));
}

#[rstest]
#[tokio::test]
async fn what_does_not_fit_is_added_and_shown(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let Some(stack) = Stack::on(database, &[]).await else { return };
    let user = stack.user().await;
    let trip = create(&stack, &user).await;
    let mut ids = Vec::new();
    let plan = [
        json!({"type": "accommodation", "title": "Hotel", "date": "2099-05-01", "end_date": "2099-05-03"}),
        json!({"type": "activity", "title": "Museum", "date": "2099-05-02", "time_slot": {"start": "10:00", "end": "12:00"}}),
        json!({"type": "meal", "title": "Lunch", "date": "2099-05-02", "time_slot": {"start": "11:30", "end": "13:00"}}),
        json!({"type": "flight", "title": "Home", "date": "2099-05-02"}),
        json!({"type": "other", "title": "Laundry", "date": "2099-05-04"}),
    ];
    for draft in &plan {
        let added = stack.post(&format!("{trip}/itinerary/items"), &user, draft).await;
        assert_eq!(added.status, 201, "{added:?}");
        ids.push(added.json()["id"].clone());
    }
    let conflicts = stack.get(&format!("{trip}/itinerary"), &user).await.json()["conflicts"].clone();
    let expected = json!([
        {"type": "flight_during_stay", "date": "2099-05-02", "item_ids": [ids[0], ids[3]]},
        {"type": "time_overlap", "date": "2099-05-02", "item_ids": [ids[1], ids[2]]},
        {"type": "outside_trip", "date": "2099-05-04", "item_ids": [ids[4]]}
    ]);
    assert_eq!(conflicts, expected);

    // A longer trip has room for the laundry.
    let body = json!({"end_date": "2099-05-04", "version": 1});
    let longer = stack.send(Method::PUT, &trip, Some(&user.token), Some(&body)).await;
    assert_eq!(longer.status, 200, "{longer:?}");
    assert_eq!(stack.get(&format!("{trip}/itinerary"), &user).await.json()["conflicts_total"], 2);
}

#[rstest]
#[tokio::test]
async fn an_itinerary_has_an_end(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let Some(stack) = Stack::on(database, &[]).await else { return };
    let user = stack.user().await;
    let trip = create(&stack, &user).await;
    let path = format!("{trip}/itinerary/items");
    let draft = json!({"type": "meal", "title": "Snack", "date": "2099-05-02", "time_slot": {"start": "10:00"}});
    for _ in 0..500 {
        assert_eq!(stack.post(&path, &user, &draft).await.status, 201);
    }
    assert_eq!(stack.post(&path, &user, &draft).await.error(), (409, "ITINERARY_FULL".into()));
    let itinerary = stack.get(&format!("{trip}/itinerary"), &user).await.json();
    assert_eq!(itinerary["conflicts"].as_array().unwrap().len(), 100);
    assert_eq!(itinerary["conflicts_total"], 500 * 499 / 2);
}

#[rstest]
#[tokio::test]
async fn a_wrong_item_is_refused_by_field(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let Some(stack) = Stack::on(database, &[]).await else { return };
    let user = stack.user().await;
    let trip = create(&stack, &user).await;
    let cases: [(Value, &str); 7] = [
        (json!({"type": "war"}), "type"),
        (json!({"title": ""}), "title"),
        (json!({"date": "2099-02-30"}), "date"),
        (json!({"end_date": "2099-04-30"}), "end_date"),
        (json!({"time_slot": {"start": "25:00"}}), "time_slot.start"),
        (json!({"cost": -1}), "cost"),
        (json!({"colour": "red"}), "colour"),
    ];
    for (change, field) in cases {
        let mut draft = json!({"type": "meal", "title": "Lunch", "date": "2099-05-02"});
        draft.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let answer = stack.post(&format!("{trip}/itinerary/items"), &user, &draft).await;
        assert_eq!(answer.error(), (422, "VALIDATION_ERROR".into()), "{draft}");
        assert_eq!(answer.json()["details"]["errors"][0]["field"], field, "{draft}");
    }
    assert_eq!(stack.get(&format!("{trip}/summary"), &user).await.json()["has_itinerary"], false);
}
