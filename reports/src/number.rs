//! Numbers as people read them: three digits, a unit, and no false zeros.
//!
//! For reading only; values that a program reads back are in [`units`](crate::units) and in the JSON page.

/// A latency in the unit that gives it one to three digits before the point: `640 µs`, `12.3 ms`, `1.48 s`.
#[must_use]
pub fn latency(nanos: u64) -> String {
    let value = nanos as f64;
    match nanos {
        0 => "0 ms".to_owned(),
        n if n < 1_000 => format!("{n} ns"),
        n if n < 999_500 => format!("{} µs", three_digits(value / 1e3)),
        n if n < 999_500_000 => format!("{} ms", three_digits(value / 1e6)),
        _ => format!("{} s", three_digits(value / 1e9)),
    }
}

/// A stretch of time with its sign, such as `+12.3 ms`; for margins.
#[must_use]
pub fn signed_latency(nanos: f64) -> String {
    format!("{}{}", sign(nanos), latency(nanos.abs().round() as u64))
}

/// A latency in milliseconds without the unit, for columns that say it: `0.64`, `41.3`, `212`, `1 480`.
#[must_use]
pub fn millis(nanos: u64) -> String {
    match nanos as f64 / 1e6 {
        ms if ms >= 999.5 => count(ms.round() as u64),
        ms => three_digits(ms),
    }
}

/// A share of one in percent: `0` only for none at all, `<0.1 %` for a little, `>99.9 %` for not quite all.
#[must_use]
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        p if !p.is_finite() => "–".to_owned(),
        0.0 => "0".to_owned(),
        p if p < 0.1 => "<0.1 %".to_owned(),
        100.0 => "100 %".to_owned(),
        p if p > 99.9 => ">99.9 %".to_owned(),
        p => format!("{p:.1} %"),
    }
}

/// A limit in percent as it was written: all of its digits.
#[must_use]
pub fn exact_percent(share: f64) -> String {
    let digits = format!("{:.6}", share * 100.0);
    format!("{} %", digits.trim_end_matches('0').trim_end_matches('.'))
}

/// A difference of shares in percentage points with its sign, such as `+0.04 pp`.
#[must_use]
pub fn signed_points(difference: f64) -> String {
    let points = (difference * 100.0).abs();
    let text = if points != 0.0 && points < 0.01 { "<0.01".to_owned() } else { format!("{points:.2}") };
    format!("{}{text} pp", sign(difference))
}

/// A count with its thousands apart: `67 500`.
#[must_use]
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A count and its noun, in the plural where that is right: `1 request`, `67 500 requests`.
#[must_use]
pub fn counted(value: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(value), if value == 1 { "" } else { "s" })
}

/// Events per second: `24.9/s`.
#[must_use]
pub fn rate(per_second: f64) -> String {
    match per_second {
        0.0 => "0/s".to_owned(),
        r if r < 0.1 => "<0.1/s".to_owned(),
        r if r < 1000.0 => format!("{r:.1}/s"),
        r => format!("{}/s", count(r.round() as u64)),
    }
}

/// A size in bytes: `182 KB`.
#[must_use]
pub fn bytes(value: u64) -> String {
    let value_f = value as f64;
    match value {
        b if b < 1_000 => format!("{b} B"),
        b if b < 999_500 => format!("{} KB", three_digits(value_f / 1e3)),
        b if b < 999_500_000 => format!("{} MB", three_digits(value_f / 1e6)),
        _ => format!("{} GB", three_digits(value_f / 1e9)),
    }
}

/// An instant or a stretch of the run in seconds with at most one digit behind the point: `12 s`, `7.5 s`.
#[must_use]
pub fn seconds(nanos: u64) -> String {
    let text = format!("{:.1}", nanos as f64 / 1e9);
    format!("{} s", text.strip_suffix(".0").unwrap_or(&text))
}

/// A bare number with three digits: `118`, `2.95`, `0.00420`.
#[must_use]
pub fn significant(value: f64) -> String {
    match value.abs() {
        v if v >= 999.5 => count(value.round().max(0.0) as u64),
        v if (5e-7..0.995).contains(&v) => {
            let zeros = (-v.log10()).floor().max(0.0) as usize;
            format!("{value:.digits$}", digits = zeros + 3)
        }
        _ => three_digits(value),
    }
}

fn three_digits(value: f64) -> String {
    match value {
        v if v >= 99.95 => format!("{v:.0}"),
        v if v >= 9.995 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

fn sign(value: f64) -> &'static str {
    if value < 0.0 { "−" } else { "+" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_have_three_digits_and_a_unit() {
        let cases = [
            (0, "0 ms"),
            (999, "999 ns"),
            (640_000, "640 µs"),
            (999_600, "1.00 ms"),
            (12_345_678, "12.3 ms"),
            (99_960_000, "100 ms"),
            (212_000_000, "212 ms"),
            (999_600_000, "1.00 s"),
            (1_480_000_000, "1.48 s"),
            (600_000_000_000, "600 s"),
        ];
        for (nanos, text) in cases {
            assert_eq!(latency(nanos), text, "{nanos}");
        }
        assert_eq!(signed_latency(-1.2e7), "−12.0 ms");
        assert_eq!([640_000, 41_300_000, 1_480_400_000].map(millis), ["0.64", "41.3", "1 480"]);
    }

    #[test]
    fn a_share_is_zero_only_when_there_is_none_and_all_only_when_it_is_all() {
        let cases =
            [(0.0, "0"), (0.000_4, "<0.1 %"), (0.061, "6.1 %"), (0.999_4, ">99.9 %"), (1.0, "100 %"), (f64::NAN, "–")];
        for (share, text) in cases {
            assert_eq!(percent(share), text, "{share}");
        }
        assert_eq!((exact_percent(0.001), exact_percent(0.05)), ("0.1 %".to_owned(), "5 %".to_owned()));
        assert_eq!((signed_points(0.0004), signed_points(-0.000_01)), ("+0.04 pp".to_owned(), "−<0.01 pp".to_owned()));
    }

    #[test]
    fn bare_numbers_have_three_digits_however_small() {
        let cases = [
            (0.0, "0.00"),
            (0.004_2, "0.00420"),
            (0.5, "0.500"),
            (2.949, "2.95"),
            (118.2, "118"),
            (67_500.0, "67 500"),
        ];
        for (value, text) in cases {
            assert_eq!(significant(value), text, "{value}");
        }
    }

    #[test]
    fn counts_sizes_rates_and_instants_are_readable() {
        assert_eq!((count(0), count(999), count(67_500)), ("0".to_owned(), "999".to_owned(), "67 500".to_owned()));
        assert_eq!((counted(1, "fault"), counted(2, "fault")), ("1 fault".to_owned(), "2 faults".to_owned()));
        assert_eq!((rate(0.0), rate(0.04), rate(24.94)), ("0/s".to_owned(), "<0.1/s".to_owned(), "24.9/s".to_owned()));
        assert_eq!((bytes(12), bytes(182_300)), ("12 B".to_owned(), "182 KB".to_owned()));
        assert_eq!((seconds(12_000_000_000), seconds(7_500_000_000)), ("12 s".to_owned(), "7.5 s".to_owned()));
    }
}
