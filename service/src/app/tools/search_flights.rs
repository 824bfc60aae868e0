//! `search_flights`: offers between two airports, the best few.

use futures_util::FutureExt as _;
use serde_json::{Value, json};

use super::{Finders, Tool, ToolError, valid};
use crate::{
    app::{clock::today, flight_finder::PROVIDER},
    domain::{
        agent::Agent,
        flight::{FlightSearch, FlightsFound},
        known::Topic,
        meta::Meta,
    },
    llm,
    mcp::Caller,
};

/// Offers that the model is shown.
const SHOWN: usize = 5;

pub(super) const TOOL: Tool = Tool {
    told: llm::Tool {
        name: "search_flights",
        description: "Finds flight offers between two airports on a date.",
        parameters,
    },
    provider: PROVIDER,
    specialists: &[Agent::Flight, Agent::Budget, Agent::Itinerary],
    topic: Some(Topic::Flights),
    run: |finders, arguments, asker, meta| run(finders, arguments, &asker.caller, meta).boxed(),
};

async fn run(finders: &Finders, arguments: Value, caller: &Caller, meta: &mut Meta) -> Result<Value, ToolError> {
    let search: FlightSearch = valid(arguments)?;
    if search.is_in_the_past(today()) {
        return Err(ToolError::Arguments("departure_date is in the past".into()));
    }
    meta.queried(PROVIDER);
    let found = finders.flights.find(&search.normalized(), caller).await?;
    found.describe(meta);
    Ok(shown(&found.value.read()))
}

/// The best offers, in few words.
fn shown(found: &FlightsFound) -> Value {
    let offers = found.offers.iter().take(SHOWN).map(|offer| {
        json!({
            "id": offer.id, "total_price": offer.total_price, "currency": offer.currency, "airlines": offer.airlines,
            "stops": offer.stops_count, "duration_minutes": offer.total_duration,
            "departure_time": offer.outbound_segments.first().map(|segment| &segment.departure_time),
        })
    });
    json!({"search_id": found.search_id, "total_results": found.offers.len(), "offers": offers.collect::<Vec<_>>()})
}

fn parameters() -> Value {
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
