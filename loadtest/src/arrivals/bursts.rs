//! Bursts: many users within an instant, again and again, with or without others between them.
use super::{Law, Open, check_peak, profile::Profile, spacing::Spacing};
use crate::settings::Error;
use reports::units::{self, format_duration, format_rate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, iter::Peekable, time::Duration};

/// The largest burst.
const SIZE_MAX: u32 = 1_000_000;

/// Bursts of users.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bursts {
    /// Arrivals in each burst.
    pub size: u32,
    /// Time from one burst to the next, such as "10s"; the first one comes after this time.
    #[serde(with = "units::duration")]
    #[schemars(with = "String")]
    pub every: Duration,
    /// Time over which the arrivals of a burst are spread evenly, such as "200ms". Default: all are due at once.
    #[serde(default, with = "units::duration", skip_serializing_if = "Duration::is_zero")]
    #[schemars(with = "String")]
    pub over: Duration,
    /// Arrivals per second beside the bursts, such as "25/s". Default: none.
    #[serde(default, with = "units::rate", skip_serializing_if = "super::is_nothing")]
    #[schemars(with = "String")]
    pub base: f64,
    /// How the arrivals beside the bursts scatter. Default: "poisson".
    #[serde(default)]
    pub spacing: Spacing,
}

impl Bursts {
    /// When the arrivals of the bursts are due, in nanoseconds since clock zero.
    fn of_bursts(&self) -> impl Iterator<Item = u64> + Send + use<> {
        let (size, every, over) = (u64::from(self.size), units::nanos(self.every), units::nanos(self.over));
        (size..).map(move |n| {
            let (burst, place) = (n / size, n % size);
            let within = u128::from(over) * u128::from(place) / u128::from(size);
            every.saturating_mul(burst).saturating_add(u64::try_from(within).expect("less than `over`"))
        })
    }
}

impl Open for Bursts {
    /// Of the arrivals beside the bursts.
    fn profile(&self, _: Duration) -> Profile {
        Profile::ramped(self.base, Duration::ZERO)
    }

    fn spacing(&self) -> Spacing {
        self.spacing
    }

    fn due_times(&self, seed: u64, duration: Duration) -> Box<dyn Iterator<Item = u64> + Send> {
        let beside = self.spacing.due_times(self.profile(duration), seed);
        Box::new(Merged(self.of_bursts().peekable(), beside.peekable()))
    }

    /// Bursts and what comes beside them have no law of their gaps together.
    fn law(&self, _: Duration) -> Option<Law> {
        None
    }

    fn expected(&self, duration: Duration) -> f64 {
        let in_bursts = self.of_bursts().take_while(|due_ns| *due_ns < units::nanos(duration)).count();
        in_bursts as f64 + self.profile(duration).expected_before(duration)
    }

    fn check(&self, duration: Duration) -> Result<(), Error> {
        Error::unless_positive("arrivals.bursts.size", f64::from(self.size))?;
        Error::unless_at_most("arrivals.bursts.size", self.size, SIZE_MAX)?;
        Error::unless_positive("arrivals.bursts.every", self.every.as_secs_f64())?;
        Error::unless_within("arrivals.bursts.every", self.every, duration)?;
        if self.over > self.every {
            let (key, value, limit) = ("arrivals.bursts.over", format_duration(self.over), format_duration(self.every));
            return Err(Error::TooMuch { key, value, limit });
        }
        let mean = f64::from(self.size) / self.every.as_secs_f64();
        check_peak("arrivals.bursts.size", &Profile::ramped(mean + self.base, Duration::ZERO))
    }
}

impl fmt::Display for Bursts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { size, every, over, base, spacing } = self;
        write!(f, "bursts of {size} every {}", format_duration(*every))?;
        if !over.is_zero() {
            write!(f, ", each over {}", format_duration(*over))?;
        }
        if *base > 0.0 { write!(f, ", beside {spacing} {}", format_rate(*base)) } else { Ok(()) }
    }
}

/// Two ascending sequences as one.
struct Merged<A: Iterator<Item = u64>, B: Iterator<Item = u64>>(Peekable<A>, Peekable<B>);

impl<A: Iterator<Item = u64>, B: Iterator<Item = u64>> Iterator for Merged<A, B> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        match (self.0.peek(), self.1.peek()) {
            (Some(first), Some(second)) if second < first => self.1.next(),
            (Some(_), _) => self.0.next(),
            (None, _) => self.1.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bursts(text: &str) -> Bursts {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn all_of_a_burst_are_due_within_its_time() {
        let bursts = bursts("size = 4\nevery = \"10s\"\nover = \"200ms\"");
        let dues: Vec<u64> = bursts.due_times(1, Duration::from_secs(60)).take(6).collect();
        assert_eq!(in_ms(&dues), [10_000, 10_050, 10_100, 10_150, 20_000, 20_050]);
        assert_eq!(bursts.expected(Duration::from_secs(25)), 8.0);
        assert_eq!(bursts.to_string(), "bursts of 4 every 10s, each over 200ms");
    }

    #[test]
    fn a_large_burst_over_a_long_time_is_spread_to_its_end() {
        let bursts = bursts("size = 1000000\nevery = \"20h\"\nover = \"20h\"");
        let dues: Vec<u64> = bursts.of_bursts().take(1_000_000).collect();
        let last_ns = 40 * 3_600 * 1_000_000_000 - 72_000_000;
        assert_eq!(dues.last(), Some(&last_ns), "one of a million parts of 20 h is 72 ms");
        assert!(dues.is_sorted());
    }

    #[test]
    fn others_arrive_beside_them() {
        let bursts = bursts("size = 3\nevery = \"1s\"\nbase = \"2/s\"\nspacing = \"constant\"");
        let dues: Vec<u64> = bursts.due_times(1, Duration::from_secs(60)).take(7).collect();
        assert_eq!(in_ms(&dues), [0, 500, 1_000, 1_000, 1_000, 1_000, 1_500]);
        assert_eq!(bursts.expected(Duration::from_millis(2_500)), 6.0 + 5.0);
        assert_eq!(bursts.to_string(), "bursts of 3 every 1s, beside constant 2/s");
    }

    #[test]
    fn impossible_bursts_are_refused() {
        let refused = |change: &str| {
            let text = format!("size = 4\nevery = \"10s\"\n{change}");
            let table: toml::Table = text.lines().fold(toml::Table::new(), |mut table, line| {
                table.extend(line.parse::<toml::Table>().unwrap());
                table
            });
            table.try_into::<Bursts>().unwrap().check(Duration::from_secs(60)).unwrap_err().key()
        };
        assert_eq!(refused("size = 0"), "arrivals.bursts.size");
        assert_eq!(refused("every = \"0s\""), "arrivals.bursts.every");
        assert_eq!(refused("every = \"60s\""), "arrivals.bursts.every");
        assert_eq!(refused("over = \"11s\""), "arrivals.bursts.over");
    }

    fn in_ms(dues: &[u64]) -> Vec<u64> {
        dues.iter().map(|due_ns| due_ns / 1_000_000).collect()
    }
}
