//! The currencies in which flights and stays are sold.

/// A currency with a fixed rate, so that prices are the same on every run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Currency {
    /// ISO 4217 code.
    pub(crate) code: &'static str,
    /// How much of it buys one US dollar: rounded yearly averages, good enough for made-up fares.
    per_usd: f64,
    /// Digits after the decimal point.
    digits: u32,
}

#[rustfmt::skip]
const CURRENCIES: [Currency; 20] = [
    Currency { code: "USD", per_usd: 1.0, digits: 2 },
    Currency { code: "EUR", per_usd: 0.92, digits: 2 },
    Currency { code: "GBP", per_usd: 0.78, digits: 2 },
    Currency { code: "JPY", per_usd: 151.0, digits: 0 },
    Currency { code: "CHF", per_usd: 0.88, digits: 2 },
    Currency { code: "CAD", per_usd: 1.37, digits: 2 },
    Currency { code: "AUD", per_usd: 1.52, digits: 2 },
    Currency { code: "NZD", per_usd: 1.65, digits: 2 },
    Currency { code: "SEK", per_usd: 10.6, digits: 2 },
    Currency { code: "NOK", per_usd: 10.7, digits: 2 },
    Currency { code: "DKK", per_usd: 6.9, digits: 2 },
    Currency { code: "PLN", per_usd: 4.0, digits: 2 },
    Currency { code: "CNY", per_usd: 7.2, digits: 2 },
    Currency { code: "INR", per_usd: 83.7, digits: 2 },
    Currency { code: "KRW", per_usd: 1364.0, digits: 0 },
    Currency { code: "SGD", per_usd: 1.34, digits: 2 },
    Currency { code: "HKD", per_usd: 7.8, digits: 2 },
    Currency { code: "BRL", per_usd: 5.4, digits: 2 },
    Currency { code: "MXN", per_usd: 18.3, digits: 2 },
    Currency { code: "AED", per_usd: 3.67, digits: 2 },
];

impl Currency {
    /// The currency with this ISO 4217 code, in capitals.
    pub(crate) fn of(code: &str) -> Option<Self> {
        CURRENCIES.into_iter().find(|currency| currency.code == code)
    }

    /// The price of `usd` dollars in the smallest units, such as cents.
    pub(crate) fn units(self, usd: f64) -> u64 {
        (usd * self.per_usd * self.units_per_whole()).round() as u64
    }

    /// The decimal number nearest to so many smallest units.
    pub(crate) fn amount(self, units: u64) -> f64 {
        units as f64 / self.units_per_whole()
    }

    /// The amount nearest to `amount` that has the digits of this currency.
    pub(crate) fn rounded(self, amount: f64) -> f64 {
        self.amount((amount * self.units_per_whole()).round() as u64)
    }

    fn units_per_whole(self) -> f64 {
        10_f64.powi(self.digits as i32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_the_digits_of_their_currency() {
        let price = |code, usd| {
            let currency = Currency::of(code).unwrap();
            currency.amount(currency.units(usd)).to_string()
        };
        assert_eq!(
            (price("USD", 99.999), price("EUR", 100.0), price("JPY", 1.01)),
            ("100".into(), "92".into(), "153".into())
        );
        assert_eq!(price("USD", 0.07), "0.07");
    }

    #[test]
    fn unknown_codes_have_no_currency() {
        assert_eq!((Currency::of("XXX"), Currency::of("usd"), Currency::of("")), (None, None, None));
    }
}
