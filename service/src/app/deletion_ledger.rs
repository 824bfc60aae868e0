//! The ledger of deletions as a file: one JSON object per line, appended and flushed to the disk.
//!
//! It lives where the backups of the database are not, so that a restored database can be made to forget again.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use tracing::error;
use uuid::Uuid;

use crate::storage::Deletion;

/// The file, if there is to be one. Several replicas may share it.
pub(super) struct DeletionLedger(Option<Arc<LedgerFile>>);

struct LedgerFile {
    path: PathBuf,
    /// Users in the file. Held while writing, so that lines do not mix.
    noted: Mutex<HashSet<Uuid>>,
}

#[derive(Deserialize, Serialize)]
struct Line {
    user_id: Uuid,
    requested_at: Timestamp,
}

impl DeletionLedger {
    /// Opens the file, creating it when it is new, and what it holds. A line that cannot be read is skipped and logged.
    pub(super) async fn open(path: Option<PathBuf>) -> io::Result<(Self, Vec<Deletion>)> {
        let Some(path) = path else { return Ok((Self(None), Vec::new())) };
        let opened = spawn_blocking(move || {
            // Opened to write, so that a place that cannot be written is known now.
            File::options().append(true).create(true).open(&path)?;
            let deletions = read(&path)?;
            let noted = Mutex::new(deletions.iter().map(|deletion| deletion.user_id).collect());
            Ok((Self(Some(Arc::new(LedgerFile { path, noted }))), deletions))
        });
        opened.await.map_err(io::Error::other)?
    }

    /// Appends a deletion unless it is there.
    pub(super) async fn note(&self, deletion: Deletion) -> io::Result<()> {
        let Some(file) = self.0.clone() else { return Ok(()) };
        if file.noted().contains(&deletion.user_id) {
            return Ok(());
        }
        spawn_blocking(move || file.note(deletion)).await.map_err(io::Error::other)?
    }
}

impl LedgerFile {
    fn noted(&self) -> MutexGuard<'_, HashSet<Uuid>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, deletion: Deletion) -> io::Result<()> {
        let mut noted = self.noted();
        if noted.contains(&deletion.user_id) {
            return Ok(());
        }
        let line = Line { user_id: deletion.user_id, requested_at: deletion.requested_at };
        let line = serde_json::to_string(&line).map_err(io::Error::other)?;
        let mut file = File::options().append(true).create(true).open(&self.path)?;
        // In one write, and after a line break: the line before may have been cut off by a crash.
        file.write_all(format!("\n{line}\n").as_bytes())?;
        file.sync_all()?;
        noted.insert(deletion.user_id);
        Ok(())
    }
}

fn read(path: &Path) -> io::Result<Vec<Deletion>> {
    let bytes = fs::read(path)?;
    let lines = bytes.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty());
    let deletion = |(index, line): (usize, &[u8])| match serde_json::from_slice::<Line>(line) {
        Ok(Line { user_id, requested_at }) => Some(Deletion { user_id, requested_at }),
        Err(error) => {
            let number = index + 1;
            error!(path = %path.display(), number, %error, "line {number} of the ledger of deletions cannot be read");
            None
        }
    };
    let mut seen = HashSet::new();
    // Two replicas may have noted the same one.
    Ok(lines.filter_map(deletion).filter(|deletion| seen.insert(deletion.user_id)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deletion(id: u128) -> Deletion {
        Deletion { user_id: Uuid::from_u128(id), requested_at: Timestamp::UNIX_EPOCH }
    }

    #[tokio::test]
    async fn each_deletion_is_there_once_even_after_a_line_that_was_cut_off() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("ledger");
        let (ledger, noted) = DeletionLedger::open(Some(path.clone())).await.unwrap();
        assert_eq!(noted, []);
        for id in [1, 2, 1] {
            ledger.note(deletion(id)).await.unwrap();
        }
        let mut text = fs::read_to_string(&path).unwrap();
        text.push_str(&text.clone());
        text.push_str("{\"user_id\": \"00000000-0000-");
        fs::write(&path, text).unwrap();
        let (ledger, noted) = DeletionLedger::open(Some(path.clone())).await.unwrap();
        assert_eq!(noted, [deletion(1), deletion(2)]);
        ledger.note(deletion(2)).await.unwrap();
        ledger.note(deletion(3)).await.unwrap();
        let (_, noted) = DeletionLedger::open(Some(path)).await.unwrap();
        assert_eq!(noted, [deletion(1), deletion(2), deletion(3)]);
    }

    #[tokio::test]
    async fn a_place_that_cannot_be_written_is_an_error() {
        let folder = tempfile::TempDir::new().unwrap();
        assert!(DeletionLedger::open(Some(folder.path().to_owned())).await.is_err());
        assert!(DeletionLedger::open(Some(folder.path().join("no/such/folder"))).await.is_err());
    }
}
