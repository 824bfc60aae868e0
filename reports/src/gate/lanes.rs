//! Numbers that gates read from the counts per second: what was sent, and what was out.
use crate::{
    record::{Phase, SECOND_NS, SecondCounts},
    summary::Window,
};
use std::collections::BTreeMap;

/// The counts of the seconds of a window. A second belongs to the phase that its middle lies in.
fn meant<'a>(
    seconds: &'a [SecondCounts],
    phases: &'a [Phase],
    window: &'a Window,
) -> impl Iterator<Item = (usize, &'a SecondCounts)> {
    seconds.iter().enumerate().filter(move |(second, _)| is_meant(phases, window, *second as u64))
}

fn is_meant(phases: &[Phase], window: &Window, second: u64) -> bool {
    let middle_ns = second * SECOND_NS + SECOND_NS / 2;
    let phase = phases.iter().rfind(|phase| phase.from_ns <= middle_ns);
    phase.is_some_and(|phase| window.holds(phase)) && window.holds_second(second)
}

/// Share of the arrivals due in a window that were sent; `None` when there were no arrivals.
pub(super) fn sent_share(seconds: &[SecondCounts], phases: &[Phase], window: &Window) -> Option<f64> {
    // Arrivals, not requests: later steps must not make up for arrivals that were never sent.
    let sums = |sum: (u64, u64), (_, s): (usize, &SecondCounts)| (sum.0 + s.arrived, sum.1 + s.dropped + s.unsent);
    let (arrived, unsent) = meant(seconds, phases, window).fold((0, 0), sums);
    (arrived > 0).then(|| arrived.saturating_sub(unsent) as f64 / arrived as f64)
}

/// The most requests that were out at the end of any second of a window, by the counts or as they were seen then; `None` when nothing
/// was sent by then.
pub(super) fn in_flight_max(
    seconds: &[SecondCounts],
    seen: &BTreeMap<u64, u64>,
    phases: &[Phase],
    window: &Window,
) -> Option<u64> {
    let out_after = |state: &mut (u64, u64), counts: &SecondCounts| {
        *state = (state.0 + counts.sent, state.1 + counts.completed);
        Some((state.0 > 0).then_some(state.0.saturating_sub(state.1)))
    };
    let out: Vec<Option<u64>> = seconds.iter().scan((0, 0), out_after).collect();
    let counted = meant(seconds, phases, window).filter_map(|(second, _)| out[second]);
    let seen = seen.iter().filter(|(second, _)| is_meant(phases, window, **second)).map(|(_, count)| *count);
    counted.max().max(seen.max())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::cut;

    #[test]
    fn what_is_out_is_what_was_sent_and_not_yet_answered() {
        let counts = |sent, completed| SecondCounts { sent, completed, offered: sent, ..SecondCounts::default() };
        let seconds = [counts(0, 0), counts(10, 4), counts(10, 10), counts(0, 6)];
        let phases = cut(SECOND_NS, 4 * SECOND_NS, &[]);
        let max = |seconds: &[SecondCounts], window| in_flight_max(seconds, &BTreeMap::new(), &phases, &window);
        assert_eq!(max(&seconds, Window::Run), Some(6));
        assert_eq!(max(&seconds, Window::Span { from_s: 3, to_s: 4 }), Some(0));
        assert_eq!(max(&seconds, Window::Span { from_s: 0, to_s: 1 }), None);
        assert_eq!(max(&[], Window::Run), None);
    }

    #[test]
    fn what_was_seen_to_be_out_counts_before_it_has_an_outcome() {
        let (seen, phases) = (BTreeMap::from([(0, 90), (2, 40), (3, 70)]), cut(SECOND_NS, 4 * SECOND_NS, &[]));
        let max = |window| in_flight_max(&[], &seen, &phases, &window);
        assert_eq!((max(Window::Run), max(Window::Span { from_s: 2, to_s: 3 })), (Some(70), Some(40)));
    }

    #[test]
    fn arrivals_that_were_given_up_were_not_sent() {
        let second = SecondCounts { offered: 73, arrived: 10, dropped: 2, unsent: 3, ..SecondCounts::default() };
        let phases = cut(0, 2 * SECOND_NS, &[]);
        assert_eq!(sent_share(&[second, second], &phases, &Window::Run), Some(0.5));
        assert_eq!(sent_share(&[SecondCounts::default()], &phases, &Window::Run), None);
    }
}
