//! Folds samples into one histogram per second, phase, step, outcome and measure, and writes each second once it is complete.
//!
//! ```text
//! Sample ─▶ second in which it was due ─▶ sparse counts ─▶ (no longer open) ─▶ measures.hlog
//! ```
//! Only the seconds that can still receive a sample are in memory, so memory depends on the rate and the longest time-out, not on the run's length.
use super::{LiveSecond, Measure, Outcome, Phase, Sample, StepInfo};
use hdrhistogram::{
    Histogram,
    serialization::{V2DeflateSerializer, interval_log},
};
use std::{
    collections::BTreeMap,
    io::{self, Write},
    time::{Duration, SystemTime},
};

/// Nanoseconds in a second.
pub const SECOND_NS: u64 = 1_000_000_000;

/// The longest latency that a histogram holds, in nanoseconds (10 minutes); longer ones are clamped.
pub const LONGEST_NS: u64 = 600 * SECOND_NS;

/// Significant decimal digits of every histogram.
pub const DIGITS: u8 = 3;

/// An empty histogram with the bounds that every record uses, so that all of them can be added.
#[must_use]
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_NS, DIGITS).expect("the bounds are constant and valid")
}

/// What happened in one second of the run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SecondCounts {
    /// Requests due in it.
    pub offered: u64,
    /// Those of them that are the first of their arrival. In older records, all of them.
    pub arrived: u64,
    /// Requests sent in it.
    pub sent: u64,
    /// Answers complete in it.
    pub completed: u64,
    /// Arrivals due in it that were given up.
    pub dropped: u64,
    /// Arrivals due in it that were never sent, because the run was ended.
    pub unsent: u64,
    /// Requests that were due and not done, summed over the second in nanoseconds: 1e9 is one request all the time. 0 in older records.
    pub present_ns: u64,
    /// The same for requests that were sent and not done.
    pub in_flight_ns: u64,
}

pub(super) type Key = (usize, usize, Outcome, Measure);
pub(super) type Sparse = BTreeMap<u64, u64>;

/// Writes the measures of a run while it goes on.
pub struct Recorder<W: Write> {
    log: W,
    phases: Vec<Phase>,
    steps: Vec<StepInfo>,
    open: BTreeMap<u64, BTreeMap<Key, Sparse>>,
    closed_before: u64,
    seconds: Vec<SecondCounts>,
    scratch: Histogram<u64>,
    /// Samples that belonged to a second that was already written: never, unless a request outlived the longest time-out.
    late_count: u64,
    /// What the log has not taken yet; it goes on from there, so that a full disk tears no line apart.
    pending: Vec<u8>,
}

