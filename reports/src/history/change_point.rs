//! Where a series of commits changed its level: the recursive CUSUM of local ranks.
//!
//! It needs eight to ten points after a step, does not care how values are distributed, and allows for each telling the next.
//! Source: measurement.md C, algorithm.
use super::{
    critical::{Level, critical},
    two_samples::{TwoSamples, mid_ranks},
};
use crate::regression::{checks::autocorrelation, shift::median_of_sorted};
use serde::Serialize;

/// Fewest points on either side of a change.
pub const SHORTEST_SEGMENT: usize = 4;
/// Fewest points that can be searched.
pub const FEWEST_POINTS: usize = 2 * SHORTEST_SEGMENT;
/// Most points that are looked at: the time grows with their square.
pub const MOST_POINTS: usize = 2_000;
/// Smallest change that is shown, as a share, when nothing else is said.
pub const SMALLEST_CHANGE: f64 = 0.03;
/// A change lies so many points around its index.
pub const UNCERTAINTY: usize = 3;
/// Chance of error of either bound of a shift: both make an interval of 90 %.
const BOUND_ALPHA: f64 = 0.05;
/// Steps beyond so many robust deviations count as so many, when dependence is estimated.
const CLIP: f64 = 2.5;
/// A median absolute deviation of normal noise is so much smaller than its standard deviation.
const MAD_TO_DEVIATION: f64 = 1.4826;
/// No more dependence than this is believed in.
const MOST_DEPENDENCE: f64 = 0.8;

/// Why a history is not searched.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// Too few points for two segments.
    #[error(
        "the history has {0} points; at least {FEWEST_POINTS} are needed, {SHORTEST_SEGMENT} on either side of a change"
    )]
    TooFew(usize),
    /// Too many.
    #[error("the history has {0} points; at most {MOST_POINTS} are searched: take the last ones")]
    TooMany(usize),
    /// A point has no logarithm.
    #[error("point {place} is {value}; a history has positive numbers")]
    Value {
        /// Position from 1.
        place: usize,
        /// As given.
        value: f64,
    },
    /// The smallest change is none.
    #[error("the smallest change is {0}; write a share from 0, such as 0.03 for 3 %")]
    Magnitude(f64),
}

/// A change of level.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChangePoint {
    /// Position of the first point after it.
    pub index: usize,
    /// First point that it may have happened before.
    pub from_index: usize,
    /// Last point that it may have happened before.
    pub to_index: usize,
    /// How much more the points after it are, as a share of those before (Hodges–Lehmann).
    pub change: f64,
    /// The change is not below, with 95 %; `None` with too few points around it.
    pub at_least: Option<f64>,
    /// The change is not above, with 95 %; `None` with too few points around it.
    pub at_most: Option<f64>,
    /// Points between it and the change before, or the beginning.
    pub before: usize,
    /// Points between it and the next change, or the end.
    pub after: usize,
}

/// The change points of a series, and how dependent its points are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Changes {
    /// In order.
    pub points: Vec<ChangePoint>,
    /// How far each point tells the next one within a level: from 0, as it should be, to 0.8.
    pub dependence: f64,
}

/// Searches positive values, oldest first, for changes of at least `smallest` (a share, 0.03 for 3 %).
///
/// # Errors
/// With fewer than 8 or more than 2 000 points, a value that is not positive, or a smallest change that is negative.
pub fn search(values: &[f64], level: Level, smallest: f64) -> Result<Changes, Error> {
    match values.len() {
        count if count < FEWEST_POINTS => return Err(Error::TooFew(count)),
        count if count > MOST_POINTS => return Err(Error::TooMany(count)),
        _ => {}
    }
    if let Some(index) = values.iter().position(|value| !(*value > 0.0 && value.is_finite())) {
        return Err(Error::Value { place: index + 1, value: values[index] });
    }
    if !(smallest >= 0.0 && smallest.is_finite()) {
        return Err(Error::Magnitude(smallest));
    }
    let logarithms: Vec<f64> = values.iter().map(|value| value.ln()).collect();
    let dependence = dependence(&logarithms);
    let deflation = ((1.0 - dependence) / (1.0 + dependence)).sqrt();
    let mut indices = Vec::new();
    split(&logarithms, 0, deflation, level, &mut indices);
    indices.sort_unstable();
    merge(&logarithms, &mut indices, smallest.ln_1p());
    let edges: Vec<usize> = [0].into_iter().chain(indices).chain([logarithms.len()]).collect();
    let points = edges.windows(3).map(|edges| change_point(&logarithms, [edges[0], edges[1], edges[2]]));
    Ok(Changes { points: points.collect(), dependence })
}

