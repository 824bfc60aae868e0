//! What stands in the place of a part of the bundled stack, for one variant of a regression gate.
use std::{ffi::OsString, path::PathBuf};

/// What of the bundled stack is not as usual.
#[derive(Debug, Clone)]
pub struct Stand {
    /// The program that is the service; `None` is the one in this program.
    pub program: Option<Program>,
    /// How many times as slow as usual the providers are.
    pub providers_times: f64,
    /// Faults of this variant alone.
    pub faults: Vec<chaos::FaultSettings>,
}

impl Default for Stand {
    fn default() -> Self {
        Self { program: None, providers_times: 1.0, faults: Vec::new() }
    }
}

/// A program that serves TripSage when it is started with these arguments and the service's environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its file.
    pub path: PathBuf,
    /// What it is started with.
    pub arguments: Vec<String>,
}

impl Program {
    /// The arguments with which this program becomes that one.
    #[must_use]
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let own = [OsString::from("stand-in"), self.path.clone().into_os_string()];
        own.into_iter().chain(self.arguments.iter().map(OsString::from)).collect()
    }
}
