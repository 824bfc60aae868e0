//! How long a provider takes to answer, as a distribution that is written in one word: `lognormal:120ms:0.3`.
//!
//! Pure: nothing here sleeps or reads a clock; `pace.rs` does.

use std::{fmt, str::FromStr, time::Duration};

use jiff::fmt::friendly::{Spacing, SpanParser, SpanPrinter};
use rand::{Rng, RngExt};
use rand_distr::{Exp1, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest service time: longer settings are refused, longer draws are clamped to it.
const LONGEST: Duration = Duration::from_secs(3600);

/// The largest sigma of a log-normal distribution; at 5 the 99th percentile is 100 000 medians.
const SIGMA_MAX: f64 = 5.0;

/// The distribution of the time a provider takes to answer.
///
/// Written and read as text: `constant:5ms`, `lognormal:120ms:0.3`, `exponential:20ms`, `uniform:1ms..9ms`.
/// Durations are up to one hour. A constant of zero adds nothing, not even a turn of the timer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub enum ServiceTime {
    /// Always the same.
    Constant(Duration),
    /// `median * exp(sigma * Z)` with a standard normal `Z`: the usual shape of service times, with a long tail.
    LogNormal {
        /// Half of the draws are shorter.
        median: Duration,
        /// The spread, 0 to 5: about 0.3 is a quiet server (p99 = twice the median), 1 a troubled one (ten times).
        sigma: f64,
    },
    /// Memoryless, as in queueing theory.
    Exponential {
        /// The average; the median is 0.69 of it.
        mean: Duration,
    },
    /// Equally likely anywhere in a range.
    Uniform {
        /// The shortest.
        from: Duration,
        /// The longest, at least `from`.
        to: Duration,
    },
}

/// What is wrong with a service time.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceTimeError {
    /// The first word names no distribution.
    #[error(
        "unknown distribution in `{text}`; write constant:5ms, lognormal:120ms:0.3, exponential:20ms or uniform:1ms..9ms"
    )]
    Distribution {
        /// The text as given.
        text: String,
    },
    /// A parameter is missing or there is one too many.
    #[error("`{text}` does not have the parameters of `{example}`")]
    Parameters {
        /// The text as given.
        text: String,
        /// A correct text of the same distribution.
        example: &'static str,
    },
    /// A parameter is not a duration.
    #[error("`{text}` is not a duration; write a number and a unit, such as 120ms or 1.5s")]
    Duration {
        /// The parameter as given.
        text: String,
        /// What the parser said.
        #[source]
        source: jiff::Error,
    },
    /// A duration is above one hour.
    #[error("a service time of {duration:?} is longer than one hour")]
    TooLong {
        /// The duration.
        duration: Duration,
    },
    /// The spread of a log-normal distribution is no number from 0 to 5.
    #[error("sigma `{sigma}` is not a number from 0 to 5")]
    Sigma {
        /// The parameter as given.
        sigma: String,
    },
    /// The range of a uniform distribution ends before it starts.
    #[error("the range {from:?}..{to:?} runs backwards")]
    Backwards {
        /// Its start.
        from: Duration,
        /// Its end.
        to: Duration,
    },
}

impl ServiceTime {
    /// A log-normal distribution with `sigma` 0.3, the default of every provider.
    pub(crate) const fn quiet(median_ms: u64) -> Self {
        Self::LogNormal { median: Duration::from_millis(median_ms), sigma: 0.3 }
    }

    /// One draw, at most one hour; how many random numbers it takes depends on the distribution.
    pub fn draw(&self, rng: &mut impl Rng) -> Duration {
        let drawn = match *self {
            Self::Constant(duration) => duration,
            Self::LogNormal { median, sigma } => {
                let z: f64 = rng.sample(StandardNormal);
                scaled(median, (sigma * z).exp())
            }
            Self::Exponential { mean } => scaled(mean, rng.sample(Exp1)),
            Self::Uniform { from, to } => from + scaled(to.saturating_sub(from), rng.random()),
        };
        drawn.min(LONGEST)
    }

