//! The server itself: its tools, and the searches whose offers it has handed out.

use std::sync::{Mutex, MutexGuard};

use jiff::{SignedDuration, Timestamp};
use rmcp::{
    Json, ServerHandler,
    handler::server::{router::tool::ToolRouter, wrapper::Parameters},
    tool, tool_handler, tool_router,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    offers::{Offer, Search, offers},
    orders::{Order, OrderRequest, Orders},
    search::SearchFlights,
};
use crate::{
    Settings,
    mcp::{
        endpoint,
        refusal::{Coded, INVALID_ARGUMENTS, Refused},
    },
    provider::Mount,
    recent::Recent,
    source::Source,
};

/// How long an offer can be looked up and ordered, as long as Duffel's.
const VALIDITY: SignedDuration = SignedDuration::from_mins(30);

/// How many searches are remembered for their offers: about 5 MB.
const SEARCHES_MAX: usize = 10_000;

pub(crate) fn open(settings: &Settings) -> Mount {
    endpoint::mount(Flights::new(settings.seed))
}

struct Flights {
    tools: ToolRouter<Self>,
    source: Source,
    issued: Mutex<Recent<Issued>>,
    orders: Mutex<Orders>,
}

/// A search whose offers were handed out.
#[derive(Debug, Clone)]
struct Issued {
    search: Search,
    expires_at: Timestamp,
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

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GetOrder {
    /// The `order_id` of an order.
    order_id: Option<String>,
    /// The key it was created with; give this or `order_id`.
    idempotency_key: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CancelOrder {
    /// The `order_id` of an order.
    order_id: String,
}

/// Why an offer cannot be had.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("offer `{0}` is unknown")]
    UnknownOffer(String),
    #[error("offer `{0}` has expired")]
    ExpiredOffer(String),
    #[error("an order is looked up by either order_id or idempotency_key")]
    Lookup,
}

impl Coded for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::UnknownOffer(_) => "offer_not_found",
            Self::ExpiredOffer(_) => "offer_expired",
            Self::Lookup => INVALID_ARGUMENTS,
        }
    }
}

#[tool_router]
impl Flights {
    #[tool(description = "Find flight offers between two airports, cheapest first.")]
    async fn search_flights(
        &self,
        Parameters(arguments): Parameters<SearchFlights>,
    ) -> Result<Json<FoundFlights>, Refused> {
        Ok(Json(self.search(arguments.checked()?, Timestamp::now())))
    }

    #[tool(description = "Look up one flight offer; offers expire 30 minutes after the search.")]
    async fn get_offer_details(
        &self,
        Parameters(arguments): Parameters<GetOfferDetails>,
    ) -> Result<Json<Offer>, Refused> {
        Ok(Json(self.offer(&arguments.offer_id, Timestamp::now())?))
    }

    #[tool(description = "Order an offer, or hold it for an hour. The same idempotency key gives the same order.")]
    async fn create_order(&self, Parameters(arguments): Parameters<OrderRequest>) -> Result<Json<Order>, Refused> {
        self.order(arguments, Timestamp::now()).map(Json)
    }

    #[tool(description = "Look up an order, by its id or by the idempotency key it was created with.")]
    async fn get_order(&self, Parameters(arguments): Parameters<GetOrder>) -> Result<Json<Order>, Refused> {
        let now = Timestamp::now();
        let orders = self.orders();
        let order = match (arguments.order_id, arguments.idempotency_key) {
            (Some(order_id), None) => orders.get(&order_id, now)?,
            (None, Some(key)) => orders.with_key(&key, now)?,
            _ => return Err(Refusal::Lookup.into()),
        };
        Ok(Json(order))
    }

    #[tool(description = "Cancel an order; a second time is an error.")]
    async fn cancel_order(&self, Parameters(arguments): Parameters<CancelOrder>) -> Result<Json<Order>, Refused> {
        Ok(Json(self.orders().cancel(&arguments.order_id, Timestamp::now())?))
    }
}

