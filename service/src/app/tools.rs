//! The tools that the model may use in a chat. A new tool is one entry in `ALL` and one arm in `run`.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use garde::Validate as _;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::{
    accounts::Accounts,
    cache::{Cache, Life},
    clock::today,
    flight_finder::{FlightFinder, PROVIDER},
};
use crate::{
    dependency::{Failure, Payer},
    domain::{
        api_key::Service,
        chat::{ChatRequest, ToolResult, ToolStatus},
        flight::{FlightSearch, FlightsFound},
        meta::{Degradation, Meta},
        weather::CurrentWeather,
    },
    llm::{Tool, ToolCall},
    mcp::{Caller, weather::Weather},
    metrics::Metrics,
};

const SEARCH_FLIGHTS: &str = "search_flights";
const CURRENT_WEATHER: &str = "get_current_weather";
const WEATHER: &str = "weather";
/// Offers that the model is shown.
const OFFERS_SHOWN: usize = 5;
const CITY_CHARS_MAX: usize = 100;

const ALL: [Tool; 2] = [
    Tool {
        name: SEARCH_FLIGHTS,
        description: "Finds flight offers between two airports on a date.",
        parameters: flight_parameters,
    },
    Tool { name: CURRENT_WEATHER, description: "Tells the current weather of a city.", parameters: weather_parameters },
];

/// The tools, and what they need.
pub(crate) struct Tools {
    flights: Arc<FlightFinder>,
    weather: Option<Arc<dyn Weather>>,
    weather_cache: Cache<(Payer, String), CurrentWeather>,
    accounts: Arc<Accounts>,
    timeout: Duration,
}

/// What the tools work with.
pub(crate) struct Providers {
    pub(crate) flights: Arc<FlightFinder>,
    pub(crate) weather: Option<Arc<dyn Weather>>,
    pub(crate) weather_life: Life,
    pub(crate) accounts: Arc<Accounts>,
}

/// Why a tool gave nothing.
#[derive(Debug, thiserror::Error)]
enum ToolError {
    #[error("there is no such tool")]
    Unknown,
    #[error("arguments cannot be used: {0}")]
    Arguments(String),
    #[error("{provider} {failure}")]
    Provider { provider: &'static str, failure: Failure },
}

impl Tools {
    pub(crate) fn new(providers: Providers, timeout: Duration, metrics: &Metrics) -> Self {
        let weather_cache = Cache::new(WEATHER, providers.weather_life, metrics);
        Self {
            flights: providers.flights,
            weather: providers.weather,
            weather_cache,
            accounts: providers.accounts,
            timeout,
        }
    }

    /// The tools that a request may use.
    pub(crate) fn offered(&self, request: &ChatRequest) -> Vec<Tool> {
        let is_there = |tool: &Tool| match tool.name {
            CURRENT_WEATHER => self.weather.is_some(),
            _ => true,
        };
        ALL.into_iter().filter(|tool| is_there(tool) && request.admits_tool(tool.name)).collect()
    }

    /// Runs one tool within its time; whatever goes wrong is a result too, and noted in the meta returned.
    pub(crate) async fn run(&self, call: &ToolCall, user_id: Uuid) -> (ToolResult, Meta) {
        let mut meta = Meta::default();
        let deadline = Instant::now() + self.timeout;
        let caller = |service| self.accounts.caller(user_id, service, deadline);
        let outcome = match call.name.as_str() {
            SEARCH_FLIGHTS => self.search_flights(call, &caller(Service::Flights).await, &mut meta).await,
            CURRENT_WEATHER => self.current_weather(call, &caller(Service::Weather).await, &mut meta).await,
            _ => Err(ToolError::Unknown),
        };
        let (status, result) = match outcome {
            Ok(result) => (ToolStatus::Success, result),
            Err(error) => {
                if let ToolError::Provider { provider, failure } = &error {
                    meta.provider_errors.insert(provider, failure.label());
                }
                meta.degrade(Degradation::ToolFailed);
                (ToolStatus::Error, json!({"error": error.to_string()}))
            }
        };
        (ToolResult { id: call.id.clone(), name: call.name.clone(), status, result }, meta)
    }

