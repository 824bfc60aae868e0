//! Values that every database can keep and every client can read back.

use jiff::civil::Date;
use serde_json::{Map, Value};

/// Years with four digits: beyond them dates do not sort as text, and RFC 3339 does not know them.
const YEARS: std::ops::RangeInclusive<i16> = 1..=9999;

/// Most bytes of free-form JSON of a trip or a booking: lists and exports hold many of them at once.
const OBJECT_BYTES_MAX: usize = 16 * 1024;

/// Free-form JSON of at most 16 KiB.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is garde's")]
pub(crate) fn is_small(object: &Map<String, Value>, (): &()) -> garde::Result {
    let bytes = serde_json::to_vec(object).map_or(usize::MAX, |json| json.len());
    if bytes > OBJECT_BYTES_MAX { Err(garde::Error::new("must not be larger than 16 KiB")) } else { Ok(()) }
}

/// A text without the one character that PostgreSQL cannot store.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is garde's")]
pub(crate) fn is_text(text: &str, (): &()) -> garde::Result {
    if text.contains('\0') { Err(garde::Error::new("must not contain the character U+0000")) } else { Ok(()) }
}

/// A date in the years 1 to 9999.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is garde's")]
pub(crate) fn is_date(date: &Date, (): &()) -> garde::Result {
    if YEARS.contains(&date.year()) { Ok(()) } else { Err(garde::Error::new("must be in the years 1 to 9999")) }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("", true)]
    #[case("Zürich \u{1f3d4}\n", true)]
    #[case("a\0b", false)]
    fn only_the_null_character_cannot_be_kept(#[case] text: &str, #[case] is_kept: bool) {
        assert_eq!(is_text(text, &()).is_ok(), is_kept);
    }

    #[test]
    fn objects_of_sixteen_kibibytes_are_small() {
        let object =
            |bytes: usize| Map::from_iter([("k".to_owned(), Value::from("x".repeat(bytes - r#"{"k":""}"#.len())))]);
        assert!(is_small(&object(OBJECT_BYTES_MAX), &()).is_ok());
        assert!(is_small(&object(OBJECT_BYTES_MAX + 1), &()).is_err());
    }

    #[rstest]
    #[case("0001-01-01", true)]
    #[case("9999-12-31", true)]
    #[case("0000-12-31", false)]
    #[case("-000001-12-31", false)]
    fn only_years_of_four_digits_can_be_kept(#[case] date: &str, #[case] is_kept: bool) {
        assert_eq!(is_date(&date.parse().unwrap(), &()).is_ok(), is_kept);
    }
}
