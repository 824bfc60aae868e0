//! Exit codes: the same table in `--help`, in the README and here.
use std::process::ExitCode;

/// How the program ends. The numbers are a promise to scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All requested verdicts pass.
    Passed = 0,
    /// A bug in the program.
    Internal = 1,
    /// Wrong usage, or a scenario that cannot be run as written.
    Usage = 2,
    /// There is no baseline to compare with, or it is unlike.
    NoBaseline = 7,
    /// The measurement cannot be trusted, or could not be kept.
    Invalid = 8,
    /// A fault could not be lifted.
    FaultsLeft = 9,
    /// Temporary failure before the first request; safe to try again.
    TryAgain = 75,
    /// Stopped by the user before there was anything to judge.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The table for `--help`.
pub const HELP: &str = "\
Exit codes:
    0  every verdict passed
    1  internal error (a bug)
    2  wrong usage, or a scenario that cannot be run as written
    3  a gate failed
    4  the candidate is slower, or fails more, than the baseline by more than a margin
    5  not resilient: a gate on what faults do failed, or users were not served as before long after they were gone
    6  aborted by a gate; faults are lifted and the report is written
    7  inconclusive: the run cannot tell, or has no usable baseline
    8  the measurement is invalid; the report names the check
    9  faults were left behind; the message names them
   11  data violated: an acknowledged write is lost, duplicated, invented or changed
   75  nothing was sent: target unreachable, port busy, disk full; safe to try again
  130  interrupted; faults are lifted and the report is written";

/// An error that knows the exit code it ends the program with, and a hint for people.
#[derive(Debug, thiserror::Error)]
#[error("{error:#}")]
pub struct Failure {
    /// How the program ends.
    pub exit: Exit,
    /// What to do about it, one sentence.
    pub hint: Option<String>,
    /// What happened.
    pub error: anyhow::Error,
}

/// Gives an error its exit code and hint.
pub trait OrExit<T> {
    /// Wrong usage, or something wrong in a file.
    ///
    /// # Errors
    /// The error with its exit code.
    fn or_usage(self, hint: &str) -> Result<T, Failure>;

    /// Nothing was sent yet, and trying again may help.
    ///
    /// # Errors
    /// The error with its exit code.
    fn or_try_again(self, hint: &str) -> Result<T, Failure>;

    /// Something was measured, but cannot be kept or judged.
    ///
    /// # Errors
    /// The error with its exit code.
    fn or_invalid(self, hint: &str) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrExit<T> for Result<T, E> {
    fn or_usage(self, hint: &str) -> Result<T, Failure> {
        self.map_err(|error| Failure { exit: Exit::Usage, hint: text(hint), error: error.into() })
    }

    fn or_try_again(self, hint: &str) -> Result<T, Failure> {
        self.map_err(|error| Failure { exit: Exit::TryAgain, hint: text(hint), error: error.into() })
    }

    fn or_invalid(self, hint: &str) -> Result<T, Failure> {
        self.map_err(|error| Failure { exit: Exit::Invalid, hint: text(hint), error: error.into() })
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self { exit: Exit::Internal, hint: None, error }
    }
}

fn text(hint: &str) -> Option<String> {
    Some(hint.to_owned()).filter(|hint| !hint.is_empty())
}
