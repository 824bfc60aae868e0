//! Where a scenario says that its arrivals were recorded.
use super::{Earlier, Log};
use loadtest::arrivals::{ARRIVALS_MAX, Recorded};
use reports::record::RecordedArrivals;
use std::path::Path;

/// Reads the arrivals that settings name, and what is to be told of them; `None` when they name none, or too much. Files are relative to
/// `folder`.
///
/// # Errors
/// When they cannot be read.
pub(crate) fn read(
    settings: &Recorded,
    folder: &Path,
    seed: u64,
) -> anyhow::Result<Option<(RecordedArrivals, Vec<u64>)>> {
    match (&settings.file, &settings.run) {
        (Some(file), None) => {
            let log = Log::read(&folder.join(file), settings.field.as_deref(), seed, |_| {})?;
            let told = log.told(file);
            if log.is_doubtful() {
                tracing::warn!("not every line of {} is an arrival: {}", file.display(), told.note);
            }
            Ok(Some((told, log.due_ns)))
        }
        (None, Some(run)) => {
            let earlier = Earlier::find(run)?;
            let due_ns = earlier.due_times()?;
            anyhow::ensure!(due_ns.len() <= ARRIVALS_MAX, "more than {ARRIVALS_MAX} arrivals");
            Ok(Some((earlier.told(due_ns.len()), due_ns)))
        }
        _ => Ok(None),
    }
}
