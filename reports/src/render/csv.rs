//! `figures.csv`: one percentile of one measure of a journey or step in a part of the run per row, for spreadsheets and data frames.
//!
//! A latency that is `inf` falls among the requests that got no good answer; an empty cell is not known from so few requests.
use crate::{
    record::Measure,
    report::Report,
    summary::{Latency, Quantile, Scope, Window},
};
use std::fmt::Write as _;

/// The columns; each says its unit.
const HEAD: &str = "run,scope,name,window,window_s,measure,percentile,latency_ms,interval_low_ms,interval_high_ms,requests,failed_requests\n";

/// Shares of the requests that are not slower.
const QUANTILES: [f64; 8] = [0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 1.0];

/// The run as a table.
pub(super) fn table(report: &Report) -> String {
    let summary = &report.summary;
    let mut text = HEAD.to_owned();
    for scope in summary.scopes() {
        for window in summary.windows() {
            for measure in Measure::ALL {
                let latency = summary.latency(&scope, &window, measure);
                rows(&mut text, report, (&scope, &window, measure), &latency);
            }
        }
    }
    text
}

fn rows(text: &mut String, report: &Report, (scope, window, measure): (&Scope, &Window, Measure), latency: &Latency) {
    let name = if *scope == Scope::All { String::new() } else { quoted(&scope.to_string()) };
    let window_s = window.length_ns(&report.summary.phases) as f64 / 1e9;
    let window = quoted(&window.to_string());
    for quantile in QUANTILES.into_iter().filter(|quantile| latency.resolves(*quantile)) {
        let (low, high) = if quantile < 1.0 { latency.interval(quantile) } else { (None, None) };
        let _ = writeln!(
            text,
            "{},{},{name},{window},{window_s},{measure},{},{},{},{},{},{}",
            report.run.id,
            scope.kind(),
            percentile(quantile),
            millis(latency.quantile(quantile)),
            millis(low),
            millis(high),
            latency.count(),
            latency.failed,
        );
    }
}

/// 99.9 for 0.999, without the digits that doubling leaves.
fn percentile(quantile: f64) -> String {
    let text = format!("{:.4}", quantile * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn millis(value: Option<Quantile>) -> String {
    match value {
        None => String::new(),
        Some(Quantile::Infinite) => "inf".to_owned(),
        Some(Quantile::Finite(nanos)) => format!("{}", nanos as f64 / 1e6),
    }
}

/// Source: RFC 4180, 2.6 and 2.7.
fn quoted(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_comma_stays_one_cell() {
        assert_eq!(quoted("a, \"b\""), "\"a, \"\"b\"\"\"");
        assert_eq!(quoted("flights.search"), "flights.search");
    }

    #[test]
    fn percentiles_have_no_digits_too_many() {
        assert_eq!(QUANTILES.map(percentile), ["50", "75", "90", "95", "99", "99.9", "99.99", "100"]);
        assert_eq!(millis(Some(Quantile::Finite(1_234_567))), "1.234567");
    }
}
