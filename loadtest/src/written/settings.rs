//! Journeys as a scenario file writes them.
//!
//! ```toml
//! [feeders.cities]
//! file = "cities.csv"
//!
//! [[journeys.trip.steps]]
//! name   = "trips.create"
//! path   = "/api/v1/trips"
//! body   = { title = "A week in ${cities.name}", start_date = "${date+30d}", end_date = "${date+37d}" }
//! expect = { status = [201], json = [{ at = "/status", equals = "planning" }] }
//! save   = { trip = { json = "/id" } }
//!
//! [[journeys.trip.steps]]
//! name = "trips.read"
//! path = "/api/v1/trips/${saved.trip}"
//! ```
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// `[journeys.NAME]`: what a user of this journey does. The mix names it as it names the program's journeys.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JourneySettings {
    /// Whether its users have an account of TripSage and send its token, as those of the program's journeys do. Default: false.
    ///
    /// Users are shared by all journeys of the mix: they are logged in when one journey needs it.
    #[serde(default)]
    pub login: bool,
    /// Its requests, one after the other, at most 64. The journey ends early when one is not answered as expected.
    #[schemars(with = "Vec<StepSettings>")]
    pub steps: Spanned<Vec<StepSettings>>,
}

/// One request of a journey.
///
/// Path, query, headers, body and what is expected may hold places: `${FEEDER.COLUMN}`, `${saved.NAME}`, `${arrival}`, `${key}` (unique
/// per request), `${date+30d}`, `${date+14..112d}`, `${random.int(1, 9)}`, `${random.one_of(red, green)}`, `${random.hex(16)}`,
/// `${random.uuid}`. `$${` stands for `${`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepSettings {
    /// Its name in gates and tables, such as "trips.create".
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS. Default: "GET", or "POST" when there is a body.
    #[schemars(with = "Option<String>")]
    pub method: Option<Spanned<String>>,
    /// Path, with a query if need be, such as "/api/v1/trips/${saved.trip}?full=true". What fills places is percent-encoded.
    #[schemars(with = "String")]
    pub path: Spanned<String>,
    /// More of the query: names with values, percent-encoded.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub query: BTreeMap<String, Spanned<String>>,
    /// Headers.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub headers: BTreeMap<String, Spanned<String>>,
    /// The body: a table, sent as JSON, in which a text that is one place alone keeps the type of what fills it; or a text, sent as it
    /// is. What fills a place in a text is escaped for JSON, or percent-encoded in a form, as the header `content-type` says; without
    /// the header it is JSON.
    #[schemars(with = "Option<Body>")]
    pub body: Option<Spanned<toml::Value>>,
    /// What a good answer is. Default: any status from 200 to 299.
    #[serde(default)]
    pub expect: Expect,
    /// What later steps use as `${saved.NAME}`. An answer that does not have it is wrong.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Save>")]
    pub save: BTreeMap<String, Spanned<Save>>,
    /// Whether the answer is a stream of TripSage's chat events, which is read and judged to its end. Default: false.
    #[serde(default)]
    pub stream: bool,
    /// How long the user thinks before this step, on average, instead of `load.think_time`; the pause is 0.5 to 1.5 times this.
    #[schemars(with = "Option<String>")]
    pub think: Option<Spanned<String>>,
}

/// A body, for the JSON schema.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used; the file is read with places")]
enum Body {
    /// A text.
    Text(String),
    /// A table.
    Table(BTreeMap<String, serde_json::Value>),
    /// A list.
    List(Vec<serde_json::Value>),
}

/// What a good answer is. A status that is not listed is classified as everywhere (429 is limited, 502 to 504 with the error body of
/// the service are its dependencies'); any check that does not hold makes the answer wrong.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Statuses of a good answer. Default: any from 200 to 299.
    #[serde(default)]
    #[schemars(with = "Vec<u16>")]
    pub status: Vec<Spanned<u16>>,
    /// Headers that must be there and contain this text; an empty text asks only that it is there.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub headers: BTreeMap<String, Spanned<String>>,
    /// What must hold of the JSON body.
    #[serde(default)]
    pub json: Vec<JsonCheck>,
    /// Texts that the body must contain.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub contains: Vec<Spanned<String>>,
    /// Regular expressions that must match somewhere in the body.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub matches: Vec<Spanned<String>>,
    /// JSON pointer to what says that a good answer is less than was asked for, such as "/meta/degraded". `true` there makes it degraded;
    /// nothing there is as `false`.
    #[schemars(with = "Option<String>")]
    pub degraded: Option<Spanned<String>>,
}

/// What must hold at one place of a JSON body. With `at` alone, something must be there.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JsonCheck {
    /// JSON pointer (RFC 6901), such as "/offers/0/id"; "" is the whole body.
    #[schemars(with = "String")]
    pub at: Spanned<String>,
    /// The value that must be there. 1 and 1.0 are the same.
    #[schemars(with = "Option<serde_json::Value>")]
    pub equals: Option<Spanned<toml::Value>>,
    /// `false`: nothing may be there. Default: true.
    #[serde(default = "yes")]
    pub exists: bool,
    /// What it must be.
    #[serde(rename = "type")]
    pub kind: Option<JsonType>,
    /// How many characters, elements or members it must have.
    pub length: Option<usize>,
    /// How many it must have at the least.
    pub length_min: Option<usize>,
    /// How many it may have at the most.
    pub length_max: Option<usize>,
}

fn yes() -> bool {
    true
}

/// Types of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "they are the types of JSON")]
pub enum JsonType {
    String,
    Number,
    Integer,
    Boolean,
    Array,
    Object,
    Null,
}

/// Where something to save is in an answer. It has at most 64 KiB.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Save {
    /// JSON pointer into the body; `null` counts as missing.
    Json(String),
    /// Name of a header.
    Header(String),
    /// Regular expression over the body: its first group, or all of it when it has none.
    Regex(String),
}
