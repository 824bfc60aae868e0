//! Searches for stays, listings, and which listings a search admits.

use garde::Validate;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{amount::Amount, place::Point};

/// A search for stays. All of it but the trip is the cache key.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StaySearch {
    /// A city, an area or an address.
    #[garde(custom(is_not_blank), length(bytes, max = 100))]
    pub(crate) location: String,
    #[garde(skip)]
    pub(crate) check_in: Date,
    #[garde(custom(is_after(&self.check_in)))]
    pub(crate) check_out: Date,
    #[serde(default = "one")]
    #[garde(range(min = 1, max = 16))]
    pub(crate) adults: u8,
    #[serde(default)]
    #[garde(range(max = 10))]
    pub(crate) children: u8,
    #[serde(default = "one")]
    #[garde(range(min = 1, max = 8))]
    pub(crate) rooms: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    pub(crate) property_type: Option<PropertyType>,
    /// Per night.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    pub(crate) min_price: Option<Amount>,
    /// Per night.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(custom(is_not_below(&self.min_price))))]
    pub(crate) max_price: Option<Amount>,
    /// All of them are wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(length(max = 20), inner(length(chars, min = 1, max = 50))))]
    pub(crate) amenities: Option<Vec<String>>,
    /// Of 5; listings without a rating are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(range(min = 0.0, max = 5.0))]
    pub(crate) min_rating: Option<f64>,
    /// With `longitude`: the point that distances are measured from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(range(min = -90.0, max = 90.0), custom(is_with(&self.longitude)))]
    pub(crate) latitude: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(range(min = -180.0, max = 180.0), custom(is_with(&self.latitude)))]
    pub(crate) longitude: Option<f64>,
    /// The trip it is for; it changes nothing in what is found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    pub(crate) trip_id: Option<Uuid>,
}

/// What kind of stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PropertyType {
    Hotel,
    Apartment,
    House,
    Villa,
    Resort,
    Hostel,
    BedAndBreakfast,
    GuestHouse,
    Other,
}

/// A place to stay, as answered.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Listing {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) property_type: PropertyType,
    pub(crate) location: ListingLocation,
    pub(crate) price_per_night: Amount,
    pub(crate) currency: String,
    /// Of 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rating: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) review_count: Option<u32>,
    pub(crate) amenities: Vec<String>,
    pub(crate) images: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_guests: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bedrooms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) beds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bathrooms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cancellation_policy: Option<String>,
    /// For all nights asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) total_price: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    pub(crate) source: &'static str,
}

/// Where a listing is.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub(crate) struct ListingLocation {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) city: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) country: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) point: Option<Point>,
    /// From the point of the search; else from the centre, where the provider says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) distance_km: Option<f64>,
}

/// What the provider gave.
#[derive(Debug, Clone)]
pub(crate) struct ProviderListings {
    pub(crate) listings: Vec<Listing>,
    /// Whether that is all it has.
    pub(crate) is_complete: bool,
}

/// The listings of one search, cheapest first.
#[derive(Debug)]
pub(crate) struct StaysFound {
    pub(crate) search_id: Uuid,
    pub(crate) listings: Vec<Listing>,
    pub(crate) currency: String,
    pub(crate) min_price: Option<Amount>,
    pub(crate) max_price: Option<Amount>,
    pub(crate) avg_price: Option<Amount>,
    /// Whether all that the provider has is among them.
    pub(crate) is_complete: bool,
}

/// Whether a listing is free, and what it costs.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Availability {
    pub(crate) is_available: bool,
    pub(crate) check_in: Date,
    pub(crate) check_out: Date,
    pub(crate) nights: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) total_price: Option<Amount>,
}

impl StaySearch {
    /// The longest stay.
    pub(crate) const NIGHTS_MAX: u32 = 90;

