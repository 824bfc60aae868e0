//! `cpu_limit`: a part gets no more than so much of a CPU (cgroups: `cpu.max`, or `cpu.cfs_quota_us` in version 1).
use std::{collections::BTreeMap, error, time::Duration};

use reports::record::FaultEffect;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::Instant;

use super::{
    cgroup::{self, Group, Home, Version},
    on_part::{OnPart, running},
};
use crate::{
    fault::setting::Error,
    injectors::{Off, On},
    parts::{Doing, PartError, Parts},
};

const CONTROLLER: &str = "cpu";
/// The time over which the share is counted, in microseconds; the default of the kernel.
const PERIOD_US: f64 = 100_000.0;
/// The kernel refuses less than 1 ms in a period.
const LEAST_SHARE: f64 = 0.01;

/// Settings of a limit on CPU time in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CpuLimit {
    /// How much of one CPU all its threads get together, from 0.01; 0.5 is half a CPU, 2 are two.
    pub share: f64,
}

impl CpuLimit {
    pub(crate) fn check_settings(self) -> Result<(), Error> {
        let is_sane = (LEAST_SHARE..=1024.0).contains(&self.share);
        is_sane.then_some(()).ok_or(Error::NoEffect("the `share` of a CPU must be from 0.01 to 1024"))
    }

    fn quota_us(self) -> String {
        format!("{:.0}", self.share * PERIOD_US)
    }

    fn limit(self, group: &Group, version: Version) -> Result<(), cgroup::Error> {
        match version {
            Version::One => {
                group.set("cpu.cfs_period_us", &format!("{PERIOD_US:.0}"))?;
                group.set("cpu.cfs_quota_us", &self.quota_us())
            }
            Version::Two => group.set("cpu.max", &format!("{} {PERIOD_US:.0}", self.quota_us())),
        }
    }
}

impl OnPart for CpuLimit {
    fn name(&self) -> &'static str {
        "cpu_limit"
    }

    fn words(&self) -> String {
        format!("cpu_limit: at most {} of a CPU", self.share)
    }

    fn ensure_possible(&self) -> Result<(), Box<dyn error::Error + Send + Sync>> {
        Ok(Home::find(CONTROLLER)?.ensure_writable()?)
    }

    fn apply<'a>(&'a self, parts: &'a dyn Parts, part: &'a str) -> Doing<'a, On> {
        Box::pin(async move {
            let pid = running(parts, part, "limit")?;
            let refused = |error| limit_error(format!("limit the CPU of the {part}"), error);
            let home = Home::find(CONTROLLER).map_err(refused)?;
            let group = home.group(pid).map_err(refused)?;
            let asked = Instant::now();
            self.limit(&group, home.version).and_then(|()| group.take(pid)).map_err(refused)?;
            if !group.holds(pid) {
                let attempt = format!("limit the CPU of the {part}");
                return Err(PartError::NotSeen { attempt, expected: "it in its group", within: asked.elapsed() });
            }
            let proof = format!("pid {pid} held to {} of a CPU", self.share);
            Ok(On { asked, at: asked, over: None, proof: Some(proof) })
        })
    }

    fn check(&self, parts: &dyn Parts, part: &str) -> Result<(), PartError> {
        let over = |seen| PartError::Over { part: part.to_owned(), seen };
        let pid = parts.pid(part).ok_or_else(|| over("has ended"))?;
        let is_held = Home::find(CONTROLLER).and_then(|home| home.group(pid)).is_ok_and(|group| group.holds(pid));
        is_held.then_some(()).ok_or_else(|| over("is held to its share no more"))
    }

    fn lift<'a>(&'a self, parts: &'a dyn Parts, part: &'a str) -> Doing<'a, Off> {
        Box::pin(async move {
            let asked = Instant::now();
            let Some(pid) = parts.pid(part) else {
                return Ok(Off::new(asked, asked, "it ended while it was limited".to_owned()));
            };
            let refused = |error| limit_error(format!("free the CPU of the {part}"), error);
            let group = Home::find(CONTROLLER).and_then(|home| home.group(pid)).map_err(refused)?;
            let held = throttled(&group.get("cpu.stat").map_err(refused)?);
            group.release(pid).map_err(refused)?;
            if group.holds(pid) {
                let attempt = format!("free the CPU of the {part}");
                return Err(PartError::NotSeen { attempt, expected: "it out of its group", within: asked.elapsed() });
            }
            let (times, took) = held;
            let proof = format!("held back {times} times, for {:.2} s of its threads' time", took.as_secs_f64());
            // A limit that was never felt has touched nothing.
            let effect = (times == 0).then(FaultEffect::default);
            Ok(Off { asked, at: Instant::now(), proof: Some(proof), effect })
        })
    }
}

fn limit_error(attempt: String, error: cgroup::Error) -> PartError {
    PartError::Limit { attempt, source: error.into() }
}

/// In how many periods the group was held back, and for how long, by its `cpu.stat` (nanoseconds in version 1, microseconds in 2).
fn throttled(stat: &str) -> (u64, Duration) {
    let fields: BTreeMap<&str, u64> =
        stat.lines().filter_map(|line| line.split_once(' ')).filter_map(|(k, v)| Some((k, v.parse().ok()?))).collect();
    let field = |name| fields.get(name).copied();
    let in_ns = field("throttled_time").map(Duration::from_nanos);
    let took = in_ns.or_else(|| field("throttled_usec").map(Duration::from_micros));
    (field("nr_throttled").unwrap_or(0), took.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_held_back_is_read_in_both_versions() {
        let one = "nr_periods 20\nnr_throttled 7\nthrottled_time 1500000000\n";
        let two = "usage_usec 9\nnr_periods 20\nnr_throttled 7\nthrottled_usec 1500000\n";
        for stat in [one, two] {
            assert_eq!(throttled(stat), (7, Duration::from_millis(1500)), "{stat}");
        }
        assert_eq!(throttled("nonsense"), (0, Duration::ZERO));
    }

    #[test]
    fn a_share_that_is_none_is_refused() {
        for share in [0.0, -1.0, 0.009, 1025.0, f64::NAN, f64::INFINITY] {
            assert!(CpuLimit { share }.check_settings().is_err(), "{share}");
        }
        assert!(CpuLimit { share: 0.5 }.check_settings().is_ok());
        assert_eq!(CpuLimit { share: 0.5 }.quota_us(), "50000");
    }
}
