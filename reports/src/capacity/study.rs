//! Everything that was found out about a capacity, and the answers that a planner reads from it.
use super::{
    bottleneck::Reading,
    claim::Claim,
    forecast::{Crossing, DayPeak, Forecast},
    overload::{Overload, Recovery, Rung},
    refusal::Refusal,
    replicas::{self, Plan, Policy, Replica, Scaling, TENFOLD, Tenfold, cost_per_thousand, plan, tenfold},
    usl::{Fit, Point, Residuals},
    violation::Level,
};
use crate::{
    number,
    record::ScenarioText,
    validity::{Check, CheckOutcome},
};
use serde::Serialize;

/// What was found out: trials, assumptions and checks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Study {
    /// The scenario as read, and what flags changed of what it promises.
    pub scenario: ScenarioText,
    /// When it began: RFC 3339 in UTC.
    pub started: String,
    /// What was loaded, in words, such as the title of a scenario.
    pub title: String,
    /// Where, such as the target's address.
    pub target: String,
    /// On which machine.
    pub machine: String,
    /// Requests that the level is promised for, such as `flights.search`.
    pub promised_for: String,
    /// The service level that gave way first, or the first of them.
    pub level: Level,
    /// Every service level that each rate had to keep, in words; one alone may be left to `level`.
    pub promises: Vec<String>,
    /// What the scenario promises beside, and why no rate was judged by it.
    pub left_apart: Vec<String>,
    /// Whether the trials can be trusted: the worst of each check over all of them.
    pub checks: Vec<Check>,
    /// What the search proved.
    pub claim: Claim,
    /// What it proved while a fault stood; empty when none was tried.
    pub under: Vec<UnderFault>,
    /// What came back at each rate, from below the claim to past it.
    pub rungs: Vec<Rung>,
    /// How long the target took to come back after the highest rate; `None` when that was not watched.
    pub recovery: Option<Recovery>,
    /// Highest demand that is expected, in arrivals per second, as all rates here.
    pub expected_per_second: f64,
    /// Requests of one arrival: more than 1 where what users do takes several.
    pub requests_per_arrival: f64,
    /// How replicas are bought.
    pub policy: Policy,
    /// What a replica costs; `None` when nobody said.
    pub price: Option<Price>,
    /// Confirmed rates of several numbers of replicas; empty when only one was measured.
    pub by_replicas: Vec<Point>,
    /// Peaks of the past; empty when there is no history.
    pub history: Vec<DayPeak>,
    /// Resources at the highest rate that was kept; empty when none were watched.
    pub resources: Vec<Reading>,
}

/// What a replica costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Price {
    /// For one replica and one hour.
    pub per_hour: f64,
    /// In which currency, such as `EUR`.
    pub currency: String,
}

/// The same search while a fault stood.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UnderFault {
    /// The fault, in words.
    pub fault: String,
    /// What the search proved.
    pub claim: Claim,
    /// Whether its trials can be trusted.
    pub checks: Vec<Check>,
}

impl UnderFault {
    /// The check that failed, so that nothing is stated.
    #[must_use]
    pub fn failed(&self) -> Option<&Check> {
        self.checks.iter().find(|check| check.outcome == CheckOutcome::Fail)
    }
}

/// Whether the expected demand can be carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The measurement cannot be trusted: no figure is stated.
    Invalid,
    /// A rate at or below the demand was proven to violate the level.
    TooLittle,
    /// The demand lies where nothing is proven.
    Undecided,
    /// The demand is within the confirmed rate.
    Enough,
}

impl Standing {
    /// The word in capitals, as on the first line of every page.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Invalid => "INVALID",
            Self::TooLittle => "TOO LITTLE",
            Self::Undecided => "UNDECIDED",
            Self::Enough => "ENOUGH",
        }
    }

    /// The exit code of the program. Source: cli-and-reports.md, exit codes.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Invalid => 8,
            Self::TooLittle => 3,
            Self::Undecided => 7,
            Self::Enough => 0,
        }
    }
}

/// What to buy for one demand.
#[derive(Debug, Clone, PartialEq)]
pub struct Purchase {
    /// The demand, in words.
    pub demand: String,
    /// Replicas; or why there is no number.
    pub plan: Result<Plan, replicas::Error>,
    /// What a thousand good answers cost then; `None` without a price.
    pub cost: Option<f64>,
}

