//! `get_current_weather`: the weather of a city, now.

use futures_util::FutureExt as _;
use garde::Validate;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Finders, Tool, ToolError, valid};
use crate::{
    app::weather_finder::PROVIDER,
    domain::{agent::Agent, known::Topic, meta::Meta},
    llm,
    mcp::Caller,
};

pub(super) const TOOL: Tool = Tool {
    told: llm::Tool { name: "get_current_weather", description: "Tells the current weather of a city.", parameters },
    provider: PROVIDER,
    specialists: &[Agent::DestinationResearch, Agent::Itinerary],
    topic: Some(Topic::Weather),
    run: |finders, arguments, asker, meta| run(finders, arguments, &asker.caller, meta).boxed(),
};

#[derive(Deserialize, Validate)]
struct Arguments {
    #[garde(length(chars, min = 1, max = 100))]
    city: String,
}

async fn run(finders: &Finders, arguments: Value, caller: &Caller, meta: &mut Meta) -> Result<Value, ToolError> {
    let Arguments { city } = valid(arguments)?;
    meta.queried(PROVIDER);
    let found = finders.weather.current(city.trim(), caller).await?;
    // Old weather is no weather: the model hears that the tool failed.
    found.failure.map_or_else(|| Ok(json!(*found.value)), |failure| Err(failure.into()))
}

fn parameters() -> Value {
    json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
}
