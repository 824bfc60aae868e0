//! What an impact took from the error budget.
use super::{Loss, Objective};
use schemars::JsonSchema;
use serde::Serialize;

/// With fewer requests, there is no figure. Source: measurement.md E.
const FEWEST_REQUESTS: u64 = 100;

/// Seconds in the 30 days that a budget is for.
const BUDGET_SECONDS: f64 = 30.0 * 86_400.0;

/// How fast the error budget was spent, and how much of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Burn {
    /// The share of the requests that is promised a good answer in time: the journey's strictest gate.
    pub promised: f64,
    /// Times as fast as would use up the budget exactly: `(bad/total) / (1 − promised)`.
    pub rate: f64,
    /// Share of a budget of 30 days at the rate of requests of this run: `bad / ((1 − promised)·λ·30 d)`. Production has a rate of its own.
    pub budget_share: f64,
}

impl Burn {
    /// What these requests took; `None` for fewer than 100 of them, or without a promise.
    #[must_use]
    pub fn of(loss: &Loss, promised: Option<f64>, per_second: f64) -> Option<Self> {
        let promised = promised?;
        let allowed = 1.0 - promised;
        (loss.total >= FEWEST_REQUESTS && per_second > 0.0 && allowed > 0.0).then(|| Self {
            promised,
            rate: loss.bad as f64 / loss.total as f64 / allowed,
            budget_share: loss.bad as f64 / (allowed * per_second * BUDGET_SECONDS),
        })
    }
}

/// What a journey promises: the strictest of its steps' promises.
#[must_use]
pub fn promised_by(steps: impl Iterator<Item = Objective>) -> Option<f64> {
    steps.filter_map(|objective| objective.promised).max_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_spent_as_fast_as_bad_requests_are_more_than_allowed() {
        let loss = Loss { total: 1_000, bad: 100, ..Loss::default() };
        let burn = Burn::of(&loss, Some(0.99), 10.0).unwrap();
        // 10 % bad of 1 % allowed; 100 of 0.01·10·2 592 000 = 259 200.
        assert!((burn.rate - 10.0).abs() < 1e-9 && (burn.budget_share - 100.0 / 259_200.0).abs() < 1e-12, "{burn:?}");
        assert_eq!(Burn::of(&Loss { total: 99, bad: 99, ..loss }, Some(0.99), 10.0), None, "too few requests");
        assert_eq!(Burn::of(&loss, None, 10.0), None, "nothing promised");
        let steps = [Some(0.95), None, Some(0.99)].map(|promised| Objective { limit_ns: None, promised });
        assert_eq!(promised_by(steps.into_iter()), Some(0.99));
    }
}
