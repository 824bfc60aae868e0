//! The run folder: what is written where, and how it is read back.
//!
//! ```text
//! runs/2026-11-23T09-14-02Z-7f3a/     (`….partial` until the run has ended)
//!   run.json         the head: scenario, machine, phases, fault windows, counts
//!   scenario.toml    the scenario as read
//!   measures.hlog    one histogram per second, phase, step, outcome and measure (HdrHistogram log, V2 deflate)
//!   seconds.csv      per second: requests offered, sent, completed, dropped and unsent, and how many were there
//!   journal.ndjson   every write with what was said to it, where writes are checked
//!   metrics.txt      the target's own metrics, one series per line, where it was watched by them
//!   alerts.yaml      the alert rules that it was watched with
//!   arrivals.txt     recorded arrivals, where the load has them: seconds since their start, one per line
//! ```
use super::{FORMAT, Metrics, Run, SecondCounts, arrivals};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

const RUN: &str = "run.json";
const SCENARIO: &str = "scenario.toml";
pub(super) const MEASURES: &str = "measures.hlog";
const SECONDS: &str = "seconds.csv";
const JOURNAL: &str = "journal.ndjson";
const ARRIVALS: &str = "arrivals.txt";
const METRICS: &str = "metrics.txt";
const ALERTS: &str = "alerts.yaml";
const SECONDS_HEAD: &str = "second,offered,sent,completed,dropped,unsent,present_ns,in_flight_ns,arrived";

pub use super::measures::{read_log, read_measures};

/// Why a run folder could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be written.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file could not be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The head is not what this build writes.
    #[error("{path} is not the head of a run")]
    Head {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The folder has a newer format.
    #[error("{path} has format {found}, this program reads up to {FORMAT}")]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// A line of a log or table cannot be read.
    #[error("{path}, line {line}: {problem}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
}

/// A run folder that is being written.
#[derive(Debug)]
pub struct RunFolder {
    partial: PathBuf,
    finished: PathBuf,
}

impl RunFolder {
    /// Makes the folder under a temporary name, with a head that already says what is known; a killed run stays readable.
    ///
    /// # Errors
    /// When the folder or its first files cannot be written.
    pub fn create(root: &Path, run: &Run, scenario: &str) -> Result<Self, Error> {
        let finished = root.join(run.id.as_str());
        let partial = root.join(format!("{}.partial", run.id));
        fs::create_dir_all(&partial).map_err(|source| Error::Write { path: partial.clone(), source })?;
        let folder = Self { partial, finished };
        folder.write(SCENARIO, scenario.as_bytes())?;
        folder.write_head(run)?;
        Ok(folder)
    }

    /// Where the folder is now.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.partial
    }

    /// Where the measures are to be written.
    #[must_use]
    pub fn measures_path(&self) -> PathBuf {
        self.partial.join(MEASURES)
    }

    /// Where the writes are to be journaled.
    #[must_use]
    pub fn journal_path(&self) -> PathBuf {
        self.partial.join(JOURNAL)
    }

    /// Writes the head again, with what is known by now.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_head(&self, run: &Run) -> Result<(), Error> {
        let mut text = serde_json::to_vec_pretty(run).expect("a run has only text keys");
        text.push(b'\n');
        self.write(RUN, &text)
    }

    /// Writes what is left and gives the folder its final name.
    ///
    /// # Errors
    /// When a file cannot be written or the folder cannot be renamed; it then stays under its temporary name.
    pub fn finish(self, run: &Run, seconds: &[SecondCounts]) -> Result<PathBuf, Error> {
        self.write(SECONDS, seconds_table(seconds).as_bytes())?;
        self.write_head(run)?;
        fs::rename(&self.partial, &self.finished)
            .map_err(|source| Error::Write { path: self.finished.clone(), source })?;
        Ok(self.finished)
    }

    /// Writes a copy of recorded arrivals, in nanoseconds since the start of their record.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_arrivals(&self, due_ns: &[u64]) -> Result<(), Error> {
        self.write(ARRIVALS, arrivals::list(due_ns).as_bytes())
    }

    /// Writes the target's own metrics, and the alert rules that it was watched with.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write_metrics(&self, metrics: &Metrics, rules: &str) -> Result<(), Error> {
        self.write(METRICS, metrics.text().as_bytes())?;
        self.write(ALERTS, rules.as_bytes())
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<(), Error> {
        write_file(&self.partial.join(name), content)
    }
}

