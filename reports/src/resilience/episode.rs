//! The faults of a run in groups: those that were on at one time cannot be told apart by what users saw.
use crate::record::{FaultRecord, FaultWindow, SECOND_NS};

/// Faults that were on together, and how long what they did was watched.
#[derive(Debug, Clone, PartialEq)]
pub struct Episode {
    /// Positions in the run's list of faults, in the order in which they came on.
    pub faults: Vec<usize>,
    /// From the first on to the last off, as measured.
    pub window: FaultWindow,
    /// What is seen before this instant may be its work: the next one's beginning, or the end of what was measured.
    pub watched_to_ns: u64,
}

impl Episode {
    /// Groups the faults that were on, in the order in which they came on. `measured_to_ns` is the end of the load.
    #[must_use]
    pub fn of(faults: &[FaultRecord], measured_to_ns: u64) -> Vec<Self> {
        let mut on: Vec<(usize, FaultWindow)> =
            faults.iter().enumerate().filter_map(|(position, fault)| Some((position, fault.window?))).collect();
        on.retain(|(_, window)| window.from_ns < measured_to_ns);
        on.sort_by_key(|(_, window)| window.from_ns);
        let mut episodes: Vec<Self> = Vec::new();
        for (position, window) in on {
            match episodes.last_mut() {
                Some(last) if window.from_ns < last.window.to_ns => {
                    last.faults.push(position);
                    last.window.to_ns = last.window.to_ns.max(window.to_ns);
                }
                last => {
                    if let Some(last) = last {
                        last.watched_to_ns = window.from_ns;
                    }
                    episodes.push(Self { faults: vec![position], window, watched_to_ns: measured_to_ns });
                }
            }
        }
        episodes
    }

    /// The second in which it began.
    #[must_use]
    pub fn first_second(&self) -> usize {
        whole(self.window.from_ns)
    }

    /// The second in which it ended: the first one that may be without it.
    #[must_use]
    pub fn last_second(&self) -> usize {
        whole(self.window.to_ns)
    }

    /// The second after the last whole one that was watched.
    #[must_use]
    pub fn watched_to(&self) -> usize {
        whole(self.watched_to_ns)
    }

    /// How long it was, in nanoseconds.
    #[must_use]
    pub fn length_ns(&self) -> u64 {
        self.window.to_ns - self.window.from_ns
    }
}

fn whole(instant_ns: u64) -> usize {
    usize::try_from(instant_ns / SECOND_NS).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::FaultEnd;

    fn check(windows: &[Option<(u64, u64)>], expected: &str) {
        let fault = |window: &Option<(u64, u64)>| {
            let planned = FaultWindow { from_ns: 0, to_ns: 1 };
            FaultRecord {
                name: "f".to_owned(),
                link: "l".to_owned(),
                part: None,
                kind: "down".to_owned(),
                description: String::new(),
                planned,
                window: window.map(|(from, to)| FaultWindow { from_ns: from * SECOND_NS, to_ns: to * SECOND_NS }),
                end: FaultEnd::Lifted,
                effect: None,
                error: None,
            }
        };
        let faults: Vec<FaultRecord> = windows.iter().map(fault).collect();
        let text = |e: &Episode| {
            format!("{:?} {}..{} watched to {}", e.faults, e.first_second(), e.last_second(), e.watched_to())
        };
        let found: Vec<String> = Episode::of(&faults, 100 * SECOND_NS).iter().map(text).collect();
        assert_eq!(found.join(", "), expected);
    }

    #[test]
    fn faults_that_are_on_together_are_one_and_each_is_watched_until_the_next() {
        check(&[], "");
        check(&[None], "");
        check(&[Some((10, 20))], "[0] 10..20 watched to 100");
        check(&[Some((50, 60)), None, Some((10, 20))], "[2] 10..20 watched to 50, [0] 50..60 watched to 100");
        check(&[Some((10, 30)), Some((20, 25)), Some((28, 40))], "[0, 1, 2] 10..40 watched to 100");
        check(&[Some((10, 20)), Some((20, 30))], "[0] 10..20 watched to 20, [1] 20..30 watched to 100");
        check(&[Some((100, 120))], "");
    }
}
