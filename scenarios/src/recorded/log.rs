//! A file with recorded arrivals, read line by line.
use super::{Format, Line};
use crate::digest::hex;
use anyhow::{Context as _, bail, ensure};
use loadtest::arrivals::{ARRIVALS_MAX, spread};
use reports::record::RecordedArrivals;
use sha2::{Digest as _, Sha256};
use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
};

/// The longest line that is read as one, in bytes.
const LINE_MAX: u64 = 1 << 16;
const SECOND_NS: u64 = 1_000_000_000;

/// The arrivals of a file.
#[derive(Debug)]
pub(crate) struct Log {
    /// When each was due, ascending, in nanoseconds since the first (logs) or the start (lists).
    pub(crate) due_ns: Vec<u64>,
    digest: String,
    format: Format,
    is_spread: bool,
    skipped: Option<Skipped>,
    disordered: u64,
}

/// Lines of a log that are not of its format.
#[derive(Debug, Clone, Copy)]
struct Skipped {
    count: u64,
    first_line: u64,
}

impl Log {
    /// Reads a file; `visit` sees every line that is an arrival. What is known by its second alone is spread over it from the seed.
    ///
    /// # Errors
    /// When it cannot be read, a list has a line that is no number or not in order, a log is for the greater part not a log, or there
    /// are too many arrivals or none.
    pub(crate) fn read(path: &Path, field: Option<&str>, seed: u64, visit: impl FnMut(Line)) -> anyhow::Result<Self> {
        let reading = || format!("cannot read {}", path.display());
        let mut source = BufReader::new(File::open(path).with_context(reading)?);
        let mut hash = Sha256::new();
        let mut lines = Lines { visit, field, format: None, at_ns: Vec::new(), skipped: None };
        let (mut piece, mut number) = (Vec::new(), 0);
        while source.by_ref().take(LINE_MAX).read_until(b'\n', &mut piece).with_context(reading)? > 0 {
            number += 1;
            hash.update(&piece);
            let line = String::from_utf8_lossy(&piece);
            lines.take(line.trim_end(), number).with_context(|| format!("{}, line {number}", path.display()))?;
            piece.clear();
        }
        lines.arrivals(seed, hex(&hash.finalize())).with_context(|| path.display().to_string())
    }

    /// What the run's record says of it.
    pub(crate) fn told(&self, source: &Path) -> RecordedArrivals {
        let mut note = self.format.to_string();
        if self.is_spread {
            note.push_str(", spread evenly at random over each second");
        }
        if let Some(Skipped { count, first_line }) = self.skipped {
            note.push_str(&format!(", {count} lines skipped (the first is line {first_line})"));
        }
        if self.disordered > 0 {
            note.push_str(&format!(", {} put into order", self.disordered));
        }
        let (source, digest) = (source.display().to_string(), self.digest.clone());
        RecordedArrivals { source, digest, count: self.due_ns.len() as u64, note }
    }

    /// Whether something in it was not as it should be.
    pub(crate) fn is_doubtful(&self) -> bool {
        self.skipped.is_some()
    }
}

/// The lines read so far.
struct Lines<'a, V> {
    visit: V,
    field: Option<&'a str>,
    format: Option<Format>,
    at_ns: Vec<u64>,
    skipped: Option<Skipped>,
}

