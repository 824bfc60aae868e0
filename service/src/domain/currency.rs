//! Currencies, by their ISO 4217 code.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

/// Three capital letters, such as `EUR`. Which of them are in use is not checked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Currency(String);

impl Default for Currency {
    /// US dollars.
    fn default() -> Self {
        Self("USD".into())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = String::deserialize(deserializer)?;
        if code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Ok(Self(code));
        }
        Err(D::Error::custom("a currency must be three capital letters"))
    }
}

impl PartialSchema for Currency {
    fn schema() -> RefOr<Schema> {
        let code = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[A-Z]{3}$"));
        code.description(Some("A currency by its ISO 4217 code.")).examples(["EUR"]).into()
    }
}

impl ToSchema for Currency {}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("\"EUR\"", true)]
    #[case("\"eur\"", false)]
    #[case("\"EURO\"", false)]
    #[case("\"É1\"", false)]
    #[case("\"\"", false)]
    #[case("7", false)]
    fn a_currency_is_three_capital_letters(#[case] json: &str, #[case] is_one: bool) {
        assert_eq!(serde_json::from_str::<Currency>(json).is_ok(), is_one);
    }
}
