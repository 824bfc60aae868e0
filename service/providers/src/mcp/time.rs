//! The time server: clocks around the world, by the IANA database that is compiled in.

use jiff::{
    Timestamp, ToSpan, Zoned,
    civil::{DateTime, Time},
    tz::{TimeZone, TimeZoneDatabase},
};
use rmcp::{
    Json, ServerHandler,
    handler::server::{router::tool::ToolRouter, wrapper::Parameters},
    tool, tool_handler, tool_router,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    endpoint,
    refusal::{Coded, Refused},
};
use crate::{Settings, provider::Mount};

/// The longest flight, in hours.
const FLIGHT_HOURS_MAX: f64 = 48.0;

pub(crate) fn open(_settings: &Settings) -> Mount {
    endpoint::mount(Clocks { tools: Clocks::tool_router(), zones: TimeZoneDatabase::bundled() })
}

/// Answers depend on the arguments, the clock of this machine and the database as it was when this was compiled.
struct Clocks {
    tools: ToolRouter<Self>,
    zones: TimeZoneDatabase,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GetCurrentTime {
    /// IANA time zone, such as Europe/Lisbon.
    timezone: String,
}

/// A clock in one time zone.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
struct Clock {
    /// IANA time zone.
    timezone: String,
    /// RFC 3339, with the offset of the zone.
    datetime: String,
    /// YYYY-MM-DD.
    date: String,
    /// HH:MM.
    time: String,
    /// Such as +01:00.
    utc_offset: String,
    is_dst: bool,
    day_of_week: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ConvertTime {
    /// IANA time zone.
    source_timezone: String,
    /// HH:MM, today in the source zone, or YYYY-MM-DDTHH:MM.
    time: String,
    /// IANA time zone.
    target_timezone: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ConvertedTime {
    source: Clock,
    target: Clock,
    /// How far the target's clock is ahead, in hours.
    difference_hours: f64,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CalculateFlightArrivalTime {
    /// HH:MM, today in the zone of departure, or YYYY-MM-DDTHH:MM.
    departure_time: String,
    /// IANA time zone.
    departure_timezone: String,
    /// Above 0, at most 48.
    #[schemars(range(max = 48))]
    flight_duration_hours: f64,
    /// IANA time zone.
    arrival_timezone: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct FlightArrival {
    departure: Clock,
    arrival: Clock,
    /// How many days later the calendar says on arrival; -1 is possible across the date line.
    day_offset: i32,
}

/// Why a call is understood and still not answered.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("`{0}` is not an IANA time zone")]
    Zone(String),
    #[error("`{0}` is not a time: write HH:MM or YYYY-MM-DDTHH:MM")]
    Time(String),
    #[error("a flight of {0} hours is not above 0 and at most {FLIGHT_HOURS_MAX}")]
    Duration(f64),
    #[error("the time is out of range")]
    Range,
}

impl Coded for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::Zone(_) => "unknown_timezone",
            Self::Time(_) | Self::Range => "invalid_time",
            Self::Duration(_) => "invalid_duration",
        }
    }
}

#[tool_router]
impl Clocks {
    #[tool(description = "The time now in a time zone.")]
    async fn get_current_time(
        &self,
        Parameters(arguments): Parameters<GetCurrentTime>,
    ) -> Result<Json<Clock>, Refused> {
        Ok(Json(self.current(&arguments.timezone, Timestamp::now())?))
    }

    #[tool(description = "What a clock in another time zone shows at a given time.")]
    async fn convert_time(
        &self,
        Parameters(arguments): Parameters<ConvertTime>,
    ) -> Result<Json<ConvertedTime>, Refused> {
        Ok(Json(self.converted(&arguments, Timestamp::now())?))
    }

    #[tool(description = "The local time at which a flight arrives.")]
    async fn calculate_flight_arrival_time(
        &self,
        Parameters(arguments): Parameters<CalculateFlightArrivalTime>,
    ) -> Result<Json<FlightArrival>, Refused> {
        Ok(Json(self.arrival(&arguments, Timestamp::now())?))
    }
}

impl Clocks {
    fn zone(&self, name: &str) -> Result<TimeZone, Refusal> {
        self.zones.get(name).map_err(|_| Refusal::Zone(name.to_owned()))
    }

    fn current(&self, timezone: &str, now: Timestamp) -> Result<Clock, Refusal> {
        Ok(Clock::of(&now.to_zoned(self.zone(timezone)?)))
    }

    fn converted(&self, arguments: &ConvertTime, now: Timestamp) -> Result<ConvertedTime, Refusal> {
        let source = local(&arguments.time, self.zone(&arguments.source_timezone)?, now)?;
        let target = source.with_time_zone(self.zone(&arguments.target_timezone)?);
        let difference_seconds = target.offset().seconds() - source.offset().seconds();
        Ok(ConvertedTime {
            source: Clock::of(&source),
            target: Clock::of(&target),
            difference_hours: f64::from(difference_seconds) / 3600.0,
        })
    }

