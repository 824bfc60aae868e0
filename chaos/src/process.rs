//! A process, told from any later one that got its number.
use std::fs;

use serde::{Deserialize, Serialize};

/// A process: its number, when it was started, and since which start of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// Its number.
    pub(crate) pid: u32,
    /// When it was started, in clock ticks since the machine was.
    pub(crate) started_ticks: u64,
    /// Random id of the machine's start.
    pub(crate) boot: String,
}

impl Identity {
    /// Of a process that runs; `None` when it does not, or the system cannot tell.
    #[must_use]
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in parentheses, may have anything in it; its state and 18 numbers are between it and the start.
        let mut after_name = stat.rsplit_once(')')?.1.split_ascii_whitespace();
        let state = after_name.next()?;
        let started_ticks = after_name.nth(18)?.parse().ok()?;
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned();
        (!["Z", "X"].contains(&state)).then_some(Self { pid, started_ticks, boot })
    }

    /// Whether this very process still runs.
    #[must_use]
    pub(crate) fn is_alive(&self) -> bool {
        Self::of(self.pid).is_some_and(|now| now == *self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_from_one_that_got_its_number() {
        let ourselves = Identity::of(std::process::id()).unwrap();
        assert!(ourselves.is_alive());
        assert!(!Identity { started_ticks: ourselves.started_ticks + 1, ..ourselves.clone() }.is_alive());
        assert!(!Identity { boot: "another".to_owned(), ..ourselves }.is_alive());
        assert_eq!(Identity::of(u32::MAX), None);
    }
}
