//! How many replicas a demand needs, what that leaves in reserve, and what a good answer costs.
//!
//! `R = ⌈peak·(1+growth)/(λ_ok·u)⌉ + k`: λ_ok is the rate that one replica was confirmed to sustain, u how much of it is used, k how many
//! replicas may be lost. Source: measurement.md D4.
use super::{queue::Queue, usl::Fit, violation::Level};
use crate::number;
use serde::{Deserialize, Serialize};

/// The most replicas that are planned; beyond, the figures are a mistake.
const MOST_REPLICAS: u32 = 1_000_000;

/// How many times the expected demand "10×" is.
pub const TENFOLD: f64 = 10.0;

/// What is known of one replica: the rate that it was confirmed to sustain under a service level.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Replica {
    /// Confirmed rate, in requests per second.
    pub sustained_per_second: f64,
    /// The level it was confirmed under.
    pub level: Level,
    /// Requests per second that one request in service is worth: 1 over the mean response time at a rate so low that nothing waits.
    /// `None` when that was not measured: the replica is then taken for a single server.
    pub service_per_second: Option<f64>,
}

/// How replicas are bought.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Share of the confirmed rate that is used at the peak, above 0 and up to 1; 0.7 to 0.8 is usual.
    pub use_share: f64,
    /// Replicas that may be lost at the peak (N+k).
    pub spares: u32,
    /// How much the demand may grow until the next purchase, as a share; not negative.
    pub growth: f64,
}

/// Why nothing can be planned.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum Error {
    /// A figure is not what it must be.
    #[error("{what} must be {must}, and is {value}")]
    Figure {
        /// Which one.
        what: &'static str,
        /// What it must be.
        must: &'static str,
        /// What it is.
        value: f64,
    },
    /// More replicas than are believed.
    #[error("{demand}/s would need more than a million replicas of {sustained}/s each; are both rates per second?")]
    TooMany {
        /// The demand, in requests per second.
        demand: f64,
        /// What one replica sustains, in requests per second.
        sustained: f64,
    },
    /// The measured scaling never reaches the demand within twice the most replicas that were measured.
    #[error("no number of replicas up to {most} is shown to carry {demand}/s, by the scaling that was measured")]
    NotReached {
        /// The demand with growth, in requests per second.
        demand: f64,
        /// Twice the most replicas that were measured.
        most: u32,
    },
}

/// How the throughput of several replicas follows from that of one.
#[derive(Debug, Clone, Copy)]
pub enum Scaling<'a> {
    /// R replicas carry R times as much: an assumption.
    Proportional,
    /// By a curve fitted to confirmed rates of several numbers of replicas; the lower end of its interval counts.
    Measured(&'a Fit),
}

/// Response times at the level's quantile in nanoseconds, by how the balancer works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Balancing {
    /// One shared queue: no replica is idle while a request waits. The best there is.
    pub shared_ns: u64,
    /// Each request goes to a replica by chance. The worst of what is usual.
    pub random_ns: u64,
}

/// What to buy for one demand.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// The demand, growth included, in requests per second.
    pub demand_per_second: f64,
    /// Replicas, spares included.
    pub replicas: u32,
    /// Of these, those that may be lost.
    pub spares: u32,
    /// Response times while all are up; `None` where the model has none: for requests too slow for it, or replicas that hinder each other.
    pub all_up: Option<Balancing>,
    /// Response times while the spares are lost.
    pub spares_lost: Option<Balancing>,
}

/// Replicas for a peak demand in requests per second.
///
/// Response times are those of a model, which says how much the balancer matters, not what will be measured: times are exponential, and a
/// replica works on as many requests at once as it takes to keep the level at its confirmed rate.
///
/// # Errors
/// When a figure is out of its range, or the demand is beyond reach.
pub fn plan(replica: Replica, peak_per_second: f64, policy: Policy, scaling: Scaling<'_>) -> Result<Plan, Error> {
    check(replica, policy)?;
    let is_demand = peak_per_second.is_finite() && peak_per_second > 0.0;
    let wrong = Error::Figure { what: "the peak demand", must: "above 0", value: peak_per_second };
    let demand = if is_demand { peak_per_second * (1.0 + policy.growth) } else { return Err(wrong) };
    let needed = match scaling {
        Scaling::Proportional => proportional(replica, demand, policy)?,
        Scaling::Measured(fit) => measured(fit, demand, policy)?,
    };
    let replicas = needed + policy.spares;
    let times = |servers: u32| balancing(replica, demand, servers);
    Ok(Plan {
        demand_per_second: demand,
        replicas,
        spares: policy.spares,
        all_up: times(replicas),
        spares_lost: times(needed),
    })
}

