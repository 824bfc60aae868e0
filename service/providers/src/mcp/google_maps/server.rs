//! The server itself: its tools, which keep nothing.

use jiff::{Timestamp, tz::TimeZoneDatabase};
use rmcp::{
    Json, ServerHandler,
    handler::server::{router::tool::ToolRouter, wrapper::Parameters},
    tool, tool_handler, tool_router,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    atlas::{Atlas, Place},
    zone,
};
use crate::{
    Settings,
    city::Point,
    mcp::{
        endpoint,
        refusal::{Coded, Refused},
        sights::Kind,
    },
    provider::Mount,
    source::Source,
};

const TEXT_BYTES_MAX: usize = 200;
const LIMIT_MAX: usize = 50;
const RADIUS_MAX_METRES: f64 = 50_000.0;

/// Origins, and destinations, of one matrix.
const ENDS_MAX: usize = 25;

/// How much longer a way is than the line between its ends.
const DETOUR: f64 = 1.3;

pub(crate) fn open(settings: &Settings) -> Mount {
    endpoint::mount(GoogleMaps {
        tools: GoogleMaps::tool_router(),
        atlas: Atlas::new(Source::new(settings.seed, "places")),
        zones: TimeZoneDatabase::bundled(),
    })
}

struct GoogleMaps {
    tools: ToolRouter<Self>,
    atlas: Atlas,
    zones: TimeZoneDatabase,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Status {
    Ok,
    ZeroResults,
    NotFound,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Geocode {
    /// A city, an airport code, the name of a sight or its address; 1 to 200 bytes.
    address: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Places {
    /// `OK` or `ZERO_RESULTS`.
    status: Status,
    results: Vec<Place>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PlaceSearch {
    /// Such as `Lisbon`, `museums in Lisbon` or `cities in Spain`; at most 200 bytes, and none only around coordinates.
    query: String,
    /// What kind of place; by default what the query says.
    #[serde(rename = "type")]
    kind: Option<Kind>,
    /// -90 to 90, together with longitude: only places around.
    latitude: Option<f64>,
    /// -180 to 180.
    longitude: Option<f64>,
    /// In metres, above 0, at most 50000.
    #[serde(default = "five_kilometres")]
    #[schemars(range(max = 50_000))]
    radius: f64,
    /// 1 to 50.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 50))]
    limit: usize,
}

fn five_kilometres() -> f64 {
    5000.0
}

fn twenty() -> usize {
    20
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PlaceDetails {
    /// The `place_id` of a place.
    place_id: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct DetailedPlace {
    /// `OK`.
    status: Status,
    result: Place,
    description: String,
    /// One text per day from Monday; cities have none.
    weekday_text: Vec<String>,
    website: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Timezone {
    /// -90 to 90.
    latitude: f64,
    /// -180 to 180.
    longitude: f64,
    /// Unix time in seconds; by default now.
    timestamp: Option<i64>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct TimezoneOfPlace {
    /// `OK`.
    status: Status,
    /// IANA time zone.
    time_zone_id: String,
    /// Its abbreviation at that time.
    time_zone_name: String,
    /// Seconds ahead of UTC without daylight saving time.
    raw_offset: i32,
    /// Seconds of daylight saving time.
    dst_offset: i32,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DistanceMatrix {
    /// 1 to 25 addresses, or coordinates such as `38.72,-9.14`.
    origins: Vec<String>,
    /// 1 to 25 addresses, or coordinates such as `38.72,-9.14`.
    destinations: Vec<String>,
    #[serde(default)]
    mode: Mode,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Mode {
    #[default]
    Driving,
    Transit,
    Bicycling,
    Walking,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Matrix {
    /// `OK`.
    status: Status,
    /// Empty for what was not found.
    origin_addresses: Vec<String>,
    /// Empty for what was not found.
    destination_addresses: Vec<String>,
    /// One per origin.
    rows: Vec<Row>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Row {
    /// One per destination.
    elements: Vec<Element>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Element {
    /// `OK` or `NOT_FOUND`.
    status: Status,
    /// In metres.
    #[serde(skip_serializing_if = "Option::is_none")]
    distance: Option<Measure>,
    /// In seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<Measure>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Measure {
    text: String,
    value: u64,
}

/// Why a call is understood and still not answered.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("{field} must have 1 to {TEXT_BYTES_MAX} bytes, not {bytes}")]
    Text { field: &'static str, bytes: usize },
    #[error("{latitude}, {longitude} is no place on earth")]
    Point { latitude: f64, longitude: f64 },
    #[error("latitude and longitude are given together")]
    HalfPoint,
    #[error("radius {0} is not above 0 and at most {RADIUS_MAX_METRES}")]
    Radius(f64),
    #[error("{field} must be 1 to {max}, not {count}")]
    Count { field: &'static str, max: usize, count: usize },
    #[error("place `{0}` is unknown")]
    UnknownPlace(String),
    #[error("timestamp {0} is out of range")]
    Timestamp(i64),
}

impl Coded for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::Text { .. } => "invalid_text",
            Self::Point { .. } | Self::HalfPoint => "invalid_coordinates",
            Self::Radius(_) => "invalid_radius",
            Self::Count { .. } => "invalid_count",
            Self::UnknownPlace(_) => "place_not_found",
            Self::Timestamp(_) => "invalid_timestamp",
        }
    }
}

#[tool_router]
impl GoogleMaps {
    #[tool(description = "Where an address is.")]
    async fn geocode(&self, Parameters(arguments): Parameters<Geocode>) -> Result<Json<Places>, Refused> {
        check_text("address", &arguments.address)?;
        Ok(Json(places(self.atlas.addressed(&arguments.address).into_iter().cloned().collect())))
    }

    #[tool(description = "Find cities and sights by words, or around a place on earth.")]
    async fn place_search(&self, Parameters(arguments): Parameters<PlaceSearch>) -> Result<Json<Places>, Refused> {
        Ok(Json(self.search(&arguments)?))
    }

    #[tool(description = "Everything about one place.")]
    async fn place_details(
        &self,
        Parameters(arguments): Parameters<PlaceDetails>,
    ) -> Result<Json<DetailedPlace>, Refused> {
        Ok(Json(self.details(arguments.place_id)?))
    }

    #[tool(description = "The time zone of a place on earth.")]
    async fn timezone(&self, Parameters(arguments): Parameters<Timezone>) -> Result<Json<TimezoneOfPlace>, Refused> {
        Ok(Json(self.zone(&arguments, Timestamp::now())?))
    }

    #[tool(description = "How far it is from each origin to each destination.")]
    async fn distance_matrix(
        &self,
        Parameters(arguments): Parameters<DistanceMatrix>,
    ) -> Result<Json<Matrix>, Refused> {
        Ok(Json(self.matrix(&arguments)?))
    }
}

impl GoogleMaps {
    fn search(&self, arguments: &PlaceSearch) -> Result<Places, Refusal> {
        let near = match (arguments.latitude, arguments.longitude) {
            (Some(latitude), Some(longitude)) => Some(point(latitude, longitude)?),
            (None, None) => None,
            _ => return Err(Refusal::HalfPoint),
        };
        if near.is_none() || !arguments.query.is_empty() {
            check_text("query", &arguments.query)?;
        }
        if !(arguments.radius > 0.0 && arguments.radius <= RADIUS_MAX_METRES) {
            return Err(Refusal::Radius(arguments.radius));
        }
        check_count("limit", LIMIT_MAX, arguments.limit)?;
        let near = near.map(|point| (point, arguments.radius / 1000.0));
        let found = self.atlas.matching(&arguments.query, arguments.kind, near);
        Ok(places(found.into_iter().take(arguments.limit).cloned().collect()))
    }

    fn details(&self, place_id: String) -> Result<DetailedPlace, Refusal> {
        let place = self.atlas.with_id(&place_id).ok_or(Refusal::UnknownPlace(place_id))?;
        let is_city = place.types.contains(&Kind::Locality);
        let days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
        let hours = |day: &str| format!("{day}: {}", if day == "Monday" { "closed" } else { "09:30 - 18:00" });
        Ok(DetailedPlace {
            status: Status::Ok,
            description: match is_city {
                true => format!("{} is a city in {}.", place.name, place.country),
                false => format!("{} is one of the places to see in {}.", place.name, place.city),
            },
            weekday_text: if is_city { Vec::new() } else { days.map(hours).to_vec() },
            website: format!("https://guide.example/{}", place.place_id),
            result: place.clone(),
        })
    }

    fn zone(&self, arguments: &Timezone, now: Timestamp) -> Result<TimezoneOfPlace, Refusal> {
        let point = point(arguments.latitude, arguments.longitude)?;
        let at = |seconds| Timestamp::from_second(seconds).map_err(|_| Refusal::Timestamp(seconds));
        let zone = zone::at(&self.zones, point, arguments.timestamp.map_or(Ok(now), at)?);
        Ok(TimezoneOfPlace {
            status: Status::Ok,
            time_zone_id: zone.id,
            time_zone_name: zone.abbreviation,
            raw_offset: zone.raw_offset,
            dst_offset: zone.dst_offset,
        })
    }

    fn matrix(&self, arguments: &DistanceMatrix) -> Result<Matrix, Refusal> {
        let origins = self.ends("the number of origins", &arguments.origins)?;
        let destinations = self.ends("the number of destinations", &arguments.destinations)?;
        let element = |origin: &End, destination: &End| match (origin, destination) {
            (Some((_, from)), Some((_, to))) => Element::of(arguments.mode, from.distance_km(*to) * DETOUR),
            _ => Element { status: Status::NotFound, distance: None, duration: None },
        };
        let row =
            |origin| Row { elements: destinations.iter().map(|destination| element(origin, destination)).collect() };
        let addresses = |ends: &[End]| {
            ends.iter().map(|end| end.as_ref().map_or_else(String::new, |(address, _)| address.clone())).collect()
        };
        Ok(Matrix {
            status: Status::Ok,
            rows: origins.iter().map(row).collect(),
            origin_addresses: addresses(&origins),
            destination_addresses: addresses(&destinations),
        })
    }

    fn ends(&self, field: &'static str, addresses: &[String]) -> Result<Vec<End>, Refusal> {
        check_count(field, ENDS_MAX, addresses.len())?;
        let end = |address: &String| {
            check_text("an address", address)?;
            Ok(match coordinates(address) {
                Some(point) => Some((address.clone(), point)),
                None => self.atlas.addressed(address).map(|place| (place.formatted_address.clone(), place.point())),
            })
        };
        addresses.iter().map(end).collect()
    }
}

/// Its address and where it is, unless it was not found.
type End = Option<(String, Point)>;

impl Element {
    fn of(mode: Mode, km: f64) -> Self {
        let km_per_hour = match mode {
            Mode::Driving => 65.0,
            Mode::Transit => 40.0,
            Mode::Bicycling => 16.0,
            Mode::Walking => 5.0,
        };
        let minutes = km / km_per_hour * 60.0;
        let (hours, rest) = ((minutes / 60.0) as u64, (minutes % 60.0) as u64);
        let duration = if hours == 0 { format!("{rest} min") } else { format!("{hours} h {rest} min") };
        Self {
            status: Status::Ok,
            distance: Some(Measure { text: format!("{km:.1} km"), value: (km * 1000.0).round() as u64 }),
            duration: Some(Measure { text: duration, value: (minutes * 60.0).round() as u64 }),
        }
    }
}

fn places(results: Vec<Place>) -> Places {
    Places { status: if results.is_empty() { Status::ZeroResults } else { Status::Ok }, results }
}

fn point(latitude: f64, longitude: f64) -> Result<Point, Refusal> {
    Point::new(latitude, longitude).ok_or(Refusal::Point { latitude, longitude })
}

fn coordinates(text: &str) -> Option<Point> {
    let (latitude, longitude) = text.split_once(',')?;
    Point::new(latitude.trim().parse().ok()?, longitude.trim().parse().ok()?)
}

fn check_text(field: &'static str, text: &str) -> Result<(), Refusal> {
    let bytes = text.trim().len();
    if (1..=TEXT_BYTES_MAX).contains(&bytes) {
        return Ok(());
    }
    Err(Refusal::Text { field, bytes })
}

fn check_count(field: &'static str, max: usize, count: usize) -> Result<(), Refusal> {
    if (1..=max).contains(&count) {
        return Ok(());
    }
    Err(Refusal::Count { field, max, count })
}

#[tool_handler(router = self.tools, name = "google_maps")]
impl ServerHandler for GoogleMaps {}