    /// So many times as long in every respect: medians, means and ends of ranges.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        match self {
            Self::Constant(duration) => Self::Constant(scaled(duration, factor)),
            Self::LogNormal { median, sigma } => Self::LogNormal { median: scaled(median, factor), sigma },
            Self::Exponential { mean } => Self::Exponential { mean: scaled(mean, factor) },
            Self::Uniform { from, to } => Self::Uniform { from: scaled(from, factor), to: scaled(to, factor) },
        }
    }

    /// Refuses parameters out of range, which a value built in code can have.
    ///
    /// # Errors
    ///
    /// [`TooLong`](ServiceTimeError::TooLong), [`Sigma`](ServiceTimeError::Sigma) or
    /// [`Backwards`](ServiceTimeError::Backwards).
    pub fn check(&self) -> Result<(), ServiceTimeError> {
        match *self {
            Self::Constant(duration) => within_limit(duration),
            Self::Exponential { mean } => within_limit(mean),
            Self::LogNormal { median, sigma } => {
                if !(0.0..=SIGMA_MAX).contains(&sigma) {
                    return Err(ServiceTimeError::Sigma { sigma: sigma.to_string() });
                }
                within_limit(median)
            }
            Self::Uniform { from, to } => {
                if from > to {
                    return Err(ServiceTimeError::Backwards { from, to });
                }
                within_limit(to)
            }
        }
    }
}

/// `duration * factor`; what does not fit a `Duration` is certainly above the limit.
fn scaled(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(LONGEST)
}

fn within_limit(duration: Duration) -> Result<(), ServiceTimeError> {
    if duration > LONGEST {
        return Err(ServiceTimeError::TooLong { duration });
    }
    Ok(())
}

impl FromStr for ServiceTime {
    type Err = ServiceTimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parameters = |example| ServiceTimeError::Parameters { text: text.to_owned(), example };
        let (distribution, rest) = text.split_once(':').unwrap_or((text, ""));
        let service_time = match distribution {
            "constant" if rest.is_empty() => return Err(parameters("constant:5ms")),
            "constant" => Self::Constant(duration(rest)?),
            "lognormal" => {
                let (median, sigma) = rest.split_once(':').ok_or_else(|| parameters("lognormal:120ms:0.3"))?;
                Self::LogNormal {
                    median: duration(median)?,
                    sigma: sigma.parse().map_err(|_| ServiceTimeError::Sigma { sigma: sigma.to_owned() })?,
                }
            }
            "exponential" if rest.is_empty() => return Err(parameters("exponential:20ms")),
            "exponential" => Self::Exponential { mean: duration(rest)? },
            "uniform" => {
                let (from, to) = rest.split_once("..").ok_or_else(|| parameters("uniform:1ms..9ms"))?;
                Self::Uniform { from: duration(from)?, to: duration(to)? }
            }
            _ => {
                return Err(ServiceTimeError::Distribution { text: text.to_owned() });
            }
        };
        service_time.check()?;
        Ok(service_time)
    }
}

fn duration(text: &str) -> Result<Duration, ServiceTimeError> {
    SpanParser::new()
        .parse_unsigned_duration(text)
        .map_err(|source| ServiceTimeError::Duration { text: text.to_owned(), source })
}

impl fmt::Display for ServiceTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text =
            |duration: &Duration| SpanPrinter::new().spacing(Spacing::None).unsigned_duration_to_string(duration);
        match self {
            Self::Constant(duration) => write!(f, "constant:{}", text(duration)),
            Self::LogNormal { median, sigma } => write!(f, "lognormal:{}:{sigma}", text(median)),
            Self::Exponential { mean } => write!(f, "exponential:{}", text(mean)),
            Self::Uniform { from, to } => write!(f, "uniform:{}..{}", text(from), text(to)),
        }
    }
}

