//! The journeys of a calibration: one plain request, and one with the payload of a flight search.
use crate::{
    client::{self, Answer},
    journeys::{Journey, Step},
    visit::Visit,
};
use futures_util::future::BoxFuture;
use http::{HeaderValue, Uri, header};
use reports::record::Outcome;
use serde::Deserialize;

/// GET /, answered with nothing.
pub(super) struct Plain;

impl Journey for Plain {
    fn name(&self) -> &'static str {
        "plain"
    }

    fn steps(&self) -> &'static [Step] {
        &[Step { name: "plain", is_streamed: false }]
    }

    fn needs_session(&self) -> bool {
        false
    }

    fn travel<'a>(&'a self, visit: &'a mut Visit<'_>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            visit.ask(0, client::get(Uri::from_static("/")), |answer| full_if(answer.status == 200)).await;
        })
    }
}

/// A search as long as a real one, with an access token of the usual length; its answer is read into its parts.
pub(super) struct Search;

const SEARCH: &str = r#"{"origin":"JFK","destination":"CDG","departure_date":"2030-05-01","return_date":"2030-05-09","adults":1,"children":0,"infants":0,"cabin_class":"economy","max_stops":1,"currency":"EUR"}"#;
/// Characters of an access token.
const TOKEN_LENGTH: usize = 500;

impl Journey for Search {
    fn name(&self) -> &'static str {
        "search"
    }

    fn steps(&self) -> &'static [Step] {
        &[Step { name: "search", is_streamed: false }]
    }

    fn needs_session(&self) -> bool {
        false
    }

    fn travel<'a>(&'a self, visit: &'a mut Visit<'_>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let mut request = client::post(Uri::from_static("/api/v1/flights/search"), SEARCH.as_bytes().to_vec());
            request.headers_mut().insert(header::AUTHORIZATION, token());
            visit.ask(0, request, |answer| full_if(is_read(answer))).await;
        })
    }
}

fn token() -> HeaderValue {
    const TOKEN: [u8; TOKEN_LENGTH] = [b'x'; TOKEN_LENGTH];
    static TEXT: std::sync::LazyLock<HeaderValue> =
        std::sync::LazyLock::new(|| HeaderValue::from_bytes(&TOKEN).expect("letters only"));
    TEXT.clone()
}

fn full_if(is_right: bool) -> Outcome {
    if is_right { Outcome::Full } else { Outcome::Wrong }
}

fn is_read(answer: &Answer) -> bool {
    let found: Option<Found> = serde_json::from_slice(&answer.body).ok();
    found.is_some_and(|found| {
        let is_way = |offer: &Offer| {
            offer.outbound_segments.first().is_some_and(|segment| segment.departure_airport == "JFK")
                && offer.outbound_segments.last().is_some_and(|segment| segment.arrival_airport == "CDG")
        };
        found.total_results == found.offers.len() && found.offers.iter().all(is_way)
    })
}

#[derive(Deserialize)]
struct Found {
    offers: Vec<Offer>,
    total_results: usize,
}

#[derive(Deserialize)]
struct Offer {
    outbound_segments: Vec<Segment>,
}

#[derive(Deserialize)]
struct Segment {
    departure_airport: String,
    arrival_airport: String,
}
