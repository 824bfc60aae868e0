//! What is written is what is read.
use crate::synthetic::{Draft, SEARCH, Shape, quickstart, quickstart_folder, quickstart_report};
use hdrhistogram::Histogram;
use reports::{
    distribution::{Distribution, rank},
    record::{Measure, Outcome, SECOND_NS, folder, histogram},
    report::Report,
    summary::{Scope, Window},
};
use std::collections::BTreeMap;

#[test]
fn the_measures_read_back_are_the_histogram_of_the_samples() {
    let draft = Draft::new(&quickstart());
    let path = quickstart_folder();
    let mut read: BTreeMap<(usize, Outcome, Measure), Histogram<u64>> = BTreeMap::new();
    let mut last_second = 0;
    folder::read_measures(path, &draft.run, |interval| {
        assert!(interval.second >= last_second, "seconds come in order");
        last_second = interval.second;
        let phase = &draft.run.phases[interval.phase_index];
        let second_ns = interval.second * SECOND_NS;
        assert!(phase.from_ns < second_ns + SECOND_NS && second_ns < phase.to_ns, "{} at {second_ns}", phase.label);
        let key = (interval.step_index, interval.outcome, interval.measure);
        read.entry(key).or_insert_with(histogram).add(&interval.histogram).unwrap();
    })
    .unwrap();

    let mut direct: BTreeMap<(usize, Outcome, Measure), Histogram<u64>> = BTreeMap::new();
    for sample in &draft.samples {
        for (measure, value_ns) in sample.measures() {
            let key = (sample.step_index, sample.outcome, measure);
            direct.entry(key).or_insert_with(histogram).saturating_record(value_ns.max(1));
        }
    }
    assert_eq!(read.keys().collect::<Vec<_>>(), direct.keys().collect::<Vec<_>>());
    for (key, expected) in &direct {
        assert_eq!(Distribution::from(&read[key]), Distribution::from(expected), "{key:?}");
    }
    let seconds = folder::read_seconds(path).unwrap();
    assert_eq!(seconds.iter().map(|second| second.offered).sum::<u64>(), draft.run.load.counts.offered);
    assert_eq!(seconds.iter().map(|second| second.dropped).sum::<u64>(), draft.run.load.counts.dropped);
    assert_eq!(seconds[33].offered, 0);
    assert_eq!(folder::read_run(path).unwrap(), draft.run);
}

#[test]
fn the_quantiles_of_a_summary_are_those_of_the_sorted_values() {
    let draft = Draft::new(&quickstart());
    let summary = &quickstart_report().summary;
    let latency = summary.latency(&Scope::Step("flights.search".to_owned()), &Window::Everything, Measure::Response);
    let is_good = |sample: &&reports::record::Sample| sample.step_index == SEARCH && sample.outcome.is_good();
    let mut values: Vec<u64> = draft.samples.iter().filter(is_good).map(|s| s.done_ns - s.due_ns).collect();
    values.sort_unstable();
    let count = values.len() as u64 + latency.failed;
    assert_eq!(latency.count(), count);
    for quantile in [0.01, 0.5, 0.9, 0.95] {
        let exact = values[rank(quantile, count) as usize - 1] as f64;
        let found = latency.quantile(quantile).unwrap().finite().unwrap() as f64;
        assert!((found / exact - 1.0).abs() <= 0.001, "q {quantile}: {found} for {exact}");
    }
}

#[test]
fn a_long_run_gets_wider_bins_and_loses_nothing() {
    let root = tempfile::tempdir().unwrap();
    let hour = Shape { seconds: 3600, per_second: 0.05, fault: Some((1200, 1500)), ..quickstart() };
    let draft = Draft::new(&hour);
    let summary = Report::read(&draft.write(root.path())).unwrap().summary;
    assert_eq!((summary.series.bin_seconds, summary.series.bins.len()), (30, 120));
    let in_bins: u64 = summary.series.bins.iter().map(|bin| bin.outcomes.total()).sum();
    let offered: u64 = summary.series.bins.iter().map(|bin| bin.counts.offered).sum();
    assert_eq!((in_bins, offered), (draft.samples.len() as u64, draft.run.load.counts.offered));
}
