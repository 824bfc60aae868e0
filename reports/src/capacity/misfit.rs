//! Whether a fitted curve has the shape of its data: the runs of points on one side of it, and what it says of a point left out.
use serde::Serialize;

/// How a curve misses the data.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Misfit {
    /// Stretches of neighbouring points on the same side of the curve.
    pub runs: usize,
    /// The chance of so few of them, were the points scattered by nothing but noise: below 0.05 the curve has the wrong shape.
    pub chance: f64,
    /// How far the fit without the largest load misses what was seen there, as a share of it; `None` where too few points are left.
    pub last_out: Option<f64>,
}

impl Misfit {
    /// From the side of the curve that each point lies on, in order of load.
    pub(super) fn of(above: &[bool], last_out: Option<f64>) -> Self {
        let runs = above.chunk_by(|a, b| a == b).count();
        let first = above.iter().filter(|is_above| **is_above).count();
        Self { runs, chance: fewer_runs(runs, first, above.len() - first), last_out }
    }
}

/// The chance of at most so many runs in a random order of two kinds. Source: Wald and Wolfowitz, Ann. Math. Statist. 11 (1940).
fn fewer_runs(runs: usize, first: usize, second: usize) -> f64 {
    if first == 0 || second == 0 {
        return 1.0;
    }
    let ways = |count: usize| {
        let half = count / 2;
        match count % 2 {
            0 => 2.0 * choose(first - 1, half - 1) * choose(second - 1, half - 1),
            _ => {
                choose(first - 1, half) * choose(second - 1, half - 1)
                    + choose(first - 1, half - 1) * choose(second - 1, half)
            }
        }
    };
    (2..=runs).map(ways).sum::<f64>() / choose(first + second, first)
}

fn choose(from: usize, count: usize) -> f64 {
    match count > from {
        true => 0.0,
        false => (0..count).fold(1.0, |product, index| product * (from - index) as f64 / (index + 1) as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64, within: f64) {
        assert!((found - expected).abs() <= within, "{found} is not {expected}");
    }

    #[test]
    fn the_chance_of_few_runs_is_as_published() {
        // Six in a row above, six below: 2 runs of C(12,6) = 924 orders; at most 2 runs is 2/924.
        near(fewer_runs(2, 6, 6), 2.0 / 924.0, 1e-12);
        near(fewer_runs(12, 6, 6), 1.0, 1e-12);
        // Swed and Eisenhart (1943): P(at most 5 runs of 10 and 10) = .0045; 6 gives .0185.
        near(fewer_runs(5, 10, 10), 0.004_5, 5e-5);
        near(fewer_runs(6, 10, 10), 0.018_5, 5e-5);
        assert_eq!((fewer_runs(1, 5, 0), fewer_runs(0, 0, 0)), (1.0, 1.0));
        let found = Misfit::of(&[true, true, false, false, false, true], None);
        assert_eq!((found.runs, found.last_out), (3, None));
    }
}