impl<V: FnMut(Line)> Lines<'_, V> {
    fn take(&mut self, line: &str, number: u64) -> anyhow::Result<()> {
        if line.is_empty() {
            return Ok(());
        }
        let format = *self.format.get_or_insert_with(|| Format::of(line));
        let Some(read) = format.read(line, self.field) else {
            ensure!(
                format != Format::Seconds,
                "`{}` is not a number of seconds",
                line.chars().take(40).collect::<String>()
            );
            let skipped = self.skipped.get_or_insert(Skipped { count: 0, first_line: number });
            skipped.count += 1;
            return Ok(());
        };
        if format == Format::Seconds && self.at_ns.last().is_some_and(|last| *last > read.at_ns) {
            bail!("{line} comes after a later instant; a list of seconds must ascend");
        }
        ensure!(self.at_ns.len() < ARRIVALS_MAX, "more than {ARRIVALS_MAX} arrivals; cut the file into parts");
        self.at_ns.push(read.at_ns);
        (self.visit)(read);
        Ok(())
    }

    fn arrivals(self, seed: u64, digest: String) -> anyhow::Result<Log> {
        let Self { format, mut at_ns, skipped, .. } = self;
        let format = format.context("the file is empty")?;
        if let Some(Skipped { count, first_line }) = skipped.filter(|skipped| skipped.count > at_ns.len() as u64) {
            let field = if format == Format::JsonLines { " with a timestamp (name its `field`)" } else { "" };
            bail!("{count} lines, the first of them line {first_line}, are not {format}{field}");
        }
        let mut latest = 0;
        let is_late = |at: &&u64| {
            latest = latest.max(**at);
            latest > **at
        };
        let disordered = at_ns.iter().filter(is_late).count() as u64;
        at_ns.sort_unstable();
        let is_spread = format != Format::Seconds && at_ns.iter().all(|at| at.is_multiple_of(SECOND_NS));
        let first = if format == Format::Seconds { 0 } else { at_ns.first().copied().unwrap_or(0) };
        at_ns.iter_mut().for_each(|at| *at -= first);
        let due_ns =
            if is_spread { spread(&at_ns.iter().map(|at| at / SECOND_NS).collect::<Vec<_>>(), seed) } else { at_ns };
        Ok(Log { due_ns, digest, format, is_spread, skipped, disordered })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> anyhow::Result<Log> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it.log");
        std::fs::write(&path, text).unwrap();
        let log = Log::read(&path, None, 1, |_| {});
        log.map_err(|error| anyhow::anyhow!(format!("{error:#}").replace(&path.display().to_string(), "it.log")))
    }

    fn access(second: u32) -> String {
        format!("::1 - - [10/Oct/2000:20:55:{second:02} +0000] \"GET /a HTTP/1.1\" 200 1\n")
    }

    #[test]
    fn a_log_is_put_into_order_spread_over_its_seconds_and_what_is_no_line_of_it_is_told() {
        let text = [access(7), access(5), "what?\n".to_owned(), "\n".to_owned(), access(5), access(9)].concat();
        let log = read(&text).unwrap();
        let seconds: Vec<u64> = log.due_ns.iter().map(|ns| ns / SECOND_NS).collect();
        assert_eq!(seconds, [0, 0, 2, 4]);
        assert!(log.due_ns.is_sorted() && log.due_ns.iter().any(|ns| !ns.is_multiple_of(SECOND_NS)));
        let told = log.told(Path::new("logs/it.log"));
        assert_eq!((told.source.as_str(), told.count), ("logs/it.log", 4));
        assert_eq!(told.digest, hex(&Sha256::digest(&text)));
        assert_eq!(
            told.note,
            "Common Log Format, spread evenly at random over each second, 1 lines skipped (the first is line 3), 2 put into order"
        );
    }

    #[test]
    fn instants_that_are_known_more_exactly_stay_what_they_are() {
        let json = read("{\"ts\":100.5}\n{\"ts\":103}\n{\"ts\":100.75}\n").unwrap();
        assert_eq!(json.due_ns, [0, 250_000_000, 2_500_000_000]);
        let list = read("1\n1.000000001\n5.5\n").unwrap();
        assert_eq!((list.due_ns, list.is_spread), (vec![1_000_000_000, 1_000_000_001, 5_500_000_000], false));
    }

    #[test]
    fn what_is_not_a_record_is_refused_with_the_line() {
        for (text, expected) in [
            ("1\n2\nthree\n", "it.log, line 3: `three` is not a number of seconds"),
            ("1\n2\n1.5\n", "it.log, line 3: 1.5 comes after a later instant; a list of seconds must ascend"),
            ("", "it.log: the file is empty"),
            ("\n\nno log\nat all\n", "it.log: 2 lines, the first of them line 3, are not Common Log Format"),
            (
                "{\"at\":1}\n",
                "it.log: 1 lines, the first of them line 1, are not JSON lines with a timestamp (name its `field`)",
            ),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), expected);
        }
        let missing = Log::read(Path::new("missing.log"), None, 1, |_| {}).unwrap_err();
        assert_eq!(missing.to_string(), "cannot read missing.log");
    }
}
