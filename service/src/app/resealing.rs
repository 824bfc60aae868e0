//! Puts stored secrets under the present master key, in the background from the start of the service.
//!
//! To change the master key: add the new one last everywhere, then move it to the front, then (when the log of the replica
//! that was started last says that nothing is left) take the old one away. A pass goes from row to row and may be cut
//! anywhere: what is done stays done. Passes are repeated, because a replica with the keys of before may still write.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use uuid::Uuid;

use super::App;
use crate::{
    sealing::{SealError, Sealer},
    storage::{self, SEALED, SealedColumn, Storage},
};

/// Rows looked at together.
const BATCH: i64 = 100;
/// Wait before going on after the database failed.
const RETRY_WAIT: Duration = Duration::from_secs(10);
/// How much later than the drain time the first repetition is: until then a replica that this one replaces has ended.
const FIRST_MARGIN: Duration = Duration::from_secs(60);
/// Time from one pass to the next after that.
const EVERY: Duration = Duration::from_secs(3_600);

/// How far one column is in one pass.
#[derive(Default)]
struct Pass {
    after: Option<Uuid>,
    /// Secrets that were not under the present master key.
    found: usize,
    resealed: usize,
    /// Secrets that do not open, and the first reason.
    lost: usize,
    reason: Option<SealError>,
}

/// What a pass says of its column.
#[derive(Debug, PartialEq, Eq)]
enum Verdict<'a> {
    /// Some secrets do not open.
    Lost(&'a SealError),
    /// Something was left to do, or may be written yet by who has the keys of before.
    Unsettled,
    /// All is under the present master key, and stays so.
    Clean,
}

/// Reseals every column, again and again until `stop` is cancelled.
pub(crate) async fn reseal(app: Arc<App>, stop: CancellationToken) {
    let Some(prefix) = app.sealer.current_prefix() else { return };
    let settled = Instant::now() + app.config.drain;
    let mut next = settled + FIRST_MARGIN;
    loop {
        let is_settled = Instant::now() > settled;
        for column in SEALED {
            let pass = Pass::over(column, &prefix, &app.storage, &app.sealer);
            let Some(pass) = stop.run_until_cancelled(pass).await else { return };
            pass.report(column, is_settled);
        }
        if stop.run_until_cancelled(sleep_until(next)).await.is_none() {
            return;
        }
        next = Instant::now() + EVERY;
    }
}

impl Pass {
    /// One whole pass over a column; while the database fails, it waits.
    async fn over(column: &SealedColumn, prefix: &str, storage: &Storage, sealer: &Sealer) -> Self {
        let mut pass = Self::default();
        loop {
            match pass.step(column, prefix, storage, sealer).await {
                Ok(true) => {}
                Ok(false) => return pass,
                Err(error) => {
                    warn!(
                        error = &error as &dyn std::error::Error,
                        "resealing {}.{} goes on in {RETRY_WAIT:?}", column.table, column.column
                    );
                    sleep(RETRY_WAIT).await;
                }
            }
        }
    }

    /// Reseals the next rows. False when there are none.
    async fn step(
        &mut self,
        column: &SealedColumn,
        prefix: &str,
        storage: &Storage,
        sealer: &Sealer,
    ) -> Result<bool, storage::Error> {
        let rows = storage.sealed_otherwise(column, prefix, self.after, BATCH).await?;
        for sealed in &rows {
            match sealer.rewrapped(&sealed.text, column.place(sealed.row)) {
                // A text that has changed meanwhile may be under the old key again: the next pass sees it.
                Ok(Some(text)) if storage.replace_sealed(column, sealed, &text).await? > 0 => self.resealed += 1,
                Ok(_) => {}
                Err(error) => {
                    self.lost += 1;
                    self.reason.get_or_insert(error);
                }
            }
            self.found += 1;
            self.after = Some(sealed.row);
        }
        if !rows.is_empty() {
            info!(resealed = self.resealed, "{} of {}.{} resealed so far", self.resealed, column.table, column.column);
        }
        Ok(!rows.is_empty())
    }

