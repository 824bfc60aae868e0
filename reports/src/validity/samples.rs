//! Every sample reached the record.
use super::Check;
use crate::{number, record::Run, summary::Summary};

pub(super) fn check(run: &Run, _: &Summary) -> Check {
    let lost = run.load.counts.lost;
    Check::new("samples kept", lost == 0, format!("{} lost", number::count(lost)), "none lost")
}
