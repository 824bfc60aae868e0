//! Stays: `search_accommodations`, `get_listing_details`, `check_availability`.

use futures_util::{FutureExt as _, future::BoxFuture};
use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, de::IntoDeserializer as _};
use serde_json::Value;

use super::{Caller, Client};
use crate::{
    dependency::{Failure, Repeat},
    domain::{
        amount::Amount,
        place::Point,
        stay::{Availability, Listing, ListingLocation, PropertyType, ProviderListings, StaySearch, nights},
    },
};

/// Its name as the source of a listing.
const SOURCE: &str = "airbnb";
/// Pages read for one search.
const PAGES_MAX: usize = 4;
/// What the provider calls an id that names nothing.
const NOT_FOUND: &str = "listing_not_found";

/// Finds stays.
pub(crate) trait Stays: Send + Sync {
    /// The listings for a search, as the provider gives them. Later pages may be missing; it says so then.
    fn search<'a>(
        &'a self,
        search: &'a StaySearch,
        caller: &'a Caller,
    ) -> BoxFuture<'a, Result<ProviderListings, Failure>>;

    /// One listing; none when the provider does not know it.
    fn listing<'a>(&'a self, id: &'a str, caller: &'a Caller) -> BoxFuture<'a, Result<Option<Listing>, Failure>>;

    /// Whether a listing is free for so many guests; none when the provider does not know it.
    fn availability<'a>(
        &'a self,
        wish: &'a Wish,
        caller: &'a Caller,
    ) -> BoxFuture<'a, Result<Option<Availability>, Failure>>;
}

/// A listing that someone wants, and when.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) listing_id: String,
    pub(crate) check_in: Date,
    pub(crate) check_out: Date,
    pub(crate) guests: u32,
}

#[derive(Serialize)]
struct SearchArguments<'a> {
    location: &'a str,
    checkin: Date,
    checkout: Date,
    adults: u8,
    children: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_price: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_price: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    property_type: Option<PropertyType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

#[derive(Serialize)]
struct DetailsArguments<'a> {
    listing_id: &'a str,
}

#[derive(Serialize)]
struct AvailabilityArguments<'a> {
    listing_id: &'a str,
    checkin: Date,
    checkout: Date,
    guests: u32,
}

#[derive(Deserialize)]
struct Page {
    /// Each is read on its own: a listing that cannot be read does not cost the others.
    listings: Vec<Value>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Details {
    listing: WireListing,
}

#[derive(Deserialize)]
struct WireAvailability {
    available: bool,
    total_price: Option<Amount>,
}

#[derive(Deserialize)]
struct WireListing {
    id: String,
    name: String,
    #[serde(default = "other", deserialize_with = "kind")]
    property_type: PropertyType,
    #[serde(default)]
    location: WireLocation,
    price_per_night: Amount,
    #[serde(default = "dollars")]
    currency: String,
    rating: Option<f64>,
    review_count: Option<u32>,
    #[serde(default)]
    amenities: Vec<String>,
    #[serde(default)]
    images: Vec<String>,
    max_guests: Option<u32>,
    bedrooms: Option<u32>,
    beds: Option<u32>,
    bathrooms: Option<f64>,
    cancellation_policy: Option<String>,
    total_price: Option<Amount>,
    url: Option<String>,
}

#[derive(Default, Deserialize)]
struct WireLocation {
    address: Option<String>,
    city: Option<String>,
    country: Option<String>,
    #[serde(alias = "lat")]
    latitude: Option<f64>,
    #[serde(alias = "lng")]
    longitude: Option<f64>,
    distance_to_center_km: Option<f64>,
}

impl Stays for Client {
    fn search<'a>(
        &'a self,
        search: &'a StaySearch,
        caller: &'a Caller,
    ) -> BoxFuture<'a, Result<ProviderListings, Failure>> {
        async move {
            let mut given = ProviderListings { listings: Vec::new(), is_complete: true };
            let mut cursor = None;
            for number in 0..PAGES_MAX {
                let page: Page =
                    match self.call("search_accommodations", &page(search, cursor), Repeat::Once, caller).await {
                        Err(failure) if number == 0 => return Err(failure),
                        Err(_) => {
                            given.is_complete = false;
                            break;
                        }
                        Ok(page) => page,
                    };
                for listing in page.listings {
                    match WireListing::deserialize(listing) {
                        Ok(listing) => given.listings.push(listing.into()),
                        Err(_) => given.is_complete = false,
                    }
                }
                cursor = page.next_cursor;
                if cursor.is_none() {
                    break;
                }
            }
            Ok(given)
        }
        .boxed()
    }

    fn listing<'a>(&'a self, id: &'a str, caller: &'a Caller) -> BoxFuture<'a, Result<Option<Listing>, Failure>> {
        async move {
            let arguments = DetailsArguments { listing_id: id };
            let details = self.call::<Details>("get_listing_details", &arguments, Repeat::Once, caller).await;
            known(details.map(|details| details.listing.into()))
        }
        .boxed()
    }

    fn availability<'a>(
        &'a self,
        wish: &'a Wish,
        caller: &'a Caller,
    ) -> BoxFuture<'a, Result<Option<Availability>, Failure>> {
        async move {
            let Wish { listing_id, check_in, check_out, guests } = wish;
            let arguments =
                AvailabilityArguments { listing_id, checkin: *check_in, checkout: *check_out, guests: *guests };
            let answer = self.call::<WireAvailability>("check_availability", &arguments, Repeat::Once, caller).await;
            known(answer.map(|answer| Availability {
                is_available: answer.available,
                check_in: *check_in,
                check_out: *check_out,
                nights: nights(*check_in, *check_out),
                total_price: answer.total_price,
            }))
        }
        .boxed()
    }
}

fn page(search: &StaySearch, cursor: Option<String>) -> SearchArguments<'_> {
    SearchArguments {
        location: &search.location,
        checkin: search.check_in,
        checkout: search.check_out,
        adults: search.adults,
        children: search.children,
        min_price: search.min_price,
        max_price: search.max_price,
        property_type: search.property_type,
        cursor,
    }
}

fn known<T>(answer: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match answer {
        Err(failure) if failure.code() == Some(NOT_FOUND) => Ok(None),
        answer => answer.map(Some),
    }
}

impl From<WireListing> for Listing {
    fn from(listing: WireListing) -> Self {
        let location = listing.location;
        let point = location.latitude.zip(location.longitude);
        Self {
            id: listing.id,
            name: listing.name,
            property_type: listing.property_type,
            location: ListingLocation {
                address: location.address,
                city: location.city,
                country: location.country,
                point: point.map(|(latitude, longitude)| Point { latitude, longitude }),
                distance_km: location.distance_to_center_km,
            },
            price_per_night: listing.price_per_night,
            currency: listing.currency,
            rating: listing.rating,
            review_count: listing.review_count,
            amenities: listing.amenities,
            images: listing.images,
            max_guests: listing.max_guests,
            bedrooms: listing.bedrooms,
            beds: listing.beds,
            bathrooms: listing.bathrooms,
            cancellation_policy: listing.cancellation_policy,
            total_price: listing.total_price,
            url: listing.url,
            source: SOURCE,
        }
    }
}

/// Kinds that are not ours are `other`.
fn kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PropertyType, D::Error> {
    let name = String::deserialize(deserializer)?;
    let known: Result<_, serde::de::value::Error> = PropertyType::deserialize(name.into_deserializer());
    Ok(known.unwrap_or(PropertyType::Other))
}

fn other() -> PropertyType {
    PropertyType::Other
}

fn dollars() -> String {
    "USD".into()
}
