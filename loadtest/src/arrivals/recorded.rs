//! Recorded arrivals: those of an earlier run, or those that an access log has seen.
//!
//! This file is about due times alone. Whoever reads the scenario reads the record too, and hands the due times in.
use super::{Law, Open, profile::Profile, spacing::Spacing};
use crate::{
    draw::{Draw, Purpose},
    settings::{Error, RATE_MAX},
};
use reports::units::{self, format_rate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

/// The most arrivals that one record may hold: 8 bytes of memory each.
pub const ARRIVALS_MAX: usize = 4_000_000;
/// The most that a record can be sped up.
const SPEED_MAX: f64 = 1_000.0;

/// Arrivals at the instants of a record: a `file`, or an earlier `run`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// An access log (Common or Combined Log Format), JSON lines with a timestamp (RFC 3339, or seconds or milliseconds since 1970), or
    /// a plain list of seconds since the start, one number per line; relative to the scenario file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub file: Option<PathBuf>,
    /// The due times that an open model had in an earlier run: its folder, or its name below reports/runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub run: Option<PathBuf>,
    /// The field of JSON lines that holds the timestamp. Default: `time`, `timestamp`, `@timestamp` or `ts`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// How many times as fast as they were. Default: 1.
    #[serde(default = "one")]
    pub speed: f64,
    /// Whether they begin again when they have ended, one mean gap after the last. Default: false.
    #[serde(default)]
    pub repeat: bool,
    /// When they were due, ascending, in nanoseconds since the start of the record. Not part of the scenario file.
    #[serde(skip)]
    pub due_ns: Arc<[u64]>,
}

fn one() -> f64 {
    1.0
}

/// Spreads arrivals that are known by their second alone (ascending) over these seconds, evenly at random from the seed. Ascending, in
/// nanoseconds.
#[must_use]
pub fn spread(seconds: &[u64], seed: u64) -> Vec<u64> {
    let within = |k: u64| (Draw::new(seed, Purpose::Spread, k).unit() * 1e9) as u64;
    let spread = |(k, second): (u64, &u64)| second.saturating_mul(1_000_000_000).saturating_add(within(k));
    let mut due_ns: Vec<u64> = (0..).zip(seconds).map(spread).collect();
    due_ns.sort_unstable();
    due_ns
}

impl Recorded {
    /// Time from the beginning of one round to that of the next, in nanoseconds of the record; 0 when the record has but one instant.
    fn period_ns(&self) -> u64 {
        let (Some(first), Some(last)) = (self.due_ns.first(), self.due_ns.last()) else { return 0 };
        let gap = (last - first).checked_div(self.due_ns.len() as u64 - 1);
        gap.filter(|gap| *gap > 0).map_or(0, |gap| last.saturating_add(gap))
    }
}

impl Open for Recorded {
    /// As if they came evenly: the mean rate of the record.
    fn profile(&self, _: Duration) -> Profile {
        let period_s = self.period_ns() as f64 / 1e9;
        let rate = if period_s > 0.0 { self.due_ns.len() as f64 * self.speed / period_s } else { 0.0 };
        Profile::ramped(rate, Duration::ZERO)
    }

    /// Not used: the due times are the record's own.
    fn spacing(&self) -> Spacing {
        Spacing::Constant
    }

    fn due_times(&self, _: u64, _: Duration) -> Box<dyn Iterator<Item = u64> + Send> {
        let (due_ns, speed, period_ns) = (self.due_ns.clone(), self.speed, self.period_ns());
        let rounds = if self.repeat && period_ns > 0 { u64::MAX } else { 1 };
        let at = move |k: u64| {
            let round = k.checked_div(due_ns.len() as u64).filter(|round| *round < rounds)?;
            let place = usize::try_from(k % due_ns.len() as u64).expect("the record is in memory");
            let at_ns = due_ns[place].saturating_add(period_ns.saturating_mul(round));
            // At its own speed to the last nanosecond.
            Some(if speed == 1.0 { at_ns } else { (at_ns as f64 / speed) as u64 })
        };
        Box::new((0..).map_while(at))
    }

    /// The gaps are whatever they were.
    fn law(&self, _: Duration) -> Option<Law> {
        None
    }

    fn expected(&self, duration: Duration) -> f64 {
        let end_ns = units::nanos(duration);
        self.due_times(0, duration).take_while(|due_ns| *due_ns < end_ns).count() as f64
    }

