//! `search_accommodations`: stays in a place, the cheapest few.

use futures_util::FutureExt as _;
use garde::Validate as _;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Finders, Tool, ToolError};
use crate::{
    app::{clock::today, stay_finder::PROVIDER},
    domain::{
        agent::Agent,
        known::Topic,
        meta::Meta,
        stay::{StaySearch, StaysFound},
    },
    llm,
    mcp::Caller,
};

/// Listings that the model is shown.
const SHOWN: usize = 5;

pub(super) const TOOL: Tool = Tool {
    told: llm::Tool {
        name: "search_accommodations",
        description: "Finds places to stay in a city between two dates.",
        parameters,
    },
    provider: PROVIDER,
    specialists: &[Agent::Accommodation, Agent::Budget, Agent::Itinerary],
    topic: Some(Topic::Stays),
    run: |finders, arguments, asker, meta| run(finders, arguments, &asker.caller, meta).boxed(),
};

/// In the words of the provider.
#[derive(Deserialize)]
struct Arguments {
    location: String,
    checkin: Date,
    checkout: Date,
    /// The rest is that of the search itself.
    #[serde(flatten)]
    rest: serde_json::Map<String, Value>,
}

async fn run(finders: &Finders, arguments: Value, caller: &Caller, meta: &mut Meta) -> Result<Value, ToolError> {
    let search = search(arguments)?;
    meta.queried(PROVIDER);
    let found = finders.stays.find(&search.normalized(), caller).await?;
    found.describe(meta);
    Ok(shown(&found.value))
}

fn search(arguments: Value) -> Result<StaySearch, ToolError> {
    let wrong = |error: serde_json::Error| ToolError::Arguments(error.to_string());
    let Arguments { location, checkin, checkout, mut rest } = serde_json::from_value(arguments).map_err(wrong)?;
    rest.retain(|name, _| {
        ["adults", "children", "rooms", "min_price", "max_price", "property_type"].contains(&name.as_str())
    });
    rest.extend([
        ("location".to_owned(), json!(location)),
        ("check_in".to_owned(), json!(checkin)),
        ("check_out".to_owned(), json!(checkout)),
    ]);
    let search: StaySearch = serde_json::from_value(rest.into()).map_err(wrong)?;
    search.validate().map_err(|report| ToolError::Arguments(report.to_string()))?;
    if search.is_in_the_past(today()) {
        return Err(ToolError::Arguments("checkin is in the past".into()));
    }
    if search.nights() > StaySearch::NIGHTS_MAX {
        return Err(ToolError::Arguments("the stay is too long".into()));
    }
    Ok(search)
}

/// The cheapest listings, in few words.
fn shown(found: &StaysFound) -> Value {
    let listings = found.listings.iter().take(SHOWN).map(|listing| {
        json!({
            "id": listing.id, "name": listing.name, "price_per_night": listing.price_per_night,
            "total_price": listing.total_price, "currency": listing.currency, "rating": listing.rating,
            "property_type": listing.property_type,
        })
    });
    json!({"search_id": found.search_id, "total_results": found.listings.len(), "listings": listings.collect::<Vec<_>>()})
}

fn parameters() -> Value {
    json!({
        "type": "object",
        "properties": {
            "location": {"type": "string", "description": "City, area or address"},
            "checkin": {"type": "string", "format": "date"},
            "checkout": {"type": "string", "format": "date"},
            "adults": {"type": "integer", "minimum": 1, "maximum": 16},
            "children": {"type": "integer", "minimum": 0, "maximum": 10},
            "rooms": {"type": "integer", "minimum": 1, "maximum": 8},
            "min_price": {"type": "number", "description": "Per night"},
            "max_price": {"type": "number", "description": "Per night"},
            "property_type": {"enum": [
                "hotel", "apartment", "house", "villa", "resort", "hostel", "bed_and_breakfast", "guest_house", "other",
            ]},
        },
        "required": ["location", "checkin", "checkout"],
    })
}
