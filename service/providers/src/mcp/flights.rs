//! The flights server: searches offers and looks them up again until they expire.

use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use jiff::{SignedDuration, Timestamp, civil::Date};
use rmcp::{
    Json, ServerHandler,
    handler::server::{router::tool::ToolRouter, wrapper::Parameters},
    tool, tool_handler, tool_router,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    endpoint,
    offers::{CabinClass, Offer, Search, offers},
};
use crate::{currency::Currency, pace::Pace, provider::Context, recent::Recent, source::Source};

/// How long an offer can be looked up, as long as Duffel's.
const VALIDITY: SignedDuration = SignedDuration::from_mins(30);

/// How many searches are remembered for looking up their offers: about 5 MB.
const SEARCHES_MAX: usize = 10_000;

const STOPS_MAX: u32 = 3;
const AIRLINES_MAX: usize = 20;

pub(crate) fn router(context: &Context) -> Router {
    endpoint::mount(context, Flights::new(context.seed, Arc::clone(&context.pace)))
}

struct Flights {
    tools: ToolRouter<Self>,
    source: Source,
    pace: Arc<Pace>,
    issued: Mutex<Recent<Issued>>,
}

/// A search whose offers were handed out.
#[derive(Debug, Clone)]
struct Issued {
    search: Search,
    expires_at: Timestamp,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SearchFlights {
    /// IATA code of the airport of departure.
    origin: String,
    /// IATA code of the airport of arrival.
    destination: String,
    /// YYYY-MM-DD.
    #[schemars(with = "String")]
    departure_date: Date,
    /// YYYY-MM-DD, for a return flight.
    #[schemars(with = "Option<String>")]
    return_date: Option<Date>,
    /// 1 to 9.
    #[serde(default = "one_adult")]
    #[schemars(range(min = 1, max = 9))]
    adults: u32,
    /// 0 to 9.
    #[serde(default)]
    #[schemars(range(max = 9))]
    children: u32,
    /// 0 to 4, at most one per adult.
    #[serde(default)]
    #[schemars(range(max = 4))]
    infants: u32,
    #[serde(default)]
    cabin_class: CabinClass,
    /// 0 to 3.
    #[schemars(range(max = 3))]
    max_stops: Option<u32>,
    /// IATA codes of airlines, at most 20.
    preferred_airlines: Option<Vec<String>>,
    /// ISO 4217 code.
    #[serde(default = "us_dollars")]
    currency: String,
}

fn one_adult() -> u32 {
    1
}

fn us_dollars() -> String {
    "USD".to_owned()
}

#[derive(Debug, Serialize, JsonSchema)]
struct FoundFlights {
    search_id: String,
    /// Cheapest first.
    offers: Vec<Offer>,
    offer_count: usize,
    /// ISO 4217 code.
    currency: &'static str,
    /// The total of the first offer.
    cheapest_price: f64,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GetOfferDetails {
    /// The `id` of an offer from search_flights.
    offer_id: String,
}

/// Why a call is understood and still not answered.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("`{0}` is not an IATA airport code")]
    Airport(String),
    #[error("origin and destination are both {0}")]
    SameAirport(String),
    #[error("departure_date {0} is not between 2000 and 2099")]
    Date(Date),
    #[error("return_date {return_date} is before departure_date {departure_date}")]
    Backwards { departure_date: Date, return_date: Date },
    #[error("{adults} adults, {children} children and {infants} infants cannot travel together")]
    Passengers { adults: u32, children: u32, infants: u32 },
    #[error("max_stops {0} is above {STOPS_MAX}")]
    Stops(u32),
    #[error("`{0}` is not an airline code")]
    Airline(String),
    #[error("{0} preferred airlines are more than {AIRLINES_MAX}")]
    Airlines(usize),
    #[error("fares are not sold in `{0}`")]
    Currency(String),
    #[error("offer `{0}` is unknown")]
    UnknownOffer(String),
    #[error("offer `{0}` has expired")]
    ExpiredOffer(String),
}

impl SearchFlights {
    /// The checked search, in one spelling, so that equal searches have equal offers.
    fn checked(self) -> Result<Search, Refusal> {
        let origin = airport(self.origin)?;
        let destination = airport(self.destination)?;
        if origin == destination {
            return Err(Refusal::SameAirport(origin));
        }
        let departure_date = this_century(self.departure_date)?;
        let return_date = self.return_date.map(this_century).transpose()?;
        if let Some(return_date) = return_date.filter(|date| *date < departure_date) {
            return Err(Refusal::Backwards { departure_date, return_date });
        }
        let (adults, children, infants) = (self.adults, self.children, self.infants);
        if !(1..=9).contains(&adults) || children > 9 || infants > 4 || infants > adults {
            return Err(Refusal::Passengers { adults, children, infants });
        }
        let max_stops = self.max_stops.unwrap_or(STOPS_MAX);
        if max_stops > STOPS_MAX {
            return Err(Refusal::Stops(max_stops));
        }
        Ok(Search {
            origin,
            destination,
            departure_date,
            return_date,
            adults,
            children,
            infants,
            cabin_class: self.cabin_class,
            max_stops,
            preferred_airlines: airlines(self.preferred_airlines.unwrap_or_default())?,
            currency: Currency::of(&self.currency).ok_or(Refusal::Currency(self.currency))?,
        })
    }
}

fn airport(code: String) -> Result<String, Refusal> {
    if code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Ok(code.to_ascii_uppercase());
    }
    Err(Refusal::Airport(code))
}

