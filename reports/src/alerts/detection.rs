//! Which fault was told by which alert, how long after it began; what was missed, and what was a false alarm.
use super::{Rules, Semantics, Span, firing, promql::Error};
use crate::{
    record::{FaultRecord, FaultWindow, Labels, Metrics},
    units,
};
use schemars::JsonSchema;
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};

/// A number that depends on when Prometheus happens to look: over every second at which it may have begun. In seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Spread {
    /// The least.
    pub least: f64,
    /// The median.
    pub median: f64,
    /// The most.
    pub most: f64,
}

/// What the alerts made of a run.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Detection {
    /// How often Prometheus looks, and evaluates, in seconds.
    pub interval_seconds: u64,
    /// How many alerts the rules have.
    pub alert_count: usize,
    /// Each fault that was on, in the order of their beginning.
    pub faults: Vec<FaultDetection>,
    /// Alerts that fired while no fault can have been their cause.
    pub false_alerts: Vec<FalseAlert>,
}

/// What the alerts made of one fault.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct FaultDetection {
    /// The fault.
    pub fault: String,
    /// How long it was on, in seconds.
    pub lasted_seconds: f64,
    /// From its beginning to the first alert that fired; `None` when none did.
    pub detected_after: Option<Spread>,
    /// In which share of the beginnings of Prometheus an alert fired, from 0 to 1.
    pub detected_share: f64,
    /// The alerts that held because of it, first those that fired first.
    pub alerts: Vec<Noticed>,
}

/// One alert that a fault made hold.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Noticed {
    /// The alert.
    pub alert: String,
    /// Its labels.
    pub labels: Labels,
    /// From the fault's beginning to the first evaluation at which its expression held.
    pub held_after: Spread,
    /// How long it must hold before it fires, in seconds.
    pub hold_seconds: f64,
    /// From the fault's beginning until it fired; `None` when it did not.
    pub fired_after: Option<Spread>,
    /// In which share of the beginnings of Prometheus it fired, from 0 to 1.
    pub fired_share: f64,
}

/// An alert that fired without a fault.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct FalseAlert {
    /// The alert.
    pub alert: String,
    /// Its labels.
    pub labels: Labels,
    /// When it fired, in seconds since clock zero.
    pub fired_at: Spread,
    /// In which share of the beginnings of Prometheus it fired, from 0 to 1.
    pub fired_share: f64,
}

/// Finds out what a Prometheus with these rules, which looks every `interval`, would have told of these faults.
///
/// An alert counts for the fault that began last before it held, if that was on, or had been for no longer ago than the rules look back and one
/// interval. All others that fire are false.
///
/// # Errors
/// When an expression has no value.
pub fn detect(
    rules: &Rules,
    metrics: &Metrics,
    faults: &[FaultRecord],
    interval: Duration,
) -> Result<Detection, Error> {
    let step = metrics.looks_per(interval);
    let runs = (0..step).map(|first| firing(rules, metrics, first, step, Semantics::Three));
    let runs: Vec<Vec<Span>> = runs.collect::<Result<_, _>>()?;
    let mut on: Vec<(&str, FaultWindow)> =
        faults.iter().filter_map(|fault| Some((fault.name.as_str(), fault.window?))).collect();
    on.sort_by_key(|(_, window)| window.from_ns);
    let tail_ns = units::nanos(rules.looks_back()).saturating_add(units::nanos(interval));
    let cause = |span: &Span| {
        let active_ns = nanos_of(span.active_ms);
        let begun = on.iter().rposition(|(_, window)| window.from_ns <= active_ns)?;
        (active_ns < on[begun].1.to_ns.saturating_add(tail_ns)).then_some(begun)
    };
    let of_fault = |(index, (fault, window)): (usize, &(&str, FaultWindow))| {
        let caused: Vec<Vec<&Span>> =
            runs.iter().map(|spans| spans.iter().filter(|span| cause(span) == Some(index)).collect()).collect();
        fault_detection(fault, *window, &caused)
    };
    let unexplained: Vec<Vec<&Span>> = runs
        .iter()
        .map(|spans| spans.iter().filter(|span| span.fired_ms.is_some() && cause(span).is_none()).collect())
        .collect();
    Ok(Detection {
        interval_seconds: interval.as_secs(),
        alert_count: rules.alert_count(),
        faults: on.iter().enumerate().map(of_fault).collect(),
        false_alerts: false_alerts(&unexplained),
    })
}

