//! `get_forecast`: the weather of a city on the next days.

use futures_util::FutureExt as _;
use garde::Validate;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Finders, Tool, ToolError, valid};
use crate::{
    app::weather_finder::{PART, PROVIDER},
    domain::{agent::Agent, known::Topic, meta::Meta},
    llm,
    mcp::Caller,
};

pub(super) const TOOL: Tool = Tool {
    told: llm::Tool {
        name: "get_forecast",
        description: "Tells the weather of a city on the next days, today included.",
        parameters,
    },
    provider: PROVIDER,
    specialists: &[Agent::DestinationResearch, Agent::Itinerary],
    topic: Some(Topic::Weather),
    run: |finders, arguments, asker, meta| run(finders, arguments, &asker.caller, meta).boxed(),
};

#[derive(Deserialize, Validate)]
struct Arguments {
    #[garde(length(chars, min = 1, max = 100))]
    city: String,
    #[serde(default = "five")]
    #[garde(range(min = 1, max = 16))]
    days: u32,
}

async fn run(finders: &Finders, arguments: Value, caller: &Caller, meta: &mut Meta) -> Result<Value, ToolError> {
    let Arguments { city, days } = valid(arguments)?;
    meta.queried(PROVIDER);
    let found = finders.weather.forecast(city.trim(), days, caller).await?;
    found.describe_as(PROVIDER, PART.stale, meta);
    Ok(json!({"city": city.trim(), "daily": *found.value}))
}

fn five() -> u32 {
    5
}

fn parameters() -> Value {
    json!({
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1, "maximum": 16}},
        "required": ["city"],
    })
}