fn check(replica: Replica, policy: Policy) -> Result<(), Error> {
    let figures = [
        (
            "the confirmed rate of a replica",
            "above 0",
            replica.sustained_per_second,
            replica.sustained_per_second > 0.0,
        ),
        (
            "the share of it that is used",
            "above 0 and at most 1",
            policy.use_share,
            policy.use_share > 0.0 && policy.use_share <= 1.0,
        ),
        ("the growth", "0 or more", policy.growth, policy.growth >= 0.0),
        (
            "the quantile of the level",
            "between 0 and 1",
            replica.level.quantile,
            replica.level.quantile > 0.0 && replica.level.quantile < 1.0,
        ),
        (
            "the service rate of a request",
            "above 0",
            replica.service_per_second.unwrap_or(1.0),
            replica.service_per_second.is_none_or(|rate| rate > 0.0),
        ),
        ("the limit of the level", "above 0", replica.level.limit_ns as f64, replica.level.limit_ns > 0),
    ];
    match figures.into_iter().find(|(_, _, value, is_right)| !value.is_finite() || !is_right) {
        Some((what, must, value, _)) => Err(Error::Figure { what, must, value }),
        None => Ok(()),
    }
}

fn proportional(replica: Replica, demand: f64, policy: Policy) -> Result<u32, Error> {
    // The 1e-9 keeps 1000/(250·0.8) = 5.000000000000001 from becoming 6.
    let needed = (demand / (replica.sustained_per_second * policy.use_share) - 1e-9).ceil().max(1.0);
    match needed <= f64::from(MOST_REPLICAS) {
        true => Ok(needed as u32),
        false => Err(Error::TooMany { demand, sustained: replica.sustained_per_second }),
    }
}

fn measured(fit: &Fit, demand: f64, policy: Policy) -> Result<u32, Error> {
    let carries = |replicas: &u32| {
        fit.at(f64::from(*replicas)).is_ok_and(|found| found.per_second.lower * policy.use_share >= demand)
    };
    let most = (2.0 * fit.largest_load()) as u32;
    (1..=most).find(carries).ok_or(Error::NotReached { demand, most })
}

fn balancing(replica: Replica, demand: f64, replicas: u32) -> Option<Balancing> {
    let (servers, service) = inside(replica)?;
    let quantile = replica.level.quantile;
    let shared = Queue::new(servers.checked_mul(replicas)?, demand, service).ok()?;
    let alone = Queue::new(servers, demand / f64::from(replicas), service).ok()?;
    let nanos = |queue: Queue| (queue.shared_quantile(quantile) * 1e9).round() as u64;
    Some(Balancing { shared_ns: nanos(shared), random_ns: nanos(alone) })
}

/// How many requests a replica works on at once, and how fast each: the fewest that keep the level at the confirmed rate.
///
/// A single server has the rate `μ = λ_ok − ln(1−p)/limit`, by the sojourn of M/M/1. `None` when single requests are so slow that
/// exponential times of that mean break the level without any load.
fn inside(replica: Replica) -> Option<(u32, f64)> {
    let Replica { sustained_per_second, level: Level { quantile, limit_ns }, service_per_second } = replica;
    let limit = limit_ns as f64 / 1e9;
    let alone = -(1.0 - quantile).ln() / limit;
    let Some(service) = service_per_second else { return Some((1, sustained_per_second + alone)) };
    let keeps = |servers: u32| {
        Queue::new(servers, sustained_per_second, service).is_ok_and(|queue| queue.shared_quantile(quantile) <= limit)
    };
    // With more servers than work there is no waiting: the time comes as near to that of one request as it can.
    let (mut low, mut high) = (0, (2.0 * sustained_per_second / service).ceil() as u32 + 100);
    if service <= alone || high > MOST_REPLICAS || !keeps(high) {
        return None;
    }
    while high - low > 1 {
        let middle = u32::midpoint(low, high);
        if keeps(middle) { high = middle } else { low = middle }
    }
    Some((high, service))
}