/// The spans of each alert with its labels, per beginning the first of them.
fn by_alert<'a>(runs: &[Vec<&'a Span>]) -> BTreeMap<(String, Labels), Vec<&'a Span>> {
    let mut found: BTreeMap<(String, Labels), Vec<&Span>> = BTreeMap::new();
    for spans in runs {
        let mut seen = Vec::new();
        // One that fired tells more than one that did not.
        let fired_first = spans
            .iter()
            .filter(|span| span.fired_ms.is_some())
            .chain(spans.iter().filter(|span| span.fired_ms.is_none()));
        for span in fired_first {
            let key = (span.alert.clone(), span.labels.clone());
            if !seen.contains(&key) {
                found.entry(key.clone()).or_default().push(span);
                seen.push(key);
            }
        }
    }
    found
}

fn fault_detection(fault: &str, window: FaultWindow, runs: &[Vec<&Span>]) -> FaultDetection {
    let after = |at_ms: i64| at_ms as f64 / 1e3 - window.from_ns as f64 / 1e9;
    let firsts: Vec<f64> =
        runs.iter().filter_map(|spans| spans.iter().filter_map(|span| span.fired_ms).min()).map(after).collect();
    let noticed = |((alert, labels), spans): ((String, Labels), Vec<&Span>)| {
        let fired: Vec<f64> = spans.iter().filter_map(|span| span.fired_ms).map(after).collect();
        let held: Vec<f64> = spans.iter().map(|span| after(span.active_ms)).collect();
        Some(Noticed {
            alert,
            labels,
            held_after: spread(held)?,
            hold_seconds: spans.first()?.hold.as_secs_f64(),
            fired_share: share(fired.len(), runs.len()),
            fired_after: spread(fired),
        })
    };
    let mut alerts: Vec<Noticed> = by_alert(runs).into_iter().filter_map(noticed).collect();
    let order = |noticed: &Noticed| noticed.fired_after.map_or(f64::INFINITY, |fired| fired.median);
    alerts.sort_by(|one, other| {
        order(one).total_cmp(&order(other)).then(one.held_after.median.total_cmp(&other.held_after.median))
    });
    FaultDetection {
        fault: fault.to_owned(),
        lasted_seconds: (window.to_ns - window.from_ns) as f64 / 1e9,
        detected_share: share(firsts.len(), runs.len()),
        detected_after: spread(firsts),
        alerts,
    }
}

fn false_alerts(runs: &[Vec<&Span>]) -> Vec<FalseAlert> {
    let of_alert = |((alert, labels), spans): ((String, Labels), Vec<&Span>)| {
        let fired: Vec<f64> = spans.iter().filter_map(|span| span.fired_ms).map(|at_ms| at_ms as f64 / 1e3).collect();
        Some(FalseAlert { alert, labels, fired_share: share(fired.len(), runs.len()), fired_at: spread(fired)? })
    };
    by_alert(runs).into_iter().filter_map(of_alert).collect()
}

fn share(count: usize, of: usize) -> f64 {
    count as f64 / of.max(1) as f64
}

fn spread(mut values: Vec<f64>) -> Option<Spread> {
    values.sort_by(f64::total_cmp);
    let median = *values.get(values.len() / 2)?;
    Some(Spread { least: *values.first()?, median, most: *values.last()? })
}

