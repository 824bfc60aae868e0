//! `hdr/*.hgrm`: the percentile distribution of each journey, from due and from sent, as HdrHistogram's `outputPercentileDistribution`
//! writes it. Values are milliseconds; its plotter and every tool that reads that form can show them.
//!
//! Requests without a good answer have no value there; a comment says how many they are.
//! Source: HdrHistogram (Java), `AbstractHistogram.outputPercentileDistribution`; five ticks per half distance, its default in the examples.
use super::format::Document;
use crate::{
    record::Measure,
    report::Report,
    summary::{Latency, Scope, Window},
};
use hdrhistogram::Histogram;
use std::fmt::Write as _;

/// Steps each time the distance to 100 % halves.
const TICKS_PER_HALF_DISTANCE: u32 = 5;
const NS_PER_MS: f64 = 1e6;

/// One file per journey and measure; everything but the warm-up.
pub(super) fn documents(report: &Report) -> Vec<Document> {
    let summary = &report.summary;
    let measures = [Measure::Response, Measure::Service];
    let pairs = summary.journeys.iter().flat_map(|journey| measures.map(|measure| (journey, measure)));
    let document = |(journey, measure): (&String, Measure)| {
        let latency = summary.latency(&Scope::Journey(journey.clone()), &Window::Run, measure);
        let name = format!("hdr/{}.{measure}.hgrm", file_name(journey));
        (latency.good.count() > 0).then(|| Document { name, text: distribution(&latency) })
    };
    pairs.filter_map(document).collect()
}

/// A journey's name as a file's: what may not be in one is a dash.
fn file_name(journey: &str) -> String {
    let is_fit = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    let name: String = journey.chars().map(|c| if is_fit(c) { c } else { '-' }).collect();
    name.trim_start_matches('.').to_owned()
}

/// The distribution of the good answers, in milliseconds.
fn distribution(latency: &Latency) -> String {
    let values: Histogram<u64> = latency.good.histogram();
    let ms = |ns: f64| ns / NS_PER_MS;
    let mut text = format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    let mut seen = 0;
    for step in values.iter_quantiles(TICKS_PER_HALF_DISTANCE) {
        seen += step.count_since_last_iteration();
        let (value, share) = (ms(step.value_iterated_to() as f64), step.quantile_iterated_to());
        let _ = match share < 1.0 {
            true => writeln!(text, "{value:12.3} {share:2.12} {seen:10} {:14.2}", 1.0 / (1.0 - share)),
            false => writeln!(text, "{value:12.3} {share:2.12} {seen:10}"),
        };
    }
    let _ = writeln!(text, "#[Mean    = {:12.3}, StdDeviation   = {:12.3}]", ms(values.mean()), ms(values.stdev()));
    let _ = writeln!(text, "#[Max     = {:12.3}, Total count    = {:12}]", ms(values.max() as f64), values.len());
    let (buckets, parts) = (values.buckets(), 2 * 10_u64.pow(values.sigfig().into()));
    let _ = writeln!(text, "#[Buckets = {buckets:12}, SubBuckets     = {:12}]", parts.next_power_of_two());
    if latency.failed > 0 {
        let _ = writeln!(
            text,
            "# {} of {} requests got no good answer and are not among these values",
            latency.failed,
            latency.count()
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{distribution::Distribution, record::histogram};

    #[test]
    fn the_distribution_is_written_as_hdr_histogram_does() {
        let mut values = histogram();
        (1..=1000_u64).for_each(|ms| values.record(ms * 1_000_000).unwrap());
        let text = distribution(&Latency { good: Distribution::from(&values), failed: 3 });
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "       Value     Percentile TotalCount 1/(1-Percentile)");
        assert_eq!(lines[2], "       1.000 0.000000000000          1           1.00");
        // 10 % on: the value at rank 100, and the place on the scale of 1/(1 − 0.1).
        assert_eq!(lines[3], "     100.008 0.100000000000        100           1.11");
        let last = lines.iter().rposition(|line| !line.starts_with('#')).unwrap();
        assert!(lines[last].ends_with(" 1.000000000000       1000"), "{}", lines[last]);
        assert!(lines[last + 1].starts_with("#[Mean    =      500."), "{}", lines[last + 1]);
        assert!(lines[last + 2].ends_with("Total count    =         1000]"), "{}", lines[last + 2]);
        assert!(lines[last + 3].ends_with("SubBuckets     =         2048]"), "{}", lines[last + 3]);
        assert_eq!(lines[last + 4], "# 3 of 1003 requests got no good answer and are not among these values");
    }

    #[test]
    fn a_journey_cannot_name_a_file_elsewhere() {
        assert_eq!(file_name("../a b/c"), "-a-b-c");
    }
}
