//! What is known of one metric: whether it is worse by more than its margin, by how much, and what could have been found.
use super::{
    cycle::{NotTested, Series},
    metric::Test,
    power,
    shift::{Shift, median_of_sorted},
    signed_rank::SignedRank,
};
use serde::Serialize;

/// What is known of one metric: never two of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Worse by more than the margin.
    Regress,
    /// Not worse by as much as the margin.
    Pass,
    /// Neither is sure.
    Inconclusive,
}

/// What more can be said of the size of a difference; never changes the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Nuance {
    /// Surely better than the baseline.
    Faster,
    /// Surely worse, and surely by less than the margin.
    SlowerWithinMargin,
    /// Surely worse, by less or more than the margin.
    SlowerSizeUnresolved,
}

/// A metric that was compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tested {
    /// Its verdict.
    pub verdict: Verdict,
    /// What more can be said.
    pub nuance: Option<Nuance>,
    /// Worse by so much, as a share of the baseline (latency) or of all requests (errors).
    pub effect: f64,
    /// Worse by at least so much, but for a chance of alpha of the look; `None` when there are too few cycles to say.
    pub at_least: Option<f64>,
    /// Worse by at most so much, but for a chance of alpha of the look; `None` when there are too few cycles to say.
    pub at_most: Option<f64>,
    /// Chance of such differences if it were not worse than the margin.
    pub p_regress: f64,
    /// The same with Holm's correction for all metrics, which is the one that decides.
    pub p_regress_adjusted: f64,
    /// Chance of such differences if it were worse by the margin.
    pub p_pass: f64,
    /// The smallest worsening that this gate finds in 80 % of cases when it is the only one; `None` when there are too few cycles.
    pub detectable: Option<f64>,
    /// Median over the cycles: nanoseconds or a share.
    pub baseline: f64,
    /// Median over the cycles: nanoseconds or a share.
    pub candidate: f64,
    /// Effect seen in each cycle, in order.
    pub effects: Vec<f64>,
}

/// What became of a metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It was compared.
    Tested(Tested),
    /// It was not, and why.
    NotTested(NotTested),
}

/// A metric, its margin and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// What was to be compared.
    #[serde(flatten)]
    pub test: Test,
    /// What became of it.
    pub state: State,
}

impl Finding {
    /// The verdict, if it was compared.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        match &self.state {
            State::Tested(tested) => Some(tested.verdict),
            State::NotTested(_) => None,
        }
    }
}

/// What one look may err, and over how many tests.
pub(super) struct Level {
    pub(super) alpha: f64,
    pub(super) tests: usize,
    pub(super) may_decide: bool,
}

impl Level {
    pub(super) fn tested(
        &self,
        test: &Test,
        series: &Series,
        signed_rank: SignedRank,
        p_regress_adjusted: f64,
    ) -> Tested {
        let (quantity, differences) = (test.metric.quantity, series.differences.as_slice());
        let margin = quantity.difference(test.margin);
        let shift = Shift::of(differences, self.alpha).expect("a series has at least one cycle");
        let verdict = match self.may_decide {
            true if p_regress_adjusted < self.alpha => Verdict::Regress,
            true if signed_rank.p_less < self.alpha => Verdict::Pass,
            _ => Verdict::Inconclusive,
        };
        let sigma = power::deviation(differences).unwrap_or(f64::NAN);
        // A regression that is alone has to pass the first step of Holm's procedure.
        let alone = self.alpha / self.tests as f64;
        let beyond = power::detectable(sigma, differences.len(), alone);
        let bound = |difference: f64| difference.is_finite().then(|| quantity.effect(difference));
        Tested {
            verdict,
            nuance: nuance(&shift, margin),
            effect: quantity.effect(shift.estimate),
            at_least: bound(shift.lower),
            at_most: bound(shift.upper),
            p_regress: signed_rank.p_greater,
            p_regress_adjusted,
            p_pass: signed_rank.p_less,
            detectable: beyond.map(|beyond| quantity.effect(margin + beyond)),
            baseline: median(&series.baseline),
            candidate: median(&series.candidate),
            effects: differences.iter().map(|difference| quantity.effect(*difference)).collect(),
        }
    }
}

fn nuance(shift: &Shift, margin: f64) -> Option<Nuance> {
    if shift.upper < 0.0 {
        Some(Nuance::Faster)
    } else if shift.lower > 0.0 && shift.upper < margin {
        Some(Nuance::SlowerWithinMargin)
    } else if shift.lower > 0.0 && shift.lower < margin && shift.upper >= margin {
        Some(Nuance::SlowerSizeUnresolved)
    } else {
        None
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    median_of_sorted(&sorted)
}