fn nanos_of(at_ms: i64) -> u64 {
    u64::try_from(at_ms).unwrap_or(0).saturating_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{FaultEnd, MetricSeries};

    const RULES: &str = "groups: [{name: g, rules: [\
        {alert: Down, expr: up == 0, for: 10s}, {alert: Slow, expr: 'max_over_time(slow[20s]) > 1', labels: {severity: page}}]}]";

    fn fault(name: &str, from_s: u64, to_s: u64) -> FaultRecord {
        let window = FaultWindow { from_ns: from_s * 1_000_000_000, to_ns: to_s * 1_000_000_000 };
        FaultRecord {
            name: name.to_owned(),
            link: "client".to_owned(),
            part: None,
            kind: "down".to_owned(),
            description: "down".to_owned(),
            planned: window,
            window: Some(window),
            end: FaultEnd::Lifted,
            effect: None,
            error: None,
        }
    }

    fn detected(lines: &[&str], faults: &[FaultRecord], interval_s: u64) -> Detection {
        let series = lines.iter().map(|line| MetricSeries::parse(line).unwrap()).collect();
        let metrics = Metrics { every: Duration::from_secs(1), series };
        detect(&Rules::parse(RULES).unwrap(), &metrics, faults, Duration::from_secs(interval_s)).unwrap()
    }

    #[test]
    fn detection_is_timed_from_the_fault_for_every_second_at_which_prometheus_may_have_begun() {
        let lines = ["up 1+0x29 0+0x59 1+0x30", "slow 0+0x120"];
        let told = detected(&lines, &[fault("gone", 30, 90)], 5);
        let [only] = told.faults.as_slice() else { panic!("{told:?}") };
        let [down] = only.alerts.as_slice() else { panic!("{only:?}") };
        // Seen 0 to 4 s after it began; two looks later it has held for ten seconds.
        assert_eq!(down.held_after, Spread { least: 0.0, median: 2.0, most: 4.0 });
        assert_eq!(down.fired_after, Some(Spread { least: 10.0, median: 12.0, most: 14.0 }));
        assert_eq!((only.detected_after, only.detected_share), (down.fired_after, 1.0));
        assert_eq!(told.false_alerts, []);
    }

    #[test]
    fn a_fault_that_is_over_too_soon_is_missed_or_told_of_by_chance() {
        let missed = detected(&["up 1+0x29 0+0x8 1+0x60"], &[fault("short", 30, 39)], 5);
        assert_eq!((missed.faults[0].detected_after, missed.faults[0].detected_share), (None, 0.0));
        assert_eq!(missed.faults[0].alerts[0].fired_after, None);
        // Twelve seconds have three looks in them only when the first comes within two.
        let by_chance = detected(&["up 1+0x29 0+0x11 1+0x60"], &[fault("short", 30, 42)], 5);
        assert_eq!(by_chance.faults[0].detected_share, 0.4);
        assert_eq!(by_chance.faults[0].detected_after, Some(Spread { least: 10.0, median: 11.0, most: 11.0 }));
    }

    #[test]
    fn alerts_that_a_fault_leaves_behind_are_its_own_and_others_are_false() {
        // The rules look back 20 s: what holds 14 s after the end may still be the fault's, what holds a minute later is not.
        let lines = ["up 1+0x200", "slow 0+0x43 5+0x4 0+0x60 5+0x4 0+0x60"];
        let told = detected(&lines, &[fault("brief", 20, 30)], 5);
        assert_eq!(told.faults[0].alerts.iter().map(|alert| alert.alert.as_str()).collect::<Vec<_>>(), ["Slow"]);
        let [false_alert] = told.false_alerts.as_slice() else { panic!("{told:?}") };
        assert_eq!((false_alert.alert.as_str(), false_alert.fired_share), ("Slow", 1.0));
        assert_eq!(detected(&lines, &[], 5).false_alerts.len(), 1);
    }

    #[test]
    fn of_two_faults_the_one_that_began_last_is_told_of() {
        let faults = [fault("first", 10, 100), fault("second", 50, 100)];
        let told = detected(&["up 1+0x59 0+0x60"], &faults, 1);
        assert!(told.faults[0].alerts.is_empty());
        assert_eq!(told.faults[1].detected_after, Some(Spread { least: 20.0, median: 20.0, most: 20.0 }));
    }

    #[test]
    fn a_fault_that_was_never_on_cannot_be_told_of() {
        let never = FaultRecord { window: None, end: FaultEnd::NeverOn, ..fault("never", 10, 20) };
        assert_eq!(detected(&["up 1+0x60"], &[never], 15).faults, []);
    }
}
