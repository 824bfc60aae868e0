//! Who hears what happens during a chat turn.

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::TurnError;
use crate::domain::chat::ChatEvent;

/// The one who waits for an answer.
pub(crate) enum Listener {
    /// Only the answer counts; the token says when nobody waits for it any more.
    ForAnswer(CancellationToken),
    /// Every event, as it happens.
    Stream(mpsc::Sender<ChatEvent>),
}

impl Listener {
    /// Tells an event, waiting for a slow listener.
    ///
    /// # Errors
    /// [`TurnError::NobodyListens`].
    pub(super) async fn tell(&self, event: ChatEvent) -> Result<(), TurnError> {
        match self {
            Self::ForAnswer(_) => Ok(()),
            Self::Stream(events) => events.send(event).await.map_err(|_| TurnError::NobodyListens),
        }
    }

    /// Ready when the listener has left.
    pub(super) async fn gone(&self) {
        match self {
            Self::ForAnswer(gone) => gone.cancelled().await,
            Self::Stream(events) => events.closed().await,
        }
    }
}
