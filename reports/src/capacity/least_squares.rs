//! Levenberg and Marquardt's method for the three parameters of the Universal Scalability Law, with two of them held at 0 or above.
//!
//! Source: Marquardt, SIAM J. Appl. Math. 11 (1963). Data are (load, seen, weight).
use super::usl::curve;

/// Steps after which a fit that still moves is given up.
const MOST_STEPS: usize = 500;
/// A fit has arrived when a step makes the sum of squares smaller by less than this share.
const ARRIVED: f64 = 1e-14;

type Data = [(f64, f64, f64)];
type Matrix = [[f64; 3]; 3];

/// λ, σ and κ that make the weighted sum of squares smallest among σ ≥ 0 and κ ≥ 0; `None` when nothing fits.
///
/// Where the unbounded optimum is outside, it lies on one of the faces: each is fitted, and the best that is allowed counts.
pub(super) fn fit(data: &Data) -> Option<[f64; 3]> {
    let allowed = |found: &[f64; 3]| found[0] > 0.0 && found[1] >= 0.0 && found[2] >= 0.0;
    let whole = minimise(data, [true; 3]).filter(allowed);
    whole.or_else(|| {
        let faces = [[true, true, false], [true, false, true], [true, false, false]];
        let found = faces.into_iter().filter_map(|free| minimise(data, free).filter(allowed));
        found.min_by(|a, b| squares(data, a).total_cmp(&squares(data, b)))
    })
}

/// The inverse of `JᵀWJ` at the given parameters; `None` when it has none.
pub(super) fn inverse_normal(data: &Data, parameters: &[f64; 3]) -> Option<Matrix> {
    let (normal, _) = normal_equations(data, parameters);
    let unit = |index: usize| {
        let mut column = [0.0; 3];
        column[index] = 1.0;
        solve(normal, column)
    };
    let (first, second, third) = (unit(0)?, unit(1)?, unit(2)?);
    Some([0, 1, 2].map(|row| [first[row], second[row], third[row]]))
}

/// The derivatives of the curve by its parameters at a load.
pub(super) fn gradient(load: f64, parameters: &[f64; 3]) -> [f64; 3] {
    let seen = curve(load, parameters);
    let slowed = parameters[0] * load / seen;
    [seen / parameters[0], -seen * (load - 1.0) / slowed, -seen * load * (load - 1.0) / slowed]
}

fn minimise(data: &Data, free: [bool; 3]) -> Option<[f64; 3]> {
    let mut at = start(data, free)?;
    let (mut damping, mut best) = (1e-3, squares(data, &at));
    for _ in 0..MOST_STEPS {
        let (mut normal, mut slope) = normal_equations(data, &at);
        for index in 0..3 {
            normal[index][index] *= 1.0 + damping;
            if !free[index] {
                (0..3).for_each(|other| (normal[index][other], normal[other][index]) = (0.0, 0.0));
                (normal[index][index], slope[index]) = (1.0, 0.0);
            }
        }
        let step = solve(normal, slope)?;
        let next = [0, 1, 2].map(|index| at[index] + step[index]);
        let found = squares(data, &next);
        // Not found < best, as a step into nonsense gives NaN.
        if found < best && next[0] > 0.0 {
            let has_arrived = best - found <= ARRIVED * best;
            (at, best, damping) = (next, found, (damping / 5.0).max(1e-12));
            if has_arrived {
                return Some(at);
            }
        } else if damping > 1e12 {
            return Some(at);
        } else {
            damping *= 5.0;
        }
    }
    None
}

/// Where to begin: the curve as a straight line, `N/X = 1/λ + (σ/λ)(N−1) + (κ/λ)N(N−1)`, with errors weighted as those of X.
fn start(data: &Data, free: [bool; 3]) -> Option<[f64; 3]> {
    let (mut normal, mut slope) = ([[0.0; 3]; 3], [0.0; 3]);
    for (load, seen, weight) in data {
        let row = [1.0, load - 1.0, load * (load - 1.0)];
        let weight = weight * (seen * seen / load).powi(2);
        add(&mut normal, &mut slope, &row, load / seen, weight);
    }
    for index in (1..3).filter(|index| !free[*index]) {
        (0..3).for_each(|other| (normal[index][other], normal[other][index]) = (0.0, 0.0));
        (normal[index][index], slope[index]) = (1.0, 0.0);
    }
    let [one, sigma, kappa] = solve(normal, slope)?;
    let is_usable =
        one > 0.0 && data.iter().all(|(load, ..)| curve(*load, &[1.0 / one, sigma / one, kappa / one]) > 0.0);
    let (load, seen, _) = data.first()?;
    Some(if is_usable { [1.0 / one, sigma / one, kappa / one] } else { [seen / load, 0.0, 0.0] })
}

