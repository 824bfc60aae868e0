//! A time on the clock, to the minute, wherever that clock hangs.

use jiff::civil::{Date, DateTime, Time};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

const PATTERN: &str = "^([01][0-9]|2[0-3]):[0-5][0-9]$";

/// Hours and minutes, such as `09:30`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ClockTime(Time);

impl ClockTime {
    /// That time on that day.
    pub(crate) fn on(self, date: Date) -> DateTime {
        date.to_datetime(self.0)
    }

    fn parse(text: &str) -> Option<Self> {
        let (hour, minute) = text.split_once(':')?;
        let number = |digits: &str| {
            let is_number = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
            if is_number { digits.parse().ok() } else { None }
        };
        Time::new(number(hour)?, number(minute)?, 0, 0).ok().map(Self)
    }
}

impl Serialize for ClockTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:02}:{:02}", self.0.hour(), self.0.minute()))
    }
}

impl<'de> Deserialize<'de> for ClockTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("a time must be hours and minutes, such as 09:30"))
    }
}

impl PartialSchema for ClockTime {
    fn schema() -> RefOr<Schema> {
        let time = ObjectBuilder::new().schema_type(Type::String).pattern(Some(PATTERN));
        time.description(Some("Hours and minutes, local to the place.")).examples(["09:30"]).into()
    }
}

impl ToSchema for ClockTime {}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("00:00", true)]
    #[case("09:30", true)]
    #[case("23:59", true)]
    #[case("24:00", false)]
    #[case("12:60", false)]
    #[case("9:30", false)]
    #[case("+9:30", false)]
    #[case("09:30:00", false)]
    #[case("0930", false)]
    #[case("", false)]
    fn a_time_survives_json_or_is_refused(#[case] text: &str, #[case] is_time: bool) {
        let json = format!("{text:?}");
        let read = serde_json::from_str::<ClockTime>(&json).ok();
        assert_eq!(read.map(|time| serde_json::to_string(&time).unwrap()), is_time.then_some(json));
    }
}