    fn arrival(&self, arguments: &CalculateFlightArrivalTime, now: Timestamp) -> Result<FlightArrival, Refusal> {
        let hours = arguments.flight_duration_hours;
        if !(hours > 0.0 && hours <= FLIGHT_HOURS_MAX) {
            return Err(Refusal::Duration(hours));
        }
        let departure = local(&arguments.departure_time, self.zone(&arguments.departure_timezone)?, now)?;
        let flight = ((hours * 60.0).round() as i64).minutes();
        let arrival = departure.checked_add(flight).map_err(|_| Refusal::Range)?;
        let arrival = arrival.with_time_zone(self.zone(&arguments.arrival_timezone)?);
        let days = departure.date().until(arrival.date()).map_err(|_| Refusal::Range)?;
        Ok(FlightArrival {
            departure: Clock::of(&departure),
            arrival: Clock::of(&arrival),
            day_offset: days.get_days(),
        })
    }
}

impl Clock {
    fn of(zoned: &Zoned) -> Self {
        Self {
            timezone: zoned.time_zone().iana_name().unwrap_or("UTC").to_owned(),
            datetime: zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            date: zoned.date().to_string(),
            time: zoned.strftime("%H:%M").to_string(),
            utc_offset: zoned.strftime("%:z").to_string(),
            is_dst: zoned.time_zone().to_offset_info(zoned.timestamp()).dst().is_dst(),
            day_of_week: zoned.strftime("%A").to_string(),
        }
    }
}

/// A time on the clock of `zone`; a bare time is one of today. A time that the clock skips is moved on, as clocks are.
fn local(text: &str, zone: TimeZone, now: Timestamp) -> Result<Zoned, Refusal> {
    let invalid = || Refusal::Time(text.to_owned());
    let datetime = match text.len() {
        5 => now.to_zoned(zone.clone()).date().to_datetime(text.parse::<Time>().map_err(|_| invalid())?),
        _ => text.parse::<DateTime>().map_err(|_| invalid())?,
    };
    datetime.to_zoned(zone).map_err(|_| Refusal::Range)
}

#[tool_handler(router = self.tools, name = "time")]
impl ServerHandler for Clocks {}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn clocks() -> Clocks {
        Clocks { tools: Clocks::tool_router(), zones: TimeZoneDatabase::bundled() }
    }

    fn noon() -> Timestamp {
        "2027-07-01T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_clock_knows_offset_and_summer_time() {
        let clock = clocks().current("Europe/Paris", noon()).unwrap();
        let expected = Clock {
            timezone: "Europe/Paris".into(),
            datetime: "2027-07-01T14:00:00+02:00".into(),
            date: "2027-07-01".into(),
            time: "14:00".into(),
            utc_offset: "+02:00".into(),
            is_dst: true,
            day_of_week: "Thursday".into(),
        };
        assert_eq!(clock, expected);
        assert!(!clocks().current("America/Phoenix", noon()).unwrap().is_dst);
    }

    #[rstest]
    #[case("09:30", "Europe/London", "Asia/Kathmandu", "2027-07-01T14:15:00+05:45", 4.75)]
    #[case("2027-01-15T23:00", "America/New_York", "Asia/Tokyo", "2027-01-16T13:00:00+09:00", 14.0)]
    #[case("2027-03-28T02:30", "Europe/Berlin", "UTC", "2027-03-28T01:30:00+00:00", -2.0)]
    #[case("2027-06-01T10:00:00", "UTC", "UTC", "2027-06-01T10:00:00+00:00", 0.0)]
    fn times_are_converted(
        #[case] time: &str,
        #[case] source: &str,
        #[case] target: &str,
        #[case] expected: &str,
        #[case] difference_hours: f64,
    ) {
        let (source_timezone, time, target_timezone) = (source.into(), time.into(), target.into());
        let converted = clocks().converted(&ConvertTime { source_timezone, time, target_timezone }, noon()).unwrap();
        assert_eq!((converted.target.datetime.as_str(), converted.difference_hours), (expected, difference_hours));
    }

    fn flight(departure: &str, from: &str, hours: f64, to: &str) -> Result<FlightArrival, Refusal> {
        let arguments = CalculateFlightArrivalTime {
            departure_time: departure.into(),
            departure_timezone: from.into(),
            flight_duration_hours: hours,
            arrival_timezone: to.into(),
        };
        clocks().arrival(&arguments, noon())
    }

    #[rstest]
    #[case("2027-05-01T22:00", "America/New_York", 7.5, "Europe/Paris", "2027-05-02T11:30:00+02:00", 1)]
    #[case("2027-05-01T20:00", "Asia/Tokyo", 10.0, "Pacific/Honolulu", "2027-05-01T11:00:00-10:00", 0)]
    #[case("2027-05-02T00:30", "Pacific/Auckland", 9.0, "Pacific/Honolulu", "2027-05-01T11:30:00-10:00", -1)]
    #[case("08:00", "Europe/Paris", 0.25, "Europe/Paris", "2027-07-01T08:15:00+02:00", 0)]
    fn flights_arrive_in_local_time(
        #[case] departure: &str,
        #[case] from: &str,
        #[case] hours: f64,
        #[case] to: &str,
        #[case] expected: &str,
        #[case] day_offset: i32,
    ) {
        let arrival = flight(departure, from, hours, to).unwrap();
        assert_eq!((arrival.arrival.datetime.as_str(), arrival.day_offset), (expected, day_offset));
    }

    #[rstest]
    #[case("25:00", "Europe/Paris", 1.0, "invalid_time")]
    #[case("noon", "Europe/Paris", 1.0, "invalid_time")]
    #[case("", "Europe/Paris", 1.0, "invalid_time")]
    #[case("9999-12-31T23:00", "Europe/Paris", 40.0, "invalid_time")]
    #[case("08:00", "Mars/Base", 1.0, "unknown_timezone")]
    #[case("08:00", "", 1.0, "unknown_timezone")]
    #[case("08:00", "Europe/Paris", 0.0, "invalid_duration")]
    #[case("08:00", "Europe/Paris", 48.1, "invalid_duration")]
    #[case("08:00", "Europe/Paris", f64::NAN, "invalid_duration")]
    fn impossible_flights_are_refused(
        #[case] departure: &str,
        #[case] from: &str,
        #[case] hours: f64,
        #[case] code: &str,
    ) {
        assert_eq!(flight(departure, from, hours, "UTC").unwrap_err().code(), code);
    }
}
