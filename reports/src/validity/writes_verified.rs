//! Every acknowledged write was read back. What that showed is the verdict of the oracle; that it was not done makes the run invalid.
use super::Check;
use crate::{number, record::Run, summary::Summary};

pub(super) fn check(run: &Run, _: &Summary) -> Check {
    let (name, threshold) = ("writes verified", "every acknowledged write journaled and read back");
    let Some(oracle) = &run.oracle else { return Check::not_applicable(name, "not checked", threshold) };
    let read_back = format!(
        "{} of {} read back",
        number::count(oracle.verified),
        number::counted(oracle.acknowledged, "acknowledged write")
    );
    let figure = match (&oracle.incomplete, oracle.journal_lost) {
        (None, 0) => read_back,
        (Some(why), 0) => format!("{read_back}: {why}"),
        (_, lost) => format!("{read_back}, {} missing in the journal", number::counted(lost, "event")),
    };
    let is_whole = oracle.incomplete.is_none() && oracle.journal_lost == 0 && oracle.verified == oracle.acknowledged;
    Check::new(name, is_whole, figure, threshold)
}
