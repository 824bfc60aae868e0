//! The warm-up was long enough: what is judged does not begin with a transient.
//!
//! MSER-5 alone would reject one honest run in ten, because noise moves its cut. So a warm-up fails only if the cut lies beyond it *and*
//! the latency of the first tenth after it differs from that of the second half by more than a tenth, at p < 0.001. On stationary
//! noise of any strength, correlated as strongly as in measurement.md D3, that fires in less than 1 % of the runs.
use super::{Check, check::NOT_NOTED};
use crate::{
    number,
    record::{PhaseKind, Run, RunEnd, SECOND_NS, WarmUp},
    steady::{Batches, Change, SHORTEST_S, cut, undisturbed_s},
    summary::Summary,
};

/// Chance of a change by noise alone.
const P: f64 = 0.001;

/// What it is called.
pub(crate) const NAME: &str = "warm-up long enough";

pub(super) fn check(run: &Run, summary: &Summary) -> Check {
    let batches = Batches::undisturbed(&summary.course, run);
    match run.meter.warm_up {
        WarmUp::Found { until_ns } => {
            let figure = format!("found: steady from {} on", number::seconds(until_ns));
            Check::new(NAME, true, figure, "settled half way to the first fault or the end")
        }
        WarmUp::NotFound if run.end == RunEnd::Completed => not_found(run, batches),
        WarmUp::NotFound => Check::not_applicable(NAME, "the run was not carried out", "to be found"),
        WarmUp::Given => given(run, batches),
    }
}

fn not_found(run: &Run, batches: Result<Batches, String>) -> Check {
    let level_from_s = run.meter.level_from_ns.unwrap_or(0).div_ceil(SECOND_NS);
    let figure = match batches {
        Ok(_) if level_from_s > 0 && level_from_s + SHORTEST_S > undisturbed_s(run) => {
            format!("the ramp ends at {level_from_s} s, and needs {SHORTEST_S} s after it without a fault")
        }
        Ok(batches) => {
            let length_ns = batches.means.len() as u64 * batches.seconds * SECOND_NS;
            let (half, whole) = (number::seconds(length_ns / 2), number::seconds(length_ns));
            format!("not steady: still settling after {half} of {whole}; make it {whole} longer")
        }
        Err(why) => format!("its end cannot be found: {why}"),
    };
    Check::new(NAME, false, figure, "settled half way to the first fault or the end")
}

fn given(run: &Run, batches: Result<Batches, String>) -> Check {
    let threshold = "no change by more than 10 % after it";
    let not_applicable = |why: &str| Check::not_applicable(NAME, why, threshold);
    if run.meter.model.is_none() {
        return not_applicable(NOT_NOTED);
    }
    let Some(level_from_ns) = run.meter.level_from_ns else {
        return not_applicable("the planned rate changes all along");
    };
    let batches = match batches {
        Ok(batches) => batches,
        Err(why) => return not_applicable(&why),
    };
    let warm_up_ns = run.phases.first().filter(|first| first.kind == PhaseKind::WarmUp).map_or(0, |first| first.to_ns);
    let first = batches.from_ns(warm_up_ns.max(level_from_ns));
    let settled = cut(&batches.means);
    let settled_text = number::seconds(settled as u64 * batches.seconds * SECOND_NS);
    if settled <= first {
        return Check::new(NAME, true, format!("settled after {settled_text}"), threshold);
    }
    let Some(change) = Change::of(&batches.means, first) else {
        return not_applicable("too little time after it without a fault");
    };
    let figure =
        format!("first {} times as slow as later; settled after {settled_text}", number::significant(change.factor));
    match change.is_real(P) {
        true => Check::new(NAME, false, figure, threshold),
        false => Check::new(NAME, true, "no change beyond noise".to_owned(), threshold),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution as _, StandardNormal};

    /// Means of 5 s of noise in which each second resembles the one before it (autoregressive, 0.6), with a transient that fades.
    fn batches(seed: u64, seconds: usize, deviation: f64, transient: f64, fades_s: f64) -> Batches {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut draw = || -> f64 { StandardNormal.sample(&mut random) };
        let mut noise = draw();
        let each: Vec<f64> = (0..seconds)
            .map(|second| {
                noise = 0.6 * noise + 0.8 * draw();
                noise * deviation + transient * (-(second as f64) / fades_s).exp()
            })
            .collect();
        Batches { seconds: 5, means: each.chunks_exact(5).map(|batch| batch.iter().sum::<f64>() / 5.0).collect() }
    }

    fn fails(batches: &Batches, first: usize) -> bool {
        cut(&batches.means) > first && Change::of(&batches.means, first).is_some_and(|change| change.is_real(P))
    }

    /// Share of 400 runs that fail.
    fn share(seconds: usize, deviation: f64, transient: f64, first: usize) -> f64 {
        let failing = (0..400).filter(|seed| fails(&batches(*seed, seconds, deviation, transient, 15.0), first));
        failing.count() as f64 / 400.0
    }

    #[test]
    fn noise_alone_fails_fewer_than_one_run_in_a_hundred() {
        for seconds in [50, 60, 120, 300] {
            for deviation in [0.05, 0.2, 0.5] {
                let share = share(seconds, deviation, 0.0, 0);
                assert!(share < 0.01, "{share} of the runs of {seconds} s with deviation {deviation}");
            }
        }
    }

    #[test]
    fn a_transient_that_the_warm_up_does_not_cover_fails_most_runs() {
        // Twice as slow at first, fading with 15 s; the warm-up covers 5 s, or 60 s.
        assert!(share(120, 0.1, 0.7, 1) > 0.8, "{}", share(120, 0.1, 0.7, 1));
        assert!(share(120, 0.1, 0.7, 12) < 0.01);
    }
}
