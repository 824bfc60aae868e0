//! What the one whom memories are about may ask of the memory server: all of them, and that they be forgotten.

use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::Value;
use uuid::Uuid;

use super::{Caller, Client};
use crate::dependency::{Failure, Repeat};

/// Most entities in one answer of the server.
const LIMIT: u32 = 100;

#[derive(Serialize)]
struct Everything {
    /// No words find everything.
    query: &'static str,
    user_id: Uuid,
    limit: u32,
}

#[derive(Deserialize)]
struct Found {
    entities: Vec<Value>,
}

#[derive(Serialize)]
struct Forget {
    user_id: Uuid,
}

impl Client {
    /// Everything that is remembered about the user, up to 100 entities.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub(crate) async fn remembered(&self, user_id: Uuid, caller: &Caller) -> Result<Vec<Value>, Failure> {
        let everything = Everything { query: "", user_id, limit: LIMIT };
        let found: Found = self.call("search_nodes", &everything, Repeat::Once, caller).await?;
        Ok(found.entities)
    }

    /// Has everything forgotten that is remembered about the user. Once more does no harm.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub(crate) async fn forget(&self, user_id: Uuid, caller: &Caller) -> Result<(), Failure> {
        self.call::<IgnoredAny>("delete_user", &Forget { user_id }, Repeat::Once, caller).await.map(drop)
    }
}
