//! What the alerts made of the faults, in words.
use super::{Detection, FaultDetection, Spread};
use crate::{
    number,
    record::{Labels, Monitoring, PromtoolAnswer, Run},
};

/// What is to be known to read the figures.
pub(crate) fn note(run: &Run, alerting: &Result<Detection, String>) -> String {
    let Some(monitoring) = &run.monitoring else { return String::new() };
    let detection = match alerting {
        Ok(detection) => detection,
        Err(why) => return format!("The rules of {} could not be evaluated: {why}.", monitoring.rules),
    };
    let looks = format!(
        "{} of {}, as a Prometheus sees them that looks at {} every {} s and evaluates right then. When it began to look is not known, so \
         times are the median over every second at which it may have begun [least–most]; one that evaluates out of step takes up to {} s more.",
        number::counted(detection.alert_count as u64, "alert"),
        monitoring.rules,
        monitoring.url,
        detection.interval_seconds,
        detection.interval_seconds,
    );
    let failed = match monitoring.failed_looks {
        0 => String::new(),
        count => format!(" {} found no metrics.", number::counted(count, "look")),
    };
    format!("{looks}{failed} {}", promtool(monitoring))
}

fn promtool(monitoring: &Monitoring) -> String {
    match &monitoring.promtool {
        Some(PromtoolAnswer::Agrees { version, instants }) => {
            format!("promtool {version} says the same at {}.", number::counted(*instants as u64, "instant"))
        }
        Some(PromtoolAnswer::Differs { version, said }) => {
            format!("promtool {version} says something else, so do not rely on this: {said}")
        }
        Some(PromtoolAnswer::Unasked { why }) => format!("promtool was not asked: {why}."),
        None => "promtool was not asked.".to_owned(),
    }
}

/// One sentence per fault, and one on false alarms.
pub(crate) fn sentences(alerting: Option<&Result<Detection, String>>) -> Vec<String> {
    let Some(Ok(detection)) = alerting else { return Vec::new() };
    let faults = detection.faults.iter().map(sentence);
    let names: Vec<&str> = detection.false_alerts.iter().map(|alert| alert.alert.as_str()).collect();
    let alarms = (!names.is_empty()).then(|| format!("Fired without a fault: {}.", names.join(", ")));
    faults.chain(alarms).collect()
}

fn sentence(fault: &FaultDetection) -> String {
    let first = fault.alerts.first();
    match (&fault.detected_after, first) {
        (Some(after), Some(first)) => {
            let sure = match fault.detected_share {
                share if share < 1.0 => format!(", if Prometheus happens to look in time ({})", number::percent(share)),
                _ => String::new(),
            };
            format!(
                "The alert {} told of {} after {}{sure}.",
                named(&first.alert, &first.labels),
                fault.fault,
                spread(after)
            )
        }
        (None, Some(first)) => format!(
            "No alert told of {}, which was on for {:.0} s: {} saw it after {}, but waits for {:.0} s before it fires.",
            fault.fault,
            fault.lasted_seconds,
            named(&first.alert, &first.labels),
            spread(&first.held_after),
            first.hold_seconds
        ),
        (_, None) => format!("No alert told of {}.", fault.fault),
    }
}

/// An alert with what tells it from others of its name.
pub(crate) fn named(alert: &str, labels: &Labels) -> String {
    let is_told = |name: &str| !["severity", "job", "instance"].contains(&name);
    let told: Vec<&str> = labels.iter().filter(|(name, _)| is_told(name)).map(|(_, value)| value.as_str()).collect();
    if told.is_empty() { alert.to_owned() } else { format!("{alert} ({})", told.join(", ")) }
}

/// A spread in words, such as `16.0 s [9.0–23.0]`.
pub(crate) fn spread(spread: &Spread) -> String {
    let Spread { least, median, most } = spread;
    if most - least < 0.05 { format!("{median:.1} s") } else { format!("{median:.1} s [{least:.1}–{most:.1}]") }
}
