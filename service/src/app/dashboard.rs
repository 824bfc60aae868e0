//! The state of this replica in a few numbers, for administrators.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::{App, clock::now, health::Component};
use crate::storage;

/// How long after something they did users count as active.
const ACTIVE_FOR: SignedDuration = SignedDuration::from_hours(24);

/// A look at the service. Requests are those of the replica that answers, since it started; users are those of all.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Overview {
    pub(crate) timestamp: Timestamp,
    /// When this replica started.
    pub(crate) started_at: Timestamp,
    pub(crate) requests: Requests,
    pub(crate) users: Users,
    /// How each part is: `healthy`, `probing`, `unavailable` or `not_configured`.
    pub(crate) components: Vec<Component>,
}

/// Requests by how they ended.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Requests {
    pub(crate) total: u64,
    /// Answered 500 or more.
    pub(crate) errors: u64,
    /// Answered 429.
    pub(crate) limited: u64,
    /// Refused because too many were in progress.
    pub(crate) shed: u64,
    /// Part that was not an error, from 0 to 1.
    pub(crate) success_rate: f64,
    pub(crate) in_progress: i64,
}

/// Users of all replicas.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Users {
    pub(crate) total: i64,
    /// Those of whom the audit log knows something of the last 24 h.
    pub(crate) active_24h: i64,
    /// Deleted users who are not erased yet.
    pub(crate) open_deletions: i64,
}

impl App {
    /// Looks at the service.
    ///
    /// # Errors
    /// The database fails.
    pub(crate) async fn overview(&self) -> Result<Overview, storage::Error> {
        let now = now();
        let counts = self.storage.counts(now - ACTIVE_FOR).await?;
        Ok(Overview {
            timestamp: now,
            started_at: self.started_at,
            requests: self.requests(),
            users: Users {
                total: counts.users,
                active_24h: counts.active_users,
                open_deletions: counts.open_deletions,
            },
            components: self.health().await.components,
        })
    }

    fn requests(&self) -> Requests {
        let mut requests = Requests {
            total: 0,
            errors: 0,
            limited: 0,
            shed: self.metrics.shed.get(),
            success_rate: 1.0,
            in_progress: self.metrics.in_flight.get(),
        };
        for (status, count) in answers(&self.metrics.render()) {
            requests.total += count;
            match status {
                429 => requests.limited += count,
                500.. => requests.errors += count,
                _ => {}
            }
        }
        if requests.total > 0 {
            #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
            let errors = requests.errors as f64 / requests.total as f64;
            requests.success_rate = 1.0 - errors;
        }
        requests
    }
}

/// Status and count of each series of answered requests. A family of metrics can only be listed as text.
fn answers(page: &str) -> impl Iterator<Item = (u16, u64)> {
    page.lines().filter_map(|line| {
        let (labels, count) = line.strip_prefix("tripsage_requests_total{")?.rsplit_once("} ")?;
        let (_, status) = labels.split_once("status=\"")?;
        Some((status.get(..3)?.parse().ok()?, count.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Metrics, RequestLabels};

    #[test]
    fn answers_are_counted_by_status() {
        let metrics = Metrics::new();
        for status in [200, 200, 503] {
            let labels = RequestLabels { method: "GET", route: "/x{status=\"7\"}".into(), status };
            metrics.requests.get_or_create(&labels).inc();
        }
        let mut answers: Vec<_> = answers(&metrics.render()).collect();
        answers.sort_unstable();
        assert_eq!(answers, [(200, 2), (503, 1)]);
    }
}
