//! A part stops in order and starts again at once, maybe as another: what several faults have in common.
use tokio::time::Instant;

use super::on_part::{elapsed, running};
use crate::parts::{PartError, Parts, Stopped, With};

/// A part that was stopped and started.
pub(super) struct Again {
    /// When it was asked to stop.
    pub(super) asked: Instant,
    /// When it said that it is alive.
    pub(super) alive: Instant,
    /// Its process id now.
    pub(super) pid: u32,
    /// How it went, with the times of both.
    pub(super) proof: String,
}

/// Stops a part in order, and starts it at once.
pub(super) async fn come_again(parts: &dyn Parts, part: &str, with: With) -> Result<Again, PartError> {
    let before = running(parts, part, "restart")?;
    let asked = Instant::now();
    let stopped = parts.stop(part).await?;
    let gone = Instant::now();
    parts.start(part, with).await?;
    let (alive, pid) = (Instant::now(), running(parts, part, "restart")?);
    let how = match stopped {
        Stopped::InOrder => "stopped in order",
        Stopped::Killed => "did not stop in time and was killed",
    };
    let (stopping, starting) = (elapsed(asked, gone), elapsed(gone, alive));
    let proof = format!("pid {before} {how} after {stopping}, pid {pid} alive {starting} later");
    Ok(Again { asked, alive, pid, proof })
}
