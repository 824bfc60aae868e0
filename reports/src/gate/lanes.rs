//! Numbers that gates read from the counts per second: what was sent, and what was out.
use crate::{
    record::{Phase, SECOND_NS, SecondCounts},
    summary::Window,
};

/// The counts of the seconds of a window. A second belongs to the phase that its middle lies in.
fn meant<'a>(
    seconds: &'a [SecondCounts],
    phases: &'a [Phase],
    window: &'a Window,
) -> impl Iterator<Item = (usize, &'a SecondCounts)> {
    let middle_ns = |second: usize| second as u64 * SECOND_NS + SECOND_NS / 2;
    let is_meant = move |second: usize| {
        let phase = phases.iter().rfind(|phase| phase.from_ns <= middle_ns(second));
        phase.is_some_and(|phase| window.holds(phase)) && window.holds_second(second as u64)
    };
    seconds.iter().enumerate().filter(move |(second, _)| is_meant(*second))
}

/// Share of the arrivals due in a window that were sent; `None` when there were no arrivals.
pub(super) fn sent_share(seconds: &[SecondCounts], phases: &[Phase], window: &Window) -> Option<f64> {
    let sums = |sum: (u64, u64), (_, s): (usize, &SecondCounts)| (sum.0 + s.offered, sum.1 + s.dropped + s.unsent);
    let (offered, unsent) = meant(seconds, phases, window).fold((0, 0), sums);
    (offered > 0).then(|| offered.saturating_sub(unsent) as f64 / offered as f64)
}

/// The most requests that were out at the end of any second of a window; `None` when nothing was sent by then.
pub(super) fn in_flight_max(seconds: &[SecondCounts], phases: &[Phase], window: &Window) -> Option<u64> {
    let out_after = |state: &mut (u64, u64), counts: &SecondCounts| {
        *state = (state.0 + counts.sent, state.1 + counts.completed);
        Some((state.0 > 0).then_some(state.0.saturating_sub(state.1)))
    };
    let out: Vec<Option<u64>> = seconds.iter().scan((0, 0), out_after).collect();
    meant(seconds, phases, window).filter_map(|(second, _)| out[second]).max()
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
        assert_eq!(in_flight_max(&seconds, &phases, &Window::Run), Some(6));
        assert_eq!(in_flight_max(&seconds, &phases, &Window::Span { from_s: 3, to_s: 4 }), Some(0));
        assert_eq!(in_flight_max(&seconds, &phases, &Window::Span { from_s: 0, to_s: 1 }), None);
        assert_eq!(in_flight_max(&[], &phases, &Window::Run), None);
    }

    #[test]
    fn arrivals_that_were_given_up_were_not_sent() {
        let second = SecondCounts { offered: 10, dropped: 2, unsent: 3, ..SecondCounts::default() };
        let phases = cut(0, 2 * SECOND_NS, &[]);
        assert_eq!(sent_share(&[second, second], &phases, &Window::Run), Some(0.5));
        assert_eq!(sent_share(&[SecondCounts::default()], &phases, &Window::Run), None);
    }
}
