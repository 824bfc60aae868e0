//! The itinerary of a trip: an item is added, and must be on its day.
use super::{Step, trip::Saved};
use crate::{
    client::{Answer, get, post},
    draw::Draw,
    outcome::of_refusal,
    visit::Visit,
};
use http::StatusCode;
use jiff::civil::Date;
use reports::record::{Outcome, RecordKind};
use serde::{Deserialize, Serialize};

/// The steps, in the order in which [`plan`] counts them from its first.
pub(super) const STEPS: [Step; 2] =
    [Step { name: "itinerary.add", is_streamed: false }, Step { name: "itinerary.read", is_streamed: false }];

/// Adds an item to a trip and reads the itinerary. Its steps are `first` and the one after it.
pub(super) async fn plan(visit: &mut Visit<'_>, first: usize, draw: &mut Draw, trip: &Saved) -> Option<()> {
    let write = visit.new_record(RecordKind::Item).within(&trip.id);
    let activity = *draw.one_of(&["Museum", "Walk through the old town", "Cooking class", "Boat trip", "Concert"]);
    let item = Item {
        kind: "activity".to_owned(),
        title: format!("{activity} #{}", write.reference()),
        date: trip.draft.start_date,
        location: Some("Centre".to_owned()),
    };
    let request = post(trip.path("/itinerary/items")?, serde_json::to_vec(&item).expect("an item has only text keys"));
    let (outcome, answer) = visit.write(first, request, &write, |answer| item.judge_added(answer)).await?;
    let added: Added = serde_json::from_slice(&answer.body).ok().filter(|_| outcome == Outcome::Full)?;
    let request = get(trip.path("/itinerary")?);
    visit.ask(first + 1, request, |answer| item.judge_itinerary(&added.id, answer)).await?;
    Some(())
}

/// What is added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Item {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    date: Date,
    location: Option<String>,
}

/// An item as answered.
#[derive(Deserialize)]
struct Added {
    id: String,
    #[serde(flatten)]
    item: Item,
}

#[derive(Deserialize)]
struct Itinerary {
    days: Vec<Day>,
}

#[derive(Deserialize)]
struct Day {
    date: Date,
    items: Vec<Added>,
}

impl Item {
    fn judge_added(&self, answer: &Answer) -> Outcome {
        if answer.status != StatusCode::CREATED {
            return of_refusal(answer);
        }
        match serde_json::from_slice::<Added>(&answer.body) {
            Ok(added) if added.item == *self && !added.id.is_empty() => Outcome::Full,
            _ => Outcome::Wrong,
        }
    }

    fn judge_itinerary(&self, id: &str, answer: &Answer) -> Outcome {
        if answer.status != StatusCode::OK {
            return of_refusal(answer);
        }
        let Ok(itinerary) = serde_json::from_slice::<Itinerary>(&answer.body) else { return Outcome::Wrong };
        let on_its_day = itinerary.days.iter().filter(|day| day.date == self.date).flat_map(|day| &day.items);
        let count = on_its_day.filter(|added| added.id == id && added.item == *self).count();
        if count == 1 { Outcome::Full } else { Outcome::Wrong }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::tests::answer;
    use serde_json::{Value, json};

    #[test]
    fn an_item_must_be_on_its_day_once_and_as_it_was_added() {
        let item = Item {
            kind: "activity".into(),
            title: "Walk #3".into(),
            date: "2030-05-01".parse().unwrap(),
            location: None,
        };
        let added = json!({ "id": "i", "type": "activity", "title": "Walk #3", "date": "2030-05-01", "trip_id": "t" });
        assert_eq!(item.judge_added(&answer(201, &added.to_string())), Outcome::Full);
        assert_eq!(item.judge_added(&answer(200, &added.to_string())), Outcome::Wrong);
        let check = |days: Value, expected| {
            assert_eq!(
                item.judge_itinerary("i", &answer(200, &json!({ "days": days }).to_string())),
                expected,
                "{days}"
            );
        };
        check(json!([{ "date": "2030-05-01", "items": [added] }]), Outcome::Full);
        check(json!([{ "date": "2030-05-02", "items": [added] }]), Outcome::Wrong);
        check(json!([{ "date": "2030-05-01", "items": [added, added] }]), Outcome::Wrong);
        check(json!([{ "date": "2030-05-01", "items": [] }]), Outcome::Wrong);
        let mut other = added.clone();
        other["title"] = "Swim #3".into();
        assert_eq!(item.judge_added(&answer(201, &other.to_string())), Outcome::Wrong);
        check(json!([{ "date": "2030-05-01", "items": [other] }]), Outcome::Wrong);
    }
}
