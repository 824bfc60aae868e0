//! An owner who looks its records up again: read by read, until the target answers.
use super::record::{Found, list_path, listed};
use crate::{
    client::{Answer, get},
    outcome,
    visit::User,
};
use http::{StatusCode, Uri};
use reports::record::RecordKind;
use serde_json::Value;
use std::{collections::BTreeSet, time::Duration};

/// Pause before a read that showed nothing is tried again.
const PAUSE: Duration = Duration::from_millis(200);
/// A read that is answered so often without showing anything, while the target shows a list in between each time, is given up.
const ATTEMPTS_MAX: u32 = 15;
/// The beginning of a list that every user has.
const LIST_HEAD: &str = "/api/v1/trips?skip=0&limit=1";

/// A user, reading. Whoever calls it sets the deadline.
pub(crate) struct Lookup {
    user: User,
    timeout: Duration,
}

/// What the target neither shows, nor says not to have, though it answers other reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// The last status; `None` for a record whose id no URL can have.
    pub(crate) status: Option<StatusCode>,
}

/// One read.
enum Reading<T> {
    Shown(T),
    /// The service says that there is no such thing.
    Absent,
    /// Answered, with something else.
    Unclear(StatusCode),
    Unanswered,
}

impl Lookup {
    pub(crate) fn new(user: User, timeout: Duration) -> Self {
        Self { user, timeout }
    }

    /// Reads a path until the target either shows what `parse` takes, or says that there is nothing (`None`).
    async fn get<T>(&mut self, path: &str, parse: impl Fn(&Value) -> Option<T>) -> Result<Option<T>, Unreadable> {
        let Ok(uri) = path.parse::<Uri>() else { return Err(Unreadable { status: None }) };
        let mut attempts = 0;
        loop {
            match self.try_get(&uri, &parse).await {
                Reading::Shown(shown) => return Ok(Some(shown)),
                Reading::Absent if !is_always_there(path) => return Ok(None),
                Reading::Absent => self.count(&mut attempts, StatusCode::NOT_FOUND).await?,
                Reading::Unclear(status) => self.count(&mut attempts, status).await?,
                Reading::Unanswered => {}
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Counts an answer that showed nothing, if the target shows a list now: else all of it is out of order, and may come back.
    async fn count(&mut self, attempts: &mut u32, status: StatusCode) -> Result<(), Unreadable> {
        let head = self.try_get(&Uri::from_static(LIST_HEAD), &|_: &Value| Some(())).await;
        *attempts += u32::from(matches!(head, Reading::Shown(())));
        if *attempts < ATTEMPTS_MAX { Ok(()) } else { Err(Unreadable { status: Some(status) }) }
    }

    async fn try_get<T>(&mut self, uri: &Uri, parse: &impl Fn(&Value) -> Option<T>) -> Reading<T> {
        let User { client, session, .. } = &mut self.user;
        if let Some(session) = session {
            session.keep_alive(client, self.timeout).await;
        }
        let Ok(answer) = client.exchange(get(uri.clone()), self.timeout, None).await.end else {
            return Reading::Unanswered;
        };
        if let (StatusCode::UNAUTHORIZED, Some(session)) = (answer.status, session) {
            session.restore(client, self.timeout).await;
        }
        reading(&answer, parse)
    }

    /// Waits until the target shows the beginning of a list: then it answers.
    pub(crate) async fn list_head(&mut self) {
        while !matches!(self.try_get(&Uri::from_static(LIST_HEAD), &|_: &Value| Some(())).await, Reading::Shown(())) {
            tokio::time::sleep(PAUSE).await;
        }
    }

    pub(crate) fn into_user(self) -> User {
        self.user
    }

    /// Reads one record to its content; `None` when it is not there.
    pub(crate) async fn record(&mut self, kind: RecordKind, path: &str) -> Result<Option<Found>, Unreadable> {
        self.get(path, |shown| Found::of_record(kind, shown).filter(|found| found.content.is_some())).await
    }

    /// Reads a list to its end; `None` for a kind without one. That of a trip which is not there is empty.
    pub(crate) async fn list(&mut self, kind: RecordKind, parent: &str) -> Result<Option<Vec<Found>>, Unreadable> {
        let (mut all, mut ids) = (Vec::new(), BTreeSet::new());
        while let Some(path) = list_path(kind, parent, all.len()) {
            let shown = self.get(&path, |shown| listed(kind, shown)).await?;
            let Some((found, may_go_on)) = shown else { return Ok(Some(all)) };
            let known = ids.len();
            ids.extend(found.iter().map(|found| found.id.clone()));
            all.extend(found);
            // A page with nothing new may be followed by the same one for ever.
            if !may_go_on || ids.len() == known {
                return Ok(Some(all));
            }
        }
        Ok(None)
    }
}

fn reading<T>(answer: &Answer, parse: &impl Fn(&Value) -> Option<T>) -> Reading<T> {
    let shown = || serde_json::from_slice(&answer.body).ok().and_then(|shown| parse(&shown));
    match answer.status {
        StatusCode::OK => shown().map_or(Reading::Unclear(answer.status), Reading::Shown),
        _ if outcome::is_absence(answer) => Reading::Absent,
        status => Reading::Unclear(status),
    }
}

/// Whether a path is of a list that every user has, if an empty one: whoever says that it is not there is not the service.
fn is_always_there(path: &str) -> bool {
    ["/api/v1/trips?", "/api/v1/bookings?"].iter().any(|list| path.starts_with(list))
}
