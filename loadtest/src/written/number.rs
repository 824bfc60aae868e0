//! Numbers of texts: only those that are sent as they were written.
use serde_json::Number;

/// The number that a text writes; `None` when it is none, or when JSON as it is sent would make another one of it.
pub(super) fn number(text: &str) -> Option<Number> {
    let number: Number = text.parse().ok()?;
    let sent = number.to_string();
    // A whole number in the notation of a fraction is none for who reads ids.
    let is_whole = text.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit());
    (sent == text || (!is_whole && decimal(text)? == decimal(&sent)?)).then_some(number)
}

/// What a number's text says, however it says it: its sign, its digits without zeros around them, and the power of ten of the last one.
fn decimal(text: &str) -> Option<(bool, String, i64)> {
    let (is_negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
    let (text, exponent) = match text.split_once(['e', 'E']) {
        Some((text, exponent)) => (text, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    let dropped = digits.len() - significant.len();
    let power = exponent.checked_add(i64::try_from(dropped).ok()? - i64::try_from(fraction.len()).ok()?)?;
    let significant = significant.trim_start_matches('0').to_owned();
    Some(if significant.is_empty() { (false, significant, 0) } else { (is_negative, significant, power) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_a_number_when_it_is_sent_as_it_was_written() {
        for (text, expected) in [
            ("17", Some("17")),
            ("-1.50", Some("-1.5")),
            ("0.1", Some("0.1")),
            ("-0.0", Some("-0.0")),
            ("1e3", Some("1000.0")),
            ("2.5E-7", Some("2.5e-7")),
            ("18446744073709551615", Some("18446744073709551615")),
            ("100000000000000000000", None),
            ("123456789012345678901", None),
            ("0.12345678901234567890123", None),
            ("-9223372036854775809", None),
            ("1e400", None),
            ("1e99999999999999999999", None),
            ("007", None),
            ("", None),
            ("Zoë", None),
        ] {
            assert_eq!(number(text).map(|number| number.to_string()).as_deref(), expected, "{text}");
        }
    }
}
