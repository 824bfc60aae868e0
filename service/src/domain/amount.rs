//! An amount of money, exact to the cent.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

/// Largest amount on the wire: a hundred million, far below where a decimal number loses cents.
const MAX: f64 = 1e8;

/// A sum of money in hundredths of its currency; a decimal number in JSON. Never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Amount {
    cents: i64,
}

impl Amount {
    /// The sum as a ratio of another; 1 when that is nothing.
    pub(crate) fn ratio_to(self, other: Self) -> f64 {
        if other.cents == 0 { 1.0 } else { self.cents as f64 / other.cents as f64 }
    }

    /// The mean, to the cent; none of nothing.
    pub(crate) fn mean(amounts: impl Iterator<Item = Self>) -> Option<Self> {
        let (count, cents) = amounts.fold((0, 0), |(count, cents), amount| (count + 1, cents + amount.cents));
        (count > 0).then(|| Self { cents: (cents + count / 2) / count })
    }

    /// So many times the sum; no more than the largest amount there is.
    pub(crate) fn times(self, count: u32) -> Self {
        Self { cents: self.cents.saturating_mul(i64::from(count)).min(MAX as i64 * 100) }
    }

    /// Whether it is more than nothing.
    pub(crate) fn is_positive(self) -> bool {
        self.cents > 0
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.cents as f64 / 100.0)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(deserializer)?;
        if !(0.0..=MAX).contains(&number) {
            return Err(D::Error::custom("an amount must be a number from 0 to 100000000"));
        }
        Ok(Self { cents: (number * 100.0).round() as i64 })
    }
}

impl PartialSchema for Amount {
    fn schema() -> RefOr<Schema> {
        let number = ObjectBuilder::new().schema_type(Type::Number).minimum(Some(0.0)).maximum(Some(MAX));
        number.description(Some("A sum of money in its currency, exact to the cent.")).into()
    }
}

impl ToSchema for Amount {}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("0", Some("0.0"))]
    #[case("499.99", Some("499.99"))]
    #[case("0.1", Some("0.1"))]
    #[case("0.30000000000000004", Some("0.3"))]
    #[case("100000000", Some("100000000.0"))]
    #[case("100000001", None)]
    #[case("-1", None)]
    #[case("1e400", None)]
    #[case("\"5\"", None)]
    #[case("null", None)]
    fn cents_survive_json(#[case] json: &str, #[case] expected: Option<&str>) {
        let read = serde_json::from_str::<Amount>(json).ok();
        assert_eq!(read.map(|amount| serde_json::to_string(&amount).unwrap()).as_deref(), expected);
    }

    fn amount(number: f64) -> Amount {
        serde_json::from_value(number.into()).unwrap()
    }

    #[rstest]
    #[case(&[], None)]
    #[case(&[10.0], Some(10.0))]
    #[case(&[0.01, 0.02], Some(0.02))]
    #[case(&[100.0, 200.0, 301.0], Some(200.33))]
    fn the_mean_is_exact_to_the_cent(#[case] amounts: &[f64], #[case] expected: Option<f64>) {
        assert_eq!(Amount::mean(amounts.iter().copied().map(amount)), expected.map(amount));
    }

    #[rstest]
    #[case(99.99, 3, 299.97)]
    #[case(5.0, 0, 0.0)]
    #[case(1e8, 2, 1e8)]
    fn a_multiple_stays_an_amount(#[case] one: f64, #[case] count: u32, #[case] expected: f64) {
        assert_eq!(amount(one).times(count), amount(expected));
    }
}