    /// The same search in its one normal form, so that equal searches are equal.
    pub(crate) fn normalized(mut self) -> Self {
        self.location = self.location.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(amenities) = &mut self.amenities {
            amenities.iter_mut().for_each(|amenity| *amenity = amenity.trim().to_lowercase());
            amenities.sort_unstable();
            amenities.dedup();
        }
        self.trip_id = None;
        self
    }

    /// All of it in one text, spelling apart: two searches that differ anywhere never share an answer.
    pub(crate) fn key(&self) -> String {
        let search = Self { location: self.location.to_lowercase(), ..self.clone() };
        serde_json::to_string(&search).expect("a search is plain data")
    }

    /// Whether it begins before today.
    pub(crate) fn is_in_the_past(&self, today: Date) -> bool {
        self.check_in < today
    }

    pub(crate) fn nights(&self) -> u32 {
        nights(self.check_in, self.check_out)
    }

    fn admits(&self, listing: &Listing) -> bool {
        let has = |wanted: &String| listing.amenities.iter().any(|amenity| amenity.to_lowercase() == *wanted);
        let is_kind = self.property_type.is_none_or(|kind| kind == listing.property_type);
        let is_dear_enough = self.min_price.is_none_or(|min| listing.price_per_night >= min);
        let is_cheap_enough = self.max_price.is_none_or(|max| listing.price_per_night <= max);
        let is_good = self.min_rating.is_none_or(|min| listing.rating.is_some_and(|rating| rating >= min));
        let guests = u32::from(self.adults) + u32::from(self.children);
        let is_large = listing.max_guests.is_none_or(|max| max >= guests)
            && (self.rooms == 1 || listing.bedrooms.is_none_or(|rooms| rooms >= u32::from(self.rooms)));
        let has_all = self.amenities.iter().flatten().all(has);
        is_kind && is_dear_enough && is_cheap_enough && is_good && is_large && has_all
    }

    fn completed(&self, mut listing: Listing) -> Listing {
        listing.total_price = listing.total_price.or_else(|| Some(listing.price_per_night.times(self.nights())));
        if let (Some(latitude), Some(longitude)) = (self.latitude, self.longitude) {
            let from = Point { latitude, longitude };
            listing.location.distance_km = listing.location.point.map(|point| from.distance_km(point));
        }
        listing
    }
}

/// Nights between two dates; none when they are in the wrong order.
pub(crate) fn nights(check_in: Date, check_out: Date) -> u32 {
    check_in.until(check_out).ok().and_then(|span| u32::try_from(span.get_days()).ok()).unwrap_or_default()
}

/// Keeps the listings that the search admits, cheapest first.
pub(crate) fn select(search: &StaySearch, search_id: Uuid, given: ProviderListings) -> StaysFound {
    let admitted = given.listings.into_iter().filter(|listing| search.admits(listing));
    let mut listings: Vec<_> = admitted.map(|listing| search.completed(listing)).collect();
    listings.sort_by(|a, b| a.price_per_night.cmp(&b.price_per_night).then_with(|| a.id.cmp(&b.id)));
    StaysFound {
        search_id,
        currency: listings.first().map_or_else(|| "USD".into(), |listing| listing.currency.clone()),
        min_price: listings.first().map(|listing| listing.price_per_night),
        max_price: listings.last().map(|listing| listing.price_per_night),
        avg_price: Amount::mean(listings.iter().map(|listing| listing.price_per_night)),
        listings,
        is_complete: given.is_complete,
    }
}

fn one() -> u8 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is garde's")]
fn is_not_blank(text: &str, (): &()) -> garde::Result {
    if text.trim().is_empty() { Err(garde::Error::new("is empty")) } else { Ok(()) }
}

fn is_after(check_in: &Date) -> impl FnOnce(&Date, &()) -> garde::Result + '_ {
    move |check_out, ()| match nights(*check_in, *check_out) {
        0 => Err(garde::Error::new("is not after the check-in")),
        1..=StaySearch::NIGHTS_MAX => Ok(()),
        _ => Err(garde::Error::new("is more than 90 nights after the check-in")),
    }
}

