//! One variant's half of a load: of the arrivals of each journey, those that the balanced coin sends to it.
//!
//! ```text
//! one schedule ─▶ label of arrival k of its journey ─┬─▶ baseline's half
//!                                                    └─▶ candidate's half
//! ```
//! A label belongs to an arrival, so a whole visit goes to one variant: what it makes (a trip, a chat) is there only.
use crate::labels::Labels;
use reports::record::Variant;

/// Whose half of a load, by which coin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Half {
    /// The coin of the cycle.
    pub labels: Labels,
    /// The variant that gets these arrivals.
    pub variant: Variant,
}

/// Lets the arrivals of one half through, in the order of the schedule.
#[derive(Debug, Clone)]
pub(crate) struct Sieve {
    half: Half,
    /// Each journey of the mix, and how often it has come.
    journeys: Vec<(String, u64)>,
}

impl Sieve {
    pub(crate) fn new<'a>(half: Half, journeys: impl Iterator<Item = &'a str>) -> Self {
        Self { half, journeys: journeys.map(|journey| (journey.to_owned(), 0)).collect() }
    }

    /// Whether the next arrival, which is of this journey of the mix, belongs to the half.
    pub(crate) fn lets_through(&mut self, journey_index: usize) -> bool {
        let (journey, count) = &mut self.journeys[journey_index];
        let k = *count;
        *count += 1;
        self.half.labels.of(journey, k) == self.half.variant
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LoadPlan, schedule::Arrival};

    const LOAD: &str = r#"
        duration = "30s"
        users = 20
        mix = { flight-search = 3, chat = 2, trip-creation = 1 }
        arrivals = { poisson = { rate = "50/s" } }"#;

    fn plan() -> LoadPlan {
        LoadPlan::new(toml::from_str(LOAD).unwrap(), 7, "2030-01-01".parse().unwrap()).unwrap()
    }

    fn half(variant: Variant) -> Vec<Arrival> {
        let half = Half { labels: Labels::new(7, 0), variant };
        let plan = plan().only(half);
        assert!(plan.law().is_none());
        assert_eq!(plan.arrival_count(), plan.schedule().unwrap().count() as u64);
        plan.schedule().unwrap().collect()
    }

    #[test]
    fn both_halves_together_are_the_schedule() {
        let mut both = [half(Variant::Baseline), half(Variant::Candidate)].concat();
        both.sort_by_key(|arrival| arrival.index);
        let whole: Vec<Arrival> = plan().schedule().unwrap().collect();
        assert!(whole.len() > 1_000, "{} arrivals", whole.len());
        assert_eq!(both, whole);
    }

    #[test]
    fn each_journey_comes_as_often_in_one_half_as_in_the_other() {
        let of = |variant, journey| half(variant).iter().filter(|arrival| arrival.journey_index == journey).count();
        for journey in 0..3 {
            let (baseline, candidate) = (of(Variant::Baseline, journey), of(Variant::Candidate, journey));
            assert!(baseline.abs_diff(candidate) <= 2 && baseline > 100, "journey {journey}: {baseline}, {candidate}");
        }
    }
}
