//! Flight search: a user asks for flights and looks whether the offers are for what was asked.
use super::{Journey, Step};
use crate::{
    client::{Answer, post},
    draw::{Draw, Purpose},
    feeders,
    outcome::{Meta, of_refusal},
    visit::Visit,
};
use futures_util::future::BoxFuture;
use http::{StatusCode, Uri};
use jiff::civil::Date;
use reports::record::Outcome;
use serde::{Deserialize, Serialize};

const SEARCH: usize = 0;
const PATH: &str = "/api/v1/flights/search";
/// How old a cached answer may be, in seconds, without being less than was asked for (service contract 8.1).
const FRESH_S: f64 = 300.0;
/// How many searches are made by many users.
const POPULAR_COUNT: u32 = 24;
/// They are the same under every seed, as popular routes are.
const POPULAR_SEED: u64 = 0;

/// Whose search it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// Half of the time a popular one.
    Any,
    /// One of a few that many users make, so that a cache has the answer.
    Popular,
    /// One of its own, which no cache has.
    Own,
}

/// The step of a search.
pub(super) const STEP: Step = Step { name: "flights.search", is_streamed: false };

/// The journey of one search.
pub(super) struct FlightSearch(pub(super) Which);

impl Journey for FlightSearch {
    fn name(&self) -> &'static str {
        match self.0 {
            Which::Any => "flight-search",
            Which::Popular => "flight-search-cached",
            Which::Own => "flight-search-uncached",
        }
    }

    fn steps(&self) -> &'static [Step] {
        &[STEP]
    }

    fn travel<'a>(&'a self, visit: &'a mut Visit<'_>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let mut draw = visit.draw();
            search(visit, SEARCH, &mut draw, self.0).await;
        })
    }
}

