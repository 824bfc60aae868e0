//! The tools that the model may use in a chat. A new tool is a file with its `TOOL` and one entry in `ALL`.

mod get_current_time;
mod get_current_weather;
mod get_forecast;
mod scrape_page;
mod search_accommodations;
mod search_destinations;
mod search_flights;

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::{
    accounts::Accounts, destination_finder::DestinationFinder, flight_finder::FlightFinder, stay_finder::StayFinder,
    weather_finder::WeatherFinder,
};
use crate::{
    dependency::{Account, Failure},
    domain::{
        agent::Agent,
        api_key::Service,
        chat::{ChatRequest, ToolResult, ToolStatus},
        known::Topic,
        meta::{Degradation, Meta},
    },
    llm::{self, ToolCall},
    mcp::{Caller, time::Clocks, webcrawl::Pages},
};

const ALL: [&Tool; 7] = [
    &search_flights::TOOL,
    &search_accommodations::TOOL,
    &get_current_weather::TOOL,
    &get_forecast::TOOL,
    &search_destinations::TOOL,
    &get_current_time::TOOL,
    &scrape_page::TOOL,
];

/// A tool: what the model is told of it, who is offered it, and what it does.
struct Tool {
    told: llm::Tool,
    /// The MCP server that it needs.
    provider: &'static str,
    /// Who is offered it; the planner is offered every tool.
    specialists: &'static [Agent],
    /// What its result is about, if later turns need it.
    topic: Option<Topic>,
    run: for<'a> fn(&'a Finders, Value, &'a Asker, &'a mut Meta) -> Running<'a>,
}

/// For whom a tool runs.
struct Asker {
    /// At the provider of the tool.
    caller: Caller,
    /// At the weather, which the destinations tell too.
    for_weather: Account,
}

/// A tool at work.
type Running<'a> = BoxFuture<'a, Result<Value, ToolError>>;

/// What the tools work with.
pub(crate) struct Finders {
    pub(crate) flights: Arc<FlightFinder>,
    pub(crate) stays: Arc<StayFinder>,
    pub(crate) weather: Arc<WeatherFinder>,
    pub(crate) destinations: Arc<DestinationFinder>,
    pub(crate) clocks: Option<Arc<dyn Clocks>>,
    pub(crate) pages: Option<Arc<dyn Pages>>,
}

/// The tools, and what they need.
pub(crate) struct Tools {
    finders: Finders,
    /// Servers that are configured.
    providers: Vec<&'static str>,
    accounts: Arc<Accounts>,
    timeout: Duration,
}

/// Why a tool gave nothing.
#[derive(Debug, thiserror::Error)]
enum ToolError {
    #[error("there is no such tool")]
    Unknown,
    #[error("arguments cannot be used: {0}")]
    Arguments(String),
    #[error("there is no such thing")]
    NotFound,
    #[error("{0}")]
    Provider(Failure),
}

impl Tools {
    pub(crate) fn new(
        finders: Finders,
        providers: Vec<&'static str>,
        accounts: Arc<Accounts>,
        timeout: Duration,
    ) -> Self {
        Self { finders, providers, accounts, timeout }
    }

    /// The tools that an agent may use for a request.
    pub(crate) fn offered(&self, agent: Agent, request: &ChatRequest) -> Vec<llm::Tool> {
        let suits = |tool: &&&Tool| agent == Agent::General || tool.specialists.contains(&agent);
        let is_there = |tool: &&&Tool| self.providers.contains(&tool.provider);
        let is_admitted = |tool: &&&Tool| request.admits_tool(tool.told.name);
        ALL.iter().filter(suits).filter(is_there).filter(is_admitted).map(|tool| tool.told).collect()
    }

