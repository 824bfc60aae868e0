//! Instants as a list of seconds, one number per line: the copy of recorded arrivals in a run's folder, and a form in which they are
//! given.

/// Digits after the point: nanoseconds.
const DIGITS: usize = 9;

/// Instants in nanoseconds, as lines of seconds such as `12.000000345`.
#[must_use]
pub fn list(instants_ns: &[u64]) -> String {
    let line = |ns: &u64| format!("{}.{:0DIGITS$}\n", ns / 1_000_000_000, ns % 1_000_000_000);
    instants_ns.iter().map(line).collect()
}

/// Seconds as written, such as `12` or `12.000000345`, in nanoseconds; exact. `None` for what is no such number.
#[must_use]
pub fn parse_seconds(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let fraction_ns: u64 = format!("{fraction:0<DIGITS$.DIGITS$}").parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1_000_000_000)?.checked_add(fraction_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_it_was_written_to_the_nanosecond() {
        let instants_ns = [0, 1, 999_999_999, 12_000_000_345, u64::MAX];
        let text = list(&instants_ns);
        assert!(text.starts_with("0.000000000\n0.000000001\n0.999999999\n12.000000345\n"), "{text}");
        let read: Option<Vec<u64>> = text.lines().map(parse_seconds).collect();
        assert_eq!(read.unwrap(), instants_ns);
    }

    #[test]
    fn only_numbers_are_seconds() {
        for (text, expected) in [
            ("3", Some(3_000_000_000)),
            ("3.", Some(3_000_000_000)),
            ("0.25", Some(250_000_000)),
            ("1.9999999999", Some(1_999_999_999)),
            ("", None),
            (".5", None),
            ("-1", None),
            ("1e3", None),
            ("1 s", None),
            ("18446744074", None),
        ] {
            assert_eq!(parse_seconds(text), expected, "{text}");
        }
    }
}
