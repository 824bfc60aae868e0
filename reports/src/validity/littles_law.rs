//! Little's law: as many requests were there on average as their rate times their mean time says.
//!
//! One side comes from counters that never see a sample (a request comes, a request goes), the other from the samples alone. Samples
//! that are lost, written twice or stamped wrongly are on one side only. Source: J. Little, "A Proof for the Queuing Formula L = λW",
//! 1961; measurement.md D3.
use super::{Check, check::NOT_NOTED};
use crate::{
    number,
    record::{Measure, Run},
    summary::{Scope, Summary, Window},
};

/// Largest difference, as a share of the average number. Histograms round by 0.1 %.
const LARGEST_SHARE: f64 = 0.02;

/// How far apart counter and sample may read the clock for the same event, in nanoseconds per request. With many fast requests it is more
/// than the share.
const APART_NS: f64 = 10_000.0;

/// Since requests were due: waiting for a free user included.
pub(super) fn since_due(run: &Run, summary: &Summary) -> Check {
    let counted: u64 = summary.seconds.iter().map(|second| second.present_ns).sum();
    let cut_off = run.meter.cut_off.map(|cut_off| cut_off.due_ns);
    check("Little's law since due", run, summary, counted, cut_off, Measure::Response)
}

/// Since they were sent.
pub(super) fn since_sent(run: &Run, summary: &Summary) -> Check {
    let counted: u64 = summary.seconds.iter().map(|second| second.in_flight_ns).sum();
    let cut_off = run.meter.cut_off.map(|cut_off| cut_off.sent_ns);
    check("Little's law since sent", run, summary, counted, cut_off, Measure::Service)
}

/// The whole run is looked at, from before the first request to after the last, so nothing is half in it; the time of requests without a
/// sample is known and taken out. So there is no allowance for edges.
fn check(
    name: &'static str,
    run: &Run,
    summary: &Summary,
    counted: u64,
    cut_off: Option<u64>,
    measure: Measure,
) -> Check {
    let threshold = format!("within {}", number::exact_percent(LARGEST_SHARE));
    let Some(cut_off) = cut_off else { return Check::not_applicable(name, NOT_NOTED, threshold) };
    let (count, measured_ns) = summary.total(&Scope::All, &Window::Everything, measure);
    if count == 0 || summary.seconds.is_empty() || run.finished_ns == 0 {
        return Check::not_applicable(name, "no request was measured", threshold);
    }
    let counted_ns = counted as f64 - cut_off as f64;
    let events = count + run.load.counts.unfinished;
    let allowed_ns = (LARGEST_SHARE * counted_ns).max(APART_NS * events as f64);
    let average = |sum_ns: f64| number::significant(sum_ns / run.finished_ns as f64);
    let figure = format!("{} there, rate × mean time {}", average(counted_ns), average(measured_ns));
    Check::new(name, (counted_ns - measured_ns).abs() <= allowed_ns, figure, threshold)
}