/// Searches, and returns what was asked for with the offer to take: the first that can be booked. `None` unless the answer is full.
pub(super) async fn search(
    visit: &mut Visit<'_>,
    step: usize,
    draw: &mut Draw,
    which: Which,
) -> Option<(Search, Option<String>)> {
    let search = Search::draw(draw, visit.day(), which);
    let body = serde_json::to_vec(&search).expect("a search has only text keys");
    let asked = visit.ask(step, post(Uri::from_static(PATH), body), |answer| search.judge(answer)).await;
    let Some((Outcome::Full, answer)) = asked else { return None };
    let found: Found = serde_json::from_slice(&answer.body).ok()?;
    let offer = found.offers.into_iter().find(|offer| offer.bookable);
    Some((search, offer.map(|offer| offer.id)))
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Search {
    origin: &'static str,
    destination: &'static str,
    departure_date: Date,
    #[serde(skip_serializing_if = "Option::is_none")]
    return_date: Option<Date>,
    pub(super) adults: u32,
    pub(super) children: u32,
    infants: u32,
    cabin_class: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_stops: Option<u32>,
    currency: &'static str,
}

impl Search {
    fn draw(draw: &mut Draw, day: Date, which: Which) -> Self {
        let is_popular = match which {
            Which::Any => draw.below(2) == 1,
            Which::Popular => true,
            Which::Own => false,
        };
        if !is_popular {
            return Self::any(draw, day);
        }
        let number = draw.between(0, POPULAR_COUNT - 1);
        Self::any(&mut Draw::new(POPULAR_SEED, Purpose::Payload, u64::from(number)), day)
    }

    /// Two to sixteen weeks ahead, two in three with a way back, mostly for one or two in economy.
    fn any(draw: &mut Draw, day: Date) -> Self {
        let (origin, destination) = feeders::route(draw);
        let departure_date = feeders::day_after(draw, day, 14, 112);
        let is_return = draw.below(3) > 0;
        let return_date = feeders::day_after(draw, departure_date, 2, 14);
        Self {
            origin: origin.code,
            destination: destination.code,
            departure_date,
            return_date: is_return.then_some(return_date),
            adults: *draw.popular(&[1, 2, 3, 4]),
            children: *draw.popular(&[0, 0, 1, 2]),
            infants: 0,
            cabin_class: *draw.popular(&["economy", "economy", "premium_economy", "business"]),
            max_stops: *draw.one_of(&[None, None, Some(1), Some(2)]),
            currency: *draw.one_of(&["USD", "EUR"]),
        }
    }

    fn judge(&self, answer: &Answer) -> Outcome {
        if answer.status != StatusCode::OK {
            return of_refusal(answer);
        }
        match serde_json::from_slice::<Found>(&answer.body) {
            Ok(found) if self.is_answered_by(&found) => found.meta.outcome(FRESH_S),
            _ => Outcome::Wrong,
        }
    }

    fn is_answered_by(&self, found: &Found) -> bool {
        !found.search_id.is_empty()
            && found.currency == self.currency
            && found.total_results == found.offers.len()
            && found.offers.iter().all(|offer| self.is_met_by(offer))
    }

    fn is_met_by(&self, offer: &Offer) -> bool {
        let is_direct_enough =
            |segments: &[Segment]| self.max_stops.is_none_or(|max_stops| segments.len() <= max_stops as usize + 1);
        let is_way_back_right = match (self.return_date, &offer.return_segments) {
            (Some(date), Some(back)) => is_way(back, self.destination, self.origin, date) && is_direct_enough(back),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        !offer.id.is_empty()
            && offer.total_price > 0.0
            && offer.currency == self.currency
            && offer.cabin_class == self.cabin_class
            && is_way(&offer.outbound_segments, self.origin, self.destination, self.departure_date)
            && is_direct_enough(&offer.outbound_segments)
            && is_way_back_right
    }
}

/// Whether the segments lead from one airport to another, without a gap, departing on that day.
fn is_way(segments: &[Segment], origin: &str, destination: &str, date: Date) -> bool {
    let (Some(first), Some(last)) = (segments.first(), segments.last()) else { return false };
    let is_joined = segments.windows(2).all(|pair| pair[0].arrival_airport == pair[1].departure_airport);
    first.departure_airport == origin
        && last.arrival_airport == destination
        && first.departure_time.starts_with(&date.to_string())
        && is_joined
}

#[derive(Deserialize)]
struct Found {
    search_id: String,
    offers: Vec<Offer>,
    total_results: usize,
    currency: String,
    meta: Meta,
}

#[derive(Deserialize)]
struct Offer {
    id: String,
    outbound_segments: Vec<Segment>,
    return_segments: Option<Vec<Segment>>,
    total_price: f64,
    currency: String,
    cabin_class: String,
    #[serde(default)]
    bookable: bool,
}

#[derive(Deserialize)]
struct Segment {
    departure_airport: String,
    arrival_airport: String,
    departure_time: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::tests::answer;
    use serde_json::{Value, json};

    fn search() -> Search {
        Search {
            origin: "JFK",
            destination: "CDG",
            departure_date: "2030-05-01".parse().unwrap(),
            return_date: None,
            adults: 1,
            children: 0,
            infants: 0,
            cabin_class: "economy",
            max_stops: Some(1),
            currency: "EUR",
        }
    }

    fn segment(from: &str, to: &str, time: &str) -> Value {
        json!({ "departure_airport": from, "arrival_airport": to, "departure_time": time, "arrival_time": "x",
            "flight_number": "AF1", "duration_minutes": 60 })
    }

    fn found() -> Value {
        json!({ "search_id": "s", "total_results": 1, "currency": "EUR", "search_duration_ms": 3, "cached": false,
            "meta": { "degraded": false, "degraded_reasons": [], "source": "live", "provider_errors": {} },
            "offers": [{ "id": "o", "total_price": 99.5, "currency": "EUR", "cabin_class": "economy", "outbound_segments": [
                segment("JFK", "LHR", "2030-05-01T08:00:00Z"), segment("LHR", "CDG", "2030-05-01T20:00:00Z")] }] })
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Value), expected: Outcome) {
        let mut body = found();
        change(&mut body);
        assert_eq!(search().judge(&answer(200, &body.to_string())), expected, "{body}");
    }

    #[test]
    fn offers_must_be_for_what_was_asked() {
        use Outcome::{Degraded, Full, Undeclared, Wrong};
        check(|_| {}, Full);
        check(|body| body["meta"]["degraded"] = true.into(), Degraded);
        check(|body| body["meta"]["source"] = "stale".into(), Undeclared);
        check(|body| body["meta"] = json!({ "degraded": true, "source": "stale", "cache_age_s": 900 }), Degraded);
        check(|body| (body["offers"], body["total_results"]) = (json!([]), 0.into()), Full);
        check(|body| body["total_results"] = 2.into(), Wrong);
        check(|body| body["currency"] = "USD".into(), Wrong);
        check(|body| body["offers"][0]["currency"] = "USD".into(), Wrong);
        check(|body| body["offers"][0]["total_price"] = 0.into(), Wrong);
        check(|body| body["offers"][0]["total_price"] = Value::Null, Wrong);
        check(|body| body["offers"][0]["cabin_class"] = "first".into(), Wrong);
        check(|body| body["offers"][0]["outbound_segments"] = json!([]), Wrong);
        let route = "/offers/0/outbound_segments/";
        let with = |place: &str, value: &str| {
            let place = format!("{route}{place}");
            check(|body| *body.pointer_mut(&place).unwrap() = value.into(), Wrong);
        };
        with("0/departure_airport", "BOS");
        with("1/arrival_airport", "ORY");
        with("0/departure_time", "2030-05-02T08:00:00Z");
        with("0/arrival_airport", "AMS");
        check(|body| body["offers"][0]["return_segments"] = body["offers"][0]["outbound_segments"].clone(), Wrong);
        check(|body| drop(body.as_object_mut().unwrap().remove("meta")), Wrong);
        let third = segment("CDG", "CDG", "2030-05-01T23:00:00Z");
        check(|body| body["offers"][0]["outbound_segments"].as_array_mut().unwrap().push(third), Wrong);
    }

    #[test]
    fn a_way_back_that_was_asked_for_must_be_there() {
        let search = Search { return_date: Some("2030-05-09".parse().unwrap()), ..search() };
        let mut body = found();
        let judge = |body: &Value| search.judge(&answer(200, &body.to_string()));
        assert_eq!(judge(&body), Outcome::Wrong);
        body["offers"][0]["return_segments"] = json!([segment("CDG", "JFK", "2030-05-09T09:00:00Z")]);
        assert_eq!(judge(&body), Outcome::Full);
        assert_eq!(search.judge(&answer(200, "{}")), Outcome::Wrong);
        assert_eq!(search.judge(&answer(200, "")), Outcome::Wrong);
        assert_eq!(search.judge(&answer(500, "")), Outcome::Wrong);
        assert_eq!(search.judge(&answer(429, "")), Outcome::Limited);
    }

    #[test]
    fn what_is_asked_for_is_possible_and_follows_from_the_number_of_the_arrival() {
        let day: Date = "2030-01-01".parse().unwrap();
        let body =
            |k| serde_json::to_vec(&Search::draw(&mut Draw::new(8, Purpose::Payload, k), day, Which::Any)).unwrap();
        for k in 0..1_000 {
            let search = Search::draw(&mut Draw::new(8, Purpose::Payload, k), day, Which::Any);
            assert_ne!(search.origin, search.destination);
            assert!(search.departure_date > day && search.return_date.is_none_or(|back| back > search.departure_date));
            assert!((1..=9).contains(&search.adults) && search.infants <= search.adults);
            assert_eq!(body(k), body(k), "byte for byte");
        }
        assert_ne!(body(1), body(2));
        let kinds = |which| {
            let body =
                |k| serde_json::to_string(&Search::draw(&mut Draw::new(8, Purpose::Payload, k), day, which)).unwrap();
            (0..1_000).map(body).collect::<std::collections::BTreeSet<_>>().len()
        };
        assert_eq!(
            (kinds(Which::Popular), kinds(Which::Own)),
            (POPULAR_COUNT as usize, 1_000),
            "cached, and not cached"
        );
    }
}
