//! How many requests are there, integrated over time, without looking at a single sample: the other side of Little's law.
//!
//! Every request that comes adds one and takes its instant away; every one that goes takes one and adds its instant. At any time t the
//! integral is then `sum + count * t`, exactly, however many threads take part and in whatever order their instants come in.
use reports::record::CutOff;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Parts, so that users on different threads rarely meet.
const PARTS: usize = 16;

/// Requests that are there, since they were due and since they were sent.
///
/// Instants are read from the clock by the caller, not taken from a sample: a wrong stamp of one then shows beside the other.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    parts: [Mutex<Part>; PARTS],
}

#[derive(Debug, Default)]
struct Part {
    due: Gauge,
    sent: Gauge,
    cut_off: CutOff,
}

/// A count and its integral. Sums wrap: only the integral has to fit.
#[derive(Debug, Default, Clone, Copy)]
struct Gauge {
    count: u64,
    sum: u64,
}

impl Gauge {
    fn come(&mut self, at_ns: u64) {
        self.count = self.count.wrapping_add(1);
        self.sum = self.sum.wrapping_sub(at_ns);
    }

    fn go(&mut self, at_ns: u64) {
        self.count = self.count.wrapping_sub(1);
        self.sum = self.sum.wrapping_add(at_ns);
    }

    fn until(self, at_ns: u64) -> u64 {
        self.sum.wrapping_add(self.count.wrapping_mul(at_ns))
    }
}

/// Both integrals up to an instant, in nanoseconds times requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Integrals {
    pub(crate) due_ns: u64,
    pub(crate) sent_ns: u64,
}

impl Presence {
    /// A request is there from the instant at which it was due.
    pub(crate) fn is_due(&self, user: u32, due_ns: u64) {
        self.part(user).due.come(due_ns);
    }

    /// It goes out now.
    pub(crate) fn is_sent(&self, user: u32, now_ns: u64) {
        self.part(user).sent.come(now_ns);
    }

    /// Its answer is complete, or given up, now.
    pub(crate) fn is_done(&self, user: u32, now_ns: u64) {
        let mut part = self.part(user);
        part.due.go(now_ns);
        part.sent.go(now_ns);
    }

    /// It goes without a sample now.
    pub(crate) fn is_cut_off(&self, user: u32, now_ns: u64, due_ns: u64, sent_ns: Option<u64>) {
        let mut part = self.part(user);
        part.due.go(now_ns);
        part.cut_off.due_ns += now_ns.saturating_sub(due_ns);
        if let Some(sent_ns) = sent_ns {
            part.sent.go(now_ns);
            part.cut_off.sent_ns += now_ns.saturating_sub(sent_ns);
        }
    }

    /// Both integrals from clock zero to now.
    ///
    /// The parts are read one after the other. What happens meanwhile counts with the time that passed since: nearly nothing.
    pub(crate) fn until(&self, now_ns: u64) -> Integrals {
        let add = |sum: Integrals, part: MutexGuard<'_, Part>| Integrals {
            due_ns: sum.due_ns.wrapping_add(part.due.until(now_ns)),
            sent_ns: sum.sent_ns.wrapping_add(part.sent.until(now_ns)),
        };
        (0..PARTS as u32).map(|part| self.part(part)).fold(Integrals::default(), add)
    }

    /// Time of the requests that went without a sample.
    pub(crate) fn cut_off(&self) -> CutOff {
        (0..PARTS as u32).map(|part| self.part(part).cut_off).fold(CutOff::default(), |sum, part| CutOff {
            due_ns: sum.due_ns + part.due_ns,
            sent_ns: sum.sent_ns + part.sent_ns,
        })
    }

    fn part(&self, user: u32) -> MutexGuard<'_, Part> {
        self.parts[user as usize % PARTS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integrals(due_ns: u64, sent_ns: u64) -> Integrals {
        Integrals { due_ns, sent_ns }
    }

    #[test]
    fn the_integral_is_the_time_that_requests_were_there() {
        let presence = Presence::default();
        presence.is_due(0, 4);
        presence.is_due(17, 10);
        presence.is_sent(3, 15);
        assert_eq!(presence.until(25), integrals(21 + 15, 10));
        presence.is_done(8, 25);
        assert_eq!(presence.until(125), integrals(21 + 115, 10));
        presence.is_cut_off(1, 125, 10, None);
        assert_eq!(presence.until(1_125), integrals(21 + 115, 10));
        assert_eq!(presence.cut_off(), CutOff { due_ns: 115, sent_ns: 0 });
    }

    #[test]
    fn what_was_sent_and_never_answered_is_taken_out_of_both() {
        let presence = Presence::default();
        presence.is_due(0, 0);
        presence.is_sent(0, 2);
        presence.is_cut_off(0, 5, 0, Some(2));
        assert_eq!(presence.until(9), integrals(5, 3));
        assert_eq!(presence.cut_off(), CutOff { due_ns: 5, sent_ns: 3 });
    }

    #[test]
    fn sums_that_wrap_leave_the_integral_right() {
        let (presence, far) = (Presence::default(), u64::MAX / 4);
        (0..8).for_each(|user| presence.is_due(user, far + u64::from(user)));
        assert_eq!(presence.until(far + 10).due_ns, (3..=10).sum::<u64>());
    }
}
