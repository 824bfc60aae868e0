//! One search over everything: which parts it has, and what each part asks.

use garde::Validate;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    destination::DestinationSearch,
    flight::{CabinClass, FlightSearch},
    stay::StaySearch,
};

/// Longest name of a place that providers take, in bytes.
const PLACE_BYTES_MAX: usize = 100;

/// A search over everything.
#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UnifiedSearch {
    /// What is looked for; the place, unless `destination` names one.
    #[garde(custom(is_not_blank), length(bytes, max = 500))]
    pub(crate) query: String,
    /// What to look for; everything that the other fields allow when none is named.
    #[serde(default)]
    #[garde(length(max = 8))]
    pub(crate) types: Vec<PartKind>,
    /// IATA code of the airport of departure, for flights.
    #[serde(default)]
    #[garde(skip)]
    pub(crate) origin: Option<String>,
    /// IATA code of the airport of arrival, for flights; or the name of a place.
    #[serde(default)]
    #[garde(inner(length(bytes, min = 1, max = 100)))]
    pub(crate) destination: Option<String>,
    /// For flights and stays.
    #[serde(default)]
    #[garde(skip)]
    pub(crate) dates: Option<Dates>,
    #[serde(default = "one")]
    #[garde(range(min = 1, max = 9))]
    pub(crate) adults: u8,
    #[serde(default)]
    #[garde(range(max = 9))]
    pub(crate) children: u8,
    #[serde(default)]
    #[garde(range(max = 4))]
    pub(crate) infants: u8,
    /// Most results of each part.
    #[serde(default = "ten")]
    #[garde(range(min = 1, max = 50))]
    pub(crate) limit: u32,
}

/// First and last day.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dates {
    pub(crate) start: Date,
    #[serde(default)]
    pub(crate) end: Option<Date>,
}

/// A part of the search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PartKind {
    Flights,
    Accommodations,
    Destinations,
    Weather,
}

/// What each part asks; none where it is not asked.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) flights: Option<FlightSearch>,
    pub(crate) stays: Option<StaySearch>,
    pub(crate) destinations: Option<DestinationSearch>,
    /// The city whose weather is asked.
    pub(crate) weather: Option<String>,
}

/// A field that a part needs and does not have, or that is wrong for it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unfit {
    pub(crate) field: &'static str,
    pub(crate) message: String,
}

impl UnifiedSearch {
    /// What to ask whom.
    ///
    /// # Errors
    /// A part that was named cannot be asked, or no part can.
    pub(crate) fn plan(&self, today: Date) -> Result<Plan, Unfit> {
        let mut plan = Plan::default();
        for kind in [PartKind::Flights, PartKind::Accommodations, PartKind::Destinations, PartKind::Weather] {
            let is_named = self.types.contains(&kind);
            if !is_named && !self.types.is_empty() {
                continue;
            }
            match self.add(kind, today, &mut plan) {
                Err(Needs::Field(_)) if !is_named => {}
                Err(Needs::Field(field)) => {
                    return Err(Unfit { field, message: format!("is needed to search {}", kind.noun()) });
                }
                Err(Needs::Other(unfit)) => return Err(unfit),
                Ok(()) => {}
            }
        }
        Ok(plan)
    }

    fn add(&self, kind: PartKind, today: Date, plan: &mut Plan) -> Result<(), Needs> {
        match kind {
            PartKind::Flights => plan.flights = Some(self.flights(today)?),
            PartKind::Accommodations => plan.stays = Some(self.stays(today)?),
            PartKind::Destinations => {
                let (include_weather, include_attractions) = (false, false);
                let (query, limit) = (self.place()?, self.limit);
                let search = DestinationSearch { query, limit, include_weather, include_attractions };
                plan.destinations = Some(search.normalized());
            }
            PartKind::Weather => plan.weather = Some(self.place()?),
        }
        Ok(())
    }

    fn flights(&self, today: Date) -> Result<FlightSearch, Needs> {
        let origin = self.origin.clone().ok_or(Needs::Field("origin"))?;
        let destination = self.airport().ok_or(Needs::Field("destination"))?.to_owned();
        let dates = self.dates.ok_or(Needs::Field("dates"))?;
        let search = FlightSearch {
            origin,
            destination,
            departure_date: dates.start,
            return_date: dates.end,
            adults: self.adults,
            children: self.children,
            infants: self.infants,
            cabin_class: CabinClass::default(),
            max_stops: None,
            max_price: None,
            preferred_airlines: None,
            excluded_airlines: None,
            currency: "USD".into(),
        };
        is_not_past(search.is_in_the_past(today))?;
        checked(search).map(FlightSearch::normalized)
    }

    fn stays(&self, today: Date) -> Result<StaySearch, Needs> {
        let Some(Dates { start, end: Some(end) }) = self.dates else { return Err(Needs::Field("dates")) };
        let search = StaySearch {
            location: self.place()?,
            check_in: start,
            check_out: end,
            adults: self.adults,
            children: self.children,
            rooms: 1,
            property_type: None,
            min_price: None,
            max_price: None,
            amenities: None,
            min_rating: None,
            latitude: None,
            longitude: None,
            trip_id: None,
        };
        is_not_past(search.is_in_the_past(today))?;
        checked(search).map(StaySearch::normalized)
    }