    async fn search_flights(&self, call: &ToolCall, caller: &Caller, meta: &mut Meta) -> Result<Value, ToolError> {
        let search: FlightSearch = arguments(call)?;
        search.validate().map_err(|report| ToolError::Arguments(report.to_string()))?;
        if search.is_in_the_past(today()) {
            return Err(ToolError::Arguments("departure_date is in the past".into()));
        }
        meta.queried(PROVIDER);
        let found = self.flights.find(&search.normalized(), caller).await;
        let found = found.map_err(|failure| ToolError::Provider { provider: PROVIDER, failure })?;
        found.describe(meta);
        Ok(shown(&found.value))
    }

    async fn current_weather(&self, call: &ToolCall, caller: &Caller, meta: &mut Meta) -> Result<Value, ToolError> {
        let failed = |failure| ToolError::Provider { provider: WEATHER, failure };
        let city = arguments::<Value>(call)?["city"].as_str().map(str::trim).unwrap_or_default().to_owned();
        if city.is_empty() || city.chars().count() > CITY_CHARS_MAX {
            return Err(ToolError::Arguments("city is missing or too long".into()));
        }
        let weather = self.weather.as_ref().ok_or_else(|| failed(Failure::Absent))?;
        meta.queried(WEATHER);
        let key = (caller.account.payer(), city.to_lowercase());
        let fetch = || {
            let (weather, caller) = (Arc::clone(weather), caller.clone());
            async move { weather.current(&city, &caller).await }.boxed()
        };
        let looked = timeout_at(caller.deadline, self.weather_cache.get(&key, caller.deadline, fetch)).await;
        let found = looked.unwrap_or(Err(Failure::TimedOut)).map_err(failed)?;
        if let Some(failure) = found.failure {
            // Old weather is no weather: the model hears that the tool failed.
            return Err(failed(failure));
        }
        Ok(serde_json::to_value(&*found.value).unwrap_or_default())
    }
}

/// Reads what the model wrote. Models write `null` for what they leave out.
fn arguments<T: DeserializeOwned>(call: &ToolCall) -> Result<T, ToolError> {
    let parsed: Result<Value, _> = serde_json::from_str(&call.arguments);
    let mut arguments = parsed.map_err(|error| ToolError::Arguments(error.to_string()))?;
    if let Some(object) = arguments.as_object_mut() {
        object.retain(|_, value| !value.is_null());
    }
    serde_json::from_value(arguments).map_err(|error| ToolError::Arguments(error.to_string()))
}

/// The best offers, in few words.
fn shown(found: &FlightsFound) -> Value {
    let offers = found.offers.iter().take(OFFERS_SHOWN).map(|offer| {
        json!({
            "id": offer.id, "total_price": offer.total_price, "currency": offer.currency, "airlines": offer.airlines,
            "stops": offer.stops_count, "duration_minutes": offer.total_duration,
            "departure_time": offer.outbound_segments.first().map(|segment| &segment.departure_time),
        })
    });
    json!({"search_id": found.search_id, "total_results": found.offers.len(), "offers": offers.collect::<Vec<_>>()})
}

fn flight_parameters() -> Value {
    json!({
        "type": "object",
        "properties": {
            "origin": {"type": "string", "description": "IATA code of the airport of departure"},
            "destination": {"type": "string", "description": "IATA code of the airport of arrival"},
            "departure_date": {"type": "string", "format": "date"},
            "return_date": {"type": "string", "format": "date"},
            "adults": {"type": "integer", "minimum": 1, "maximum": 9},
            "children": {"type": "integer", "minimum": 0, "maximum": 9},
            "infants": {"type": "integer", "minimum": 0, "maximum": 4},
            "cabin_class": {"enum": ["economy", "premium_economy", "business", "first"]},
            "max_stops": {"type": "integer", "minimum": 0, "maximum": 3},
            "currency": {"type": "string", "description": "ISO 4217 code"},
        },
        "required": ["origin", "destination", "departure_date"],
    })
}

fn weather_parameters() -> Value {
    json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
}
