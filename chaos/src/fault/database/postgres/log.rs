//! What the service met, by the server's own log: every error with its SQLSTATE and the account that it was given to.
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::PathBuf,
};

use super::cluster::{Cluster, SERVICE};

/// Counts errors from an instant on.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    /// Bytes that were read already.
    read: u64,
    counts: BTreeMap<String, u64>,
}

impl Log {
    pub(super) fn new(cluster: &Cluster) -> Self {
        Self { path: cluster.log(), read: 0, counts: BTreeMap::new() }
    }

    /// Forgets what was met so far.
    pub(super) fn start(&mut self) {
        self.count();
        self.counts.clear();
    }

    /// Counts what was met since.
    pub(super) fn count(&mut self) {
        if let Err(error) = self.read_on() {
            tracing::warn!("cannot read the log of PostgreSQL in {}: {error}", self.path.display());
        }
    }

    fn read_on(&mut self) -> io::Result<()> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.read))?;
        let mut new = Vec::new();
        file.read_to_end(&mut new)?;
        // A line that is not whole yet is read again.
        let whole = new.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        self.read += whole as u64;
        for line in String::from_utf8_lossy(&new[..whole]).lines() {
            if let Some(code) = met_by_service(line) {
                *self.counts.entry(code.to_owned()).or_default() += 1;
            }
        }
        Ok(())
    }

    /// How often the service met this SQLSTATE.
    pub(super) fn met(&self, code: &str) -> u64 {
        self.counts.get(code).copied().unwrap_or(0)
    }
}

/// The SQLSTATE of an error in a line of the log, when the service met it.
fn met_by_service(line: &str) -> Option<&str> {
    let (code, rest) = line.split_once(':')?;
    let message = rest.strip_prefix(SERVICE)?.strip_prefix(':')?.trim_start();
    ["ERROR:", "FATAL:"].iter().any(|level| message.starts_with(level)).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_of_the_service_count() {
        for (line, code) in [
            ("40001:tripsage:ERROR:  chaos", Some("40001")),
            ("53300:tripsage:FATAL:  sorry, too many clients already", Some("53300")),
            ("53300:visitor:FATAL:  sorry, too many clients already", None),
            ("00000:tripsage:LOG:  hello", None),
            ("55P03:tripsages:ERROR:  x", None),
            ("nonsense", None),
        ] {
            assert_eq!(met_by_service(line), code, "{line}");
        }
    }
}
