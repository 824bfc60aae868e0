//! Every request is accounted for: what was offered is what was completed, dropped or cut off, and what was completed is in the measures.
use super::Check;
use crate::{
    number,
    record::Run,
    summary::{Scope, Summary, Window},
};

pub(super) fn check(run: &Run, summary: &Summary) -> Check {
    let counts = run.load.counts;
    let recorded = summary.outcomes(&Scope::All, &Window::Everything).total();
    let accounted = counts.completed + counts.dropped + counts.unfinished;
    let figure = match (counts.offered == accounted, recorded + counts.lost == counts.completed) {
        (true, true) => format!("{} offered, all accounted for", number::count(counts.offered)),
        (false, _) => format!("{} offered, {} accounted for", number::count(counts.offered), number::count(accounted)),
        (_, false) => format!("{} completed, {} recorded", number::count(counts.completed), number::count(recorded)),
    };
    let holds = counts.offered == accounted && recorded + counts.lost == counts.completed;
    Check::new("requests conserved", holds, figure, "offered = completed + dropped + unfinished = recorded")
}
