//! Values with units as people write them in scenario files: `250ms`, `1m30s`, `25/s`, `100KB/s`.
//!
//! One parser and one printer for every crate, so that a value printed by the program can be pasted back into a file.
use std::time::Duration;

/// Why a text is not a value with a unit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing was written.
    #[error("the value is empty; write a number and a unit, such as \"250ms\"")]
    Empty,
    /// A part does not start with a number.
    #[error("`{0}` does not start with a number; write a number and a unit, such as \"250ms\"")]
    NoNumber(String),
    /// A number is not followed by a unit that is known here.
    #[error("`{unit}` is not a unit of {quantity}; use one of {known}")]
    UnknownUnit {
        /// What was written after the number.
        unit: String,
        /// What is being measured, in plain words.
        quantity: &'static str,
        /// The units that would do.
        known: &'static str,
    },
    /// A number stands alone.
    #[error("`{number}` has no unit of {quantity}; use one of {known}")]
    NoUnit {
        /// The number as written.
        number: String,
        /// What is being measured, in plain words.
        quantity: &'static str,
        /// The units that would do.
        known: &'static str,
    },
    /// The value does not fit (negative, not finite, or beyond 292 years).
    #[error("`{0}` is out of range")]
    OutOfRange(String),
}

const DURATION_UNITS: &[(&str, f64)] =
    &[("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
const SIZE_UNITS: &[(&str, f64)] = &[
    ("B", 1.0),
    ("KB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
];

/// Reads a duration such as `250ms`, `1.5s` or `1m30s`; parts add up.
///
/// # Errors
/// When the text is empty, a part has no number or an unknown unit, or the sum is out of range.
pub fn parse_duration(text: &str) -> Result<Duration, Error> {
    let known = "ns, us, ms, s, m, h";
    let seconds = sum_of_parts(text, DURATION_UNITS, "time", known)?;
    Duration::try_from_secs_f64(seconds).map_err(|_| Error::OutOfRange(text.trim().to_owned()))
}

/// A length of time in whole nanoseconds; the largest number for one beyond 584 years.
#[must_use]
pub fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Prints a duration in the largest unit that keeps it exact to the nanosecond, such as `1.5s` or `250ms`.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let (divisor, unit) = match nanos {
        0 => return "0s".to_owned(),
        n if n % 3_600_000_000_000 == 0 => (3_600_000_000_000, "h"),
        n if n % 60_000_000_000 == 0 => (60_000_000_000, "m"),
        n if n >= 1_000_000_000 => (1_000_000_000, "s"),
        n if n >= 1_000_000 => (1_000_000, "ms"),
        n if n >= 1_000 => (1_000, "us"),
        _ => (1, "ns"),
    };
    let whole = nanos / divisor;
    let rest = nanos % divisor;
    if rest == 0 {
        return format!("{whole}{unit}");
    }
    let digits = divisor.ilog10() as usize;
    let fraction = format!("{rest:0digits$}");
    format!("{whole}.{}{unit}", fraction.trim_end_matches('0'))
}

/// Reads a rate of events such as `25/s`, `1500/m` or `0.5/s`, in events per second.
///
/// # Errors
/// When the text has no number, no known unit after the slash, or is out of range.
pub fn parse_rate(text: &str) -> Result<f64, Error> {
    let (number, unit) = split_number(text.trim())?;
    let per_second = match unit {
        "/s" => number,
        "/m" => number / 60.0,
        "/h" => number / 3600.0,
        other => return Err(no_such_unit(text, other, "rate", "/s, /m, /h")),
    };
    in_range(per_second, text)
}

/// Prints a rate in events per second, such as `25/s`.
#[must_use]
pub fn format_rate(per_second: f64) -> String {
    format!("{per_second}/s")
}

/// Reads a size such as `64KiB` or `1.5MB`, in bytes.
///
/// # Errors
/// When the text has no number, an unknown unit, or is out of range.
pub fn parse_size(text: &str) -> Result<u64, Error> {
    let bytes = sum_of_parts(text, SIZE_UNITS, "size", "B, KB, MB, GB, KiB, MiB, GiB")?;
    Ok(bytes.round() as u64)
}

/// Reads a byte rate such as `100KB/s`, in bytes per second.
///
/// # Errors
/// As [`parse_size`], and when it does not end in `/s`.
pub fn parse_byte_rate(text: &str) -> Result<u64, Error> {
    match text.trim().strip_suffix("/s") {
        Some(size) => parse_size(size),
        None => Err(Error::UnknownUnit {
            unit: text.trim().to_owned(),
            quantity: "byte rate",
            known: "B/s, KB/s, MB/s, KiB/s, MiB/s",
        }),
    }
}

/// Prints a size in bytes with a decimal unit, such as `100KB`, exactly.
#[must_use]
pub fn format_size(bytes: u64) -> String {
    match bytes {
        b if b >= 1_000_000_000 && b % 1_000_000_000 == 0 => format!("{}GB", b / 1_000_000_000),
        b if b >= 1_000_000 && b % 1_000_000 == 0 => format!("{}MB", b / 1_000_000),
        b if b >= 1_000 && b % 1_000 == 0 => format!("{}KB", b / 1_000),
        b => format!("{b}B"),
    }
}

/// The text of a duration in serialised data: `#[serde(with = "reports::units::duration")]`.
pub mod duration {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::time::Duration;

    /// Writes the duration as text with a unit.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::format_duration(*value))
    }

    /// Reads a duration from text with a unit.
    ///
    /// # Errors
    /// When the text is not a duration.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        super::parse_duration(&text).map_err(D::Error::custom)
    }
}

