//! What is known about a traveller: `search_nodes`, `add_observations`.

use futures_util::{FutureExt as _, future::BoxFuture};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use uuid::Uuid;

use super::Client;
use crate::dependency::{Failure, Repeat};

/// Remembers travellers.
pub(crate) trait Memory: Send + Sync {
    /// Observations about the user that have to do with `query`.
    fn recall<'a>(
        &'a self,
        user_id: Uuid,
        query: &'a str,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Vec<String>, Failure>>;

    /// Adds observations about the user.
    fn remember(
        &self,
        user_id: Uuid,
        observations: Vec<String>,
        deadline: Instant,
    ) -> BoxFuture<'_, Result<(), Failure>>;
}

/// Entities asked for.
const LIMIT: u32 = 5;

#[derive(Serialize)]
struct Search<'a> {
    query: &'a str,
    user_id: Uuid,
    limit: u32,
}

#[derive(Deserialize)]
struct Found {
    entities: Vec<Entity>,
}

#[derive(Deserialize)]
struct Entity {
    observations: Vec<String>,
}

#[derive(Serialize)]
struct Observations {
    user_id: Uuid,
    name: &'static str,
    observations: Vec<String>,
}

#[derive(Deserialize)]
struct Added {
    #[serde(rename = "added")]
    _added: u64,
}

impl Memory for Client {
    fn recall<'a>(
        &'a self,
        user_id: Uuid,
        query: &'a str,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Vec<String>, Failure>> {
        async move {
            let search = Search { query, user_id, limit: LIMIT };
            let found: Found = self.call("search_nodes", &search, Repeat::Once, deadline).await?;
            Ok(found.entities.into_iter().flat_map(|entity| entity.observations).collect())
        }
        .boxed()
    }

    fn remember(
        &self,
        user_id: Uuid,
        observations: Vec<String>,
        deadline: Instant,
    ) -> BoxFuture<'_, Result<(), Failure>> {
        async move {
            let observations = Observations { user_id, name: "conversation", observations };
            self.call::<Added>("add_observations", &observations, Repeat::Never, deadline).await.map(|_| ())
        }
        .boxed()
    }
}
