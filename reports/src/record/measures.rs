//! Reads the log of measures, one histogram at a time: a long run needs no more memory than a short one.
use super::{
    Measure, Outcome, Phase, PhaseKind, Place, Run, StepInfo, WarmUp,
    folder::{Error, MEASURES},
    recorder::{DIGITS, LONGEST_NS, SECOND_NS, histogram},
};
use hdrhistogram::{
    Histogram,
    serialization::{
        Deserializer,
        interval_log::{IntervalLogIterator, LogEntry},
    },
};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read as _},
    path::Path,
};

/// Longest line of a log, in bytes: ten times the largest histogram of the record's bounds.
const LONGEST_LINE: u64 = 4 << 20;

/// One histogram of the record.
#[derive(Debug, Clone)]
pub struct Interval {
    /// Second of the run in which its samples were due, from 0.
    pub second: u64,
    /// Position of the phase in [`Run::phases`].
    pub phase_index: usize,
    /// Position of the step in [`Run::steps`].
    pub step_index: usize,
    /// Class of its samples.
    pub outcome: Outcome,
    /// What it holds.
    pub measure: Measure,
    /// Values in nanoseconds.
    pub histogram: Histogram<u64>,
}

impl Interval {
    /// Where it belongs.
    #[must_use]
    pub fn place(&self) -> Place {
        let Self { second, phase_index, step_index, outcome, measure, .. } = *self;
        Place { second, phase_index, step_index, outcome, measure }
    }
}

/// Reads the measures one histogram at a time, in the order of their seconds; one line of the log is in memory at a time.
///
/// A last line that was cut off (the program was killed while it wrote) is left out.
///
/// # Errors
/// When the log cannot be read, or a line before the last is damaged or names a phase or step that the head does not have.
pub fn read_measures(folder: &Path, run: &Run, mut visit: impl FnMut(Interval)) -> Result<(), Error> {
    let path = folder.join(MEASURES);
    let log = File::open(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
    let rephased = |interval: Interval| {
        let phase_index = found_phase_index(run, interval.second, interval.phase_index);
        visit(Interval { phase_index, ..interval });
    };
    read_lines(BufReader::with_capacity(1 << 16, log), &run.phases, &run.steps, rephased).map_err(|bad| match bad {
        Bad::Log(source) => Error::Read { path: path.clone(), source },
        Bad::Line { line, problem } => Error::Line { path: path.clone(), line, problem },
    })
}

/// Reads measures that were written to memory, as [`read_measures`] does.
///
/// # Errors
/// What is wrong with which line.
pub fn read_log(log: &[u8], phases: &[Phase], steps: &[StepInfo], visit: impl FnMut(Interval)) -> Result<(), String> {
    read_lines(log, phases, steps, visit).map_err(|bad| match bad {
        Bad::Log(error) => error.to_string(),
        Bad::Line { line, problem } => format!("line {line}: {problem}"),
    })
}

/// Why a log cannot be read on.
enum Bad {
    Log(io::Error),
    Line { line: usize, problem: String },
}

fn read_lines(
    mut log: impl BufRead,
    phases: &[Phase],
    steps: &[StepInfo],
    mut visit: impl FnMut(Interval),
) -> Result<(), Bad> {
    let tags: Vec<String> = steps.iter().map(|step| step.tag(steps)).collect();
    let mut deserializer = Deserializer::new();
    let (mut line, mut number) = (Vec::new(), 0);
    loop {
        line.clear();
        number += 1;
        let bad = |problem: String| Bad::Line { line: number, problem };
        let length = log.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(Bad::Log)?;
        match line.last() {
            Some(b'\n') => {}
            _ if length as u64 == LONGEST_LINE => return Err(bad(format!("longer than {LONGEST_LINE} bytes"))),
            // The end, or a line that was cut off by it.
            _ => return Ok(()),
        }
        for entry in IntervalLogIterator::new(&line) {
            let entry = entry.map_err(|error| bad(format!("{error:?}")))?;
            let LogEntry::Interval(found) = entry else { continue };
            let tag = found.tag().map_or("", |tag| tag.as_str());
            let place = place_of(phases, &tags, tag).ok_or_else(|| bad(format!("unknown tag `{tag}`")))?;
            let (phase_index, step_index, outcome, measure) = place;
            visit(Interval {
                second: found.start_timestamp().as_secs(),
                phase_index,
                step_index,
                outcome,
                measure,
                histogram: decode(&mut deserializer, found.encoded_histogram()).map_err(bad)?,
            });
        }
    }
}

fn place_of(phases: &[Phase], tags: &[String], tag: &str) -> Option<(usize, usize, Outcome, Measure)> {
    let mut parts = tag.split('/');
    let (phase, step, outcome, measure) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let phase_index = phases.iter().position(|known| known.label == phase)?;
    let step_index = tags.iter().position(|known| known == step)?;
    Some((phase_index, step_index, outcome.parse().ok()?, measure.parse().ok()?))
}

/// The phase of a second whose samples were tagged before the end of the warm-up was found.
fn found_phase_index(run: &Run, second: u64, tagged: usize) -> usize {
    match (run.meter.warm_up, run.phases.first()) {
        (WarmUp::Found { until_ns }, Some(first)) if first.kind == PhaseKind::WarmUp && tagged == 1 => {
            usize::from(second * SECOND_NS >= until_ns)
        }
        _ => tagged,
    }
}

fn decode(deserializer: &mut Deserializer, encoded: &str) -> Result<Histogram<u64>, String> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).map_err(|error| error.to_string())?;
    let found: Histogram<u64> =
        deserializer.deserialize(&mut bytes.as_slice()).map_err(|error| format!("{error:?}"))?;
    // Histograms of the record's own bounds are taken as they are; others are brought to them.
    if (found.low(), found.high(), found.sigfig()) == (1, LONGEST_NS, DIGITS) {
        return Ok(found);
    }
    let mut same_bounds = histogram();
    same_bounds.add(&found).map_err(|error| format!("{error:?}"))?;
    Ok(same_bounds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_without_lines_is_not_taken_into_memory() {
        let endless = BufReader::new(io::repeat(b'x'));
        let read = read_lines(endless, &[], &[], |_| {});
        let Err(Bad::Line { line: 1, problem }) = read else { panic!("it was read") };
        assert_eq!(problem, "longer than 4194304 bytes");
        assert_eq!(read_log(b"#cut off", &[], &[], |_| {}), Ok(()));
    }
}
