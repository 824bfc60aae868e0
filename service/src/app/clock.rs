//! The one place where the service asks for the time of day.

use jiff::{Timestamp, civil::Date, tz::TimeZone};

/// Now, to the microsecond: as exact as it is stored, so that an answer and a later reading of it agree.
pub(crate) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}

/// The date in UTC.
pub(crate) fn today() -> Date {
    now().to_zoned(TimeZone::UTC).date()
}