    /// `is_settled` is whether the pass began when nobody had the keys of before any more.
    fn verdict(&self, is_settled: bool) -> Verdict<'_> {
        match (&self.reason, self.found) {
            (Some(reason), _) => Verdict::Lost(reason),
            (None, 0) if is_settled => Verdict::Clean,
            (None, _) => Verdict::Unsettled,
        }
    }

    fn report(&self, column: &SealedColumn, is_settled: bool) {
        let (table, column) = (column.table, column.column);
        match self.verdict(is_settled) {
            Verdict::Lost(reason) => {
                let (lost, reason) = (self.lost, reason as &dyn std::error::Error);
                error!(lost, error = reason, "{lost} secrets in {table}.{column} do not open");
            }
            Verdict::Unsettled => {}
            Verdict::Clean => info!("{table}.{column} is all under the present master key"),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use secrecy::{SecretBox, SecretString};

    use super::*;
    use crate::{
        config::{MASTER_KEY_BYTES, MasterKey},
        domain::api_key::{ApiKey, Service},
        metrics::Metrics,
        storage::{API_KEY_SECRETS, Limits, NewUser},
    };

    const OLD: (&str, u8) = ("old", 1);
    const NEW: (&str, u8) = ("new", 2);

    fn sealer(keys: &[(&str, u8)]) -> Sealer {
        let master = |(id, byte): &(&str, u8)| MasterKey {
            id: (*id).to_owned(),
            secret: Arc::new(SecretBox::new(Box::new([*byte; MASTER_KEY_BYTES]))),
        };
        Sealer::new(&keys.iter().map(master).collect::<Vec<_>>())
    }

    fn sealed(by: &Sealer, id: Uuid) -> String {
        by.seal(&SecretString::from("sk-canary"), API_KEY_SECRETS.place(id)).unwrap()
    }

    async fn storage(folder: &tempfile::TempDir) -> Storage {
        let url = format!("sqlite://{}/x.db", folder.path().display());
        let limit = Duration::from_secs(5);
        let limits = Limits { connections: 2, statement_timeout: limit, pool_wait: limit };
        Storage::open(&url.as_str().into(), limits, Arc::new(Metrics::new())).await.unwrap()
    }

    /// Stores a key as a replica with that sealer does.
    async fn store(storage: &Storage, user_id: Uuid, by: &Sealer) -> ApiKey {
        let id = Uuid::new_v4();
        let now = Timestamp::UNIX_EPOCH;
        let key = ApiKey {
            id,
            name: id.to_string(),
            service: Service::Flights,
            description: None,
            created_at: now,
            updated_at: now,
            expires_at: now,
            is_valid: true,
            last_used: None,
        };
        storage.create_api_key(user_id, &key, &sealed(by, id)).await.unwrap();
        key
    }

    #[tokio::test]
    async fn all_is_under_the_present_key_only_when_a_late_pass_has_found_nothing() {
        let folder = tempfile::TempDir::new().unwrap();
        let storage = storage(&folder).await;
        let (before, today) = (sealer(&[OLD, NEW]), sealer(&[NEW, OLD]));
        let prefix = today.current_prefix().unwrap();
        let user_id = Uuid::new_v4();
        let now = Timestamp::UNIX_EPOCH;
        let user = NewUser { id: user_id, email: "a@example.org", full_name: None, password_hash: "", now };
        storage.create_user(user).await.unwrap();
        let key = store(&storage, user_id, &before).await;
        // At the start, then an older replica writes once more, then it has ended.
        let pass = || Pass::over(&API_KEY_SECRETS, &prefix, &storage, &today);
        let first = pass().await;
        assert_eq!((first.found, first.resealed, first.verdict(true)), (1, 1, Verdict::Unsettled));
        assert_eq!(pass().await.verdict(false), Verdict::Unsettled, "others may still write");
        store(&storage, user_id, &before).await;
        let second = pass().await;
        assert_eq!((second.found, second.resealed, second.verdict(true)), (1, 1, Verdict::Unsettled));
        assert_eq!(pass().await.verdict(true), Verdict::Clean);

        // Rotated under the old key between the look at a row and its replacement.
        storage.rotate_api_key(user_id, &key, &sealed(&before, key.id)).await.unwrap();
        let seen = storage.sealed_otherwise(&API_KEY_SECRETS, &prefix, None, BATCH).await.unwrap();
        storage.rotate_api_key(user_id, &key, &sealed(&before, key.id)).await.unwrap();
        let text = today.rewrapped(&seen[0].text, API_KEY_SECRETS.place(key.id)).unwrap().unwrap();
        assert_eq!(storage.replace_sealed(&API_KEY_SECRETS, &seen[0], &text).await.unwrap(), 0);
        assert_eq!(pass().await.resealed, 1);

        store(&storage, user_id, &sealer(&[("lost", 3)])).await;
        let lost = pass().await;
        assert!(matches!(lost.verdict(true), Verdict::Lost(_)));
        assert_eq!((lost.found, lost.resealed, lost.lost), (1, 0, 1));
    }
}