/// The share of the confirmed rate that the expected demand leaves; negative when it is more than that.
#[must_use]
pub fn headroom(expected_per_second: f64, sustained_per_second: f64) -> f64 {
    1.0 - expected_per_second / sustained_per_second
}

/// Whether ten times the expected demand was shown to be carried.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tenfold {
    /// It is within the highest rate that was confirmed.
    Demonstrated,
    /// It is not; what it would take, if that can be said.
    NotDemonstrated {
        /// Replicas for it, under the assumption.
        replicas: Option<u32>,
        /// What the number of replicas rests on, or why there is none.
        assumption: String,
    },
}

/// "Handles 10×" is said only of a rate that was measured. Ten times as much is all the growth there is: that of the policy is left out.
#[must_use]
pub fn tenfold(replica: Replica, expected_per_second: f64, policy: Policy, scaling: Scaling<'_>) -> Tenfold {
    let demand = TENFOLD * expected_per_second;
    if demand <= replica.sustained_per_second {
        return Tenfold::Demonstrated;
    }
    match plan(replica, demand, Policy { growth: 0.0, ..policy }, scaling) {
        Ok(plan) => {
            let assumption = match scaling {
                Scaling::Proportional => "that R replicas carry R times what one does".to_owned(),
                Scaling::Measured(fit) => {
                    let sigma = fit.sigma();
                    format!(
                        "the scaling measured up to {} replicas (σ {} to {}, 95 %)",
                        fit.largest_load(),
                        number::significant(sigma.lower.max(0.0)),
                        number::significant(sigma.upper)
                    )
                }
            };
            Tenfold::NotDemonstrated { replicas: Some(plan.replicas), assumption }
        }
        Err(error) => Tenfold::NotDemonstrated { replicas: None, assumption: error.to_string() },
    }
}

