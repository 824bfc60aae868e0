//! How the service and each of its parts are.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{App, clock::now};
use crate::dependency::State;

/// How the service is, as `/health` tells it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `healthy`, `degraded` (a provider is down) or `unhealthy` (the database is).
    pub(crate) status: &'static str,
    pub(crate) version: &'static str,
    pub(crate) timestamp: Timestamp,
    pub(crate) components: Vec<Component>,
}

/// How one part is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Component {
    pub(crate) name: &'static str,
    /// `healthy`, `probing`, `unavailable` or `not_configured`.
    pub(crate) status: &'static str,
}

impl App {
    /// How every part is.
    pub(crate) async fn health(&self) -> Health {
        let database_works = self.database_works().await;
        let mut components =
            vec![Component { name: "database", status: if database_works { "healthy" } else { "unavailable" } }];
        components.extend(
            self.servers
                .iter()
                .map(|client| Component { name: client.server(), status: status(client.breaker_state()) }),
        );
        components.push(Component {
            name: "llm",
            status: self.llm.as_ref().map_or("not_configured", |llm| status(llm.breaker_state())),
        });
        let all_work = components.iter().all(|component| component.status == "healthy");
        let status = match (database_works, all_work) {
            (false, _) => "unhealthy",
            (true, false) => "degraded",
            (true, true) => "healthy",
        };
        Health { status, version: env!("CARGO_PKG_VERSION"), timestamp: now(), components }
    }
}

fn status(state: State) -> &'static str {
    match state {
        State::Closed => "healthy",
        State::HalfOpen => "probing",
        State::Open => "unavailable",
    }
}
