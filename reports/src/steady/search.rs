//! The end of an automatic warm-up, found in the measures of a run that has ended.
use super::{Batches, Change, Course, SHORTEST_S, course::undisturbed_s, cut};
use crate::{
    distribution::Distribution,
    record::{
        Run, SECOND_NS, WarmUp,
        folder::{Error, read_measures},
        warm_up_until,
    },
};
use std::path::Path;

/// The rest is taken for settled, although most is left out, unless the beginning differs from it: less likely than this by chance.
const P_UNSETTLED: f64 = 0.05;

/// Finds the end of the warm-up in the measures of a run that left it open, and makes its phases what they would have been.
///
/// A ramp belongs to the warm-up, however steady the answers were in it. A run that is not steady stays as it is: [`WarmUp::NotFound`], which makes it invalid.
///
/// # Errors
/// When the measures cannot be read.
pub fn find_warm_up(folder: &Path, run: &mut Run) -> Result<(), Error> {
    if run.meter.warm_up != WarmUp::NotFound {
        return Ok(());
    }
    let mut course = Course::default();
    read_measures(folder, run, |interval| course.add(&interval, &Distribution::from(&interval.histogram)))?;
    let found = Batches::undisturbed(&course, run).ok().and_then(|batches| end_of_warm_up(&batches));
    let level_from_ns = run.meter.level_from_ns.unwrap_or(0).div_ceil(SECOND_NS) * SECOND_NS;
    let until_ns = found.map(|until_ns| until_ns.max(level_from_ns));
    // After the ramp, as without one, there must be time enough to see that it is steady.
    let is_long_enough = |until_ns: &u64| until_ns / SECOND_NS + SHORTEST_S <= undisturbed_s(run);
    if let Some(until_ns) = until_ns.filter(|until_ns| level_from_ns == 0 || is_long_enough(until_ns)) {
        run.meter.warm_up = WarmUp::Found { until_ns };
        warm_up_until(until_ns, &mut run.phases);
    }
    Ok(())
}

/// Nanoseconds since clock zero; `None` when the run had not settled half way.
fn end_of_warm_up(batches: &Batches) -> Option<u64> {
    let first = cut(&batches.means);
    let is_at_limit = first >= batches.means.len() / 2;
    let is_unsettled = || Change::of(&batches.means, 0).is_some_and(|change| change.is_real(P_UNSETTLED));
    (!is_at_limit || !is_unsettled()).then_some(first as u64 * batches.seconds * SECOND_NS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transient_that_ends_is_left_out_and_one_that_does_not_is_no_warm_up() {
        let seconds = 5;
        let of = |means: Vec<f64>| end_of_warm_up(&Batches { seconds, means }).map(|ns| ns / SECOND_NS);
        let noise = |index: u32| f64::from(index * 7919 % 13) / 500.0;
        assert_eq!(of((0..24).map(|index| noise(index) + if index < 4 { 0.7 } else { 0.0 }).collect()), Some(20));
        assert_eq!(of((0..24).map(|index| noise(index) - f64::from(index) * 0.1).collect()), None);
        assert_eq!(of(vec![0.5; 24]), Some(0));
    }
}