fn airlines(codes: Vec<String>) -> Result<Vec<String>, Refusal> {
    if codes.len() > AIRLINES_MAX {
        return Err(Refusal::Airlines(codes.len()));
    }
    let mut airlines = Vec::with_capacity(codes.len());
    for code in codes {
        if !(2..=3).contains(&code.len()) || !code.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Refusal::Airline(code));
        }
        airlines.push(code.to_ascii_uppercase());
    }
    airlines.sort();
    airlines.dedup();
    Ok(airlines)
}

fn this_century(date: Date) -> Result<Date, Refusal> {
    if (2000..=2099).contains(&date.year()) {
        return Ok(date);
    }
    Err(Refusal::Date(date))
}

#[tool_router]
impl Flights {
    fn new(seed: u64, pace: Arc<Pace>) -> Self {
        Self {
            tools: Self::tool_router(),
            source: Source::new(seed, "flights"),
            pace,
            issued: Mutex::new(Recent::new(SEARCHES_MAX)),
        }
    }

    #[tool(description = "Find flight offers between two airports, cheapest first.")]
    async fn search_flights(
        &self,
        Parameters(arguments): Parameters<SearchFlights>,
    ) -> Result<Json<FoundFlights>, String> {
        self.pace.wait().await;
        let search = arguments.checked().map_err(|refusal| refusal.to_string())?;
        Ok(Json(self.search(search, Timestamp::now())))
    }

    #[tool(description = "Look up one flight offer; offers expire 30 minutes after the search.")]
    async fn get_offer_details(
        &self,
        Parameters(arguments): Parameters<GetOfferDetails>,
    ) -> Result<Json<Offer>, String> {
        self.pace.wait().await;
        let offer = self.offer(arguments.offer_id, Timestamp::now());
        offer.map(Json).map_err(|refusal| refusal.to_string())
    }
}

impl Flights {
    fn search(&self, search: Search, now: Timestamp) -> FoundFlights {
        let canonical = serde_json::to_string(&search).expect("a search is plain data");
        let search_id = self.source.id(&["search", &canonical]);
        let expires_at = now + VALIDITY;
        let offers = offers(&self.source, &search, &search_id, expires_at);
        let found = FoundFlights {
            offer_count: offers.len(),
            currency: search.currency.code,
            cheapest_price: offers.first().map_or(0.0, |offer| offer.total_amount),
            offers,
            search_id,
        };
        let new = || Issued { search, expires_at };
        self.issued().write(&found.search_id, new).expires_at = expires_at;
        found
    }

    fn offer(&self, offer_id: String, now: Timestamp) -> Result<Offer, Refusal> {
        let search_id = offer_id.strip_prefix("off_").and_then(|rest| rest.rsplit_once('_'));
        let issued = search_id.and_then(|(search_id, _)| Some((search_id, self.issued().get(search_id)?.clone())));
        let Some((search_id, issued)) = issued else {
            return Err(Refusal::UnknownOffer(offer_id));
        };
        if now >= issued.expires_at {
            return Err(Refusal::ExpiredOffer(offer_id));
        }
        offers(&self.source, &issued.search, search_id, issued.expires_at)
            .into_iter()
            .find(|offer| offer.id == offer_id)
            .ok_or(Refusal::UnknownOffer(offer_id))
    }

    fn issued(&self) -> MutexGuard<'_, Recent<Issued>> {
        self.issued.lock().expect("nothing panics while holding the lock")
    }
}

#[tool_handler(router = self.tools, name = "flights")]
impl ServerHandler for Flights {}
