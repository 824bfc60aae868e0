//! The journeys arrived in the shares that the scenario gave them.
//!
//! Arrivals of an open model come in whole blocks with each journey as often as its weight says, so only the last block can be off: any
//! more is a defect. In a closed model each user is at its own place of that order; its blocks are incomplete by chance, which scatters
//! less than independent draws do, so these bound it.
use super::Check;
use crate::{
    number,
    record::{MixEntry, ModelKind, Run},
    summary::Summary,
};
use statrs::distribution::{ChiSquared, ContinuousCDF as _};

/// Chance of an honest seed to fail; as small as for arrivals, because the order follows from the seed.
const P: f64 = 1e-4;

/// What it is called.
pub(crate) const NAME: &str = "mix as planned";

pub(super) fn check(run: &Run, _: &Summary) -> Check {
    let name = NAME;
    let threshold = format!("whole blocks, or p at least {P}");
    let mix = &run.load.mix;
    let arrivals: u64 = mix.iter().map(|entry| entry.arrivals).sum();
    if arrivals == 0 {
        return Check::not_applicable(name, "nothing arrived", threshold);
    }
    if mix.len() < 2 {
        return Check::not_applicable(name, "one journey", threshold);
    }
    let (chi_square, p) = chi_square(mix, arrivals);
    let is_kept = is_in_whole_blocks(mix, arrivals) || (run.meter.model != Some(ModelKind::Open) && p >= P);
    let figure =
        format!("χ² {}, p {} of {} arrivals", number::significant(chi_square), rounded(p), number::count(arrivals));
    Check::new(name, is_kept, figure, threshold)
}

/// Pearson's χ² of the counts against the weights, and the chance of so large a one in independent draws.
fn chi_square(mix: &[MixEntry], arrivals: u64) -> (f64, f64) {
    let weights: f64 = mix.iter().map(|entry| f64::from(entry.weight)).sum();
    let part = |entry: &MixEntry| {
        let expected = arrivals as f64 * f64::from(entry.weight) / weights;
        (entry.arrivals as f64 - expected).powi(2) / expected
    };
    let chi_square = mix.iter().map(part).sum();
    let law = ChiSquared::new(mix.len() as f64 - 1.0).expect("two journeys or more");
    (chi_square, law.sf(chi_square))
}

/// Whether the counts are those of some whole blocks and a part of one.
fn is_in_whole_blocks(mix: &[MixEntry], arrivals: u64) -> bool {
    let divisor = mix.iter().fold(0, |divisor, entry| greatest_common_divisor(divisor, entry.weight)).max(1);
    let in_block = |entry: &MixEntry| u64::from(entry.weight / divisor);
    let length: u64 = mix.iter().map(in_block).sum::<u64>().max(1);
    let (blocks, rest) = (arrivals / length, arrivals % length);
    mix.iter().all(|entry| {
        let least = blocks * in_block(entry);
        (least..=least + in_block(entry).min(rest)).contains(&entry.arrivals)
    })
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

fn rounded(p: f64) -> String {
    if p < P { format!("<{P}") } else { number::significant(p) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mix<const N: usize>(entries: [(u32, u64); N]) -> [MixEntry; N] {
        entries.map(|(weight, arrivals)| MixEntry { journey: String::new(), weight, arrivals })
    }

    fn blocks<const N: usize>(entries: [(u32, u64); N]) -> bool {
        let mix = mix(entries);
        is_in_whole_blocks(&mix, mix.iter().map(|entry| entry.arrivals).sum())
    }

    #[test]
    fn only_the_last_block_may_be_a_part() {
        assert!(blocks([(3, 300), (2, 200), (1, 100)]));
        assert!(blocks([(30, 303), (20, 200), (10, 100)]), "three of the first journey came first");
        assert!(blocks([(3, 301), (2, 201), (1, 101)]));
        assert!(!blocks([(3, 304), (2, 200), (1, 100)]), "a block has only three of it");
        assert!(!blocks([(3, 301), (2, 200), (1, 99)]));
        assert!(!blocks([(3, 0), (2, 600), (1, 0)]));
    }

    #[test]
    fn chi_square_is_that_of_the_table() {
        // Expected 50, 30, 20: 100/50 + 25/30 + 25/20.
        let (chi_square, p) = chi_square(&mix([(5, 60), (3, 25), (2, 15)]), 100);
        assert!((chi_square - 4.083_333).abs() < 1e-6 && (p - 0.1298).abs() < 1e-3, "{chi_square} {p}");
    }
}
