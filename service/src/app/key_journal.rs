//! Keeps when users' keys were last used and whether they were taken: later, one after the other, and not at any price.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::clock::now;
use crate::{dependency::KeyNote, storage::Storage};

/// Notes that wait; more are lost.
const QUEUE: usize = 256;

/// Starts the task that writes the notes; it ends when nobody can send any more.
pub(super) fn start(storage: Arc<Storage>) -> mpsc::Sender<KeyNote> {
    let (queue, mut waiting) = mpsc::channel(QUEUE);
    tokio::spawn(async move {
        while let Some(note) = waiting.recv().await {
            if let Err(error) = storage.note_key_use(note, now()).await {
                tracing::debug!(key = %note.key_id, error = &error as &dyn std::error::Error, "use of a key is not noted");
            }
        }
    });
    queue
}