/// The weighted sum of squares; not a number where the curve is negative or has none.
fn squares(data: &Data, parameters: &[f64; 3]) -> f64 {
    let each = |(load, seen, weight): &(f64, f64, f64)| match curve(*load, parameters) {
        value if value > 0.0 => weight * (seen - value).powi(2),
        _ => f64::NAN,
    };
    data.iter().map(each).sum()
}

/// `JᵀWJ` and `JᵀW(seen − curve)`.
fn normal_equations(data: &Data, parameters: &[f64; 3]) -> (Matrix, [f64; 3]) {
    let (mut normal, mut slope) = ([[0.0; 3]; 3], [0.0; 3]);
    for (load, seen, weight) in data {
        add(&mut normal, &mut slope, &gradient(*load, parameters), seen - curve(*load, parameters), *weight);
    }
    (normal, slope)
}

fn add(normal: &mut Matrix, slope: &mut [f64; 3], row: &[f64; 3], value: f64, weight: f64) {
    for first in 0..3 {
        slope[first] += weight * row[first] * value;
        (0..3).for_each(|second| normal[first][second] += weight * row[first] * row[second]);
    }
}

/// Solves `Ax = b` for a symmetric positive definite matrix by Cholesky's method, scaled to a diagonal of ones; `None` when it is not one.
fn solve(matrix: Matrix, right: [f64; 3]) -> Option<[f64; 3]> {
    let scale = [0, 1, 2].map(|index: usize| matrix[index][index].sqrt());
    if !scale.iter().all(|value| value.is_finite() && *value > 0.0) {
        return None;
    }
    let mut lower = [[0.0; 3]; 3];
    for row in 0..3 {
        for column in 0..=row {
            let products: f64 = (0..column).map(|index| lower[row][index] * lower[column][index]).sum();
            let left = matrix[row][column] / scale[row] / scale[column] - products;
            lower[row][column] = match row == column {
                true if left <= 1e-15 => return None,
                true => left.sqrt(),
                false => left / lower[column][column],
            };
        }
    }
    let mut middle = [0.0; 3];
    for row in 0..3 {
        let known: f64 = (0..row).map(|index| lower[row][index] * middle[index]).sum();
        middle[row] = (right[row] / scale[row] - known) / lower[row][row];
    }
    let mut found = [0.0; 3];
    for row in (0..3).rev() {
        let known: f64 = (row + 1..3).map(|index| lower[index][row] * found[index]).sum();
        found[row] = (middle[row] - known) / lower[row][row];
    }
    Some([0, 1, 2].map(|index| found[index] / scale[index]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equations_are_solved_and_singular_ones_refused() {
        let found = solve([[4.0, 2.0, 0.0], [2.0, 5.0, 1.0], [0.0, 1.0, 3.0]], [8.0, 15.0, 11.0]).unwrap();
        for (found, expected) in found.into_iter().zip([1.0, 2.0, 3.0]) {
            assert!((found - expected).abs() < 1e-12, "{found}");
        }
        assert_eq!(solve([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]], [1.0; 3]), None);
        assert_eq!(solve([[0.0; 3]; 3], [1.0; 3]), None);
    }

    #[test]
    fn derivatives_are_those_of_the_curve() {
        let at = [950.0, 0.03, 0.0007];
        for load in [1.0, 5.0, 32.0] {
            for (index, derivative) in gradient(load, &at).into_iter().enumerate() {
                let (mut more, mut less) = (at, at);
                let step = at[index] * 1e-6;
                (more[index], less[index]) = (at[index] + step, at[index] - step);
                let slope = (curve(load, &more) - curve(load, &less)) / (2.0 * step);
                assert!(
                    (slope - derivative).abs() <= 1e-5 * derivative.abs().max(1e-3),
                    "{load} {index}: {slope} {derivative}"
                );
            }
        }
    }

    #[test]
    fn a_curve_without_noise_is_found_again() {
        for truth in [[40.0, 0.06, 0.06], [1.0, 0.0, 0.0], [2_000.0, 0.0, 1e-5], [88.0, 0.5, 0.0]] {
            let data: Vec<_> = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0].map(|load| (load, curve(load, &truth), 1.0)).to_vec();
            let found = fit(&data).unwrap();
            for index in 0..3 {
                assert!((found[index] - truth[index]).abs() <= 1e-6 * truth[index].max(1e-3), "{found:?} {truth:?}");
            }
        }
    }
}