    fn check(&self, duration: Duration) -> Result<(), Error> {
        match (&self.file, &self.run) {
            (Some(_), Some(_)) => return Err(Error::Exclusive { key: "arrivals.recorded.file", other: "run" }),
            (None, None) => return Err(Error::Needs { key: "arrivals.recorded", what: "a `file` or a `run`" }),
            _ => {}
        }
        Error::unless_positive("arrivals.recorded.speed", self.speed)?;
        Error::unless_at_most("arrivals.recorded.speed", self.speed, SPEED_MAX)?;
        if self.repeat && self.period_ns() == 0 {
            return Err(Error::Needs { key: "arrivals.recorded.repeat", what: "arrivals at different instants" });
        }
        let rate = self.profile(duration).peak();
        if self.repeat && rate > RATE_MAX {
            let (value, limit) = (format_rate(rate.round()), format_rate(RATE_MAX));
            return Err(Error::TooMuch { key: "arrivals.recorded.repeat", value, limit });
        }
        Ok(())
    }
}

impl fmt::Display for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = self.file.as_deref().or(self.run.as_deref()).and_then(|path| path.file_name());
        let source = source.unwrap_or_default().to_string_lossy();
        write!(f, "recorded, {} arrivals of {source}", self.due_ns.len())?;
        if self.speed != 1.0 {
            write!(f, ", {} times as fast", self.speed)?;
        }
        f.write_str(if self.repeat { ", again and again" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const SECOND_NS: u64 = 1_000_000_000;

    fn recorded(text: &str, due_ns: &[u64]) -> Recorded {
        let recorded: Recorded = toml::from_str(text).unwrap();
        Recorded { due_ns: due_ns.into(), ..recorded }
    }

    #[test]
    fn arrivals_come_when_they_came_scaled_and_again() {
        let due_ns = [0, SECOND_NS + 1, 4 * SECOND_NS + 3];
        let times = |text: &str, count| recorded(text, &due_ns).due_times(9, MINUTE).take(count).collect::<Vec<_>>();
        assert_eq!(times("file = \"a.log\"", 9), due_ns);
        assert_eq!(times("file = \"a.log\"\nspeed = 2.0", 9), due_ns.map(|ns| ns / 2));
        // The mean gap is 2 s and 1 ns.
        let again = [0, 1, 2].map(|k| due_ns[k] + 6 * SECOND_NS + 4);
        assert_eq!(times("file = \"a.log\"\nrepeat = true", 6)[3..], again);

        let twice = recorded("file = \"logs/a.log\"\nspeed = 0.5\nrepeat = true", &due_ns);
        assert_eq!(twice.to_string(), "recorded, 3 arrivals of a.log, 0.5 times as fast, again and again");
        assert_eq!((twice.check(MINUTE), twice.expected(Duration::from_secs(12))), (Ok(()), 3.0));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let refused = |text: &str, due_ns: &[u64]| recorded(text, due_ns).check(MINUTE).unwrap_err().to_string();
        let some = [0, 5, 7];
        assert_eq!(refused("", &some), "`arrivals.recorded` needs a `file` or a `run`");
        assert_eq!(
            refused("file = \"a\"\nrun = \"b\"", &some),
            "`arrivals.recorded.file` cannot be given together with `run`"
        );
        for speed in ["0.0", "-1.0", "nan"] {
            let text = refused(&format!("file = \"a\"\nspeed = {speed}"), &some);
            assert_eq!(text, "`arrivals.recorded.speed` must be more than 0");
        }
        assert_eq!(refused("file = \"a\"\nspeed = inf", &some), "`arrivals.recorded.speed` is inf, more than 1000");
        for once in [&[][..], &[3], &[3, 3]] {
            let text = refused("file = \"a\"\nrepeat = true", once);
            assert_eq!(text, "`arrivals.recorded.repeat` needs arrivals at different instants");
            assert_eq!(recorded("file = \"a\"", once).check(MINUTE), Ok(()));
        }
        assert_eq!(
            refused("file = \"a\"\nrepeat = true", &some),
            "`arrivals.recorded.repeat` is 300000000/s, more than 1000000/s"
        );
    }

    #[test]
    fn arrivals_of_one_second_are_spread_over_it_the_same_for_the_same_seed() {
        let seconds: Vec<u64> = (0..10_000).map(|k| k / 1_000 * 2).collect();
        let due_ns = spread(&seconds, 7);
        assert!(due_ns.is_sorted());
        assert!(due_ns.iter().zip(&seconds).all(|(ns, second)| ns / SECOND_NS == *second), "each within its second");
        let mean = due_ns.iter().map(|ns| (ns % SECOND_NS) as f64 / 1e9).sum::<f64>() / 10_000.0;
        // The standard deviation of the mean is 0.0029.
        assert!((mean - 0.5).abs() < 0.015, "mean {mean}");
        assert_eq!(due_ns, spread(&seconds, 7));
        assert_ne!(due_ns, spread(&seconds, 8));
    }
}
