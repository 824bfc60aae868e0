//! What flights can be searched for: the arguments, and the search they make once checked.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Deserialize;

use super::offers::{CabinClass, Search};
use crate::{currency::Currency, mcp::refusal::Coded};

const STOPS_MAX: u32 = 3;
const AIRLINES_MAX: usize = 20;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchFlights {
    /// IATA code of the airport of departure.
    origin: String,
    /// IATA code of the airport of arrival.
    destination: String,
    /// YYYY-MM-DD.
    #[schemars(with = "String")]
    departure_date: Date,
    /// YYYY-MM-DD, for a return flight.
    #[schemars(with = "Option<String>")]
    return_date: Option<Date>,
    /// 1 to 9.
    #[serde(default = "one_adult")]
    #[schemars(range(min = 1, max = 9))]
    adults: u32,
    /// 0 to 9.
    #[serde(default)]
    #[schemars(range(max = 9))]
    children: u32,
    /// 0 to 4, at most one per adult.
    #[serde(default)]
    #[schemars(range(max = 4))]
    infants: u32,
    #[serde(default)]
    cabin_class: CabinClass,
    /// 0 to 3.
    #[schemars(range(max = 3))]
    max_stops: Option<u32>,
    /// IATA codes of airlines, at most 20.
    preferred_airlines: Option<Vec<String>>,
    /// ISO 4217 code.
    #[serde(default = "us_dollars")]
    currency: String,
}

fn one_adult() -> u32 {
    1
}

fn us_dollars() -> String {
    "USD".to_owned()
}

/// Why a search is impossible.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("`{0}` is not an IATA airport code")]
    Airport(String),
    #[error("origin and destination are both {0}")]
    SameAirport(String),
    #[error("departure_date {0} is not between 2000 and 2099")]
    Date(Date),
    #[error("return_date {return_date} is before departure_date {departure_date}")]
    Backwards { departure_date: Date, return_date: Date },
    #[error("{adults} adults, {children} children and {infants} infants cannot travel together")]
    Passengers { adults: u32, children: u32, infants: u32 },
    #[error("max_stops {0} is above {STOPS_MAX}")]
    Stops(u32),
    #[error("`{0}` is not an airline code")]
    Airline(String),
    #[error("{0} preferred airlines are more than {AIRLINES_MAX}")]
    Airlines(usize),
    #[error("fares are not sold in `{0}`")]
    Currency(String),
}

impl Coded for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::Airport(_) => "invalid_airport",
            Self::SameAirport(_) => "same_airport",
            Self::Date(_) | Self::Backwards { .. } => "invalid_date",
            Self::Passengers { .. } => "invalid_passengers",
            Self::Stops(_) => "invalid_stops",
            Self::Airline(_) | Self::Airlines(_) => "invalid_airline",
            Self::Currency(_) => "unsupported_currency",
        }
    }
}

impl SearchFlights {
    /// The checked search, in one spelling, so that equal searches have equal offers.
    pub(super) fn checked(self) -> Result<Search, Refusal> {
        let origin = airport(self.origin)?;
        let destination = airport(self.destination)?;
        if origin == destination {
            return Err(Refusal::SameAirport(origin));
        }
        let departure_date = this_century(self.departure_date)?;
        let return_date = self.return_date.map(this_century).transpose()?;
        if let Some(return_date) = return_date.filter(|date| *date < departure_date) {
            return Err(Refusal::Backwards { departure_date, return_date });
        }
        let (adults, children, infants) = (self.adults, self.children, self.infants);
        if !(1..=9).contains(&adults) || children > 9 || infants > 4 || infants > adults {
            return Err(Refusal::Passengers { adults, children, infants });
        }
        let max_stops = self.max_stops.unwrap_or(STOPS_MAX);
        if max_stops > STOPS_MAX {
            return Err(Refusal::Stops(max_stops));
        }
        Ok(Search {
            origin,
            destination,
            departure_date,
            return_date,
            adults,
            children,
            infants,
            cabin_class: self.cabin_class,
            max_stops,
            preferred_airlines: airlines(self.preferred_airlines.unwrap_or_default())?,
            currency: Currency::of(&self.currency).ok_or(Refusal::Currency(self.currency))?,
        })
    }
}

fn airport(code: String) -> Result<String, Refusal> {
    if code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Ok(code.to_ascii_uppercase());
    }
    Err(Refusal::Airport(code))
}

fn airlines(codes: Vec<String>) -> Result<Vec<String>, Refusal> {
    if codes.len() > AIRLINES_MAX {
        return Err(Refusal::Airlines(codes.len()));
    }
    let mut airlines = Vec::with_capacity(codes.len());
    for code in codes {
        if !(2..=3).contains(&code.len()) || !code.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Refusal::Airline(code));
        }
        airlines.push(code.to_ascii_uppercase());
    }
    airlines.sort();
    airlines.dedup();
    Ok(airlines)
}

fn this_century(date: Date) -> Result<Date, Refusal> {
    if (2000..=2099).contains(&date.year()) {
        return Ok(date);
    }
    Err(Refusal::Date(date))
}