impl<W: Write> Recorder<W> {
    /// Starts the log with its head. `clock_zero` is the wall-clock time of the run's clock zero.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn start(mut log: W, clock_zero: SystemTime, phases: Vec<Phase>, steps: Vec<StepInfo>) -> io::Result<Self> {
        interval_log::IntervalLogWriterBuilder::new()
            .add_comment("[Histogram log format version 1.3]")
            .add_comment("[Tag: phase/step/outcome/measure; values in nanoseconds]")
            .with_start_time(clock_zero)
            .with_base_time(clock_zero)
            .begin_log_with(&mut log, &mut V2DeflateSerializer::new())?;
        Ok(Self {
            log,
            phases,
            steps,
            open: BTreeMap::new(),
            closed_before: 0,
            seconds: Vec::new(),
            scratch: histogram(),
            late_count: 0,
            pending: Vec::new(),
        })
    }

    /// Counts one sample.
    pub fn observe(&mut self, sample: &Sample) {
        let second = self.second(sample.due_ns);
        second.offered += 1;
        second.arrived += u64::from(sample.is_arrival);
        self.second(sample.sent_ns).sent += 1;
        self.second(sample.done_ns).completed += 1;
        let second = sample.due_ns / SECOND_NS;
        if second < self.closed_before {
            self.late_count += 1;
            return;
        }
        let phase_index = self.phase_index(sample.due_ns);
        let keys = self.open.entry(second).or_default();
        for (measure, value_ns) in sample.measures() {
            let sparse = keys.entry((phase_index, sample.step_index, sample.outcome, measure)).or_default();
            *sparse.entry(bucket(value_ns)).or_default() += 1;
        }
    }

    /// Counts arrivals due in a second that were given up.
    pub fn dropped(&mut self, second: u64, count: u64) {
        let second = self.second(second.saturating_mul(SECOND_NS));
        second.offered += count;
        second.arrived += count;
        second.dropped += count;
    }

    /// Counts arrivals due in a second that were left over when the run was ended.
    pub fn left(&mut self, second: u64, count: u64) {
        let second = self.second(second.saturating_mul(SECOND_NS));
        second.offered += count;
        second.arrived += count;
        second.unsent += count;
    }

    /// Counts one request that has no outcome, because the run was ended.
    pub fn unfinished(&mut self, due_ns: u64, sent_ns: Option<u64>, is_arrival: bool) {
        let second = self.second(due_ns);
        second.offered += 1;
        second.arrived += u64::from(is_arrival);
        match sent_ns {
            Some(sent_ns) => self.second(sent_ns).sent += 1,
            None => second.unsent += u64::from(is_arrival),
        }
    }

    /// Notes how many requests were there between two instants, as sums over that time in nanoseconds; spread evenly over it.
    pub fn present(&mut self, from_ns: u64, to_ns: u64, present_ns: u64, in_flight_ns: u64) {
        let length_ns = u128::from(to_ns.saturating_sub(from_ns).max(1));
        let (mut at_ns, mut given) = (from_ns, (0, 0));
        while at_ns < to_ns {
            let next_ns = to_ns.min((at_ns / SECOND_NS + 1) * SECOND_NS);
            // Shares of the whole up to the end of this second, so that roundings do not add up.
            let until = |sum: u64| (u128::from(sum) * u128::from(next_ns - from_ns) / length_ns) as u64;
            let (upto, second) = ((until(present_ns), until(in_flight_ns)), self.second(at_ns));
            second.present_ns += upto.0 - given.0;
            second.in_flight_ns += upto.1 - given.1;
            (at_ns, given) = (next_ns, upto);
        }
    }

    /// Writes every second before the given one, and forgets it. To be called with now minus the longest time-out.
    ///
    /// # Errors
    /// When the log cannot be written (a full disk). What was not written is kept and tried again with the next call.
    pub fn close_before(&mut self, second: u64) -> io::Result<()> {
        self.close_watched_before(second, |_| {})
    }

    /// The same; shows each second that has measures before it is forgotten.
    ///
    /// # Errors
    /// As [`close_before`](Self::close_before).
    pub fn close_watched_before(&mut self, second: u64, mut closed: impl FnMut(&LiveSecond<'_>)) -> io::Result<()> {
        self.drain()?;
        while let Some(entry) = self.open.first_entry().filter(|entry| *entry.key() < second) {
            let keys = entry.get();
            write_second(&mut self.pending, &mut self.scratch, *entry.key(), keys, &self.phases, &self.steps)?;
            closed(&LiveSecond { second: *entry.key(), keys });
            entry.remove();
            self.drain()?;
        }
        self.closed_before = self.closed_before.max(second);
        self.log.flush()
    }

    fn drain(&mut self) -> io::Result<()> {
        while !self.pending.is_empty() {
            match self.log.write(&self.pending) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(taken) => drop(self.pending.drain(..taken)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The seconds that can still receive a sample and have one, in order.
    pub fn open(&self) -> impl Iterator<Item = LiveSecond<'_>> {
        self.open.iter().map(|(second, keys)| LiveSecond { second: *second, keys })
    }

    /// The counts per second so far; they are complete even when the log cannot be written.
    #[must_use]
    pub fn seconds(&self) -> &[SecondCounts] {
        &self.seconds
    }

    /// Samples so far that came too late to be written.
    #[must_use]
    pub fn late_count(&self) -> u64 {
        self.late_count
    }

    /// Writes what is left, and hands back the log, the counts per second and the number of samples that came too late to be written.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn finish(mut self) -> io::Result<(W, Vec<SecondCounts>, u64)> {
        self.close_before(u64::MAX)?;
        Ok((self.log, self.seconds, self.late_count))
    }

    fn second(&mut self, at_ns: u64) -> &mut SecondCounts {
        let index = usize::try_from(at_ns / SECOND_NS).unwrap_or(usize::MAX);
        if index >= self.seconds.len() {
            self.seconds.resize(index + 1, SecondCounts::default());
        }
        &mut self.seconds[index]
    }

    fn phase_index(&self, due_ns: u64) -> usize {
        self.phases.iter().rposition(|phase| phase.from_ns <= due_ns).unwrap_or(0)
    }
}

/// The lowest value that a histogram of three digits cannot tell from this one.
fn bucket(value_ns: u64) -> u64 {
    let value_ns = value_ns.clamp(1, LONGEST_NS);
    let shift = (64 - value_ns.leading_zeros()).saturating_sub(11);
    (value_ns >> shift) << shift
}

fn write_second(
    block: &mut Vec<u8>,
    scratch: &mut Histogram<u64>,
    second: u64,
    keys: &BTreeMap<Key, Sparse>,
    phases: &[Phase],
    steps: &[StepInfo],
) -> io::Result<()> {
    let mut serializer = V2DeflateSerializer::new();
    let mut writer = interval_log::IntervalLogWriterBuilder::new().begin_log_with(block, &mut serializer)?;
    for ((phase_index, step_index, outcome, measure), sparse) in keys {
        scratch.reset();
        for (value_ns, count) in sparse {
            scratch.saturating_record_n(*value_ns, *count);
        }
        let (phase, step) = (&phases[*phase_index].label, steps[*step_index].tag(steps));
        let text = format!("{phase}/{step}/{outcome}/{measure}");
        let tag = interval_log::Tag::new(&text);
        writer
            .write_histogram(scratch, Duration::from_secs(second), Duration::from_secs(1), tag)
            .map_err(|error| io::Error::other(error.to_string()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes a few bytes, then is full for a while, then takes everything.
    struct Filling {
        taken: Vec<u8>,
        calls: usize,
    }

    impl Write for Filling {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.calls += 1;
            let is_full = (3..9).contains(&self.calls);
            if is_full && self.calls.is_multiple_of(2) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let count = if is_full { bytes.len().min(40) } else { bytes.len() };
            self.taken.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_disk_that_was_full_for_a_while_tears_no_line_apart() {
        let phases = super::super::cut(0, 10 * SECOND_NS, &[]);
        let step = StepInfo { name: "s".to_owned(), journey: "j".to_owned(), is_streamed: false };
        let write = |calls| {
            let log = Filling { taken: Vec::new(), calls: 100 };
            let mut recorder =
                Recorder::start(log, SystemTime::UNIX_EPOCH, phases.clone(), vec![step.clone()]).unwrap();
            recorder.log.calls = calls;
            for second in 0..10 {
                let due_ns = second * SECOND_NS;
                recorder.observe(&Sample {
                    step_index: 0,
                    outcome: Outcome::Full,
                    is_arrival: true,
                    due_ns,
                    released_ns: due_ns + 5,
                    sent_ns: due_ns + 9,
                    first_byte_ns: None,
                    done_ns: due_ns + 12_345,
                    stream: None,
                    connecting: super::super::Connecting::default(),
                });
            }
            let failures = (0..10).filter(|_| recorder.close_before(10).is_err()).count();
            (recorder.finish().unwrap().0.taken, failures)
        };
        let (whole, none) = write(100);
        let (torn, some) = write(0);
        assert_eq!(none, 0);
        assert!(some >= 1, "the disk was full");
        assert_eq!(String::from_utf8(torn).unwrap(), String::from_utf8(whole).unwrap());
    }

    #[test]
    fn presence_is_spread_over_the_seconds_and_nothing_is_lost() {
        let phases = super::super::cut(0, 10 * SECOND_NS, &[]);
        let mut recorder = Recorder::start(io::sink(), SystemTime::UNIX_EPOCH, phases, Vec::new()).unwrap();
        recorder.present(SECOND_NS / 2, 3 * SECOND_NS, 5 * SECOND_NS + 1, 7);
        recorder.present(3 * SECOND_NS, 3 * SECOND_NS, 99, 99);
        let seen: Vec<u64> = recorder.seconds().iter().map(|second| second.present_ns).collect();
        assert_eq!(seen, [SECOND_NS, 2 * SECOND_NS, 2 * SECOND_NS + 1]);
        assert_eq!(recorder.seconds().iter().map(|second| second.in_flight_ns).sum::<u64>(), 7);
    }

    #[test]
    fn a_bucket_is_the_lowest_value_that_the_histogram_cannot_tell_apart() {
        let reference = histogram();
        let powers = (0..39).flat_map(|p| [1u64 << p, (1u64 << p) + 1, (1u64 << p) * 7 / 4]);
        for value in powers.chain([999, 2047, 2048, 2049, 123_456_789]).map(|v| v.clamp(1, LONGEST_NS)) {
            assert_eq!(bucket(value), reference.lowest_equivalent(value), "{value}");
        }
    }
}