    /// Runs one of the tools `offered` within its time. Whatever goes wrong is a result too, and noted in the meta; a
    /// good result may be worth knowing later, under its topic.
    pub(crate) async fn run(
        &self,
        call: &ToolCall,
        user_id: Uuid,
        offered: &[llm::Tool],
    ) -> (ToolResult, Option<Topic>, Meta) {
        let mut meta = Meta::default();
        let is_offered = offered.iter().any(|tool| tool.name == call.name);
        let tool = ALL.into_iter().find(|tool| is_offered && tool.told.name == call.name);
        let outcome = match tool {
            Some(tool) => self.run_known(tool, call, user_id, &mut meta).await,
            None => Err(ToolError::Unknown),
        };
        let (status, result) = match outcome {
            Ok(result) => (ToolStatus::Success, result),
            Err(error) => {
                meta.degrade(Degradation::ToolFailed);
                (ToolStatus::Error, json!({"error": said(tool, &error)}))
            }
        };
        let topic = tool.and_then(|tool| tool.topic);
        (ToolResult { id: call.id.clone(), name: call.name.clone(), status, result }, topic, meta)
    }

    async fn run_known(
        &self,
        tool: &Tool,
        call: &ToolCall,
        user_id: Uuid,
        meta: &mut Meta,
    ) -> Result<Value, ToolError> {
        let arguments = arguments(call)?;
        let deadline = Instant::now() + self.timeout;
        let caller = match Service::of_server(tool.provider) {
            Some(service) => self.accounts.caller(user_id, service, deadline).await,
            None => Caller::platform(deadline),
        };
        let asker = Asker { caller, for_weather: self.accounts.account(user_id, Service::Weather).await };
        let running = timeout_at(deadline, (tool.run)(&self.finders, arguments, &asker, meta)).await;
        let outcome = running.unwrap_or(Err(ToolError::Provider(Failure::TimedOut)));
        if let Err(ToolError::Provider(failure)) = &outcome {
            meta.provider_errors.insert(tool.provider, failure.label());
        }
        outcome
    }
}

impl From<Failure> for ToolError {
    fn from(failure: Failure) -> Self {
        Self::Provider(failure)
    }
}

fn said(tool: Option<&Tool>, error: &ToolError) -> String {
    match (tool, error) {
        (Some(tool), ToolError::Provider(_)) => format!("{} {error}", tool.provider),
        _ => error.to_string(),
    }
}

/// What the model wrote: an object. Models write `null` for what they leave out.
fn arguments(call: &ToolCall) -> Result<Value, ToolError> {
    let parsed: Result<Map<String, Value>, _> = serde_json::from_str(&call.arguments);
    let mut arguments = parsed.map_err(|error| ToolError::Arguments(error.to_string()))?;
    arguments.retain(|_, value| !value.is_null());
    Ok(arguments.into())
}

/// The arguments as a tool wants them, by their own rules.
fn valid<T: DeserializeOwned + garde::Validate<Context = ()>>(arguments: Value) -> Result<T, ToolError> {
    let valid: T = serde_json::from_value(arguments).map_err(|error| ToolError::Arguments(error.to_string()))?;
    valid.validate().map_err(|report| ToolError::Arguments(report.to_string()))?;
    Ok(valid)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_tool_has_a_name_of_its_own_and_a_schema_with_its_required_fields() {
        let names: BTreeSet<_> = ALL.iter().map(|tool| tool.told.name).collect();
        assert_eq!(names.len(), ALL.len());
        for tool in ALL {
            let schema = (tool.told.parameters)();
            assert_eq!(schema["type"], "object", "{}", tool.told.name);
            for field in schema["required"].as_array().unwrap() {
                assert!(schema["properties"].get(field.as_str().unwrap()).is_some(), "{field} of {}", tool.told.name);
            }
        }
    }

    #[test]
    fn every_specialist_with_a_subject_has_a_tool_for_it() {
        let has = |agent| ALL.iter().any(|tool| tool.specialists.contains(&agent));
        let without: Vec<_> = Agent::ALL.into_iter().filter(|agent| !has(*agent)).collect();
        assert_eq!(without, [Agent::General]);
    }
}