    /// The airport of arrival, when the destination is one.
    fn airport(&self) -> Option<&str> {
        self.destination
            .as_deref()
            .filter(|text| text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_alphabetic()))
    }

    /// The place: the destination, unless that is an airport; else the query.
    fn place(&self) -> Result<String, Needs> {
        let named = self.destination.as_deref().filter(|_| self.airport().is_none());
        let place = named.unwrap_or(&self.query).split_whitespace().collect::<Vec<_>>().join(" ");
        if place.len() > PLACE_BYTES_MAX {
            let message = "is needed, the name of a place, with a query this long".into();
            return Err(Needs::Other(Unfit { field: "destination", message }));
        }
        if place.is_empty() {
            return Err(Needs::Other(Unfit { field: "destination", message: "is empty".into() }));
        }
        Ok(place)
    }
}

impl PartKind {
    fn noun(self) -> &'static str {
        match self {
            Self::Flights => "flights",
            Self::Accommodations => "accommodations",
            Self::Destinations => "destinations",
            Self::Weather => "the weather",
        }
    }
}

/// Why a part cannot be asked.
enum Needs {
    /// A field that is not there.
    Field(&'static str),
    /// A field that is wrong.
    Other(Unfit),
}

fn is_not_past(is_past: bool) -> Result<(), Needs> {
    if is_past { Err(Needs::Other(Unfit { field: "dates.start", message: "is in the past".into() })) } else { Ok(()) }
}

/// Applies the rules of the part itself; its fields go by the names that they have here.
fn checked<T: Validate<Context = ()>>(search: T) -> Result<T, Needs> {
    let Err(report) = search.validate() else { return Ok(search) };
    let wrong = report.iter().next().map(|(path, error)| {
        let field = match path.to_string().as_str() {
            "origin" => "origin",
            "destination" | "location" => "destination",
            "return_date" | "check_out" => "dates.end",
            "infants" => "infants",
            _ => "body",
        };
        Unfit { field, message: error.message().to_owned() }
    });
    Err(Needs::Other(wrong.unwrap_or(Unfit { field: "body", message: "is not valid".into() })))
}

fn one() -> u8 {
    1
}

fn ten() -> u32 {
    10
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is garde's")]
fn is_not_blank(text: &str, (): &()) -> garde::Result {
    if text.trim().is_empty() { Err(garde::Error::new("is empty")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn planned(body: Value) -> Result<Vec<&'static str>, Unfit> {
        let search: UnifiedSearch = serde_json::from_value(body).unwrap();
        search.validate().unwrap();
        let plan = search.plan("2030-01-01".parse().unwrap())?;
        let parts = [
            ("flights", plan.flights.is_some()),
            ("stays", plan.stays.is_some()),
            ("destinations", plan.destinations.is_some()),
            ("weather", plan.weather.is_some()),
        ];
        Ok(parts.into_iter().filter(|(_, is_asked)| *is_asked).map(|(name, _)| name).collect())
    }

    #[rstest]
    #[case(json!({}), &["destinations", "weather"])]
    #[case(json!({"dates": {"start": "2030-05-01"}}), &["destinations", "weather"])]
    #[case(json!({"dates": {"start": "2030-05-01", "end": "2030-05-03"}}), &["stays", "destinations", "weather"])]
    #[case(json!({"origin": "JFK", "destination": "LIS", "dates": {"start": "2030-05-01"}}), &["flights", "destinations", "weather"])]
    #[case(json!({"origin": "JFK", "destination": "Lisbon", "dates": {"start": "2030-05-01"}}), &["destinations", "weather"])]
    #[case(json!({"types": ["weather", "weather"]}), &["weather"])]
    #[case(json!({"types": ["accommodations"], "dates": {"start": "2030-05-01", "end": "2030-05-03"}}), &["stays"])]
    fn what_can_be_asked_is_asked(#[case] change: Value, #[case] parts: &[&str]) {
        let mut body = json!({"query": "Lisbon"});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        assert_eq!(planned(body).unwrap(), parts);
    }

    #[rstest]
    #[case(json!({"types": ["flights"]}), "origin")]
    #[case(json!({"types": ["flights"], "origin": "JFK"}), "destination")]
    #[case(json!({"types": ["flights"], "origin": "JFK", "destination": "Lisbon"}), "destination")]
    #[case(json!({"types": ["flights"], "origin": "JFK", "destination": "LIS"}), "dates")]
    #[case(json!({"types": ["accommodations"]}), "dates")]
    #[case(json!({"types": ["accommodations"], "dates": {"start": "2030-05-01"}}), "dates")]
    #[case(json!({"dates": {"start": "2030-05-03", "end": "2030-05-01"}}), "dates.end")]
    #[case(json!({"dates": {"start": "2029-12-31", "end": "2030-05-01"}}), "dates.start")]
    #[case(json!({"origin": "J1K", "destination": "LIS", "dates": {"start": "2030-05-01"}}), "origin")]
    #[case(json!({"origin": "LIS", "destination": "LIS", "dates": {"start": "2030-05-01"}}), "destination")]
    #[case(json!({"origin": "JFK", "destination": "LIS", "dates": {"start": "2030-05-01"}, "infants": 2}), "infants")]
    #[case(json!({"query": "x".repeat(101)}), "destination")]
    #[case(json!({"destination": "  "}), "destination")]
    fn what_cannot_be_asked_is_named(#[case] change: Value, #[case] field: &str) {
        let mut body = json!({"query": "Lisbon"});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        assert_eq!(planned(body).unwrap_err().field, field);
    }
}
