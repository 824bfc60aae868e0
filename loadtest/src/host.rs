//! What the whole machine does: time that its processors worked, and time that the hypervisor gave to others.
use reports::record::HostUse;

/// Processor time of the machine since it was started, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostTime {
    total: u64,
    busy: u64,
    steal: u64,
}

impl HostTime {
    /// Reads it; `None` where the system does not tell (it has no `/proc/stat`).
    #[must_use]
    pub fn now() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/stat").ok()?)
    }

    /// Source: proc_stat(5). Time of guests is part of `user` and `nice` already.
    fn parse(text: &str) -> Option<Self> {
        let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
        let ticks: Option<Vec<u64>> = line.split_whitespace().take(8).map(|field| field.parse().ok()).collect();
        let &[user, nice, system, idle, waiting, hard_irq, soft_irq, steal] = ticks?.as_slice() else { return None };
        let busy = user + nice + system + hard_irq + soft_irq;
        Some(Self { total: busy + idle + waiting + steal, busy, steal })
    }

    /// What was done from an earlier look to this one; `None` when no tick has passed.
    #[must_use]
    pub fn since(self, earlier: Self) -> Option<HostUse> {
        let total = self.total.checked_sub(earlier.total).filter(|ticks| *ticks > 0)? as f64;
        // The kernel lets a counter go back a little now and then.
        let share = |now: u64, then: u64| now.saturating_sub(then) as f64 / total;
        Some(HostUse { steal_share: share(self.steal, earlier.steal), busy_share: share(self.busy, earlier.busy) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "cpu  100 10 50 1000 20 5 5 40 7 0\ncpu0 50 5 25 500 10 2 2 20 3 0\nintr 1 2 3\n";
    const AFTER: &str = "cpu  160 10 70 1080 20 10 10 60 9 0\n";

    #[test]
    fn shares_are_of_all_processors_time_between_two_looks() {
        let (before, after) = (HostTime::parse(BEFORE).unwrap(), HostTime::parse(AFTER).unwrap());
        // 190 ticks passed: 90 busy, 80 idle, 20 stolen.
        let used = after.since(before).unwrap();
        assert!((used.steal_share - 20.0 / 190.0).abs() < 1e-12 && (used.busy_share - 90.0 / 190.0).abs() < 1e-12);
        assert_eq!((before.since(before), before.since(after)), (None, None));
    }

    #[test]
    fn what_is_not_the_table_says_nothing() {
        for text in ["", "cpu0 1 2 3 4 5 6 7 8\n", "cpu  1 2 3\n", "cpu  1 2 3 4 5 6 7 many\n"] {
            assert_eq!(HostTime::parse(text), None, "{text}");
        }
    }
}