fn is_not_below(min: &Option<Amount>) -> impl FnOnce(&Amount, &()) -> garde::Result + '_ {
    move |max, ()| {
        if min.is_none_or(|min| *max >= min) { Ok(()) } else { Err(garde::Error::new("is less than `min_price`")) }
    }
}

fn is_with(other: &Option<f64>) -> impl FnOnce(&Option<f64>, &()) -> garde::Result + '_ {
    move |one, ()| {
        if one.is_some() && other.is_none() {
            return Err(garde::Error::new("needs both `latitude` and `longitude`"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn search(change: Value) -> Result<StaySearch, serde_json::Error> {
        let mut body = json!({"location": "Lisbon", "check_in": "2030-05-01", "check_out": "2030-05-04"});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        serde_json::from_value(body)
    }

    fn listing(id: &str, price: f64) -> Listing {
        Listing {
            id: id.into(),
            name: id.into(),
            property_type: PropertyType::Apartment,
            location: ListingLocation {
                point: Some(Point { latitude: 38.71, longitude: -9.14 }),
                ..ListingLocation::default()
            },
            price_per_night: serde_json::from_value(price.into()).unwrap(),
            currency: "EUR".into(),
            rating: Some(4.5),
            review_count: None,
            amenities: vec!["Wifi".into(), "Kitchen".into()],
            images: Vec::new(),
            max_guests: Some(4),
            bedrooms: Some(2),
            beds: None,
            bathrooms: None,
            cancellation_policy: None,
            total_price: None,
            url: None,
            source: "airbnb",
        }
    }

    #[rstest]
    #[case(json!({}), None)]
    #[case(json!({"adults": 16, "children": 10, "rooms": 8, "min_rating": 5, "min_price": 0, "max_price": 0}), None)]
    #[case(json!({"latitude": -90, "longitude": 180}), None)]
    #[case(json!({"location": "  "}), Some("location"))]
    #[case(json!({"location": "x".repeat(101)}), Some("location"))]
    #[case(json!({"check_out": "2030-05-01"}), Some("check_out"))]
    #[case(json!({"check_out": "2030-04-30"}), Some("check_out"))]
    #[case(json!({"check_out": "2030-07-30"}), None)]
    #[case(json!({"check_out": "2030-07-31"}), Some("check_out"))]
    #[case(json!({"location": "é".repeat(51)}), Some("location"))]
    #[case(json!({"adults": 0}), Some("adults"))]
    #[case(json!({"adults": 17}), Some("adults"))]
    #[case(json!({"children": 11}), Some("children"))]
    #[case(json!({"rooms": 0}), Some("rooms"))]
    #[case(json!({"rooms": 9}), Some("rooms"))]
    #[case(json!({"min_price": 100, "max_price": 99.99}), Some("max_price"))]
    #[case(json!({"min_rating": 5.1}), Some("min_rating"))]
    #[case(json!({"min_rating": -0.1}), Some("min_rating"))]
    #[case(json!({"amenities": [""]}), Some("amenities[0]"))]
    #[case(json!({"latitude": 90.1, "longitude": 0}), Some("latitude"))]
    #[case(json!({"latitude": 10}), Some("latitude"))]
    #[case(json!({"longitude": 10}), Some("longitude"))]
    fn searches_are_checked(#[case] change: Value, #[case] wrong: Option<&str>) {
        let report = search(change).unwrap().validate().err();
        assert_eq!(report.map(|r| r.iter().next().unwrap().0.to_string()).as_deref(), wrong);
    }

    #[rstest]
    #[case(json!({"adults": -1}))]
    #[case(json!({"check_in": "2030-02-30"}))]
    #[case(json!({"max_price": -3}))]
    #[case(json!({"property_type": "castle"}))]
    #[case(json!({"trip_id": "mine"}))]
    #[case(json!({"colour": "red"}))]
    fn what_is_no_search_is_refused(#[case] change: Value) {
        assert!(search(change).is_err());
    }

    #[rstest]
    #[case(json!({"check_out": "2030-05-05"}))]
    #[case(json!({"adults": 2}))]
    #[case(json!({"children": 1}))]
    #[case(json!({"rooms": 2}))]
    #[case(json!({"property_type": "villa"}))]
    #[case(json!({"min_price": 10}))]
    #[case(json!({"max_price": 10}))]
    #[case(json!({"amenities": ["wifi"]}))]
    #[case(json!({"min_rating": 4}))]
    #[case(json!({"latitude": 1, "longitude": 1}))]
    fn every_filter_is_in_the_cache_key(#[case] change: Value) {
        assert_ne!(search(json!({})).unwrap().normalized().key(), search(change).unwrap().normalized().key());
    }

    #[rstest]
    #[case(json!({"location": " LISBON "}))]
    #[case(json!({"amenities": ["WiFi", "pool", "wifi "]}))]
    #[case(json!({"trip_id": Uuid::nil()}))]
    fn spelling_and_trip_are_not_in_the_cache_key(#[case] change: Value) {
        let plain = match change.get("amenities") {
            Some(_) => json!({"amenities": ["pool", "wifi"]}),
            None => json!({}),
        };
        assert_eq!(search(plain).unwrap().normalized().key(), search(change).unwrap().normalized().key());
    }

    #[rstest]
    #[case(json!({}), true)]
    #[case(json!({"property_type": "apartment"}), true)]
    #[case(json!({"property_type": "hotel"}), false)]
    #[case(json!({"min_price": 100, "max_price": 100}), true)]
    #[case(json!({"min_price": 100.01}), false)]
    #[case(json!({"max_price": 99.99}), false)]
    #[case(json!({"min_rating": 4.5}), true)]
    #[case(json!({"min_rating": 4.6}), false)]
    #[case(json!({"adults": 2, "children": 2}), true)]
    #[case(json!({"adults": 2, "children": 3}), false)]
    #[case(json!({"rooms": 2}), true)]
    #[case(json!({"rooms": 3}), false)]
    #[case(json!({"amenities": ["KITCHEN", "wifi"]}), true)]
    #[case(json!({"amenities": ["pool"]}), false)]
    fn filters_are_applied_here_too(#[case] change: Value, #[case] is_admitted: bool) {
        let search = search(change).unwrap().normalized();
        assert_eq!(search.admits(&listing("a", 100.0)), is_admitted);
    }

    #[test]
    fn listings_are_sorted_priced_and_placed() {
        let search = search(json!({"latitude": 38.71, "longitude": -9.14, "max_price": 200})).unwrap().normalized();
        let mut own_total = listing("b", 50.0);
        own_total.total_price = serde_json::from_value(json!(140)).unwrap();
        let listings = vec![listing("c", 100.0), listing("dear", 201.0), listing("a", 50.0), own_total];
        let found = select(&search, Uuid::nil(), ProviderListings { listings, is_complete: true });
        let order: Vec<_> = found.listings.iter().map(|listing| listing.id.as_str()).collect();
        assert_eq!(order, ["a", "b", "c"]);
        let totals: Vec<_> = found.listings.iter().map(|listing| json!(listing.total_price)).collect();
        assert_eq!(totals, [json!(150.0), json!(140.0), json!(300.0)]);
        assert_eq!(found.listings[0].location.distance_km, Some(0.0));
        assert_eq!(json!([found.min_price, found.max_price, found.avg_price]), json!([50.0, 100.0, 66.67]));
        assert_eq!(found.currency, "EUR");
    }

    #[test]
    fn no_listings_is_an_empty_answer() {
        let given = ProviderListings { listings: Vec::new(), is_complete: true };
        let found = select(&search(json!({})).unwrap(), Uuid::nil(), given);
        assert!(found.listings.is_empty() && found.min_price.is_none() && found.avg_price.is_none());
    }
}
