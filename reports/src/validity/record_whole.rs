//! The record is that of a whole run: it was carried out, it measured something, and its tables were written.
use super::Check;
use crate::{
    number,
    record::{Run, RunEnd},
    summary::{Scope, Summary, Window},
};

pub(super) fn check(run: &Run, summary: &Summary) -> Check {
    let recorded = summary.outcomes(&Scope::All, &Window::Everything).total();
    let problem = match &run.end {
        RunEnd::Broken(why) => Some(format!("the run broke off: {why}")),
        _ if recorded == 0 => Some("no request was measured".to_owned()),
        _ if summary.seconds.is_empty() => Some("the program was killed before it could close the record".to_owned()),
        _ => None,
    };
    let figure = problem.clone().unwrap_or_else(|| format!("{} measured", number::counted(recorded, "request")));
    Check::new("record whole", problem.is_none(), figure, "closed, with requests in it")
}
