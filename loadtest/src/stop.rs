//! How a run is ended before its time: in order, or at once.
use tokio_util::sync::CancellationToken;

/// The two ways to end a run early. Cancelling a token is final.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Send nothing new, wait for the answers to what was sent.
    pub drain: CancellationToken,
    /// Wait for nothing; requests without an answer are counted as unfinished.
    pub now: CancellationToken,
}

impl Stop {
    /// A stop that follows this one, and can be used without using this one.
    pub(crate) fn child(&self) -> Self {
        Self { drain: self.drain.child_token(), now: self.now.child_token() }
    }

    /// Returns when nothing new may be sent.
    pub(crate) async fn stopping(&self) {
        tokio::select! {
            () = self.drain.cancelled() => {}
            () = self.now.cancelled() => {}
        }
    }

    /// Whether nothing new may be sent.
    pub(crate) fn is_stopping(&self) -> bool {
        self.drain.is_cancelled() || self.now.is_cancelled()
    }
}
