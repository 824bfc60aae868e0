//! What every fault on a part can do, and what they share.
use std::error;

use tokio::time::Instant;

use crate::{
    injectors::{Off, On},
    parts::{Doing, PartError, Parts, With},
};

/// A fault that acts on a part of the target.
pub(crate) trait OnPart: Send + Sync {
    /// Its name in scenarios and records.
    fn name(&self) -> &'static str;

    /// All of it in a line, such as `kill (SIGKILL), started again at the end`.
    fn words(&self) -> String;

    /// Whether this machine can bring it about.
    ///
    /// # Errors
    /// Why it cannot.
    fn ensure_possible(&self) -> Result<(), Box<dyn error::Error + Send + Sync>> {
        Ok(())
    }

    /// Brings it about, and resolves when the system shows it.
    fn apply<'a>(&'a self, parts: &'a dyn Parts, part: &'a str) -> Doing<'a, On>;

    /// Sees that it is still on.
    ///
    /// # Errors
    /// [`PartError::Over`] when it is not.
    fn check(&self, parts: &dyn Parts, part: &str) -> Result<(), PartError>;

    /// Undoes it, and resolves when the system shows that; one that is undone already is no error.
    fn lift<'a>(&'a self, parts: &'a dyn Parts, part: &'a str) -> Doing<'a, Off>;
}

/// The process id of a part that must run for `verb` to be done to it.
pub(super) fn running(parts: &dyn Parts, part: &str, verb: &str) -> Result<u32, PartError> {
    parts.pid(part).ok_or_else(|| PartError::Down { attempt: format!("{verb} the {part}") })
}

/// Starts a part that is down; leaves one that runs as it is.
pub(super) async fn bring_back(parts: &dyn Parts, part: &str) -> Result<Off, PartError> {
    let asked = Instant::now();
    if let Some(pid) = parts.pid(part) {
        return Ok(Off::new(asked, asked, format!("pid {pid} runs")));
    }
    parts.start(part, With::default()).await?;
    let (at, pid) = (Instant::now(), running(parts, part, "start")?);
    let proof = format!("pid {pid} alive {} after it was started", elapsed(asked, at));
    Ok(Off::new(asked, at, proof))
}

/// A time between two instants for people, in milliseconds.
pub(super) fn elapsed(from: Instant, to: Instant) -> String {
    format!("{:.1} ms", to.saturating_duration_since(from).as_secs_f64() * 1e3)
}