impl TryFrom<String> for ServiceTime {
    type Error = ServiceTimeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ServiceTime> for String {
    fn from(service_time: ServiceTime) -> Self {
        service_time.to_string()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::source::Source;

    /// The `q`-quantile of 20 001 draws, in milliseconds.
    fn quantile_ms(text: &str, q: f64) -> f64 {
        let service_time: ServiceTime = text.parse().unwrap();
        let source = Source::new(1, "test");
        let mut draws: Vec<_> = (0..20_001).map(|k| service_time.draw(&mut source.nth(k))).collect();
        draws.sort_unstable();
        draws[(q * 20_000.0) as usize].as_secs_f64() * 1e3
    }

    // The standard error of a quantile is sqrt(q(1-q)/n)/density: below 0.5 % of each value here, 2 % at p99.
    #[rstest]
    #[case::log_normal_median("lognormal:120ms:0.3", 0.5, 120.0, 0.02)]
    #[case::log_normal_p99("lognormal:120ms:0.3", 0.99, 120.0 * (0.3_f64 * 2.326).exp(), 0.06)]
    #[case::no_spread("lognormal:120ms:0", 0.99, 120.0, 1e-6)]
    #[case::exponential_median("exponential:20ms", 0.5, 20.0 * std::f64::consts::LN_2, 0.04)]
    #[case::uniform_quarter("uniform:1ms..9ms", 0.25, 3.0, 0.04)]
    #[case::constant("constant:5ms", 0.9, 5.0, 1e-6)]
    fn draws_follow_the_distribution(
        #[case] text: &str,
        #[case] q: f64,
        #[case] expected_ms: f64,
        #[case] tolerance: f64,
    ) {
        let seen_ms = quantile_ms(text, q);
        assert!((seen_ms / expected_ms - 1.0).abs() < tolerance, "{text}: {seen_ms} is not {expected_ms}");
    }

    #[rstest]
    #[case("constant:0s")]
    #[case("constant:5ms")]
    #[case("lognormal:120ms:0.3")]
    #[case("lognormal:1s500ms:0")]
    #[case("exponential:20ms")]
    #[case("exponential:1h")]
    #[case("uniform:1ms..9ms")]
    fn text_survives_a_round_trip(#[case] text: &str) {
        let service_time: ServiceTime = text.parse().unwrap();
        assert_eq!(service_time.to_string(), text);
        let json = serde_json::to_string(&service_time).unwrap();
        assert_eq!(serde_json::from_str::<ServiceTime>(&json).unwrap(), service_time);
    }

    #[rstest]
    #[case("constant:1.5ms", Duration::from_micros(1500))]
    #[case("constant:250us", Duration::from_micros(250))]
    fn fractions_and_small_units_are_read(#[case] text: &str, #[case] expected: Duration) {
        let read: ServiceTime = text.parse().unwrap();
        assert_eq!(read, ServiceTime::Constant(expected));
        assert_eq!(read.to_string().parse::<ServiceTime>().unwrap(), read);
    }

    #[rstest]
    #[case(
        "",
        "unknown distribution in ``; write constant:5ms, lognormal:120ms:0.3, exponential:20ms or uniform:1ms..9ms"
    )]
    #[case(
        "normal:5ms",
        "unknown distribution in `normal:5ms`; write constant:5ms, lognormal:120ms:0.3, exponential:20ms or uniform:1ms..9ms"
    )]
    #[case("constant", "`constant` does not have the parameters of `constant:5ms`")]
    #[case("constant:5", "`5` is not a duration; write a number and a unit, such as 120ms or 1.5s")]
    #[case("constant:-5ms", "`-5ms` is not a duration; write a number and a unit, such as 120ms or 1.5s")]
    #[case("constant:2h", "a service time of 7200s is longer than one hour")]
    #[case("lognormal:5ms", "`lognormal:5ms` does not have the parameters of `lognormal:120ms:0.3`")]
    #[case("lognormal:5ms:x", "sigma `x` is not a number from 0 to 5")]
    #[case("lognormal:5ms:-1", "sigma `-1` is not a number from 0 to 5")]
    #[case("lognormal:5ms:NaN", "sigma `NaN` is not a number from 0 to 5")]
    #[case("lognormal:5ms:inf", "sigma `inf` is not a number from 0 to 5")]
    #[case("exponential:", "`exponential:` does not have the parameters of `exponential:20ms`")]
    #[case("uniform:5ms", "`uniform:5ms` does not have the parameters of `uniform:1ms..9ms`")]
    #[case("uniform:9ms..1ms", "the range 9ms..1ms runs backwards")]
    fn nonsense_is_refused_with_a_hint(#[case] text: &str, #[case] message: &str) {
        assert_eq!(text.parse::<ServiceTime>().unwrap_err().to_string(), message);
    }

    #[test]
    fn its_schema_is_a_text() {
        assert_eq!(schemars::schema_for!(ServiceTime).get("type"), Some(&"string".into()));
    }

    #[test]
    fn a_huge_draw_is_clamped() {
        let service_time: ServiceTime = "lognormal:1h:5".parse().unwrap();
        let source = Source::new(1, "test");
        let longest = (0..100).map(|k| service_time.draw(&mut source.nth(k))).max();
        assert_eq!(longest, Some(LONGEST));
    }
}
