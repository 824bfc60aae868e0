//! What the looks at a page of metrics found, series by series.
use reports::{
    alerts::exposition::Sample,
    record::{Labels, MetricSeries, MetricValue, Metrics},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The series that says whether a target answered. Source: Prometheus.
const UP: &str = "up";

/// All looks so far, of the series that are asked for.
#[derive(Debug)]
pub(super) struct Looks {
    /// The metrics that are kept.
    kept: BTreeSet<String>,
    /// What Prometheus adds to every series of a target.
    target: Labels,
    taken: usize,
    series: BTreeMap<(String, Labels), Vec<MetricValue>>,
}

impl Looks {
    pub(super) fn new(kept: BTreeSet<String>, target: Labels) -> Self {
        Self { kept, target, taken: 0, series: BTreeMap::new() }
    }

    /// How many looks were due before the next.
    pub(super) fn taken(&self) -> usize {
        self.taken
    }

    /// Notes that a look was not taken in its time.
    pub(super) fn skip(&mut self) {
        self.taken += 1;
    }

    /// Notes a page; `None` when there was none, which ends all series until they are seen again.
    pub(super) fn note(&mut self, page: Option<Vec<Sample>>) {
        let look = self.taken;
        self.taken += 1;
        let up = f64::from(u8::from(page.is_some()));
        self.put(look, UP.to_owned(), self.target.clone(), MetricValue::Number(up));
        let kept = page.into_iter().flatten().filter(|sample| self.kept.contains(&sample.name)).collect::<Vec<_>>();
        for Sample { name, labels, value } in kept {
            let labels = labels.into_iter().chain(self.target.clone()).collect();
            self.put(look, name, labels, MetricValue::Number(value));
        }
        for values in self.series.values_mut().filter(|values| values.len() <= look) {
            values.resize(look, MetricValue::Missing);
            values.push(MetricValue::Stale);
        }
    }

    fn put(&mut self, look: usize, name: String, labels: Labels, value: MetricValue) {
        let values = self.series.entry((name, labels)).or_default();
        values.resize(look, MetricValue::Missing);
        values.push(value);
    }

    /// All of it, for looks that far apart.
    pub(super) fn into_metrics(self, every: Duration) -> Metrics {
        let series = self.series.into_iter().map(|((name, labels), values)| MetricSeries { name, labels, values });
        Metrics { every, series: series.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_come_and_go_with_the_pages() {
        let target: Labels = [("job".to_owned(), "tripsage".to_owned())].into();
        let mut looks = Looks::new(["a".to_owned(), "b".to_owned()].into(), target);
        let page = |samples: &[(&str, f64)]| {
            let sample =
                |(name, value): &(&str, f64)| Sample { name: (*name).to_owned(), labels: Labels::new(), value: *value };
            Some(samples.iter().map(sample).collect())
        };
        looks.note(page(&[("a", 1.0), ("not_kept", 7.0)]));
        looks.note(page(&[("a", 2.0), ("b", 0.0)]));
        looks.note(None);
        looks.skip();
        looks.note(page(&[("b", 5.0)]));
        assert_eq!(looks.taken(), 5);
        let metrics = looks.into_metrics(Duration::from_secs(1));
        let lines: Vec<String> = metrics.series.iter().map(MetricSeries::line).collect();
        let (a, b) = ("a{job=\"tripsage\"} 1 2 stale _ stale", "b{job=\"tripsage\"} _ 0 stale _ 5");
        assert_eq!(lines, [a, b, "up{job=\"tripsage\"} 1+0x1 0 _ 1"]);
    }
}
