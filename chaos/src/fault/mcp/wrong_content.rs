//! `wrong_content`: the answer is as the schema wants it, and plausible, and wrong: only who checks the meaning can tell.
use std::fmt;

use jiff::{ToSpan as _, civil::Date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::content;
use crate::{
    fault::Error,
    forward::{Call, Deed, RequestFault},
};

/// Names of fields that hold an amount of money have one of these in them.
const PRICES: [&str; 5] = ["amount", "price", "fare", "cost", "rate"];
/// Dates are not shifted farther, in days.
const SHIFT_MAX: i32 = 3_660;

/// Settings of wrong content in a scenario; one of them at least.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrongContent {
    /// What amounts of money are multiplied with, such as `0.1`; above 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_factor: Option<f64>,
    /// Another currency, such as `"JPY"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// By how many days dates are shifted, -3660 to 3660.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift_days: Option<i32>,
}

impl RequestFault for WrongContent {
    fn kind(&self) -> &'static str {
        "wrong_content"
    }

    fn check(&self) -> Result<(), Error> {
        let factor = self.price_factor.filter(|factor| !(factor.is_finite() && *factor > 0.0));
        let days = self.shift_days.filter(|days| days.abs() > SHIFT_MAX);
        if let Some(factor) = factor {
            return Err(Error::Setting { name: "price_factor", value: factor.to_string(), must: "above 0" });
        }
        if let Some(days) = days {
            return Err(Error::Setting { name: "shift_days", value: days.to_string(), must: "-3660 to 3660" });
        }
        match self {
            Self { price_factor: None | Some(1.0), currency: None, shift_days: None | Some(0) } => {
                Err(Error::NoEffect("wrong content needs a `price_factor`, a `currency` or `shift_days`"))
            }
            _ => Ok(()),
        }
    }

    fn concerns(&self, call: &Call) -> bool {
        call.is_tool_call()
    }

    fn deed(&self, call: &Call) -> Deed {
        let wrong = self.clone();
        Deed::edit(call, move |answer| {
            content::edit(answer, |content| content::each_field(content, &|name, value| wrong.falsify(name, value)))
        })
    }
}

impl WrongContent {
    /// Falsifies a field; says whether it is another now.
    fn falsify(&self, name: &str, value: &mut Value) -> bool {
        let wrong = match value {
            Value::Number(_) | Value::String(_) if is_price(name) => self.wrong_price(value),
            Value::String(_) if name.contains("currency") => self.currency.as_deref().map(Value::from),
            Value::String(text) => self.wrong_date(text).map(Value::from),
            _ => None,
        };
        let is_other = wrong.as_ref().is_some_and(|wrong| wrong != value);
        if let Some(wrong) = wrong {
            *value = wrong;
        }
        is_other
    }

    fn wrong_price(&self, value: &Value) -> Option<Value> {
        let factor = self.price_factor?;
        let cents = |amount: f64| (amount * factor * 100.0).round() / 100.0;
        match value {
            Value::String(text) => text.parse().ok().map(|amount: f64| Value::from(format!("{:.2}", cents(amount)))),
            number => number.as_f64().map(|amount| Value::from(cents(amount))),
        }
    }

    /// The text with the date at its beginning shifted; its time of day stays.
    fn wrong_date(&self, text: &str) -> Option<String> {
        let days = self.shift_days?;
        let (date, rest) = text.split_at_checked(10)?;
        let date: Date = date.parse().ok().filter(|_| rest.is_empty() || rest.starts_with(['T', ' ']))?;
        Some(format!("{}{rest}", date.checked_add(days.days()).ok()?))
    }
}

fn is_price(name: &str) -> bool {
    PRICES.iter().any(|part| name.contains(part))
}

impl fmt::Display for WrongContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("wrong_content")?;
        self.price_factor.iter().try_for_each(|factor| write!(f, ", prices times {factor}"))?;
        self.currency.iter().try_for_each(|currency| write!(f, ", currency {currency}"))?;
        self.shift_days.iter().try_for_each(|days| write!(f, ", dates {days:+} days"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::forward::Bench;

    fn offer(text: &str) -> Option<Value> {
        let fault: WrongContent = toml::from_str(text).unwrap();
        fault.check().unwrap();
        let seen = Bench::new().edited(&fault, &Bench::result())?;
        let text: Value = serde_json::from_str(seen["result"]["content"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!(text, seen["result"]["structuredContent"], "text and content agree");
        Some(text["offers"][0].clone())
    }

    #[test]
    fn only_what_was_asked_for_is_wrong() {
        let right = Bench::result()["result"]["structuredContent"]["offers"][0].clone();
        let check = |text: &str, field: &str, wrong: Value| {
            let mut expected = right.clone();
            expected[field] = wrong;
            assert_eq!(offer(text).unwrap(), expected, "{text}");
        };
        check("price_factor = 0.1", "total_amount", json!(12.05));
        check("currency = \"JPY\"", "total_currency", json!("JPY"));
        check("shift_days = 30", "departure_time", json!("2027-03-02T08:00:00Z"));
        check("shift_days = -31", "departure_time", json!("2026-12-31T08:00:00Z"));
        assert_eq!(offer("currency = \"EUR\""), None, "the same currency is not wrong");
    }

    #[test]
    fn prices_that_are_texts_stay_texts_and_what_is_no_date_stays() {
        let wrong: WrongContent = toml::from_str("price_factor = 2.0\nshift_days = 1").unwrap();
        let mut value =
            json!({"price": "10.50", "note": "2027-01-01x", "day": "2027-12-31", "name": "Lisbon", "price_tag": {}});
        assert!(content::each_field(&mut value, &|name, value| wrong.falsify(name, value)));
        let expected =
            json!({"price": "21.00", "note": "2027-01-01x", "day": "2028-01-01", "name": "Lisbon", "price_tag": {}});
        assert_eq!(value, expected);
    }

    #[test]
    fn settings_that_change_nothing_or_too_much_are_refused() {
        for text in ["", "price_factor = 1.0", "price_factor = 0.0", "price_factor = nan", "shift_days = 4000"] {
            assert!(toml::from_str::<WrongContent>(text).unwrap().check().is_err(), "{text}");
        }
    }
}
