//! The table of what the alerts told of the faults.
use super::table::Table;
use crate::{
    alerts::{Detection, FaultDetection, Noticed, named, spread},
    number,
};

/// Every alert that a fault made hold, and those that fired without one.
pub(crate) fn table(alerting: &Result<Detection, String>) -> Table {
    let mut table = Table::new(["", "fault", "alert"], ["saw it after", "waits", "fired after", "fired in"]);
    let Ok(detection) = alerting else { return table };
    for fault in &detection.faults {
        if fault.alerts.is_empty() {
            let nothing = ["✗", fault.fault.as_str(), "none", "–", "–", "–", "0 %"];
            table.row(nothing.map(str::to_owned));
        }
        for alert in &fault.alerts {
            table.row(row(fault, alert));
        }
    }
    for alert in &detection.false_alerts {
        table.row([
            "! false alarm".to_owned(),
            "none".to_owned(),
            named(&alert.alert, &alert.labels),
            "–".to_owned(),
            "–".to_owned(),
            format!("at {}", spread(&alert.fired_at)),
            number::percent(alert.fired_share),
        ]);
    }
    table
}

fn row(fault: &FaultDetection, alert: &Noticed) -> [String; 7] {
    let mark = if alert.fired_share >= 1.0 { "✓ fired" } else { "– not always" };
    [
        if alert.fired_after.is_none() { "– not fired" } else { mark }.to_owned(),
        fault.fault.clone(),
        named(&alert.alert, &alert.labels),
        spread(&alert.held_after),
        format!("{:.0} s", alert.hold_seconds),
        alert.fired_after.as_ref().map_or_else(|| "–".to_owned(), spread),
        number::percent(alert.fired_share),
    ]
}
