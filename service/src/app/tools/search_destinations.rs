//! `search_destinations`: places to go to, and their sights when asked for.

use futures_util::FutureExt as _;
use serde_json::{Value, json};

use super::{Asker, Finders, Tool, ToolError, valid};
use crate::{
    app::destination_finder::PROVIDER,
    domain::{
        agent::Agent,
        destination::{Destination, DestinationSearch},
        known::Topic,
        meta::Meta,
    },
    llm,
};

/// Destinations that the model is shown.
const SHOWN: usize = 5;

pub(super) const TOOL: Tool = Tool {
    told: llm::Tool {
        name: "search_destinations",
        description: "Finds cities to travel to by words about them, and their attractions.",
        parameters,
    },
    provider: PROVIDER,
    specialists: &[Agent::DestinationResearch, Agent::Itinerary, Agent::Accommodation],
    topic: Some(Topic::Destinations),
    run: |finders, arguments, asker, meta| run(finders, arguments, asker, meta).boxed(),
};

async fn run(finders: &Finders, mut arguments: Value, asker: &Asker, meta: &mut Meta) -> Result<Value, ToolError> {
    // Each attraction and each weather is a call of its own: no more of them than are shown.
    arguments["limit"] = SHOWN.into();
    let search: DestinationSearch = valid(arguments)?;
    meta.queried(PROVIDER);
    let (destinations, found) =
        finders.destinations.find(&search.normalized(), &asker.caller, &asker.for_weather).await?;
    meta.merge(found);
    Ok(json!({"destinations": destinations.iter().map(shown).collect::<Vec<_>>()}))
}

fn shown(destination: &Destination) -> Value {
    let place = &destination.place;
    let attractions: Option<Vec<_>> =
        destination.attractions.as_ref().map(|places| places.iter().map(|place| place.name.as_str()).collect());
    json!({
        "id": place.id, "name": place.name, "country": place.country, "rating": place.rating,
        "timezone": place.timezone, "attractions": attractions, "weather": destination.weather,
    })
}

fn parameters() -> Value {
    json!({
        "type": "object",
        "properties": {
            "query": {"type": "string", "description": "A city, a country, or words about them"},
            "include_attractions": {"type": "boolean"},
            "include_weather": {"type": "boolean"},
        },
        "required": ["query"],
    })
}
