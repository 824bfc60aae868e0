//! Proves the meter on this machine, against a server in this process whose delays and stalls are known.
//!
//! ```text
//! clock and timer ─▶ two scenes with a stalling server, against the truth ─▶ lag and CPU at told rates ─▶ highest rate that is kept
//! ```
//! Engine, users, wire and recorder are those of a run. What it says is judged where runs are judged, in `reports`.
mod ceiling;
mod clocks;
mod probe;
mod scene;
mod server;
mod trial;
pub mod truth;

pub use scene::{POOL, QUEUE, Scene};
pub use trial::Trial;

use crate::{engine, executor::Executor, health, settings, stop::Stop, target};
use reports::{
    record::{Calibration, Machine},
    units,
};
use std::{io, time::Duration};
use tokio::time::Instant;

/// Why a calibration could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Server, timer or memory could not be set up.
    #[error("cannot set up the calibration")]
    SetUp(#[from] io::Error),
    /// The machine cannot carry it.
    #[error(transparent)]
    Machine(#[from] health::Error),
    /// A load cannot be planned, which is a fault of this program.
    #[error("cannot plan a load")]
    Plan(#[from] settings::Error),
    /// The server in this process has no address.
    #[error("cannot find the calibration's server")]
    Target(#[from] target::Error),
    /// A load could not be carried out.
    #[error("cannot carry out a load")]
    Load(#[source] engine::Error),
    /// What was measured cannot be read back.
    #[error("cannot read what was measured: {problem}")]
    Log {
        /// What is wrong with it.
        problem: String,
    },
    /// It was stopped before its end.
    #[error("stopped before its end")]
    Stopped,
}

impl From<engine::Error> for Error {
    fn from(error: engine::Error) -> Self {
        match error {
            engine::Error::Stopped => Self::Stopped,
            error => Self::Load(error),
        }
    }
}

/// A part of the calibration, for whoever shows how far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Clock and timer.
    Clock,
    /// The server stalls; users to spare.
    Pool,
    /// The server stalls; one user.
    Queue,
    /// Lag and CPU time, up to the highest rate that is kept.
    Rates,
}

/// File descriptors count double, because the server is in this process; given as users.
const USERS_ALLOWED_FOR: u32 = 300;
/// The most that a machine's timers may add to the tolerance.
const ALLOWANCE_MAX: Duration = Duration::from_millis(5);

/// Carries the whole calibration out; it takes less than half a minute.
///
/// # Errors
/// When something cannot be set up, or it is stopped. That the meter is wrong, or slow, is no error.
pub async fn calibrate(
    executor: impl Executor + Copy,
    stop: &Stop,
    tell: impl Fn(Stage),
) -> Result<Calibration, Error> {
    health::ensure_file_descriptors(USERS_ALLOWED_FOR, USERS_ALLOWED_FOR)?;
    let begun = Instant::now();
    let at = jiff::Timestamp::now();
    tell(Stage::Clock);
    let clock = clocks::measure().await?;
    // A timer in the server and one in the generator.
    let allowance = Duration::from_nanos(2 * clock.timer_late_p99_ns).min(ALLOWANCE_MAX);
    let mut scenes = Vec::new();
    for (stage, scene) in [(Stage::Pool, POOL), (Stage::Queue, QUEUE)] {
        tell(stage);
        let trial = scene.carry_out(scene.settings(), executor, stop).await?;
        scenes.push(scene.compare(&trial, allowance));
    }
    tell(Stage::Rates);
    let rates = ceiling::measure(executor, stop).await?;
    Ok(Calibration {
        harness_version: env!("CARGO_PKG_VERSION").to_owned(),
        is_optimised: !cfg!(debug_assertions),
        machine: Machine::this(),
        at: at.round(jiff::Unit::Second).unwrap_or(at).to_string(),
        took_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        allowance_ns: units::nanos(allowance),
        clock,
        scenes,
        rates,
    })
}
