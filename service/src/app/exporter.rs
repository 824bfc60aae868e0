//! Builds exports in the background: reads what belongs to the user, packs it, and keeps the archive in parts.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use tokio::{task::spawn_blocking, time::Instant};
use tracing::{info, warn};
use uuid::Uuid;

use super::{
    App,
    archive::{VERSION, pack},
    clock::now,
};
use crate::{
    domain::{
        digest::sha256,
        export::{Export, Kind, Manifest},
    },
    mcp::Caller,
    storage::{self, BOOKING_PASSENGERS, DueExport},
};

/// Most bytes of JSON in an archive; all of it is in memory while it is packed.
const JSON_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bytes of an archive in one row.
const PART_BYTES: usize = 192 * 1024;
/// For how long one replica builds before it is taken for dead.
const LEASE: SignedDuration = SignedDuration::from_mins(2);
/// Attempts before an export is given up, and the wait between them.
const ATTEMPTS_MAX: i64 = 5;
const RETRY_AFTER: SignedDuration = SignedDuration::from_secs(5);
/// Longest time for the memory server to tell what it remembers.
const MEMORY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why an archive was not built.
#[derive(Debug, thiserror::Error)]
enum BuildError {
    #[error("cannot read or keep it")]
    Storage(#[from] storage::Error),
    #[error("it would hold more than {JSON_BYTES_MAX} bytes")]
    TooLarge,
    #[error("cannot pack it")]
    Pack(#[from] zip::result::ZipError),
    #[error("packing stopped")]
    Stopped(#[from] tokio::task::JoinError),
}

impl App {
    /// Orders an export of what belongs to the user; the one that is being built, if there is one.
    pub(crate) async fn order_export(&self, user_id: Uuid) -> Result<Export, storage::Error> {
        let ordered = self.storage.order_export(Uuid::new_v4(), user_id, now(), self.export_life()).await?;
        self.exports_due.notify_one();
        Ok(ordered)
    }

    /// Builds what is due, until nothing is.
    pub(crate) async fn build_exports(&self) -> Result<(), storage::Error> {
        while let Some(due) = self.storage.claim_export(now(), LEASE).await? {
            let DueExport { id, attempts, .. } = due;
            if attempts > ATTEMPTS_MAX {
                self.metrics.export("failed");
                warn!(export = %id, "the export {id} is given up after {ATTEMPTS_MAX} attempts");
                self.storage.fail_export(id, now()).await?;
                continue;
            }
            match self.build_export(due).await {
                Ok(true) => {
                    self.metrics.export("ready");
                    info!(export = %id, "the export {id} is ready");
                    self.storage.clear_older_exports(due).await?;
                }
                Ok(false) => self.metrics.export("dropped"),
                Err(error @ BuildError::TooLarge) => {
                    self.metrics.export("failed");
                    warn!(export = %id, error = &error as &dyn std::error::Error, "the export {id} cannot be built");
                    self.storage.fail_export(id, now()).await?;
                }
                Err(error) => {
                    self.metrics.export("postponed");
                    warn!(export = %id, error = &error as &dyn std::error::Error, "the export {id} is tried again");
                    self.storage.postpone_export(id, now() + RETRY_AFTER).await?;
                }
            }
        }
        Ok(())
    }

    /// `false` when the export is not wanted any more, or another builds it.
    async fn build_export(&self, due: DueExport) -> Result<bool, BuildError> {
        let created_at = now();
        self.storage.clear_export(due).await?;
        let kinds = self.storage.belongings(due.user_id, JSON_BYTES_MAX).await?;
        let mut kinds = kinds.ok_or(BuildError::TooLarge)?;
        let mut missing = Vec::new();
        kinds.iter_mut().flat_map(|kind| &mut kind.records).for_each(|record| self.open_passengers(record));
        match self.remembered(due.user_id).await {
            Some(memory) => kinds.push(memory),
            None => missing.push("memory"),
        }
        let manifest = manifest(due, created_at, missing);
        let archive = spawn_blocking(move || pack(&kinds, manifest)).await??;
        for (number, part) in (0..).zip(archive.chunks(PART_BYTES)) {
            if !self.storage.add_export_part(due, number, &BASE64.encode(part)).await? {
                return Ok(false);
            }
        }
        let bytes = i64::try_from(archive.len()).unwrap_or(i64::MAX);
        Ok(self.storage.finish_export(due, (bytes, &sha256(&archive)), now(), self.export_life()).await?)
    }

    /// Puts who travels on a booking in the place of the sealed text; null when it cannot be opened any more.
    fn open_passengers(&self, record: &mut Value) {
        let column = BOOKING_PASSENGERS.column;
        let Some(sealed) = record.as_object_mut().and_then(|fields| fields.remove(column)) else { return };
        let id = record["id"].as_str().and_then(|id| id.parse().ok()).unwrap_or_default();
        let opened = self.sealer.open(sealed.as_str().unwrap_or_default(), BOOKING_PASSENGERS.place(id)).ok();
        record["passengers"] =
            opened.and_then(|party| serde_json::from_str(party.expose_secret()).ok()).unwrap_or_default();
    }

    /// What the memory server remembers; none when it fails or there is none.
    async fn remembered(&self, user_id: Uuid) -> Option<Kind> {
        let memory = self.servers.memory.as_ref()?;
        let records = memory.remembered(user_id, &Caller::platform(Instant::now() + MEMORY_TIMEOUT)).await;
        records.map(|records| Kind { name: "memory", records }).ok()
    }

    fn export_life(&self) -> SignedDuration {
        SignedDuration::try_from(self.config.account.export_life).unwrap_or(SignedDuration::MAX)
    }
}

fn manifest(due: DueExport, created_at: Timestamp, missing: Vec<&'static str>) -> Manifest {
    Manifest { version: VERSION, export_id: due.id, user_id: due.user_id, created_at, files: Vec::new(), missing }
}