/// How far each point tells the next, from the steps between them: those hardly notice that the level changes.
///
/// For an AR(1) with coefficient ρ, steps have the first autocorrelation −(1 − ρ)/2. Below 2/√n it is taken for none.
fn dependence(logarithms: &[f64]) -> f64 {
    let steps: Vec<f64> = logarithms.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let centre = median(&steps);
    let distances: Vec<f64> = steps.iter().map(|step| (step - centre).abs()).collect();
    let limit = CLIP * MAD_TO_DEVIATION * median(&distances);
    let clipped: Vec<f64> = steps.iter().map(|step| step.clamp(-limit, limit)).collect();
    let found = (1.0 + 2.0 * autocorrelation(&clipped)).clamp(0.0, MOST_DEPENDENCE);
    // A series whose steps are all clipped to nothing has no noise, and so no dependence.
    if limit == 0.0 || found < 2.0 / (logarithms.len() as f64).sqrt() { 0.0 } else { found }
}

fn split(logarithms: &[f64], offset: usize, deflation: f64, level: Level, found: &mut Vec<usize>) {
    let Some((at, statistic)) = largest(&mid_ranks(logarithms)) else { return };
    if statistic * deflation > critical(logarithms.len(), level) {
        found.push(offset + at);
        split(&logarithms[..at], offset, deflation, level, found);
        split(&logarithms[at..], offset + at, deflation, level, found);
    }
}

/// Where the rank sum of the points before is furthest from what it would be without a change, in standard deviations:
/// `|Σ r − k(n + 1)/2| / √(k(n − k)(n + 1)/12)`. `None` below eight ranks.
pub(super) fn largest(ranks: &[f64]) -> Option<(usize, f64)> {
    let count = ranks.len() as f64;
    let last = ranks.len().checked_sub(SHORTEST_SEGMENT)?;
    let (mut sum, mut best) = (0.0, None);
    for (index, rank) in ranks.iter().enumerate() {
        let before = index + 1;
        sum += rank;
        if before < SHORTEST_SEGMENT || before > last {
            continue;
        }
        let k = before as f64;
        let statistic = (sum - k * (count + 1.0) / 2.0).abs() / (k * (count - k) * (count + 1.0) / 12.0).sqrt();
        if best.is_none_or(|(_, largest)| statistic > largest) {
            best = Some((before, statistic));
        }
    }
    best
}

/// Drops the smallest change of medians until none is below the limit.
fn merge(logarithms: &[f64], indices: &mut Vec<usize>, limit: f64) {
    loop {
        let edges: Vec<usize> = [0].into_iter().chain(indices.iter().copied()).chain([logarithms.len()]).collect();
        let medians: Vec<f64> = edges.windows(2).map(|edge| median(&logarithms[edge[0]..edge[1]])).collect();
        let shifts = medians.windows(2).map(|pair| (pair[1] - pair[0]).abs()).enumerate();
        match shifts.min_by(|a, b| a.1.total_cmp(&b.1)) {
            Some((position, shift)) if shift < limit => {
                indices.remove(position);
            }
            _ => return,
        }
    }
}

