//! Which resource stands in the way of more: how much of each is used at a rate, and at which rate each would be full.
//!
//! By the utilisation law, `U = X·D`: use grows with the throughput by the demand of one request. Source: Denning and Buzen, Computing
//! Surveys 10 (1978), operational laws.
use crate::record::Run;
use serde::{Deserialize, Serialize};

/// From this share on a resource is at its limit: above it, queues for it are several requests long (ρ/(1−ρ) = 5.7 at 0.85).
const FULL: f64 = 0.85;

/// How much of a resource was used at some rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Its name, such as `CPU of service` or `connections to the database`.
    pub resource: String,
    /// How much was used on average, in the unit of the limit; 0 or more.
    pub used: f64,
    /// How much there is; above 0.
    pub limit: f64,
    /// What is counted, such as `CPUs` or `connections`.
    pub unit: String,
}

impl Reading {
    /// The share that is used.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.used / self.limit
    }
}

/// What the record of a run says of resources: the CPU time of every process of a bundled target, and of the whole machine.
///
/// A process may use every CPU of the machine. Pools and requests in flight by dependency are not in the record.
#[must_use]
pub fn readings(run: &Run) -> Vec<Reading> {
    let seconds = run.finished_ns as f64 / 1e9;
    let cpus = run.machine.cpu_count as f64;
    if seconds <= 0.0 || cpus <= 0.0 {
        return Vec::new();
    }
    let reading = |resource: String, used: f64| Reading { resource, used, limit: cpus, unit: "CPUs".to_owned() };
    let processes = run.target.processes.iter();
    let of_processes =
        processes.map(|process| reading(format!("CPU of {}", process.name), process.cpu_seconds / seconds));
    let machine = run.meter.host.map(|host| reading("CPU of the machine".to_owned(), host.busy_share * cpus));
    of_processes.chain(machine).collect()
}

/// One resource, and how far it would reach.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bound {
    /// What was read.
    pub reading: Reading,
    /// The throughput at which it would be used up, in requests per second, if use grows with throughput; `None` when none was used.
    pub full_at_per_second: Option<f64>,
}

/// What stands in the way of more.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bottleneck {
    /// Every resource, the fullest first.
    pub ranking: Vec<Bound>,
    /// How many of them are at their limit, from 85 % on: the first so many of the ranking.
    pub full: usize,
}

impl Bottleneck {
    /// Ranks the resources as they were at a throughput, in requests per second. Readings without a limit are left out; `None` without any.
    #[must_use]
    pub fn of(readings: &[Reading], per_second: f64) -> Option<Self> {
        let is_usable = |reading: &&Reading| reading.limit > 0.0 && reading.used >= 0.0 && reading.share().is_finite();
        let mut ranking: Vec<Bound> = readings
            .iter()
            .filter(is_usable)
            .map(|reading| Bound {
                reading: reading.clone(),
                full_at_per_second: (reading.used > 0.0).then(|| per_second / reading.share()),
            })
            .collect();
        ranking.sort_by(|a, b| b.reading.share().total_cmp(&a.reading.share()));
        let full = ranking.iter().filter(|bound| bound.reading.share() >= FULL).count();
        (!ranking.is_empty()).then_some(Self { ranking, full })
    }

    /// What was found, in one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let names: Vec<&str> = self.ranking[..self.full].iter().map(|bound| bound.reading.resource.as_str()).collect();
        match names.as_slice() {
            [] => "Nothing that was watched is at its limit: look for a lock, a pool or a slow dependency.".to_owned(),
            [only] => format!("{only} is at its limit."),
            [first, rest @ ..] => format!(
                "{first} is at its limit, and so {} {}.",
                if rest.len() == 1 { "is" } else { "are" },
                rest.join(", ")
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(resource: &str, used: f64, limit: f64) -> Reading {
        Reading { resource: resource.to_owned(), used, limit, unit: "CPUs".to_owned() }
    }

    #[test]
    fn the_fullest_resource_comes_first_and_says_how_far_it_reaches() {
        let readings =
            [reading("CPU of providers", 0.4, 2.0), reading("connections", 9.5, 10.0), reading("idle", 0.0, 4.0)];
        let found = Bottleneck::of(&readings, 950.0).unwrap();
        let names: Vec<&str> = found.ranking.iter().map(|bound| bound.reading.resource.as_str()).collect();
        assert_eq!(names, ["connections", "CPU of providers", "idle"]);
        let at: Vec<Option<f64>> = found.ranking.iter().map(|bound| bound.full_at_per_second.map(f64::round)).collect();
        assert_eq!(at, [Some(1_000.0), Some(4_750.0), None]);
        assert_eq!((found.full, found.sentence().as_str()), (1, "connections is at its limit."));
    }

    #[test]
    fn a_resource_below_its_limit_is_not_blamed() {
        let found = Bottleneck::of(&[reading("CPU", 1.6, 2.0)], 10.0).unwrap();
        assert!(found.full == 0 && found.sentence().contains("look for a lock"), "{}", found.sentence());
        assert_eq!(Bottleneck::of(&[], 1.0), None);
        assert_eq!(Bottleneck::of(&[reading("broken", 1.0, 0.0), reading("odd", f64::NAN, 1.0)], 1.0), None);
    }
}
