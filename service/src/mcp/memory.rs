//! What is known about a traveller: `search_nodes`, `add_observations`.

use futures_util::{FutureExt as _, future::BoxFuture};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Caller, Client};
use crate::{
    dependency::{Failure, Repeat},
    domain::memory as domain,
};

/// Remembers travellers.
pub(crate) trait Memory: Send + Sync {
    /// At most `limit` subjects about the user that have to do with `query`, best match first; any when it is empty.
    fn recall<'a>(
        &'a self,
        user_id: Uuid,
        query: &'a str,
        limit: u32,
        caller: &'a Caller,
    ) -> BoxFuture<'a, Result<Vec<domain::Memory>, Failure>>;

    /// Adds observations about the user.
    fn remember<'a>(
        &'a self,
        user_id: Uuid,
        observations: Vec<String>,
        caller: &'a Caller,
    ) -> BoxFuture<'a, Result<(), Failure>>;
}

#[derive(Serialize)]
struct Search<'a> {
    query: &'a str,
    user_id: Uuid,
    limit: u32,
}

#[derive(Deserialize)]
struct Found {
    entities: Vec<domain::Memory>,
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
        limit: u32,
        caller: &'a Caller,
    ) -> BoxFuture<'a, Result<Vec<domain::Memory>, Failure>> {
        async move {
            let search = Search { query, user_id, limit };
            let found: Found = self.call("search_nodes", &search, Repeat::Once, caller).await?;
            Ok(found.entities)
        }
        .boxed()
    }

    fn remember<'a>(
        &'a self,
        user_id: Uuid,
        observations: Vec<String>,
        caller: &'a Caller,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        async move {
            let observations = Observations { user_id, name: "conversation", observations };
            self.call::<Added>("add_observations", &observations, Repeat::Never, caller).await.map(|_| ())
        }
        .boxed()
    }
}
