//! `file_descriptors`: a part restarts with fewer files and sockets that it may have open (`RLIMIT_NOFILE`), and without that limit at
//! the end.
use std::fs;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    again::come_again,
    on_part::{OnPart, bring_back, running},
};
use crate::{
    fault::setting::Error,
    injectors::{Off, On},
    parts::{Doing, PartError, Parts, With},
};

/// Settings of a limit on file descriptors in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileDescriptors {
    /// How many files and sockets it may have open; at least 16, or no program starts.
    pub limit: u64,
}

/// The fewest with which a program that opens a database and a port can be expected to start.
const FEWEST: u64 = 16;

impl FileDescriptors {
    pub(crate) fn check_settings(self) -> Result<(), Error> {
        match self.limit {
            ..FEWEST => Err(Error::NoEffect("a `limit` below 16 lets no program start")),
            _ => Ok(()),
        }
    }
}

impl OnPart for FileDescriptors {
    fn name(&self) -> &'static str {
        "file_descriptors"
    }

    fn words(&self) -> String {
        format!("file_descriptors: restart in order with at most {} of them", self.limit)
    }

    fn apply<'a>(&'a self, parts: &'a dyn Parts, part: &'a str) -> Doing<'a, On> {
        Box::pin(async move {
            let again = come_again(parts, part, With { open_files: Some(self.limit), ..With::default() }).await?;
            let seen = limit(again.pid);
            if seen != Some(self.limit) {
                let attempt = format!("limit the file descriptors of the {part}");
                return Err(PartError::NotSeen { attempt, expected: "the limit", within: again.alive - again.asked });
            }
            let proof = format!("{}, limit {}", again.proof, self.limit);
            Ok(On { asked: again.asked, at: again.asked, over: None, proof: Some(proof) })
        })
    }

    fn check(&self, parts: &dyn Parts, part: &str) -> Result<(), PartError> {
        let is_limited = parts.pid(part).and_then(limit) == Some(self.limit);
        let over = || PartError::Over { part: part.to_owned(), seen: "has another limit" };
        is_limited.then_some(()).ok_or_else(over)
    }

    fn lift<'a>(&'a self, parts: &'a dyn Parts, part: &'a str) -> Doing<'a, Off> {
        Box::pin(async move {
            let Some(limited) = parts.pid(part) else { return bring_back(parts, part).await };
            let open = open_count(limited);
            let again = come_again(parts, part, With::default()).await?;
            let now = limit(running(parts, part, "limit")?);
            let now = now.map_or_else(|| "unknown".to_owned(), |limit| limit.to_string());
            let proof = format!("{open} open at its end; {}, limit {now}", again.proof);
            Ok(Off::new(again.asked, again.alive, proof))
        })
    }
}

/// The soft limit on open files of a process, as the system shows it.
fn limit(pid: u32) -> Option<u64> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn open_count(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().count()
}

#[cfg(test)]
mod tests {
    use nix::sys::resource::{Resource, getrlimit};

    use super::*;

    #[test]
    fn the_limit_is_read_as_the_system_has_it() {
        let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!(limit(std::process::id()), Some(soft));
        assert!(open_count(std::process::id()) > 2);
        assert_eq!(limit(5_000_000), None);
    }

    #[test]
    fn a_limit_with_which_nothing_starts_is_refused() {
        assert!(FileDescriptors { limit: 15 }.check_settings().is_err());
        assert!(FileDescriptors { limit: 16 }.check_settings().is_ok());
    }
}
