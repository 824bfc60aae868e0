//! The memory server: a small graph of knowledge about each user, found again by words and forgotten on request.

use std::sync::{Mutex, MutexGuard};

use rmcp::{
    Json, ServerHandler,
    handler::server::{router::tool::ToolRouter, wrapper::Parameters},
    tool, tool_handler, tool_router,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    endpoint,
    notes::{Entity, Notes, Relation},
    refusal::{Coded, Refused},
};
use crate::{Settings, provider::Mount, recent::Recent};

/// How many users are remembered: at 16 KiB each, at most 64 MiB of text. The one written to longest ago goes first.
const USERS_MAX: usize = 4096;

/// Bytes of a user id or a name.
const NAME_BYTES_MAX: usize = 200;

/// Bytes of one observation.
const TEXT_BYTES_MAX: usize = 2000;

/// Entities, relations or observations in one call, and entities found by one search.
const COUNT_MAX: usize = 100;

pub(crate) fn open(_settings: &Settings) -> Mount {
    endpoint::mount(Memory::new())
}

struct Memory {
    tools: ToolRouter<Self>,
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

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CreateEntities {
    user_id: String,
    /// 1 to 100.
    entities: Vec<NewEntity>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewEntity {
    name: String,
    entity_type: String,
    /// At most 100 texts of at most 2000 bytes.
    #[serde(default)]
    observations: Vec<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CreateRelations {
    user_id: String,
    /// 1 to 100.
    relations: Vec<Relation>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Created {
    /// How many were not known before.
    created: usize,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OpenNodes {
    user_id: String,
    /// 1 to 100 names of entities.
    names: Vec<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReadGraph {
    user_id: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Graph {
    entities: Vec<Entity>,
    /// Those between the entities.
    relations: Vec<Relation>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DeleteEntities {
    user_id: String,
    /// 1 to 100 names of entities.
    entity_names: Vec<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DeleteUser {
    user_id: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Deleted {
    /// How many entities there were.
    deleted: usize,
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

impl Coded for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::Name { .. } => "invalid_name",
            Self::Observation { .. } => "invalid_observation",
            Self::Count { .. } => "invalid_count",
        }
    }
}

#[tool_router]
impl Memory {
    fn new() -> Self {
        Self { tools: Self::tool_router(), users: Mutex::new(Recent::new(USERS_MAX)) }
    }

    #[tool(description = "Find what is remembered about a user.")]
    async fn search_nodes(&self, Parameters(arguments): Parameters<SearchNodes>) -> Result<Json<FoundNodes>, Refused> {
        Ok(Json(self.search(arguments)?))
    }

    #[tool(description = "Remember observations about a user.")]
    async fn add_observations(
        &self,
        Parameters(arguments): Parameters<AddObservations>,
    ) -> Result<Json<AddedObservations>, Refused> {
        Ok(Json(self.add(arguments)?))
    }

    #[tool(description = "Remember entities that have to do with a user; known names are left as they are.")]
    async fn create_entities(
        &self,
        Parameters(arguments): Parameters<CreateEntities>,
    ) -> Result<Json<Created>, Refused> {
        Ok(Json(self.create(arguments)?))
    }

    #[tool(description = "Remember how entities relate; known relations are left as they are.")]
    async fn create_relations(
        &self,
        Parameters(arguments): Parameters<CreateRelations>,
    ) -> Result<Json<Created>, Refused> {
        Ok(Json(self.relate(arguments)?))
    }

    #[tool(description = "Read entities of a user by their names, and the relations between them.")]
    async fn open_nodes(&self, Parameters(arguments): Parameters<OpenNodes>) -> Result<Json<Graph>, Refused> {
        check_count("the number of names", arguments.names.len())?;
        Ok(Json(self.graph(&arguments.user_id, |notes| notes.open(&arguments.names))?))
    }

    #[tool(description = "Read everything that is remembered about a user.")]
    async fn read_graph(&self, Parameters(arguments): Parameters<ReadGraph>) -> Result<Json<Graph>, Refused> {
        Ok(Json(self.graph(&arguments.user_id, Notes::entities)?))
    }

    #[tool(description = "Forget entities of a user, with their observations and relations.")]
    async fn delete_entities(
        &self,
        Parameters(arguments): Parameters<DeleteEntities>,
    ) -> Result<Json<Deleted>, Refused> {
        check_name("user_id", &arguments.user_id)?;
        check_count("the number of entity_names", arguments.entity_names.len())?;
        let mut users = self.users();
        let deleted = users
            .get_mut(&arguments.user_id)
            .map_or(0, |notes| arguments.entity_names.iter().filter(|name| notes.delete(name)).count());
        Ok(Json(Deleted { deleted }))
    }

    #[tool(description = "Forget everything about a user.")]
    async fn delete_user(&self, Parameters(arguments): Parameters<DeleteUser>) -> Result<Json<Deleted>, Refused> {
        check_name("user_id", &arguments.user_id)?;
        let forgotten = self.users().remove(&arguments.user_id);
        Ok(Json(Deleted { deleted: forgotten.map_or(0, |notes| notes.entities().len()) }))
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
        check_texts(&arguments.observations)?;
        let added = arguments.observations.len();
        let mut users = self.users();
        let notes = users.write(&arguments.user_id, Notes::default);
        for text in arguments.observations {
            notes.add(&arguments.name, text);
        }
        Ok(AddedObservations { added })
    }

    /// All entities or none.
    fn create(&self, arguments: CreateEntities) -> Result<Created, Refusal> {
        check_name("user_id", &arguments.user_id)?;
        check_count("the number of entities", arguments.entities.len())?;
        for entity in &arguments.entities {
            check_name("name", &entity.name)?;
            check_name("entity_type", &entity.entity_type)?;
            check_at_most("the number of observations", entity.observations.len())?;
            check_texts(&entity.observations)?;
        }
        let mut users = self.users();
        let notes = users.write(&arguments.user_id, Notes::default);
        let mut created = 0;
        for entity in arguments.entities {
            if !notes.add_entity(&entity.name, entity.entity_type) {
                continue;
            }
            created += 1;
            for text in entity.observations {
                notes.add(&entity.name, text);
            }
        }
        Ok(Created { created })
    }

    /// All relations or none.
    fn relate(&self, arguments: CreateRelations) -> Result<Created, Refusal> {
        check_name("user_id", &arguments.user_id)?;
        check_count("the number of relations", arguments.relations.len())?;
        for relation in &arguments.relations {
            check_name("from", &relation.from)?;
            check_name("to", &relation.to)?;
            check_name("relation_type", &relation.relation_type)?;
        }
        let mut users = self.users();
        let notes = users.write(&arguments.user_id, Notes::default);
        let created = arguments.relations.into_iter().filter(|relation| notes.add_relation(relation.clone())).count();
        Ok(Created { created })
    }

    fn graph(&self, user_id: &str, entities: impl FnOnce(&Notes) -> Vec<Entity>) -> Result<Graph, Refusal> {
        check_name("user_id", user_id)?;
        let users = self.users();
        let Some(notes) = users.get(user_id) else {
            return Ok(Graph { entities: Vec::new(), relations: Vec::new() });
        };
        let entities = entities(notes);
        let is_there = |name: &String| entities.iter().any(|entity| entity.name == *name);
        let relations = notes.relations().filter(|relation| is_there(&relation.from) && is_there(&relation.to));
        Ok(Graph { relations: relations.cloned().collect(), entities })
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

fn check_texts(texts: &[String]) -> Result<(), Refusal> {
    match texts.iter().find(|text| text.is_empty() || text.len() > TEXT_BYTES_MAX) {
        Some(text) => Err(Refusal::Observation { bytes: text.len() }),
        None => Ok(()),
    }
}

fn check_at_most(field: &'static str, count: usize) -> Result<(), Refusal> {
    check_count(field, count.max(1))
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
    use super::*;

    fn observation(user_id: String) -> AddObservations {
        AddObservations { user_id, name: "seat".into(), observations: vec!["window".into()] }
    }

    #[test]
    fn the_number_of_users_is_bounded() {
        let memory = Memory::new();
        for user in 0..USERS_MAX + 10 {
            memory.add(observation(user.to_string())).unwrap();
        }
        let users = memory.users();
        assert_eq!(users.len(), USERS_MAX);
        assert!(users.get("9").is_none());
        assert!(users.get("10").is_some());
    }
}
