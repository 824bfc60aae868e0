//! The phases of a run, cut from its fault windows: warm-up, steady, during, after.
//!
//! A sample belongs to the phase in which it was due.
use super::FaultWindow;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What a stretch of the run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PhaseKind {
    /// Caches fill, connections open; nothing is judged.
    WarmUp,
    /// No fault has been on yet.
    Steady,
    /// At least one fault is on.
    During,
    /// No fault is on, but one has been.
    After,
}

impl PhaseKind {
    /// Every kind, in the order in which they first appear.
    pub const ALL: [Self; 4] = [Self::WarmUp, Self::Steady, Self::During, Self::After];

    /// The kind as written in gates and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::WarmUp => "warm-up",
            Self::Steady => "steady",
            Self::During => "during",
            Self::After => "after",
        }
    }
}

impl fmt::Display for PhaseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for PhaseKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or(())
    }
}

/// One stretch of the run without a change of faults, in nanoseconds since the run's clock zero.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// What it is.
    pub kind: PhaseKind,
    /// Its name, unique within the run: `during`, or `during-2` for the second of its kind.
    pub label: String,
    /// First instant.
    pub from_ns: u64,
    /// First instant after it.
    pub to_ns: u64,
    /// Names of the faults that are on.
    pub faults: Vec<String>,
}

/// Cuts a run of `end_ns` into phases at the end of its warm-up and wherever a fault begins or ends.
///
/// Phases follow one another without a gap; faults beyond the end are cut off; a fault during the warm-up makes that stretch `During`.
#[must_use]
pub fn cut(warm_up_ns: u64, end_ns: u64, faults: &[(String, FaultWindow)]) -> Vec<Phase> {
    let edges = faults.iter().flat_map(|(_, window)| [window.from_ns, window.to_ns]);
    let mut cuts: Vec<u64> = edges.chain([0, warm_up_ns, end_ns]).filter(|at| *at <= end_ns).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let mut phases: Vec<Phase> = Vec::new();
    let mut any_fault_yet = false;
    for edge in cuts.windows(2) {
        let (from_ns, to_ns) = (edge[0], edge[1]);
        let is_on = |window: &FaultWindow| window.from_ns <= from_ns && from_ns < window.to_ns;
        let on: Vec<String> = faults.iter().filter(|(_, w)| is_on(w)).map(|(name, _)| name.clone()).collect();
        let kind = match (on.is_empty(), any_fault_yet) {
            (false, _) => PhaseKind::During,
            (true, true) => PhaseKind::After,
            (true, false) if from_ns < warm_up_ns => PhaseKind::WarmUp,
            (true, false) => PhaseKind::Steady,
        };
        any_fault_yet |= !on.is_empty();
        match phases.last_mut() {
            Some(last) if last.kind == kind && last.faults == on => last.to_ns = to_ns,
            _ => {
                let nth = 1 + phases.iter().filter(|phase| phase.kind == kind).count();
                let label = if nth == 1 { kind.name().to_owned() } else { format!("{kind}-{nth}") };
                phases.push(Phase { kind, label, from_ns, to_ns, faults: on });
            }
        }
    }
    phases
}

/// Makes the beginning of the first phase a warm-up, if it is steady. For a warm-up that was found when the run had ended.
pub fn warm_up_until(until_ns: u64, phases: &mut Vec<Phase>) {
    let Some(first) = phases.first_mut().filter(|first| first.kind == PhaseKind::Steady && first.to_ns > until_ns)
    else {
        return;
    };
    if until_ns > first.from_ns {
        let kind = PhaseKind::WarmUp;
        let label = kind.name().to_owned();
        let warm_up = Phase { kind, label, from_ns: first.from_ns, to_ns: until_ns, faults: Vec::new() };
        first.from_ns = until_ns;
        phases.insert(0, warm_up);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(warm_up_ns: u64, faults: &[(u64, u64)], expected: &str) {
        let named = |(i, (from_ns, to_ns)): (usize, &(u64, u64))| {
            (format!("f{i}"), FaultWindow { from_ns: *from_ns, to_ns: *to_ns })
        };
        let faults: Vec<_> = faults.iter().enumerate().map(named).collect();
        let phases = cut(warm_up_ns, 100, &faults);
        let text: Vec<_> = phases.iter().map(|p| format!("{} {}..{}", p.label, p.from_ns, p.to_ns)).collect();
        assert_eq!(text.join(", "), expected);
    }

    #[test]
    fn a_run_is_cut_where_its_faults_begin_and_end() {
        check(0, &[], "steady 0..100");
        check(10, &[], "warm-up 0..10, steady 10..100");
        check(10, &[(40, 60)], "warm-up 0..10, steady 10..40, during 40..60, after 60..100");
        check(
            10,
            &[(40, 60), (50, 70)],
            "warm-up 0..10, steady 10..40, during 40..50, during-2 50..60, during-3 60..70, after 70..100",
        );
        check(0, &[(0, 100)], "during 0..100");
        check(
            10,
            &[(20, 30), (50, 200)],
            "warm-up 0..10, steady 10..20, during 20..30, after 30..50, during-2 50..100",
        );
        check(50, &[(20, 30)], "warm-up 0..20, during 20..30, after 30..100");
    }

    #[test]
    fn a_warm_up_that_was_found_is_what_a_given_one_would_have_been() {
        let fault = [("f".to_owned(), FaultWindow { from_ns: 40, to_ns: 60 })];
        for (until_ns, same_as) in [(10, 10), (0, 0), (40, 0), (99, 0)] {
            let mut phases = cut(0, 100, &fault);
            warm_up_until(until_ns, &mut phases);
            assert_eq!(phases, cut(same_as, 100, &fault), "{until_ns}");
        }
        let mut during = cut(0, 100, &[("f".to_owned(), FaultWindow { from_ns: 0, to_ns: 60 })]);
        warm_up_until(10, &mut during);
        assert_eq!(during[0].to_ns, 60, "a fault is no warm-up");
    }
}