/// What a thousand good answers cost, in the currency of the price; `None` when there are none.
#[must_use]
pub fn cost_per_thousand(replicas: u32, price_per_hour: f64, good_per_second: f64) -> Option<f64> {
    (good_per_second > 0.0).then(|| f64::from(replicas) * price_per_hour / (good_per_second * 3600.0) * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capacity::usl::{Point, Residuals};

    const MS: u64 = 1_000_000;

    fn replica(sustained_per_second: f64) -> Replica {
        let level = Level { quantile: 0.99, limit_ns: 50 * MS };
        Replica { sustained_per_second, level, service_per_second: None }
    }

    fn policy(use_share: f64, spares: u32, growth: f64) -> Policy {
        Policy { use_share, spares, growth }
    }

    #[test]
    fn replicas_are_those_of_the_formula() {
        for (sustained, peak, policy, expected) in [
            (250.0, 1_000.0, policy(0.8, 0, 0.0), 5),
            (250.0, 1_000.1, policy(0.8, 0, 0.0), 6),
            (250.0, 1_000.0, policy(0.8, 2, 0.5), 10),
            (900.0, 10.0, policy(0.7, 1, 0.0), 2),
            (900.0, 9_000.0, policy(1.0, 0, 0.0), 10),
        ] {
            let found = plan(replica(sustained), peak, policy, Scaling::Proportional).unwrap();
            assert_eq!((found.replicas, found.spares), (expected, policy.spares), "{sustained} {peak} {policy:?}");
        }
    }

    #[test]
    fn the_level_is_kept_with_the_spares_lost_even_by_the_worst_balancer() {
        let found = plan(replica(900.0), 5_000.0, policy(0.75, 2, 0.2), Scaling::Proportional).unwrap();
        let Balancing { shared_ns, random_ns } = found.spares_lost.unwrap();
        let all_up = found.all_up.unwrap();
        assert!(shared_ns < random_ns && random_ns <= 50 * MS, "{found:?}");
        assert!(all_up.random_ns < random_ns && all_up.shared_ns <= shared_ns, "{found:?}");
        // One replica alone at its confirmed rate is just at the limit, whoever balances.
        let one = plan(replica(900.0), 900.0, policy(1.0, 0, 0.0), Scaling::Proportional).unwrap();
        let alone = one.all_up.unwrap();
        assert!(one.replicas == 1 && alone.random_ns.abs_diff(50 * MS) < MS / 100, "{one:?}");
        assert!(alone.shared_ns.abs_diff(50 * MS) < MS / 100, "{one:?}");
    }

    #[test]
    fn a_replica_with_many_hands_is_no_faster_than_one_of_its_requests() {
        // Requests of 5 ms: nobody is through faster than in 23 ms at p99, however many replicas there are.
        let slow = Replica { service_per_second: Some(200.0), ..replica(900.0) };
        let found = plan(slow, 900.0, policy(0.1, 0, 0.0), Scaling::Proportional).unwrap().all_up.unwrap();
        let alone = (100.0_f64.ln() / 200.0 * 1e9) as u64;
        assert!(found.shared_ns >= alone && found.random_ns < alone + MS, "{found:?}");
        // The fewest servers that keep 50 ms at 900/s of 200/s each: one less would not.
        let (servers, _) = inside(slow).unwrap();
        let time = |servers| Queue::new(servers, 900.0, 200.0).unwrap().shared_quantile(0.99);
        assert!(time(servers) <= 0.05 && time(servers - 1) > 0.05, "{servers}");
        // At the level's limit without load there is no model, and the number of replicas does not need one.
        let slower = Replica { service_per_second: Some(92.0), ..replica(900.0) };
        let found = plan(slower, 900.0, policy(1.0, 0, 0.0), Scaling::Proportional).unwrap();
        assert_eq!((found.replicas, found.all_up), (1, None));
    }

    #[test]
    fn ten_times_is_said_only_of_what_was_measured() {
        let found = |expected| tenfold(replica(900.0), expected, policy(0.75, 1, 0.0), Scaling::Proportional);
        assert_eq!(found(90.0), Tenfold::Demonstrated);
        assert!(matches!(found(90.1), Tenfold::NotDemonstrated { replicas: Some(3), .. }), "{:?}", found(90.1));
        assert!(matches!(found(f64::NAN), Tenfold::NotDemonstrated { replicas: None, .. }));
        assert!((headroom(225.0, 900.0) - 0.75).abs() < 1e-12 && headroom(1_000.0, 900.0) < 0.0);
    }

    #[test]
    fn a_measured_scaling_needs_more_replicas_and_ends_where_the_data_do() {
        let curve = |load: f64| 900.0 * load / (1.0 + 0.05 * (load - 1.0));
        let points = [1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0].map(|load| Point { load, per_second: curve(load) });
        let fit = Fit::of(&points, Residuals::Relative).unwrap();
        let found = |peak| plan(replica(900.0), peak, policy(0.75, 0, 0.0), Scaling::Measured(&fit));
        // 900·8/1.35·0.75 = 4000 for 8; proportional would need 6.
        assert_eq!(found(3_999.0).unwrap().replicas, 8);
        assert_eq!(found(100_000.0), Err(Error::NotReached { demand: 100_000.0, most: 24 }));
    }

    #[test]
    fn a_thousand_good_answers_have_a_price() {
        // 6 replicas of 0.10 an hour, 500 good answers a second: 0.6/1.8 million · 1000.
        assert!((cost_per_thousand(6, 0.10, 500.0).unwrap() - 0.6 / 1_800.0).abs() < 1e-15);
        assert_eq!(cost_per_thousand(6, 0.10, 0.0), None);
    }

    #[test]
    fn figures_out_of_range_are_refused_by_name() {
        let check = |replica: Replica, peak: f64, policy: Policy, text: &str| {
            let error = plan(replica, peak, policy, Scaling::Proportional).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        };
        check(replica(0.0), 1.0, policy(0.7, 0, 0.0), "confirmed rate");
        check(replica(f64::NAN), 1.0, policy(0.7, 0, 0.0), "confirmed rate");
        check(replica(1.0), 0.0, policy(0.7, 0, 0.0), "peak demand");
        check(replica(1.0), f64::INFINITY, policy(0.7, 0, 0.0), "peak demand");
        check(replica(1.0), 1.0, policy(0.0, 0, 0.0), "share of it that is used");
        check(replica(1.0), 1.0, policy(1.1, 0, 0.0), "share of it that is used");
        check(replica(1.0), 1.0, policy(0.7, 0, -0.1), "growth");
        check(replica(1e-3), 1e6, policy(0.7, 0, 0.0), "more than a million");
        let level = Level { quantile: 1.0, limit_ns: 1 };
        check(Replica { level, ..replica(1.0) }, 1.0, policy(0.7, 0, 0.0), "quantile");
    }
}
