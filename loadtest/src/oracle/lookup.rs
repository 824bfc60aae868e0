//! An owner who looks its records up again: read by read, until the target answers.
use super::record::{Found, list_path, listed};
use crate::{client::get, outcome, visit::User};
use http::{StatusCode, Uri};
use reports::record::RecordKind;
use serde_json::Value;
use std::time::Duration;

/// Pause before a read that got no answer is tried again.
const PAUSE: Duration = Duration::from_millis(200);

/// A user, reading. Whoever calls it sets the deadline.
pub(crate) struct Lookup {
    user: User,
    timeout: Duration,
}

impl Lookup {
    pub(crate) fn new(user: User, timeout: Duration) -> Self {
        Self { user, timeout }
    }

    /// Reads a path until the target either shows something, or says that there is nothing (`None`).
    pub(crate) async fn get(&mut self, path: &str) -> Option<Value> {
        loop {
            if let Some(shown) = self.try_get(path).await {
                return shown;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// `None` when the answer says neither.
    async fn try_get(&mut self, path: &str) -> Option<Option<Value>> {
        let User { client, session, .. } = &mut self.user;
        if let Some(session) = session {
            session.keep_alive(client).await;
        }
        let uri: Uri = path.parse().ok()?;
        let answer = client.exchange(get(uri), self.timeout, None).await.end.ok()?;
        match answer.status {
            StatusCode::OK => serde_json::from_slice(&answer.body).ok().map(Some),
            _ if outcome::is_absence(&answer) && !is_always_there(path) => Some(None),
            StatusCode::UNAUTHORIZED => {
                if let Some(session) = session {
                    session.restore(client).await;
                }
                None
            }
            _ => None,
        }
    }

    /// Reads the beginning of a list that every user has: an answer means that the target answers.
    pub(crate) async fn list_head(&mut self) {
        self.get("/api/v1/trips?skip=0&limit=1").await;
    }

    pub(crate) fn into_user(self) -> User {
        self.user
    }

    /// Reads one record to its content; `None` when it is not there.
    pub(crate) async fn record(&mut self, kind: RecordKind, path: &str) -> Option<Found> {
        loop {
            let shown = self.get(path).await?;
            if let Some(found) = Found::of_record(kind, &shown).filter(|found| found.content.is_some()) {
                return Some(found);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Reads a list to its end. That of a trip which is not there is empty.
    pub(crate) async fn list(&mut self, kind: RecordKind, parent: &str) -> Option<Vec<Found>> {
        let mut all = Vec::new();
        loop {
            let path = list_path(kind, parent, all.len())?;
            let Some(shown) = self.get(&path).await else { return Some(all) };
            match listed(kind, &shown) {
                Some((found, may_go_on)) => {
                    all.extend(found);
                    if !may_go_on {
                        return Some(all);
                    }
                }
                None => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}

/// Whether a path is of a list that every user has, if an empty one: whoever says that it is not there is not the service.
fn is_always_there(path: &str) -> bool {
    ["/api/v1/trips?", "/api/v1/bookings?"].iter().any(|list| path.starts_with(list))
}