impl Flights {
    fn new(seed: u64) -> Self {
        let source = Source::new(seed, "flights");
        Self {
            tools: Self::tool_router(),
            issued: Mutex::new(Recent::new(SEARCHES_MAX)),
            orders: Mutex::new(Orders::new(source.clone())),
            source,
        }
    }

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

    fn offer(&self, offer_id: &str, now: Timestamp) -> Result<Offer, Refusal> {
        let unknown = || Refusal::UnknownOffer(offer_id.to_owned());
        let search_id = offer_id.strip_prefix("off_").and_then(|rest| rest.rsplit_once('_'));
        let (search_id, _) = search_id.ok_or_else(unknown)?;
        let issued = self.issued().get(search_id).cloned().ok_or_else(unknown)?;
        if now >= issued.expires_at {
            return Err(Refusal::ExpiredOffer(offer_id.to_owned()));
        }
        let offers = offers(&self.source, &issued.search, search_id, issued.expires_at);
        offers.into_iter().find(|offer| offer.id == offer_id).ok_or_else(unknown)
    }

    /// Takes the order under one lock, so that two calls with one key cannot both be the first.
    fn order(&self, request: OrderRequest, now: Timestamp) -> Result<Order, Refused> {
        let mut orders = self.orders();
        if let Some(order) = orders.repeated(&request, now)? {
            return Ok(order);
        }
        let offer = self.offer(&request.offer_id, now)?;
        Ok(orders.create(request, &offer, now)?)
    }

    fn issued(&self) -> MutexGuard<'_, Recent<Issued>> {
        self.issued.lock().expect("nothing panics while holding the lock")
    }

    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().expect("nothing panics while holding the lock")
    }
}

#[tool_handler(router = self.tools, name = "flights")]
impl ServerHandler for Flights {}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(flights: &Flights, now: Timestamp) -> FoundFlights {
        let search = serde_json::json!({"origin": "JFK", "destination": "CDG", "departure_date": "2027-05-01"});
        flights.search(serde_json::from_value::<SearchFlights>(search).unwrap().checked().unwrap(), now)
    }

    fn request(offer_id: &str) -> OrderRequest {
        let passengers = [serde_json::json!({"given_name": "Ann", "family_name": "Lee"})];
        let request = serde_json::json!({"offer_id": offer_id, "passengers": passengers,
            "contact": {"email": "ann@example.com"}, "idempotency_key": "key"});
        serde_json::from_value(request).unwrap()
    }

    #[test]
    fn offers_expire_and_a_new_search_renews_them() {
        let flights = Flights::new(1);
        let now = Timestamp::UNIX_EPOCH;
        let offer_id = found(&flights, now).offers[0].id.clone();
        let almost = now + VALIDITY - SignedDuration::from_nanos(1);
        assert!(flights.offer(&offer_id, almost).is_ok());
        assert_eq!(flights.offer(&offer_id, now + VALIDITY).unwrap_err().code(), "offer_expired");
        assert_eq!(flights.order(request(&offer_id), now + VALIDITY).unwrap_err().code, "offer_expired");
        found(&flights, now + VALIDITY);
        assert!(flights.offer(&offer_id, now + VALIDITY).is_ok());
    }

    #[test]
    fn a_repeated_order_is_answered_after_its_offer_has_expired() {
        let flights = Flights::new(1);
        let now = Timestamp::UNIX_EPOCH;
        let request = request(&found(&flights, now).offers[0].id);
        let order = flights.order(request.clone(), now).unwrap();
        assert_eq!(flights.order(request, now + VALIDITY + VALIDITY).unwrap(), order);
    }

    #[test]
    fn a_refused_order_leaves_its_key_free() {
        let flights = Flights::new(1);
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(flights.order(request("off_x_0"), now).unwrap_err().code, "offer_not_found");
        assert_eq!(flights.orders().with_key("key", now).unwrap_err().code(), "order_not_found");
        assert!(flights.order(request(&found(&flights, now).offers[0].id), now).is_ok());
    }
}
