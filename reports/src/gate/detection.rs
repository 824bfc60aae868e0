//! Whether a gate on how soon faults are told by the alerts holds: of the faults that it means, the one told last counts.
use super::{
    Comparison, Gate, GateOutcome, GateResult, ImpactFigure, Observed, Rule,
    impact::word_of,
    judge::{invalid, margin},
};
use crate::{
    alerts::{Detection, FaultDetection},
    number,
    record::SECOND_NS,
};

/// Judges a gate on detection by what the alerts told. `None` for other gates.
///
/// When a Prometheus looks is not known beforehand: a gate passes when every beginning would have told in time, fails when none would,
/// and is inconclusive otherwise. A fault that ended before it was told, and before its time was up, decides only when every alert that
/// it made hold must hold for longer than there was time.
#[must_use]
pub fn judge_detection(gate: &Gate, told: Option<&Result<Detection, String>>) -> Option<GateResult> {
    let Rule::Impact { figure: ImpactFigure::Detection, comparison, limit } = gate.rule else { return None };
    let detection = match told {
        Some(Ok(detection)) => detection,
        Some(Err(why)) => return Some(invalid(&gate.text, format!("the alerts are not known: {why}"))),
        None => return Some(invalid(&gate.text, "the target was not watched by its alerts".to_owned())),
    };
    let meant = |fault: &&FaultDetection| gate.name.as_ref().is_none_or(|name| word_of(&fault.fault) == name.value);
    let results = detection.faults.iter().filter(meant).map(|fault| one(gate, (comparison, limit), fault));
    let worst = results.min_by_key(|result| match result.outcome {
        GateOutcome::Fail => 0,
        GateOutcome::Invalid => 1,
        GateOutcome::Inconclusive => 2,
        GateOutcome::Pass => 3,
    });
    Some(worst.unwrap_or_else(|| invalid(&gate.text, "no fault that it means was on".to_owned())))
}

fn one(gate: &Gate, (comparison, limit): (Comparison, f64), fault: &FaultDetection) -> GateResult {
    let time = |seconds: f64| Observed::Time((seconds * SECOND_NS as f64).round() as u64);
    let is_within = |seconds: f64| match comparison {
        Comparison::Below => seconds * (SECOND_NS as f64) < limit,
        _ => seconds * (SECOND_NS as f64) <= limit,
    };
    let result = |outcome, observed: Observed, reason: String| GateResult {
        outcome,
        observed: Some(observed),
        margin: margin(comparison, observed, limit),
        ..invalid(&gate.text, format!("{}: {reason}", fault.fault))
    };
    let seconds = |seconds: f64| number::seconds((seconds * SECOND_NS as f64) as u64);
    if let Some(after) = fault.detected_after.filter(|_| fault.detected_share > 0.0) {
        let words = format!("told after {} to {}", seconds(after.least), seconds(after.most));
        if !is_within(after.least) {
            return result(GateOutcome::Fail, time(after.least), words);
        }
        if fault.detected_share >= 1.0 && is_within(after.most) {
            return result(GateOutcome::Pass, time(after.most), words);
        }
        let told = format!(
            "{words}, by {} of the moments at which Prometheus may look",
            number::percent(fault.detected_share)
        );
        return result(GateOutcome::Inconclusive, time(after.most), told);
    }
    let soonest = fault.alerts.iter().map(|noticed| noticed.held_after.least + noticed.hold_seconds);
    let soonest = soonest.min_by(f64::total_cmp);
    match soonest {
        _ if !is_within(fault.lasted_seconds) => {
            let at_least = Observed::AtLeast((fault.lasted_seconds * SECOND_NS as f64) as u64);
            result(GateOutcome::Fail, at_least, format!("not told in the {} it was on", seconds(fault.lasted_seconds)))
        }
        Some(soonest) if !is_within(soonest) => {
            let words = format!("the first alert that held must hold until {} before it fires", seconds(soonest));
            result(GateOutcome::Fail, Observed::AtLeast((soonest * SECOND_NS as f64) as u64), words)
        }
        _ => {
            let lasted = seconds(fault.lasted_seconds);
            let reason = format!("{}: not told, but it was on for {lasted} only: let it last longer", fault.fault);
            GateResult { outcome: GateOutcome::Inconclusive, ..invalid(&gate.text, reason) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        alerts::{Noticed, Spread},
        gate::parse,
        record::Labels,
    };

    fn spread(least: f64, most: f64) -> Spread {
        Spread { least, median: f64::midpoint(least, most), most }
    }

    /// A fault that was on for a minute, and whose alert held from `held` on and must hold for `hold` seconds.
    fn fault(detected_after: Option<Spread>, detected_share: f64, hold_seconds: f64) -> Detection {
        let noticed = Noticed {
            alert: "Down".to_owned(),
            labels: Labels::default(),
            held_after: spread(2.0, 16.0),
            hold_seconds,
            fired_after: detected_after,
            fired_share: detected_share,
        };
        let fault = FaultDetection {
            fault: "mcp.flights down".to_owned(),
            lasted_seconds: 60.0,
            detected_after,
            detected_share,
            alerts: vec![noticed],
        };
        Detection { interval_seconds: 15, alert_count: 1, faults: vec![fault], false_alerts: Vec::new() }
    }

    fn outcome(gate: &str, told: Option<&Result<Detection, String>>) -> GateOutcome {
        judge_detection(&parse(gate).unwrap(), told).unwrap().outcome
    }

    #[test]
    fn a_fault_must_be_told_in_time_whenever_prometheus_looks() {
        let told = Some(&Ok(fault(Some(spread(8.0, 23.0)), 1.0, 0.0)));
        assert_eq!(outcome("detection < 30s", told), GateOutcome::Pass);
        assert_eq!(outcome("detection < 30s for mcp.flights-down", told), GateOutcome::Pass);
        assert_eq!(outcome("detection < 15s", told), GateOutcome::Inconclusive);
        assert_eq!(outcome("detection < 8s", told), GateOutcome::Fail);
        assert_eq!(outcome("detection < 30s for llm-down", told), GateOutcome::Invalid);
        let seldom = Some(&Ok(fault(Some(spread(8.0, 23.0)), 0.5, 0.0)));
        assert_eq!(outcome("detection < 30s", seldom), GateOutcome::Inconclusive);
    }

    #[test]
    fn an_alert_that_must_hold_for_too_long_fails_though_the_fault_was_shorter() {
        let ten_minutes = Some(&Ok(fault(None, 0.0, 600.0)));
        assert_eq!(outcome("detection < 5m", ten_minutes), GateOutcome::Fail);
        assert_eq!(outcome("detection < 30s", ten_minutes), GateOutcome::Fail);
        let two_minutes = Some(&Ok(fault(None, 0.0, 120.0)));
        assert_eq!(outcome("detection < 5m", two_minutes), GateOutcome::Inconclusive, "it may have been told later");
        assert_eq!(outcome("detection < 5m", None), GateOutcome::Invalid);
        assert_eq!(outcome("detection < 5m", Some(&Err("no rule".to_owned()))), GateOutcome::Invalid);
    }
}
