//! What a trip may cost, as its preferences say.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{amount::Amount, currency::Currency};

/// The part `budget` of a trip's preferences. Nothing is assumed where it is silent, except the currency.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub(crate) struct Budget {
    #[serde(default)]
    pub(crate) total: Option<Amount>,
    #[serde(default)]
    currency: Option<Currency>,
    #[serde(default, rename = "accommodation_budget")]
    pub(crate) accommodation: Option<Amount>,
    #[serde(default, rename = "transportation_budget")]
    pub(crate) transportation: Option<Amount>,
    #[serde(default, rename = "food_budget")]
    pub(crate) food: Option<Amount>,
    #[serde(default, rename = "activities_budget")]
    pub(crate) activities: Option<Amount>,
}

impl Budget {
    /// The budget in these preferences; an empty one when there is none.
    ///
    /// # Errors
    /// There is one and it is not made of amounts and a currency.
    pub(crate) fn of(preferences: Option<&Map<String, Value>>) -> Result<Self, serde_json::Error> {
        let stated = preferences.and_then(|preferences| preferences.get("budget"));
        stated.map_or(Ok(None), Option::<Self>::deserialize).map(Option::unwrap_or_default)
    }

    /// The currency of the whole trip.
    pub(crate) fn currency(&self) -> Currency {
        self.currency.clone().unwrap_or_default()
    }
}

/// Preferences are kept as given, but a budget must be readable.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is garde's")]
pub(crate) fn has_readable_budget(preferences: &Map<String, Value>, (): &()) -> garde::Result {
    let unreadable = |error| garde::Error::new(format!("the budget cannot be read: {error}"));
    Budget::of(Some(preferences)).map(drop).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(json!({}), true)]
    #[case(json!({"budget": null}), true)]
    #[case(json!({"budget": {"total": 0, "currency": null, "colour": "red"}}), true)]
    #[case(json!({"budget": {"total": 1000, "currency": "EUR", "food_budget": 99.5}}), true)]
    #[case(json!({"budget": 7}), false)]
    #[case(json!({"budget": {"total": "much"}}), false)]
    #[case(json!({"budget": {"total": -1}}), false)]
    #[case(json!({"budget": {"currency": "euro"}}), false)]
    fn a_budget_is_absent_or_readable(#[case] preferences: Value, #[case] is_fine: bool) {
        let preferences = preferences.as_object().unwrap();
        assert_eq!(has_readable_budget(preferences, &()).is_ok(), is_fine);
    }

    #[test]
    fn without_a_currency_it_is_in_dollars() {
        assert_eq!(Budget::of(None).unwrap().currency(), Currency::default());
    }
}
