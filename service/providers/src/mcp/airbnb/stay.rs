//! When and with how many one wants to stay, checked.

use jiff::civil::Date;

use crate::{currency::Currency, mcp::refusal::Coded};

/// The longest stay.
const NIGHTS_MAX: i32 = 90;

/// Nights in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stay {
    pub(super) checkin: Date,
    /// 1 to 90.
    pub(super) nights: u32,
}

/// Why a call is understood and still not answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("location must have 1 to 100 bytes, not {0}")]
    Location(usize),
    #[error("checkout {checkout} is not 1 to {NIGHTS_MAX} nights after checkin {checkin}")]
    Dates { checkin: Date, checkout: Date },
    #[error("{adults} adults, {children} children, {infants} infants and {pets} pets cannot stay together")]
    Guests { adults: u32, children: u32, infants: u32, pets: u32 },
    #[error("prices from {min_price} to {max_price} are no range")]
    Prices { min_price: f64, max_price: f64 },
    #[error("`{0}` is no cursor of an earlier answer")]
    Cursor(String),
    #[error("stays are not sold in `{0}`")]
    Currency(String),
    #[error("listing `{0}` is unknown")]
    UnknownListing(String),
}

impl Coded for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::Location(_) => "invalid_location",
            Self::Dates { .. } => "invalid_dates",
            Self::Guests { .. } => "invalid_guests",
            Self::Prices { .. } => "invalid_prices",
            Self::Cursor(_) => "invalid_cursor",
            Self::Currency(_) => "unsupported_currency",
            Self::UnknownListing(_) => "listing_not_found",
        }
    }
}

impl Stay {
    pub(super) fn new(checkin: Date, checkout: Date) -> Result<Self, Refusal> {
        let nights = checkin.until(checkout).map_or(0, |span| span.get_days());
        if !(1..=NIGHTS_MAX).contains(&nights) {
            return Err(Refusal::Dates { checkin, checkout });
        }
        Ok(Self { checkin, nights: nights.unsigned_abs() })
    }

    /// What all nights cost at `price_per_night`.
    pub(super) fn total(self, price_per_night: f64, currency: Currency) -> f64 {
        currency.rounded(price_per_night * f64::from(self.nights))
    }
}

/// The currency called `code`.
pub(super) fn currency(code: String) -> Result<Currency, Refusal> {
    Currency::of(&code).ok_or(Refusal::Currency(code))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("2027-05-01", "2027-05-02", Some(1))]
    #[case("2027-02-27", "2027-03-02", Some(3))]
    #[case("2027-05-01", "2027-07-30", Some(90))]
    #[case::too_long("2027-05-01", "2027-07-31", None)]
    #[case::no_night("2027-05-01", "2027-05-01", None)]
    #[case::backwards("2027-05-02", "2027-05-01", None)]
    fn a_stay_has_1_to_90_nights(#[case] checkin: &str, #[case] checkout: &str, #[case] nights: Option<u32>) {
        let stay = Stay::new(checkin.parse().unwrap(), checkout.parse().unwrap());
        assert_eq!(stay.ok().map(|stay| stay.nights), nights);
    }

    #[test]
    fn the_total_has_the_digits_of_the_currency() {
        let stay = Stay::new("2027-05-01".parse().unwrap(), "2027-05-04".parse().unwrap()).unwrap();
        assert_eq!(stay.total(33.34, Currency::of("USD").unwrap()), 100.02);
        assert_eq!(stay.total(100.0, Currency::of("JPY").unwrap()), 300.0);
    }
}
