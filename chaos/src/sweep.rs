//! Undoes what a harness that was killed has left, by its journal.
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use reports::units::format_duration;
use tokio::time::{Instant, sleep};

use crate::{
    control::{self, Control},
    driver::chain,
    journal::{self, Entry, Journal, Line, Undo},
    process::Identity,
};

/// How long a part that is ended may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(5);
/// How often it is looked for.
const LOOK: Duration = Duration::from_millis(20);

/// One fault that a journal says was left, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// The journal.
    pub journal: PathBuf,
    /// The fault.
    pub fault: String,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a fault that was left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It was on, and was undone.
    Undone,
    /// It was no longer on.
    Gone,
    /// Its harness still runs: it is not touched.
    Running,
    /// It could not be undone, and why.
    Left(String),
}

/// Undoes what the journals say was left, newest first, unless their harness still runs; each is seen to be gone.
///
/// What was undone, or was gone, is noted in its journal, so that it is found once.
///
/// # Errors
/// When a journal cannot be read.
pub async fn sweep(journals: &[PathBuf]) -> io::Result<Vec<Leftover>> {
    let mut found = Vec::new();
    for path in journals {
        let open = journal::read(&fs::read_to_string(path)?);
        let is_running = open.owner.is_some_and(|owner| owner.is_alive());
        found.extend(open.entries.into_iter().rev().map(|entry| (path, is_running, entry)));
    }
    let kept: Vec<Undo> =
        found.iter().filter(|(_, is_running, _)| *is_running).map(|(.., entry)| entry.undo.clone()).collect();
    let mut leftovers = Vec::new();
    for (path, is_running, entry) in found {
        // A run that goes on may have put the same fault on again: then it is that run's.
        let fate = if is_running || kept.contains(&entry.undo) { Fate::Running } else { undo(&entry).await };
        let fate = match noted(path, &entry, &fate) {
            Ok(()) => fate,
            Err(error) => Fate::Left(format!("it is undone, but that could not be noted: {}: {}", error, error.source)),
        };
        leftovers.push(Leftover { journal: path.clone(), fault: entry.fault, fate });
    }
    Ok(leftovers)
}

fn noted(path: &Path, entry: &Entry, fate: &Fate) -> Result<(), journal::Error> {
    match fate {
        Fate::Undone | Fate::Gone => Journal::reopen(path)?.write(&Line::Swept { fault: entry.fault.clone() }),
        Fate::Running | Fate::Left(_) => Ok(()),
    }
}

async fn undo(entry: &Entry) -> Fate {
    match &entry.undo {
        Undo::Toxic { api, link, toxic } => on_link(api, async |control| control.remove_toxic(link, toxic).await).await,
        Undo::Rule { api, link, rule } => on_link(api, async |control| control.remove_rule(link, rule).await).await,
        Undo::Enable { api, link } => on_link(api, async |control| control.enable(link).await).await,
        Undo::Part { part, process } => ended(part, process.as_ref()).await,
    }
}

/// Undoes something on a link, and says whether it was there.
async fn on_link(api: &str, undo: impl AsyncFnOnce(&Control) -> Result<bool, control::Error>) -> Fate {
    let undone = match Control::new(api) {
        Ok(control) => undo(&control).await,
        Err(error) => Err(error),
    };
    match undone {
        Ok(true) => Fate::Undone,
        Ok(false) => Fate::Gone,
        // Nobody listens there: the proxy is gone, and every fault with it.
        Err(error) if error.is_not_found() || error.is_unreachable() => Fate::Gone,
        Err(error) => Fate::Left(chain(&error)),
    }
}

/// Ends a part that outlived its harness, whatever was done to it.
async fn ended(part: &str, process: Option<&Identity>) -> Fate {
    let Some(process) = process.filter(|process| process.is_alive()) else { return Fate::Gone };
    let pid = Pid::from_raw(i32::try_from(process.pid).unwrap_or(0));
    if pid.as_raw() <= 1 {
        return Fate::Left(format!("process {} of the {part} is none that may be ended", process.pid));
    }
    if let Err(error) = kill(pid, Signal::SIGKILL) {
        return Fate::Left(format!("cannot end process {pid} of the {part}: {error}"));
    }
    let deadline = Instant::now() + GONE_WITHIN;
    while process.is_alive() {
        if Instant::now() >= deadline {
            let within = format_duration(GONE_WITHIN);
            return Fate::Left(format!("process {pid} of the {part} is still there {within} after it was killed"));
        }
        sleep(LOOK).await;
    }
    Fate::Undone
}
