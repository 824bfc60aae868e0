//! The parts of a target as faults see them: processes of the harness's own that can be ended, started again, stopped and continued.
use std::{error, fmt, io, time::Duration};

use futures_util::future::BoxFuture;
use reports::units::format_duration;

/// What is done to a part, and resolves when the system shows that it is done.
pub type Doing<'a, T> = BoxFuture<'a, Result<T, PartError>>;

/// The parts of a target that the harness started itself. Nothing else is ever touched.
///
/// A part that ends because it was told to here has not died.
pub trait Parts: fmt::Debug + Send + Sync {
    /// The process id of a part; `None` while it is down, and for a part that there is not.
    fn pid(&self, part: &str) -> Option<u32>;

    /// Ends a part at once (SIGKILL); resolves when it is gone.
    fn kill<'a>(&'a self, part: &'a str) -> Doing<'a, ()>;

    /// Asks a part to stop in order, as a deployment does; resolves when it is gone. One that takes too long is killed.
    fn stop<'a>(&'a self, part: &'a str) -> Doing<'a, Stopped>;

    /// Starts a part that is down, where it listened before; resolves when it says of itself that it is alive.
    fn start<'a>(&'a self, part: &'a str, with: With) -> Doing<'a, ()>;

    /// Stops a part in the middle of what it does (SIGSTOP).
    ///
    /// # Errors
    /// When it is down, or the system refuses.
    fn pause(&self, part: &str) -> Result<(), PartError>;

    /// Lets a part go on (SIGCONT).
    ///
    /// # Errors
    /// When it is down, or the system refuses.
    fn resume(&self, part: &str) -> Result<(), PartError>;
}

/// How a part came to its end when it was asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// By itself, when it was done with what it had begun.
    InOrder,
    /// It took too long, and was killed.
    Killed,
}

/// How a part is started; by default as it was at first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct With {
    /// Which key it signs sessions with, from now on.
    pub signing_key: SigningKey,
    /// How many files and sockets it may have open (`RLIMIT_NOFILE`); as many as the harness unless set.
    pub open_files: Option<u64>,
}

/// The key that a part signs sessions with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SigningKey {
    /// The one that it had.
    #[default]
    Kept,
    /// Another, so that nothing signed before is good any more.
    Another,
}

/// Why something was not done to a part.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// There is nothing to be done to.
    #[error("cannot {attempt}: it is not running")]
    Down {
        /// What was attempted.
        attempt: String,
    },
    /// It runs already.
    #[error("cannot {attempt}: it runs already")]
    Up {
        /// What was attempted.
        attempt: String,
    },
    /// The system refused.
    #[error("cannot {attempt}")]
    System {
        /// What was attempted.
        attempt: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It did not start.
    #[error("cannot {attempt}")]
    Start {
        /// What was attempted.
        attempt: String,
        /// Why not.
        #[source]
        source: Box<dyn error::Error + Send + Sync>,
    },
    /// It was not held to a limit, or not freed from it.
    #[error("cannot {attempt}")]
    Limit {
        /// What was attempted.
        attempt: String,
        /// Why not.
        #[source]
        source: Box<dyn error::Error + Send + Sync>,
    },
    /// The system was told, but does not show it.
    #[error("cannot {attempt}: {expected} was not seen within {}", format_duration(*within))]
    NotSeen {
        /// What was attempted.
        attempt: String,
        /// What should have been seen.
        expected: &'static str,
        /// How long it was looked for.
        within: Duration,
    },
    /// What the fault had done is undone already.
    #[error("the {part} {seen}, so the fault was over before its time")]
    Over {
        /// The part.
        part: String,
        /// What was seen of it.
        seen: &'static str,
    },
}
