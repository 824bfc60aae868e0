//! The server itself: its tools, which keep nothing.

use jiff::civil::Date;
use rmcp::{
    Json, ServerHandler,
    handler::server::{router::tool::ToolRouter, wrapper::Parameters},
    tool, tool_handler, tool_router,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    listings::{Listing, PropertyType, is_free, listing, listings},
    stay::{Refusal, Stay, currency},
};
use crate::{
    Settings,
    city::City,
    currency::Currency,
    mcp::{endpoint, refusal::Refused},
    provider::Mount,
    source::Source,
};

/// Listings in one answer.
const PAGE: usize = 18;

const LOCATION_BYTES_MAX: usize = 100;
const ADULTS_MAX: u32 = 16;
const CHILDREN_MAX: u32 = 10;
const INFANTS_MAX: u32 = 5;
const PETS_MAX: u32 = 5;

pub(crate) fn open(settings: &Settings) -> Mount {
    endpoint::mount(Airbnb { tools: Airbnb::tool_router(), source: Source::new(settings.seed, "airbnb") })
}

struct Airbnb {
    tools: ToolRouter<Self>,
    source: Source,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SearchAccommodations {
    /// A city, such as `Lisbon` or `Lisbon, Portugal`; nothing is found in one that is not known.
    location: String,
    /// YYYY-MM-DD.
    #[schemars(with = "String")]
    checkin: Date,
    /// YYYY-MM-DD, 1 to 90 nights later.
    #[schemars(with = "String")]
    checkout: Date,
    /// 1 to 16.
    #[serde(default = "one_adult")]
    #[schemars(range(min = 1, max = 16))]
    adults: u32,
    /// 0 to 10.
    #[serde(default)]
    #[schemars(range(max = 10))]
    children: u32,
    /// 0 to 5; they need no bed.
    #[serde(default)]
    #[schemars(range(max = 5))]
    infants: u32,
    /// 0 to 5.
    #[serde(default)]
    #[schemars(range(max = 5))]
    pets: u32,
    /// Per night.
    min_price: Option<f64>,
    /// Per night.
    max_price: Option<f64>,
    property_type: Option<PropertyType>,
    /// ISO 4217 code.
    #[serde(default = "us_dollars")]
    currency: String,
    /// The `next_cursor` of an earlier answer to the same search.
    cursor: Option<String>,
}

fn one_adult() -> u32 {
    1
}

fn us_dollars() -> String {
    "USD".to_owned()
}

#[derive(Debug, Serialize, JsonSchema)]
struct FoundAccommodations {
    /// As asked for.
    location: String,
    /// How many there are on all pages.
    count: usize,
    /// Cheapest first, at most 18.
    listings: Vec<FreeListing>,
    /// ISO 4217 code.
    currency: &'static str,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A place that is free for the whole stay.
#[derive(Debug, Serialize, JsonSchema)]
struct FreeListing {
    #[serde(flatten)]
    listing: Listing,
    /// For all nights.
    total_price: f64,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GetListingDetails {
    /// The `id` of a listing.
    listing_id: String,
    /// ISO 4217 code.
    #[serde(default = "us_dollars")]
    currency: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ListingDetails {
    listing: Listing,
    description: String,
    /// HH:MM, on the first day.
    checkin_from: &'static str,
    /// HH:MM, on the last day.
    checkout_until: &'static str,
    house_rules: Vec<&'static str>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CheckAvailability {
    /// The `id` of a listing.
    listing_id: String,
    /// YYYY-MM-DD.
    #[schemars(with = "String")]
    checkin: Date,
    /// YYYY-MM-DD, 1 to 90 nights later.
    #[schemars(with = "String")]
    checkout: Date,
    /// How many need a bed; 1 to 26.
    #[serde(default = "one_adult")]
    #[schemars(range(min = 1, max = 26))]
    guests: u32,
    /// ISO 4217 code.
    #[serde(default = "us_dollars")]
    currency: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Availability {
    listing_id: String,
    /// Whether it is free on all nights and has room for all guests.
    available: bool,
    nights: u32,
    price_per_night: f64,
    total_price: f64,
    /// ISO 4217 code.
    currency: &'static str,
}

#[tool_router]
impl Airbnb {
    #[tool(description = "Find places to stay that are free on all nights, cheapest first.")]
    async fn search_accommodations(
        &self,
        Parameters(arguments): Parameters<SearchAccommodations>,
    ) -> Result<Json<FoundAccommodations>, Refused> {
        Ok(Json(self.search(arguments)?))
    }

    #[tool(description = "Everything about one place to stay.")]
    async fn get_listing_details(
        &self,
        Parameters(arguments): Parameters<GetListingDetails>,
    ) -> Result<Json<ListingDetails>, Refused> {
        let listing = self.listing(arguments.listing_id, currency(arguments.currency)?)?;
        Ok(Json(ListingDetails {
            description: format!("A {} for up to {} guests.", listing.property_type.noun(), listing.max_guests),
            listing,
            checkin_from: "15:00",
            checkout_until: "11:00",
            house_rules: vec!["no smoking", "quiet from 22:00"],
        }))
    }

    #[tool(description = "Whether a place to stay is free, and what it costs.")]
    async fn check_availability(
        &self,
        Parameters(arguments): Parameters<CheckAvailability>,
    ) -> Result<Json<Availability>, Refused> {
        let stay = Stay::new(arguments.checkin, arguments.checkout)?;
        let currency = currency(arguments.currency)?;
        let listing = self.listing(arguments.listing_id, currency)?;
        let has_room = (1..=listing.max_guests).contains(&arguments.guests);
        Ok(Json(Availability {
            available: has_room && is_free(&self.source, &listing.id, stay.checkin, stay.nights),
            nights: stay.nights,
            price_per_night: listing.price_per_night,
            total_price: stay.total(listing.price_per_night, currency),
            currency: currency.code,
            listing_id: listing.id,
        }))
    }
}

impl Airbnb {
    fn search(&self, arguments: SearchAccommodations) -> Result<FoundAccommodations, Refusal> {
        let stay = arguments.check()?;
        let currency = currency(arguments.currency)?;
        let offset = arguments.cursor.map_or(Ok(0), offset)?;
        let guests = arguments.adults + arguments.children;
        let (min_price, max_price) = (arguments.min_price.unwrap_or(0.0), arguments.max_price.unwrap_or(f64::MAX));
        let all = City::named(&arguments.location).map(|city| listings(&self.source, city, currency));
        let mut found: Vec<_> = all
            .unwrap_or_default()
            .into_iter()
            .filter(|listing| listing.max_guests >= guests)
            .filter(|listing| arguments.property_type.is_none_or(|wanted| wanted == listing.property_type))
            .filter(|listing| (min_price..=max_price).contains(&listing.price_per_night))
            .filter(|listing| is_free(&self.source, &listing.id, stay.checkin, stay.nights))
            .collect();
        found.sort_by(|a, b| a.price_per_night.total_cmp(&b.price_per_night));
        let with_total =
            |listing: Listing| FreeListing { total_price: stay.total(listing.price_per_night, currency), listing };
        let count = found.len();
        Ok(FoundAccommodations {
            location: arguments.location,
            count,
            listings: found.into_iter().skip(offset).take(PAGE).map(with_total).collect(),
            currency: currency.code,
            next_cursor: (offset + PAGE < count).then(|| format!("after-{}", offset + PAGE)),
        })
    }

    fn listing(&self, id: String, currency: Currency) -> Result<Listing, Refusal> {
        listing(&self.source, &id, currency).ok_or(Refusal::UnknownListing(id))
    }
}

impl SearchAccommodations {
    fn check(&self) -> Result<Stay, Refusal> {
        let bytes = self.location.trim().len();
        if !(1..=LOCATION_BYTES_MAX).contains(&bytes) {
            return Err(Refusal::Location(bytes));
        }
        let Self { adults, children, infants, pets, .. } = *self;
        let are_few = children <= CHILDREN_MAX && infants <= INFANTS_MAX && pets <= PETS_MAX;
        if !(1..=ADULTS_MAX).contains(&adults) || !are_few {
            return Err(Refusal::Guests { adults, children, infants, pets });
        }
        let (min_price, max_price) = (self.min_price.unwrap_or(0.0), self.max_price.unwrap_or(f64::MAX));
        if min_price < 0.0 || max_price < min_price {
            return Err(Refusal::Prices { min_price, max_price });
        }
        Stay::new(self.checkin, self.checkout)
    }
}

/// How many listings the pages before had.
fn offset(cursor: String) -> Result<usize, Refusal> {
    let offset = cursor.strip_prefix("after-").and_then(|offset| offset.parse().ok());
    offset.filter(|offset| offset % PAGE == 0 && *offset < 1000).ok_or(Refusal::Cursor(cursor))
}

#[tool_handler(router = self.tools, name = "airbnb")]
impl ServerHandler for Airbnb {}