/// What a study answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Whether the expected demand can be carried.
    pub standing: Standing,
    /// The claim in one sentence, or why there is none.
    pub headline: String,
    /// What one replica sustains; `None` when nothing was confirmed, or nothing can be trusted. Without it, nothing can be bought.
    pub replica: Option<Replica>,
    /// Share of the confirmed rate that the expected demand leaves.
    pub headroom: Option<f64>,
    /// Whether ten times the expected demand was shown to be carried.
    pub tenfold: Option<Tenfold>,
    /// For the expected demand, with growth, and for ten times as much.
    pub purchases: Vec<Purchase>,
    /// Throughput over requests in flight.
    pub scaling: Result<Fit, Refusal>,
    /// Goodput past the best; `None` when nothing was tried there.
    pub overload: Option<Overload>,
    /// Growth, and when it reaches what is used of one replica's rate; `None` without a history or a claim.
    pub forecast: Option<Result<(Forecast, Crossing), Refusal>>,
}

impl Answer {
    /// Answers a study. When a check failed, figures that rest on the trials are left out.
    #[must_use]
    pub fn of(study: &Study) -> Self {
        let failed = study.checks.iter().find(|check| check.outcome == CheckOutcome::Fail);
        let sustained = study.claim.sustained_per_second.filter(|_| failed.is_none());
        let service_per_second = unhurried(&study.rungs);
        let replica = sustained.map(|sustained_per_second| Replica {
            sustained_per_second,
            level: study.level,
            service_per_second,
        });
        let by_replicas = Fit::of(&study.by_replicas, Residuals::Relative).ok();
        let scaling = by_replicas.as_ref().map_or(Scaling::Proportional, Scaling::Measured);
        let forecast = |replica: Replica| {
            let limit = replica.sustained_per_second * study.policy.use_share;
            let reaches = |forecast: Forecast| (forecast.reaches(limit), forecast);
            Forecast::of(&study.history).map(reaches).map(|(crossing, forecast)| (forecast, crossing))
        };
        Self {
            standing: standing(study, failed.is_some()),
            headline: match failed {
                Some(check) => format!("{}: {}; no capacity is stated", check.name, check.figure),
                None => study.claim.sentence(),
            },
            replica,
            headroom: sustained.map(|rate| replicas::headroom(study.expected_per_second, rate)),
            tenfold: replica.map(|replica| tenfold(replica, study.expected_per_second, study.policy, scaling)),
            purchases: replica.map_or_else(Vec::new, |replica| purchases(study, replica, scaling)),
            scaling: Fit::of(&in_flight(&study.rungs), Residuals::Relative),
            overload: Overload::of(&study.rungs),
            forecast: replica.filter(|_| !study.history.is_empty()).map(forecast),
        }
    }
}

fn standing(study: &Study, is_invalid: bool) -> Standing {
    let expected = study.expected_per_second;
    match (study.claim.sustained_per_second, study.claim.violated_per_second) {
        _ if is_invalid => Standing::Invalid,
        (Some(sustained), _) if expected <= sustained => Standing::Enough,
        (_, Some(violated)) if expected >= violated => Standing::TooLittle,
        _ => Standing::Undecided,
    }
}

fn purchases(study: &Study, replica: Replica, scaling: Scaling<'_>) -> Vec<Purchase> {
    let Policy { growth, .. } = study.policy;
    let steady = Policy { growth: 0.0, ..study.policy };
    let mut demands = vec![("expected".to_owned(), study.expected_per_second, steady)];
    if growth > 0.0 {
        demands.push((
            format!("expected + {}", number::exact_percent(growth)),
            study.expected_per_second,
            study.policy,
        ));
    }
    demands.push(("10 × expected".to_owned(), TENFOLD * study.expected_per_second, steady));
    let purchase = |(demand, peak, policy): (String, f64, Policy)| {
        let plan = plan(replica, peak, policy, scaling);
        let cost = match (&study.price, &plan) {
            // As many are good as the level promises.
            (Some(price), Ok(plan)) => {
                let good = plan.demand_per_second * study.requests_per_arrival * study.level.quantile;
                cost_per_thousand(plan.replicas, price.per_hour, good)
            }
            _ => None,
        };
        Purchase { demand, plan, cost }
    };
    demands.into_iter().map(purchase).collect()
}

/// Answers over requests in flight, late ones included: what the law describes is work done, not promises kept.
fn in_flight(rungs: &[Rung]) -> Vec<Point> {
    let point = |rung: &Rung| Point { load: rung.in_flight, per_second: rung.answered_per_second };
    rungs.iter().filter(|rung| rung.answered_per_second > 0.0 && rung.in_flight > 0.0).map(point).collect()
}

/// What one request in flight is worth at the lowest rate, by Little's law.
fn unhurried(rungs: &[Rung]) -> Option<f64> {
    let lowest = rungs.iter().min_by(|a, b| a.offered_per_second.total_cmp(&b.offered_per_second))?;
    let worth = lowest.answered_per_second / lowest.in_flight;
    (worth.is_finite() && worth > 0.0).then_some(worth)
}
