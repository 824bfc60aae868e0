//! Runs whose course is known: faults at given times, and steps of which a given part fails at given times.
use crate::synthetic::{Draft, Shape, quickstart};
use reports::record::{FaultEnd, FaultRecord, FaultWindow, Outcome, SECOND_NS, cut};

/// A fault with the seconds in which it was on; `None` when it never was.
pub(crate) type Timed = (&'static str, u64, Option<u64>);

/// A run of 48 requests a second with these faults, in which every `one_in`-th request of a step fails in some seconds.
pub(crate) fn draft(
    seconds: u64,
    faults: &[Timed],
    gates: &[&'static str],
    failing: &[(usize, std::ops::Range<u64>, usize)],
) -> Draft {
    let mut draft =
        Draft::new(&Shape { seconds, per_second: 48.0, fault: None, gates: gates.to_vec(), ..quickstart() });
    let record = |(name, from, to): &Timed| {
        let planned = FaultWindow { from_ns: from * SECOND_NS, to_ns: to.unwrap_or(from + 10) * SECOND_NS };
        FaultRecord {
            name: (*name).to_owned(),
            link: "mcp.flights".to_owned(),
            part: None,
            kind: "down".to_owned(),
            description: "down: connections refused and cut".to_owned(),
            planned,
            window: to.map(|_| FaultWindow { from_ns: planned.from_ns + 2_000_000, to_ns: planned.to_ns + 2_000_000 }),
            end: if to.is_some() { FaultEnd::Lifted } else { FaultEnd::NeverOn },
            effect: None,
            error: to.is_none().then(|| "the proxy did not answer".to_owned()),
        }
    };
    draft.run.faults = faults.iter().map(record).collect();
    let planned: Vec<_> = draft.run.faults.iter().map(|fault| (fault.name.clone(), fault.planned)).collect();
    draft.run.phases = cut(4 * SECOND_NS, seconds * SECOND_NS, &planned);
    let mut counts = [0_usize; 3];
    for sample in &mut draft.samples {
        let second = sample.due_ns / SECOND_NS;
        sample.outcome = Outcome::Full;
        counts[sample.step_index] += 1;
        let fails = |(step, within, one_in): &(usize, std::ops::Range<u64>, usize)| {
            *step == sample.step_index && within.contains(&second) && counts[sample.step_index].is_multiple_of(*one_in)
        };
        if failing.iter().any(fails) {
            sample.outcome = Outcome::DependencyError;
            sample.stream = None;
        }
    }
    draft.count();
    draft
}