/// Writes a file under a temporary name and renames it, so that a reader never sees half of it.
///
/// # Errors
/// When the file cannot be written or renamed.
pub fn write_file(path: &Path, content: &[u8]) -> Result<(), Error> {
    let temporary = path.with_added_extension("new");
    fs::write(&temporary, content)
        .and_then(|()| fs::rename(&temporary, path))
        .map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// Reads the head of a run.
///
/// # Errors
/// When the file cannot be read, is not a head, or is of a newer format.
pub fn read_run(folder: &Path) -> Result<Run, Error> {
    let path = folder.join(RUN);
    let text = fs::read(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
    let head = |source| Error::Head { path: path.clone(), source };
    let value: serde_json::Value = serde_json::from_slice(&text).map_err(head)?;
    let found = value.get("format").and_then(serde_json::Value::as_u64).unwrap_or(0);
    if found != u64::from(FORMAT) {
        return Err(Error::Format { path, found });
    }
    serde_json::from_value(value).map_err(head)
}

/// Reads the copy of recorded arrivals, in nanoseconds since the start of their record.
///
/// # Errors
/// When the file cannot be read or has a line that is not a number of seconds.
pub fn read_arrivals(folder: &Path) -> Result<Vec<u64>, Error> {
    let path = folder.join(ARRIVALS);
    let text = fs::read_to_string(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
    let instant = |(index, line): (usize, &str)| {
        let problem = || "not a number of seconds".to_owned();
        arrivals::parse_seconds(line).ok_or_else(|| Error::Line {
            path: path.clone(),
            line: index + 1,
            problem: problem(),
        })
    };
    text.lines().enumerate().map(instant).collect()
}

/// Reads the target's own metrics and the alert rules that it was watched with.
///
/// # Errors
/// When a file cannot be read, or a line of the metrics is damaged.
pub fn read_metrics(folder: &Path) -> Result<(Metrics, String), Error> {
    let read = |name: &str| {
        let path = folder.join(name);
        let text = fs::read_to_string(&path);
        text.map(|text| (path.clone(), text)).map_err(|source| Error::Read { path, source })
    };
    let (path, text) = read(METRICS)?;
    let metrics = Metrics::parse(&text).map_err(|(line, problem)| Error::Line { path, line, problem })?;
    Ok((metrics, read(ALERTS)?.1))
}

/// Reads the counts per second; empty for a run that was killed before they were written.
///
/// # Errors
/// When the table cannot be read or has a line that is not of it.
pub fn read_seconds(folder: &Path) -> Result<Vec<SecondCounts>, Error> {
    let path = folder.join(SECONDS);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Error::Read { path, source }),
    };
    let bad = |line: usize, problem: &str| Error::Line { path: path.clone(), line, problem: problem.to_owned() };
    let row = |(index, line): (usize, &str)| {
        let numbers: Result<Vec<u64>, _> = line.split(',').map(str::parse).collect();
        match numbers.as_deref() {
            Ok(&[_, offered, sent, completed, dropped, unsent, present_ns, in_flight_ns, arrived]) => {
                Ok(SecondCounts { offered, arrived, sent, completed, dropped, unsent, present_ns, in_flight_ns })
            }
            // Tables written before first requests were told from later ones.
            Ok(&[_, offered, sent, completed, dropped, unsent, present_ns, in_flight_ns]) => {
                let arrived = offered;
                Ok(SecondCounts { offered, arrived, sent, completed, dropped, unsent, present_ns, in_flight_ns })
            }
            // Tables written before presence was noted.
            Ok(&[_, offered, sent, completed, dropped, unsent]) => {
                let arrived = offered;
                Ok(SecondCounts { offered, arrived, sent, completed, dropped, unsent, ..SecondCounts::default() })
            }
            _ => Err(bad(index + 1, "not nine whole numbers")),
        }
    };
    text.lines().enumerate().skip(1).map(row).collect()
}

fn seconds_table(seconds: &[SecondCounts]) -> String {
    let row = |(second, counts): (usize, &SecondCounts)| {
        let SecondCounts { offered, arrived, sent, completed, dropped, unsent, present_ns, in_flight_ns } = counts;
        format!("{second},{offered},{sent},{completed},{dropped},{unsent},{present_ns},{in_flight_ns},{arrived}\n")
    };
    let rows: String = seconds.iter().enumerate().map(row).collect();
    format!("{SECONDS_HEAD}\n{rows}")
}
