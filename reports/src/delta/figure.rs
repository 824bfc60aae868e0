//! What the target used and counted, per run: processor time, memory, and its own metrics.
use crate::record::{MetricSeries, MetricValue, Metrics, Run};
use serde::Serialize;
use std::collections::BTreeMap;

/// One figure of each run, without an interval: each run has it once.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FigureDelta {
    /// What it is.
    pub name: String,
    /// Its unit.
    pub unit: &'static str,
    /// In each run; `None` where a run has none.
    pub values: Vec<Option<f64>>,
    /// Of each run but the first: the change as a share of the first run's; `None` where that is nothing or not known.
    pub changes: Vec<Option<f64>>,
}

const PER_THOUSAND: &str = "per 1 000 requests";

impl FigureDelta {
    fn new(name: String, unit: &'static str, values: Vec<Option<f64>>) -> Self {
        let first = values[0].filter(|first| *first != 0.0);
        let changes = values[1..].iter().map(|other| Some((*other)? / first? - 1.0)).collect();
        Self { name, unit, values, changes }
    }

    /// The largest change of all runs, on a scale on which a half is as far as twice as much; more than any when one run has none.
    fn distance(&self) -> f64 {
        let of_change = |change: &Option<f64>| change.map_or(f64::INFINITY, |change| change.max(-1.0).ln_1p().abs());
        let is_same = self.values.windows(2).all(|pair| pair[0] == pair[1]);
        if is_same { 0.0 } else { self.changes.iter().map(of_change).fold(0.0, f64::max) }
    }
}

/// What each process used, for each thousand requests and at most.
pub(super) fn of_processes(runs: &[&Run]) -> Vec<FigureDelta> {
    let mut names: Vec<&str> = Vec::new();
    for process in runs.iter().flat_map(|run| &run.target.processes) {
        if !names.contains(&process.name.as_str()) {
            names.push(&process.name);
        }
    }
    let cpu = |run: &Run, seconds: f64| thousands(run).map(|thousands| seconds / thousands);
    let mut figures = Vec::new();
    for name in names {
        let of = |run: &&Run| run.target.processes.iter().find(|process| process.name == name).cloned();
        let seconds = runs.iter().map(|run| of(run).and_then(|process| cpu(run, process.cpu_seconds))).collect();
        figures.push(FigureDelta::new(format!("{name}: CPU seconds"), PER_THOUSAND, seconds));
        let memory = runs.iter().map(|run| of(run).map(|process| process.rss_max_bytes as f64 / 1e6)).collect();
        figures.push(FigureDelta::new(format!("{name}: memory at most"), "MB", memory));
    }
    let generator = runs.iter().map(|run| cpu(run, run.generator.cpu_seconds)).collect();
    figures.push(FigureDelta::new("generator: CPU seconds".to_owned(), PER_THOUSAND, generator));
    figures
}

/// The target's own metrics, the series of each name together: counters for each thousand requests, others as their mean. The largest
/// changes come first. Buckets of histograms are left out.
pub(super) fn of_metrics(runs: &[(&Run, Option<&Metrics>)]) -> Vec<FigureDelta> {
    if runs.iter().filter(|(_, metrics)| metrics.is_some()).count() < 2 {
        return Vec::new();
    }
    let seen: Vec<BTreeMap<&str, f64>> =
        runs.iter().map(|(run, metrics)| metrics.map(|metrics| figures(run, metrics)).unwrap_or_default()).collect();
    let mut names: Vec<&str> = seen.iter().flat_map(|figures| figures.keys().copied()).collect();
    names.sort_unstable();
    names.dedup();
    let delta = |name: &str| {
        let unit = if is_counter(name) { PER_THOUSAND } else { "mean" };
        FigureDelta::new(name.to_owned(), unit, seen.iter().map(|figures| figures.get(name).copied()).collect())
    };
    let mut deltas: Vec<FigureDelta> = names.into_iter().map(delta).collect();
    deltas.retain(|delta| delta.values.iter().any(|value| value.is_some_and(|value| value != 0.0)));
    deltas.sort_by(|a, b| b.distance().total_cmp(&a.distance()));
    deltas
}

fn figures<'a>(run: &Run, metrics: &'a Metrics) -> BTreeMap<&'a str, f64> {
    let mut sums: BTreeMap<&str, f64> = BTreeMap::new();
    for series in metrics.series.iter().filter(|series| !series.name.ends_with("_bucket")) {
        let value = if is_counter(&series.name) {
            thousands(run).map(|thousands| growth(series) / thousands)
        } else {
            mean(series)
        };
        if let Some(value) = value {
            *sums.entry(&series.name).or_default() += value;
        }
    }
    sums
}

fn is_counter(name: &str) -> bool {
    ["_total", "_count", "_sum"].iter().any(|end| name.ends_with(end))
}

/// Requests that were answered, in thousands; `None` without any.
fn thousands(run: &Run) -> Option<f64> {
    let completed = run.load.counts.completed;
    (completed > 0).then(|| completed as f64 / 1e3)
}

fn numbers(series: &MetricSeries) -> impl Iterator<Item = f64> + '_ {
    series.values.iter().filter_map(|value| match value {
        MetricValue::Number(number) if number.is_finite() => Some(*number),
        _ => None,
    })
}

/// How far a counter went up; where it fell, the target was started anew, and it began at nothing. A series that came later did so too.
fn growth(series: &MetricSeries) -> f64 {
    let came_later = matches!(series.values.first(), Some(MetricValue::Missing | MetricValue::Stale));
    let (mut last, mut sum) = (came_later.then_some(0.0), 0.0);
    for number in numbers(series) {
        sum += match last {
            None => 0.0,
            Some(last) if number < last => number,
            Some(last) => number - last,
        };
        last = Some(number);
    }
    sum
}

fn mean(series: &MetricSeries) -> Option<f64> {
    let (sum, count) = numbers(series).fold((0.0, 0.0), |(sum, count), number| (sum + number, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_that_was_reset_goes_on_from_nothing() {
        let of = |line: &str| growth(&MetricSeries::parse(line).unwrap());
        assert_eq!(of("a_total 5+0x2 9 12"), 7.0);
        assert_eq!(of("a_total 5 9 2 4"), 8.0);
        assert_eq!(of("a_total _x2 3 stale 4"), 4.0, "it was not there, so it was nothing");
        assert_eq!(of("a_total _x5"), 0.0);
        assert_eq!(mean(&MetricSeries::parse("g _ 1 3 stale +Inf").unwrap()), Some(2.0));
    }

    #[test]
    fn a_figure_that_is_gone_differs_most() {
        let of = |values: [Option<f64>; 2]| FigureDelta::new("n".to_owned(), "MB", values.into()).distance();
        assert_eq!(of([Some(2.0), Some(2.0)]), 0.0);
        assert!(of([Some(2.0), Some(4.0)]) < of([Some(2.0), None]));
        assert!((of([Some(2.0), Some(4.0)]) - of([Some(4.0), Some(2.0)])).abs() < 1e-12);
        assert_eq!(of([Some(0.0), Some(1.0)]), f64::INFINITY);
    }
}
