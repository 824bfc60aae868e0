//! The parts that the harness started itself, as faults and the end of the run deal with them.
use super::{deaths::Deaths, part::Part};
use chaos::{Doing, PartError, Parts, Stopped, With};
use nix::sys::signal::Signal;
use reports::record::ProcessUsage;
use std::time::Duration;
use tokio::net::TcpSocket;

/// The parts of the bundled stack, in the order in which they are stopped: whoever asks before whoever answers.
#[derive(Debug)]
pub(crate) struct Bundle {
    parts: Vec<Part>,
    deaths: Deaths,
    /// Keeps the service's port for it while it is down.
    _port: TcpSocket,
}

impl Bundle {
    pub(super) fn new(parts: Vec<Part>, deaths: Deaths, port: TcpSocket) -> Self {
        Self { parts, deaths, _port: port }
    }

    /// Where ends that nobody asked for are told.
    #[must_use]
    pub(super) fn deaths(&self) -> &Deaths {
        &self.deaths
    }

    /// What the parts have used so far, all their processes together.
    #[must_use]
    pub(super) fn usage(&self) -> Vec<ProcessUsage> {
        self.parts.iter().map(Part::usage).collect()
    }

    /// Stops every part, in order.
    pub(super) async fn stop(&self, within: Duration) {
        for part in &self.parts {
            match part.stop(within).await {
                Ok(_) | Err(PartError::Down { .. }) => {}
                Err(error) => tracing::warn!(part = part.name(), "{error}"),
            }
        }
    }

    fn part(&self, name: &str, verb: &str) -> Result<&Part, PartError> {
        let down = || PartError::Down { attempt: format!("{verb} the {name}") };
        self.parts.iter().find(|part| part.name() == name).ok_or_else(down)
    }

    fn signal(&self, name: &str, signal: Signal, verb: &str) -> Result<(), PartError> {
        self.part(name, verb)?.signal(signal, &format!("{verb} the {name}"))
    }
}

impl Parts for Bundle {
    fn pid(&self, part: &str) -> Option<u32> {
        self.part(part, "find").ok()?.pid()
    }

    fn kill<'a>(&'a self, part: &'a str) -> Doing<'a, ()> {
        Box::pin(async move { self.part(part, "kill")?.kill().await })
    }

    fn stop<'a>(&'a self, part: &'a str) -> Doing<'a, Stopped> {
        Box::pin(async move { self.part(part, "stop")?.drain().await })
    }

    fn start<'a>(&'a self, part: &'a str, with: With) -> Doing<'a, ()> {
        Box::pin(async move { self.part(part, "start")?.start_again(with).await })
    }

    fn pause(&self, part: &str) -> Result<(), PartError> {
        self.signal(part, Signal::SIGSTOP, "pause")
    }

    fn resume(&self, part: &str) -> Result<(), PartError> {
        self.signal(part, Signal::SIGCONT, "continue")
    }
}
