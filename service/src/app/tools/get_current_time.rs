//! `get_current_time`: what the clocks show in a time zone.

use futures_util::FutureExt as _;
use garde::Validate;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Finders, Tool, ToolError, valid};
use crate::{
    dependency::Failure,
    domain::{agent::Agent, meta::Meta},
    llm,
    mcp::Caller,
};

const PROVIDER: &str = "time";

pub(super) const TOOL: Tool = Tool {
    told: llm::Tool { name: "get_current_time", description: "Tells the time in a time zone, now.", parameters },
    provider: PROVIDER,
    specialists: &[Agent::Flight, Agent::DestinationResearch, Agent::Itinerary],
    topic: None,
    run: |finders, arguments, asker, meta| run(finders, arguments, &asker.caller, meta).boxed(),
};

#[derive(Deserialize, Validate)]
struct Arguments {
    #[garde(ascii, length(min = 1, max = 64))]
    timezone: String,
}

async fn run(finders: &Finders, arguments: Value, caller: &Caller, meta: &mut Meta) -> Result<Value, ToolError> {
    let Arguments { timezone } = valid(arguments)?;
    meta.queried(PROVIDER);
    let clocks = finders.clocks.as_ref().ok_or(Failure::Absent)?;
    Ok(json!(clocks.now_in(&timezone, caller).await?))
}

fn parameters() -> Value {
    json!({
        "type": "object",
        "properties": {"timezone": {"type": "string", "description": "IANA name, such as Europe/Lisbon"}},
        "required": ["timezone"],
    })
}
