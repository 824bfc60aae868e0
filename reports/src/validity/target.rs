//! The target that was started was the target to the end: no process of it died by itself.
use super::Check;
use crate::{record::Run, summary::Summary};

pub(super) fn check(run: &Run, _: &Summary) -> Check {
    let (name, threshold) = ("target lived", "every process to the end");
    let processes = &run.target.processes;
    if processes.is_empty() {
        return Check::not_applicable(name, "the target is not ours to watch", threshold);
    }
    let died: Vec<String> =
        processes.iter().filter_map(|p| Some(format!("{}: {}", p.name, p.died.as_ref()?))).collect();
    let figure = match died.is_empty() {
        true => format!("all {} alive at the end", processes.len()),
        false => died.join("; "),
    };
    Check::new(name, died.is_empty(), figure, threshold)
}
