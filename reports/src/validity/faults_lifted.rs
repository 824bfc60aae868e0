//! No fault was left behind.
use super::Check;
use crate::{
    number,
    record::{FaultEnd, Run},
    summary::Summary,
};

pub(super) fn check(run: &Run, _: &Summary) -> Check {
    let (name, threshold) = ("faults lifted", "none left behind");
    let left: Vec<&str> =
        run.faults.iter().filter(|fault| fault.end == FaultEnd::LeftBehind).map(|fault| fault.name.as_str()).collect();
    let on = run.faults.iter().filter(|fault| fault.window.is_some()).count() as u64;
    if on == 0 && left.is_empty() {
        return Check::not_applicable(name, "no fault was on", threshold);
    }
    let figure = match left.is_empty() {
        true => format!("{} on, none left", number::counted(on, "fault")),
        false => format!("left behind: {}", left.join(", ")),
    };
    Check::new(name, left.is_empty(), figure, threshold)
}
