//! Arrivals were spaced as planned when they were released: not evened out, not in bunches, not at another rate.
//!
//! The gaps are looked at on the scale on which one arrival is expected per unit, so ramps, spikes and waves are tested as one rate is.
//! Sums of gaps over at least 20 ms are compared with their law. Two allowances, neither of which depends on the seed:
//!
//! - A release may be late by the limit of the schedule lag (see `schedule`), and 1 in 20 by more: a run that keeps its schedule cannot
//!   fail here because its machine is a little late now and then.
//! - The Kolmogorov-Smirnov bound of independent users is taken at p = 0.0001. Due times are fixed by the seed, so at the usual 0.01 one
//!   seed in a hundred would be invalid for ever.
use super::{Check, check::NOT_NOTED, schedule};
use crate::{
    number,
    record::{ArrivalFit, ModelKind, Run, Scatter},
    summary::Summary,
};
use statrs::distribution::{ContinuousCDF as _, Gamma};

/// Chance of an honest seed to fail.
const P: f64 = 1e-4;

/// Share of the blocks with a release that is later than allowed.
const LATE_SHARE: f64 = 0.05;

/// Fewer blocks say nothing.
const FEWEST_BLOCKS: u64 = 30;

pub(super) fn check(run: &Run, summary: &Summary) -> Check {
    let (name, threshold) = ("arrivals as planned", "spaced as the model says");
    let Some(fit) = &run.meter.arrivals else {
        let why = match run.meter.model {
            Some(ModelKind::Open) => "the model has no law of its gaps",
            Some(ModelKind::Closed) => "users come when they are done",
            None => NOT_NOTED,
        };
        return Check::not_applicable(name, why, threshold);
    };
    let blocks: u64 = fit.counts.iter().sum();
    if blocks < FEWEST_BLOCKS {
        return Check::not_applicable(name, &format!("fewer than {FEWEST_BLOCKS} gaps"), threshold);
    }
    let limit_ns = schedule::limit_ns(summary);
    let late = fit.peak_per_second * limit_ns as f64 / 1e9;
    if late > widest(fit) {
        let why = format!("a release may be {} late, too much to tell", number::latency(limit_ns));
        return Check::not_applicable(name, &why, threshold);
    }
    let (found, largest, what) = match fit.scatter {
        Scatter::Poisson => {
            let chance = (-(P / 2.0).ln() / (2.0 * blocks as f64)).sqrt();
            (distance(fit, late), chance + LATE_SHARE, "distance from Poisson")
        }
        Scatter::Even => (uneven_share(fit, late), LATE_SHARE, "share not evenly spaced"),
    };
    let of = if fit.block == 1 { "gaps".to_owned() } else { format!("sums of {} gaps", number::count(fit.block)) };
    let figure = format!("{what} {}, of {} {of}", number::significant(found), number::count(blocks));
    Check::new(name, found <= largest, figure, format!("at most {}", number::significant(largest)))
}

/// The largest lateness with which sums can still be told from others, in expected arrivals.
fn widest(fit: &ArrivalFit) -> f64 {
    let mean = fit.block as f64;
    match fit.scatter {
        Scatter::Poisson => mean,
        Scatter::Even => fit.edges().next().map_or(0.0, |edge| mean - edge) * (1.0 + 1e-6),
    }
}

/// How much further the sums are from their law, at any edge, than releases that are late by `late` make them.
fn distance(fit: &ArrivalFit, late: f64) -> f64 {
    let Ok(law) = Gamma::new(fit.block as f64, 1.0) else { return 1.0 };
    let below_law = |sum: f64| if sum > 0.0 { law.cdf(sum) } else { 0.0 };
    let total = fit.counts.iter().sum::<u64>() as f64;
    let mut seen = 0;
    let beyond = fit.edges().zip(&fit.counts).map(|(edge, count)| {
        seen += count;
        let below = seen as f64 / total;
        (below - below_law(edge + late)).max(below_law(edge - late) - below)
    });
    beyond.fold(0.0, f64::max)
}

/// Share of the sums that are further from their mean than late releases make them.
fn uneven_share(fit: &ArrivalFit, late: f64) -> f64 {
    let mean = fit.block as f64;
    let total = fit.counts.iter().sum::<u64>() as f64;
    let edges: Vec<f64> = fit.edges().collect();
    // A hair's breadth, because edges and sums are rounded.
    let is_within = |edge: f64| (edge - mean).abs() <= late * (1.0 + 1e-6);
    let even: u64 = (1..edges.len())
        .filter(|upper| is_within(edges[upper - 1]) && is_within(edges[*upper]))
        .map(|upper| fit.counts[upper])
        .sum();
    (total - even as f64) / total
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(scatter: Scatter, peak_per_second: f64, sums: impl Iterator<Item = f64>) -> ArrivalFit {
        let mut fit = ArrivalFit::new(scatter, peak_per_second);
        sums.for_each(|sum| fit.observe(sum));
        fit
    }

    /// Evenly spread quantiles of the exponential law: as close to it as so many gaps can be.
    fn exponential(count: u32) -> impl Iterator<Item = f64> {
        (0..count).map(move |index| -(1.0 - (f64::from(index) + 0.5) / f64::from(count)).ln())
    }

    #[test]
    fn gaps_of_the_law_are_at_no_distance_and_others_are() {
        let of = |sums: &mut dyn Iterator<Item = f64>| distance(&fit(Scatter::Poisson, 25.0, sums), 0.025);
        assert!(of(&mut exponential(1_000)) < 0.001);
        assert!(of(&mut exponential(1_000).map(|gap| gap * 1.3)) > 0.07, "a lower rate");
        assert!(of(&mut (0..1_000).map(|_| 1.0)) > 0.6, "evenly spaced");
        assert!(of(&mut (0..1_000).map(|index| if index % 5 == 0 { 5.0 } else { 0.0 })) > 0.55, "in bunches of five");
        assert!(of(&mut exponential(1_000).map(|gap| gap + 0.02)) < 0.01, "late by less than is allowed");
    }

    #[test]
    fn a_lateness_that_hides_the_spacing_leaves_nothing_to_check() {
        let even = fit(Scatter::Even, 1_000.0, [].into_iter());
        assert!((widest(&even) / 1_000.0 - 0.020).abs() < 1e-6);
        assert!((widest(&fit(Scatter::Poisson, 1_000.0, [].into_iter())) / 1_000.0 - 0.020).abs() < 1e-6);
    }

    #[test]
    fn even_gaps_may_be_off_by_what_a_release_may_be_late() {
        let of = |off: f64, late_s: f64| {
            let sums = (0..100).map(|index| 2.0 + if index % 2 == 0 { off } else { -off });
            uneven_share(&fit(Scatter::Even, 100.0, sums), 100.0 * late_s)
        };
        assert_eq!((of(0.0, 0.001), of(0.09, 0.001), of(0.31, 0.001)), (0.0, 0.0, 1.0));
        assert_eq!((of(0.31, 0.005), of(0.6, 0.005)), (0.0, 1.0));
    }
}
