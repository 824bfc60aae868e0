//! How many requests fell into each outcome class.
use crate::record::Outcome;

/// A count per class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutcomeCounts([u64; Outcome::ALL.len()]);

impl OutcomeCounts {
    /// Adds requests of one class.
    pub fn add(&mut self, outcome: Outcome, count: u64) {
        self.0[outcome as usize] += count;
    }

    /// Adds all of another.
    pub fn add_all(&mut self, other: &Self) {
        for (sum, count) in self.0.iter_mut().zip(other.0) {
            *sum += count;
        }
    }

    /// Requests of one class.
    #[must_use]
    pub fn get(&self, outcome: Outcome) -> u64 {
        self.0[outcome as usize]
    }

    /// Requests of every class.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Requests with an answer to use.
    #[must_use]
    pub fn good(&self) -> u64 {
        self.sum_of(Outcome::is_good)
    }

    /// Requests that count as errors.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.sum_of(Outcome::is_error)
    }

    /// Every request but those refused by an intended limit: what shares and latencies are judged on.
    #[must_use]
    pub fn judged(&self) -> u64 {
        self.total() - self.get(Outcome::Limited)
    }

    /// Errors among the judged; `None` when there are none of these.
    #[must_use]
    pub fn error_share(&self) -> Option<f64> {
        (self.judged() > 0).then(|| self.errors() as f64 / self.judged() as f64)
    }

    /// Good answers among the judged; `None` when there are none of these.
    #[must_use]
    pub fn good_share(&self) -> Option<f64> {
        (self.judged() > 0).then(|| self.good() as f64 / self.judged() as f64)
    }

    /// Classes that were seen, best first, with their counts.
    pub fn seen(&self) -> impl Iterator<Item = (Outcome, u64)> + '_ {
        Outcome::ALL.into_iter().map(|outcome| (outcome, self.get(outcome))).filter(|(_, count)| *count > 0)
    }

    fn sum_of(&self, belongs: impl Fn(Outcome) -> bool) -> u64 {
        Outcome::ALL.into_iter().filter(|outcome| belongs(*outcome)).map(|outcome| self.get(outcome)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_its_place_and_intended_limits_are_left_out_of_the_shares() {
        let mut counts = OutcomeCounts::default();
        for (index, outcome) in Outcome::ALL.into_iter().enumerate() {
            counts.add(outcome, 1 << index);
        }
        assert_eq!((counts.total(), counts.good(), counts.judged()), (511, 3, 507));
        assert_eq!(counts.errors(), 504);
        assert_eq!(OutcomeCounts::default().error_share(), None);
        assert_eq!(counts.seen().count(), 9);
    }
}