/// The text of a rate in serialised data, events per second: `#[serde(with = "reports::units::rate")]`.
pub mod rate {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes the rate as text with a unit.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::format_rate(*value))
    }

    /// Reads a rate from text with a unit.
    ///
    /// # Errors
    /// When the text is not a rate.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        let text = String::deserialize(deserializer)?;
        super::parse_rate(&text).map_err(D::Error::custom)
    }
}

fn sum_of_parts(text: &str, units: &[(&str, f64)], quantity: &'static str, known: &'static str) -> Result<f64, Error> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(Error::Empty);
    }
    let mut sum = 0.0;
    while !rest.is_empty() {
        let (number, after) = split_number(rest)?;
        let end = after.find(|c: char| c.is_ascii_digit() || c.is_whitespace()).unwrap_or(after.len());
        let (unit, left) = after.split_at(end);
        let scale = units.iter().find(|(name, _)| *name == unit).map(|(_, scale)| *scale);
        sum += number * scale.ok_or_else(|| no_such_unit(text, unit, quantity, known))?;
        rest = left.trim_start();
    }
    in_range(sum, text)
}

fn no_such_unit(text: &str, unit: &str, quantity: &'static str, known: &'static str) -> Error {
    match unit {
        "" => Error::NoUnit { number: text.trim().to_owned(), quantity, known },
        unit => Error::UnknownUnit { unit: unit.to_owned(), quantity, known },
    }
}

fn split_number(text: &str) -> Result<(f64, &str), Error> {
    if text.is_empty() {
        return Err(Error::Empty);
    }
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number = text[..end].parse().map_err(|_| Error::NoNumber(text.to_owned()))?;
    Ok((number, text[end..].trim_start()))
}

fn in_range(value: f64, text: &str) -> Result<f64, Error> {
    if value.is_finite() && (0.0..9.2e9).contains(&value) || value.is_finite() && value < 9.2e18 && text.contains('B') {
        Ok(value)
    } else {
        Err(Error::OutOfRange(text.trim().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, nanos: u128, printed: &str) {
        let duration = parse_duration(text).unwrap();
        assert_eq!((duration.as_nanos(), format_duration(duration).as_str()), (nanos, printed), "{text}");
        assert_eq!(parse_duration(printed).unwrap(), duration, "{printed} reads back");
    }

    #[test]
    fn durations_are_read_and_printed_with_units() {
        check("0s", 0, "0s");
        check("250ms", 250_000_000, "250ms");
        check(" 1.5 s ", 1_500_000_000, "1.5s");
        check("1m30s", 90_000_000_000, "90s");
        check("90m", 5_400_000_000_000, "90m");
        check("2h", 7_200_000_000_000, "2h");
        check("17us", 17_000, "17us");
        check("999ns", 999, "999ns");
    }

    #[test]
    fn a_text_without_number_or_unit_is_refused_with_the_units_that_would_do() {
        for text in ["", "  ", "s", "-1s", "abc", "5", "5 parsecs", "1.2.3s", "1e99s", "99999999999h"] {
            assert!(parse_duration(text).is_err(), "{text:?} must be refused");
        }
        assert!(parse_duration("5").unwrap_err().to_string().contains("ns, us, ms, s, m, h"));
    }

    #[test]
    fn rates_and_sizes_are_read() {
        assert_eq!(parse_rate("25/s"), Ok(25.0));
        assert_eq!(parse_rate("1500/m"), Ok(25.0));
        assert!(parse_rate("25").is_err() && parse_rate("/s").is_err() && parse_rate("").is_err());
        assert_eq!(parse_size("64KiB"), Ok(65_536));
        assert_eq!(parse_byte_rate("100KB/s"), Ok(100_000));
        assert!(parse_byte_rate("100KB").is_err());
        assert_eq!((format_size(100_000), format_size(12)), ("100KB".to_owned(), "12B".to_owned()));
    }
}
