//! Which faults are on, on disk: each is written down before it goes on, and again when it is off.
//!
//! When the harness is killed, the journal says what it left, and how to undo it; see [`sweep`](crate::sweep).
use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::{control::Control, fault::Means, parts::Parts, process::Identity, timeline::TimedFault};

/// The journal of one run: one JSON object per line, each on the disk before the next thing is done.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: Mutex<File>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Line {
    /// Who writes it.
    Owner(Identity),
    /// A fault is about to go on.
    On(Entry),
    /// A fault was seen to be off.
    Off {
        /// Its name.
        fault: String,
    },
    /// A fault that was left was undone later, or seen to be gone.
    Swept {
        /// Its name.
        fault: String,
    },
}

/// A fault, and how it is undone by whoever finds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) fault: String,
    pub(crate) undo: Undo,
}

/// What it takes to undo a fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Undo {
    /// A toxic is removed.
    Toxic { api: String, link: String, toxic: String },
    /// A rule is removed.
    Rule { api: String, link: String, rule: String },
    /// A link is enabled.
    Enable { api: String, link: String },
    /// A part of the target, which the harness started, is ended.
    Part { part: String, process: Option<Identity> },
}

/// Why a fault could not be written down; it is then not put on.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}")]
pub struct Error {
    /// The journal.
    pub path: PathBuf,
    /// Why not.
    #[source]
    pub source: io::Error,
}

impl Undo {
    /// How a fault is undone that these bring about; `None` for what ends with the harness: clients, and what is done inside the
    /// database of a run.
    pub(crate) fn of(fault: &TimedFault, links: Option<&Control>, parts: Option<&dyn Parts>) -> Option<Self> {
        let (api, link) = (links.map_or_else(String::new, |control| control.url().to_owned()), fault.link.clone());
        match fault.means {
            Means::Toxic { .. } => Some(Self::Toxic { api, link, toxic: fault.name.clone() }),
            Means::Rule { .. } => Some(Self::Rule { api, link, rule: fault.name.clone() }),
            Means::Disable => Some(Self::Enable { api, link }),
            Means::Part => {
                let part = fault.part.clone().unwrap_or_default();
                let pid = parts.and_then(|parts| parts.pid(&part));
                Some(Self::Part { part, process: pid.and_then(Identity::of) })
            }
            Means::Clients | Means::Database => None,
        }
    }
}

impl Journal {
    /// Begins a journal.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.map_err(|source| Error { path: path.to_owned(), source })?;
        let journal = Self { path: path.to_owned(), file: Mutex::new(file) };
        if let Some(owner) = Identity::of(std::process::id()) {
            journal.write(&Line::Owner(owner))?;
        }
        Ok(journal)
    }

    /// Notes that a fault is about to go on, and how it is undone.
    pub(crate) fn note_on(&self, fault: &str, undo: Undo) -> Result<(), Error> {
        self.write(&Line::On(Entry { fault: fault.to_owned(), undo }))
    }

    /// Notes that a fault was seen to be off.
    pub(crate) fn note_off(&self, fault: &str) -> Result<(), Error> {
        self.write(&Line::Off { fault: fault.to_owned() })
    }

    /// Opens a journal to add to it.
    pub(crate) fn reopen(path: &Path) -> Result<Self, Error> {
        let file = OpenOptions::new().append(true).open(path);
        let file = file.map_err(|source| Error { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), file: Mutex::new(file) })
    }

    /// Writes a line, and waits until it is on the disk.
    pub(crate) fn write(&self, line: &Line) -> Result<(), Error> {
        let mut text = serde_json::to_vec(line).expect("a line has only text keys");
        text.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let written = file.write_all(&text).and_then(|()| file.sync_data());
        written.map_err(|source| Error { path: self.path.clone(), source })
    }
}

/// A journal that was read: its owner, and what is still open, in the order in which it went on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) owner: Option<Identity>,
    pub(crate) entries: Vec<Entry>,
}

/// Reads a journal. A last line that was cut off is left out: what it was about was not done.
pub(crate) fn read(text: &str) -> Open {
    let mut open = Open::default();
    for line in text.lines().filter_map(|line| serde_json::from_str(line).ok()) {
        match line {
            Line::Owner(owner) => open.owner = Some(owner),
            Line::On(entry) => open.entries.push(entry),
            Line::Off { fault } | Line::Swept { fault } => open.entries.retain(|entry| entry.fault != fault),
        }
    }
    open
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_on_and_not_off_is_open() {
        let entry = |fault: &str| Entry {
            fault: fault.to_owned(),
            undo: Undo::Enable { api: "http://127.0.0.1:8474/".to_owned(), link: "client".to_owned() },
        };
        let off = |fault: &str| Line::Off { fault: fault.to_owned() };
        let swept = Line::Swept { fault: "c".to_owned() };
        let lines =
            [Line::On(entry("a")), Line::On(entry("b")), off("a"), Line::On(entry("c")), swept, Line::On(entry("a"))];
        let text: String = lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n").collect();
        let cut = text.clone() + "{\"on\":{\"fault\":\"d\",\"un";
        for text in [text, cut] {
            let names: Vec<String> = read(&text).entries.into_iter().map(|entry| entry.fault).collect();
            assert_eq!(names, ["b", "a"]);
        }
        assert_eq!(read(""), Open::default());
    }

    #[test]
    fn a_journal_says_who_wrote_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("faults.ndjson");
        let journal = Journal::create(&path).unwrap();
        let undo = Undo::Part { part: "service".to_owned(), process: Identity::of(std::process::id()) };
        journal.write(&Line::On(Entry { fault: "service pause".to_owned(), undo })).unwrap();
        let open = read(&std::fs::read_to_string(&path).unwrap());
        assert!(open.owner.is_some_and(|owner| owner.is_alive()));
        assert_eq!(open.entries.len(), 1);
    }
}
