//! The memory server: what was observed about each user, found again by words.

use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use rmcp::{
    Json, ServerHandler,
    handler::server::{router::tool::ToolRouter, wrapper::Parameters},
    tool, tool_handler, tool_router,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    endpoint,
    notes::{Entity, Notes},
};
use crate::{pace::Pace, provider::Context, recent::Recent};

/// How many users are remembered: at 16 KiB each, at most 64 MiB of text. The one written to longest ago goes first.
const USERS_MAX: usize = 4096;

/// Bytes of a user id or a name.
const NAME_BYTES_MAX: usize = 200;

/// Bytes of one observation.
const TEXT_BYTES_MAX: usize = 2000;

/// Observations in one call, and entities in one answer.
const COUNT_MAX: usize = 100;

pub(crate) fn router(context: &Context) -> Router {
    endpoint::mount(context, Memory::new(Arc::clone(&context.pace)))
}

struct Memory {
    tools: ToolRouter<Self>,
    pace: Arc<Pace>,
    users: Mutex<Recent<Notes>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SearchNodes {
    /// Words to look for; none finds everything.
    query: String,
    user_id: String,
    /// How many entities at most, 1 to 100.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 100))]
    limit: usize,
}

fn ten() -> usize {
    10
}

#[derive(Debug, Serialize, JsonSchema)]
struct FoundNodes {
    /// Best match first.
    entities: Vec<Entity>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AddObservations {
    user_id: String,
    /// What they are about.
    name: String,
    /// At most 100 texts of at most 2000 bytes.
    observations: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct AddedObservations {
    added: usize,
}

/// Why a call is understood and still not answered.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("{field} must have 1 to {NAME_BYTES_MAX} bytes, not {bytes}")]
    Name { field: &'static str, bytes: usize },
    #[error("an observation must have 1 to {TEXT_BYTES_MAX} bytes, not {bytes}")]
    Observation { bytes: usize },
    #[error("{field} must be 1 to {COUNT_MAX}, not {count}")]
    Count { field: &'static str, count: usize },
}

#[tool_router]
impl Memory {
    fn new(pace: Arc<Pace>) -> Self {
        Self { tools: Self::tool_router(), pace, users: Mutex::new(Recent::new(USERS_MAX)) }
    }

    #[tool(description = "Find what is remembered about a user.")]
    async fn search_nodes(&self, Parameters(arguments): Parameters<SearchNodes>) -> Result<Json<FoundNodes>, String> {
        self.pace.wait().await;
        self.search(arguments).map(Json).map_err(|refusal| refusal.to_string())
    }

    #[tool(description = "Remember observations about a user.")]
    async fn add_observations(
        &self,
        Parameters(arguments): Parameters<AddObservations>,
    ) -> Result<Json<AddedObservations>, String> {
        self.pace.wait().await;
        self.add(arguments).map(Json).map_err(|refusal| refusal.to_string())
    }
}

impl Memory {
    fn search(&self, arguments: SearchNodes) -> Result<FoundNodes, Refusal> {
        check_name("user_id", &arguments.user_id)?;
        check_count("limit", arguments.limit)?;
        let users = self.users();
        let notes = users.get(&arguments.user_id);
        let entities = notes.map_or_else(Vec::new, |notes| notes.search(&arguments.query, arguments.limit));
        Ok(FoundNodes { entities })
    }

    /// All observations or none.
    fn add(&self, arguments: AddObservations) -> Result<AddedObservations, Refusal> {
        check_name("user_id", &arguments.user_id)?;
        check_name("name", &arguments.name)?;
        check_count("the number of observations", arguments.observations.len())?;
        if let Some(text) = arguments.observations.iter().find(|text| text.is_empty() || text.len() > TEXT_BYTES_MAX) {
            return Err(Refusal::Observation { bytes: text.len() });
        }
        let added = arguments.observations.len();
        let mut users = self.users();
        let notes = users.write(&arguments.user_id, Notes::default);
        for text in arguments.observations {
            notes.add(&arguments.name, text);
        }
        Ok(AddedObservations { added })
    }

    fn users(&self) -> MutexGuard<'_, Recent<Notes>> {
        self.users.lock().expect("nothing panics while holding the lock")
    }
}

fn check_name(field: &'static str, name: &str) -> Result<(), Refusal> {
    if (1..=NAME_BYTES_MAX).contains(&name.len()) {
        return Ok(());
    }
    Err(Refusal::Name { field, bytes: name.len() })
}

fn check_count(field: &'static str, count: usize) -> Result<(), Refusal> {
    if (1..=COUNT_MAX).contains(&count) {
        return Ok(());
    }
    Err(Refusal::Count { field, count })
}

#[tool_handler(router = self.tools, name = "memory")]
impl ServerHandler for Memory {}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;

    fn memory() -> Memory {
        let service_time = "constant:0s".parse().unwrap();
        Memory::new(Arc::new(Pace::new(service_time, 1, "memory", CancellationToken::new())))
    }

    fn observation(user_id: String) -> AddObservations {
        AddObservations { user_id, name: "seat".into(), observations: vec!["window".into()] }
    }

    #[test]
    fn the_number_of_users_is_bounded() {
        let memory = memory();
        for user in 0..USERS_MAX + 10 {
            memory.add(observation(user.to_string())).unwrap();
        }
        let users = memory.users();
        assert_eq!(users.len(), USERS_MAX);
        assert!(users.get("9").is_none());
        assert!(users.get("10").is_some());
    }
}
