//! Puts stored secrets under the present master key, in the background from the start of the service.
//!
//! To change the master key: add the new one last everywhere, then move it to the front, then (when the log says that
//! nothing is left) take the old one away. The pass goes from row to row and may be cut anywhere: what is done stays done.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use uuid::Uuid;

use super::App;
use crate::{
    sealing::SealError,
    storage::{self, SEALED, SealedColumn},
};

/// Rows looked at together.
const BATCH: i64 = 100;
/// Wait before going on after the database failed.
const RETRY_WAIT: Duration = Duration::from_secs(10);

/// How far one column is.
#[derive(Default)]
struct Progress {
    after: Option<Uuid>,
    resealed: usize,
    /// Secrets that do not open, and the first reason.
    lost: usize,
    reason: Option<SealError>,
}

/// Reseals every column, until it is done or `stop` is cancelled.
pub(crate) async fn reseal(app: Arc<App>, stop: CancellationToken) {
    let Some(prefix) = app.sealer.current_prefix() else { return };
    for column in SEALED {
        let mut progress = Progress::default();
        loop {
            let step = tokio::select! {
                () = stop.cancelled() => return,
                step = step(&app, column, &prefix, &mut progress) => step,
            };
            match step {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    warn!(
                        error = &error as &dyn std::error::Error,
                        "resealing {}.{} goes on in {RETRY_WAIT:?}", column.table, column.column
                    );
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = sleep(RETRY_WAIT) => {}
                    }
                }
            }
        }
        progress.report(column);
    }
}

/// Reseals the next rows. False when there are none.
async fn step(app: &App, column: &SealedColumn, prefix: &str, progress: &mut Progress) -> Result<bool, storage::Error> {
    let rows = app.storage.sealed_otherwise(column, prefix, progress.after, BATCH).await?;
    for sealed in &rows {
        match app.sealer.rewrapped(&sealed.text, column.place(sealed.row)) {
            Ok(Some(text)) => {
                app.storage.replace_sealed(column, sealed, &text).await?;
                progress.resealed += 1;
            }
            Ok(None) => {}
            Err(error) => {
                progress.lost += 1;
                progress.reason.get_or_insert(error);
            }
        }
        progress.after = Some(sealed.row);
    }
    if !rows.is_empty() {
        info!(
            resealed = progress.resealed,
            "{} of {}.{} resealed so far", progress.resealed, column.table, column.column
        );
    }
    Ok(!rows.is_empty())
}

impl Progress {
    fn report(&self, column: &SealedColumn) {
        let Self { resealed, lost, reason, .. } = self;
        let (table, column) = (column.table, column.column);
        if let Some(reason) = reason {
            let reason = reason as &dyn std::error::Error;
            error!(lost, error = reason, "{lost} secrets in {table}.{column} do not open");
        } else if *resealed > 0 {
            info!(resealed, "{table}.{column} is all under the present master key");
        }
    }
}
