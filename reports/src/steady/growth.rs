//! Whether requests pile up: how the number of them that are there grows over a stretch in which it should not.
use statrs::distribution::{ContinuousCDF as _, StudentsT};

/// Windows that the stretch is cut into. Fewer and longer ones than samples, because neighbouring moments are alike.
/// Source: measurement.md D3: a slope over samples fires on up to 39 % of stable queues, over 12 window means on 3 to 6 %.
const WINDOWS: usize = 12;

/// Shortest window, in seconds.
const SHORTEST_WINDOW_S: usize = 2;

/// How far a number of independent requests may wander by itself between beginning and end, in standard deviations (roots of its mean).
///
/// Where requests take as long as a window, windows are alike and the line's error is taken for too small: of stable systems with
/// requests of 2 s, one in ten then seems to grow over 24 s. With this floor it is fewer than one in a hundred.
const WANDER: f64 = 3.0;

/// How the number of requests that are there grows, per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Growth {
    /// Requests more each second.
    pub per_second: f64,
    /// So many at least, with 99 % confidence.
    pub at_least: f64,
    /// What independent requests that do not grow in number may seem to grow by, in this time.
    pub wander: f64,
}

impl Growth {
    /// Fits a line through the means of 12 windows; `None` when there are fewer than 24 s.
    #[must_use]
    pub fn of(per_second: &[f64]) -> Option<Self> {
        let length = per_second.len() / WINDOWS;
        if length < SHORTEST_WINDOW_S {
            return None;
        }
        // The first seconds, where there are more than whole windows, are left out.
        let whole = &per_second[per_second.len() - length * WINDOWS..];
        let means: Vec<f64> =
            whole.chunks_exact(length).map(|window| window.iter().sum::<f64>() / length as f64).collect();
        let count = WINDOWS as f64;
        let middle = (count - 1.0) / 2.0;
        let mean = means.iter().sum::<f64>() / count;
        let positions = || (0..WINDOWS).map(|position| position as f64 - middle);
        let spread: f64 = positions().map(|position| position * position).sum();
        let slope = positions().zip(&means).map(|(position, value)| position * value).sum::<f64>() / spread;
        let left: f64 =
            positions().zip(&means).map(|(position, value)| (value - mean - slope * position).powi(2)).sum();
        let error = (left / (count - 2.0) / spread).sqrt();
        let quantile = StudentsT::new(0.0, 1.0, count - 2.0).expect("10 degrees of freedom").inverse_cdf(0.99);
        let length = length as f64;
        let wander = WANDER * mean.max(1.0).sqrt() / (count * length);
        Some(Self { per_second: slope / length, at_least: (slope - quantile * error) / length, wander })
    }

    /// Whether it is certain to be more than so many requests each second, and more than wandering.
    #[must_use]
    pub fn is_above(&self, per_second: f64) -> bool {
        self.at_least > per_second && self.at_least > self.wander
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution as _, Exp};

    #[test]
    fn a_line_is_found_exactly() {
        let line: Vec<f64> = (0..65).map(|second| 3.0 + 0.25 * f64::from(second)).collect();
        let growth = Growth::of(&line).unwrap();
        assert!((growth.per_second - 0.25).abs() < 1e-12 && (growth.at_least - 0.25).abs() < 1e-9, "{growth:?}");
        assert_eq!(Growth::of(&line[..23]), None);
        let level = Growth::of(&[7.0; 24]).unwrap();
        assert_eq!((level.per_second, level.at_least), (0.0, 0.0));
    }

    #[test]
    fn what_scatters_is_known_less_well() {
        let restless: Vec<f64> = (0..120).map(|second| f64::from(second) * 0.1 + f64::from(second % 20)).collect();
        let growth = Growth::of(&restless).unwrap();
        assert!(growth.at_least < growth.per_second - 0.02, "{growth:?}");
    }

    /// How many requests are there at the end of each second, in a queue with one server that can do 50 requests/s.
    fn queue(seed: u64, load: f64, seconds: u32) -> Vec<f64> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut exponential = |rate: f64| -> f64 { Exp::new(rate).unwrap().sample(&mut random) };
        let (mut now, mut next_in, mut there, mut area) = (0.0, exponential(50.0 * load), 0_u32, 0.0);
        let mut next_out = f64::INFINITY;
        (1..=seconds)
            .map(|second| {
                while now < f64::from(second) {
                    let next = f64::min(next_in, next_out).min(f64::from(second));
                    area += f64::from(there) * (next - now);
                    now = next;
                    if now == next_in {
                        there += 1;
                        next_in = now + exponential(50.0 * load);
                        next_out = if there == 1 { now + exponential(50.0) } else { next_out };
                    } else if now == next_out {
                        there -= 1;
                        next_out = if there == 0 { f64::INFINITY } else { now + exponential(50.0) };
                    }
                }
                std::mem::take(&mut area)
            })
            .collect()
    }

    #[test]
    fn queues_that_are_stable_do_not_grow_and_those_that_are_not_do() {
        let grows = |seed, load| {
            // The first half minute fills the queue: a warm-up.
            let there = queue(seed, load, 150);
            Growth::of(&there[30..]).unwrap().is_above(0.005 * 50.0 * load)
        };
        let share = |load: f64| (0..50).filter(|seed| grows(*seed, load)).count();
        assert_eq!((share(0.5), share(0.7)), (0, 0));
        assert!(share(0.9) <= 1, "{}", share(0.9));
        assert!(share(1.1) >= 47, "{}", share(1.1));
    }

    #[test]
    fn long_requests_that_come_and_go_are_no_growth() {
        let grows = |seed| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let (gap, stay) = (Exp::new(5.0).unwrap(), Exp::new(0.5).unwrap());
            let (mut now, mut there) = (0.0, vec![0.0; 44]);
            while now < 44.0 {
                now += gap.sample(&mut random);
                let end: f64 = now + stay.sample(&mut random);
                for (second, sum) in there.iter_mut().enumerate() {
                    *sum += (end.min(second as f64 + 1.0) - f64::max(now, second as f64)).max(0.0);
                }
            }
            Growth::of(&there[20..]).unwrap().is_above(0.005 * 5.0)
        };
        let share = (0..300).filter(|seed| grows(*seed)).count();
        assert!(share < 3, "{share} of 300 stable systems");
    }
}