fn change_point(logarithms: &[f64], [from, index, to]: [usize; 3]) -> ChangePoint {
    let shift = TwoSamples::of(&logarithms[from..index], &logarithms[index..to], BOUND_ALPHA);
    ChangePoint {
        index,
        from_index: index.saturating_sub(UNCERTAINTY),
        to_index: (index + UNCERTAINTY).min(logarithms.len() - 1),
        change: shift.estimate.exp_m1(),
        at_least: shift.lower.is_finite().then(|| shift.lower.exp_m1()),
        at_most: shift.upper.is_finite().then(|| shift.upper.exp_m1()),
        before: index - from,
        after: to - index,
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    median_of_sorted(&sorted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt as _, SeedableRng as _};
    use rand_distr::StandardNormal;

    /// A hundred commits around 100 ms with 4 % noise, each of which tells the next by `memory`; slower by `step` from `at` on.
    fn series(seed: u64, memory: f64, at: usize, step: f64) -> Vec<f64> {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut noise: f64 = rng.sample(StandardNormal);
        let values = (0..100).map(|index| {
            let own: f64 = rng.sample(StandardNormal);
            noise = memory * noise + (1.0 - memory * memory).sqrt() * own;
            let level = if index >= at { 1.0 + step } else { 1.0 };
            1e8 * level * (0.04 * noise).exp()
        });
        values.collect()
    }

    fn found(values: &[f64]) -> Vec<ChangePoint> {
        search(values, Level::One, SMALLEST_CHANGE).unwrap().points
    }

    #[test]
    fn a_step_is_found_where_and_as_large_as_it_is() {
        let changes = found(&series(1, 0.0, 60, 0.20));
        let [change] = changes.as_slice() else { panic!("{changes:?}") };
        assert!(change.index.abs_diff(60) <= UNCERTAINTY, "{change:?}");
        let (at_least, at_most) = (change.at_least.unwrap(), change.at_most.unwrap());
        assert!(at_least < 0.2 && 0.2 < at_most && at_most - at_least < 0.06, "{change:?}");
        assert!((change.change - 0.2).abs() < 0.03 && change.before + change.after == 100, "{change:?}");
        assert_eq!((change.from_index, change.to_index), (change.index - 3, change.index + 3));
    }

    #[test]
    fn alarms_and_hits_are_as_rare_and_as_frequent_as_on_the_page() {
        // measurement.md C, recommended: A/A .3 to .5 % and 2.2 to 2.5 % with AR(1) of .5; hits within 3 commits 75, 98, 100 %.
        let share = |memory: f64, at: usize, step: f64, is_so: &dyn Fn(&[ChangePoint]) -> bool| {
            (0..400).filter(|seed| is_so(&found(&series(*seed, memory, at, step)))).count() as f64 / 4.0
        };
        let alarm = |changes: &[ChangePoint]| !changes.is_empty();
        let hit = |changes: &[ChangePoint]| changes.iter().any(|change| change.index.abs_diff(50) <= UNCERTAINTY);
        let (alarms, dependent) = (share(0.0, 100, 0.0, &alarm), share(0.5, 100, 0.0, &alarm));
        // Three standard errors of 400 series: 1.1 and 2.3 points.
        assert!(alarms <= 0.5 + 1.1, "{alarms} %");
        assert!(dependent <= 2.5 + 2.4, "{dependent} %");
        let hits = [0.05, 0.10, 0.20].map(|step| share(0.0, 50, step, &hit));
        // Here the step is in the middle, on the page anywhere with ten points after it: never harder to find.
        assert!(hits[0] >= 65.0 && hits[1] >= 95.0 && hits[2] >= 99.0, "{hits:?}");
    }

    #[test]
    fn several_steps_are_found_and_small_ones_are_merged() {
        let mut values = series(3, 0.0, 40, 0.15);
        values[75..].iter_mut().for_each(|value| *value *= 0.8);
        let changes = found(&values);
        let places: Vec<usize> = changes.iter().map(|change| change.index).collect();
        assert!(changes.len() == 2 && places[0].abs_diff(40) <= 3 && places[1].abs_diff(75) <= 3, "{places:?}");
        assert_eq!((changes[0].after, changes[1].before), (places[1] - places[0], places[1] - places[0]));
        assert!(changes[0].change > 0.1 && changes[1].change < -0.1);
        let merged = search(&values, Level::One, 0.5).unwrap();
        assert!(merged.points.is_empty(), "{merged:?}");
    }

    #[test]
    fn dependence_is_seen_through_a_step() {
        let of = |values: &[f64]| search(values, Level::One, 0.0).unwrap().dependence;
        let mean = |memory: f64, step| (0..40).map(|seed| of(&series(seed, memory, 50, step))).sum::<f64>() / 40.0;
        assert!(mean(0.0, 0.3) < 0.15, "{}", mean(0.0, 0.3));
        assert!((mean(0.6, 0.3) - 0.6).abs() < 0.15, "{}", mean(0.6, 0.3));
        assert_eq!(of(&[5.0; 20]), 0.0);
        let mut flat_step = vec![5.0; 30];
        flat_step[15..].fill(6.0);
        assert_eq!(found(&flat_step).iter().map(|change| change.index).collect::<Vec<_>>(), [15], "without any noise");
    }

    #[test]
    fn what_is_no_history_is_refused() {
        let refused = |values: &[f64], smallest| search(values, Level::Five, smallest).unwrap_err().to_string();
        assert_eq!(
            refused(&[1.0; 7], 0.0),
            "the history has 7 points; at least 8 are needed, 4 on either side of a change"
        );
        assert!(refused(&[1.0; 2001], 0.0).contains("at most 2000"));
        assert_eq!(
            refused(&[1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0], 0.0),
            "point 3 is 0; a history has positive numbers"
        );
        assert!(refused(&[1.0; 9], -0.1).starts_with("the smallest change is -0.1"));
        assert_eq!(found(&[1.0; 8]), []);
    }
}
