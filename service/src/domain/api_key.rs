//! A user's own key for a provider: used for that user's calls in place of the platform's. Its secret goes in, never out.

use garde::Validate;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// How long a key lives when nothing else is said.
const LIFE: SignedDuration = SignedDuration::from_hours(90 * 24);
/// Keys of one user.
pub(crate) const KEYS_PER_USER_MAX: usize = 20;
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 8..=512;

/// A service for which users may have keys of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Service {
    Flights,
    Accommodation,
    Googlemaps,
    Weather,
    Webcrawl,
    Openai,
}

/// A key as its owner sees it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ApiKey {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) service: Service,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    pub(crate) created_at: Timestamp,
    /// When its secret was last changed.
    pub(crate) updated_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    /// Whether it would be used: not expired, and not refused by its service when it was last used.
    pub(crate) is_valid: bool,
    /// Exact to a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_used: Option<Timestamp>,
}

/// A request to store a key.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewApiKey {
    #[garde(length(chars, min = 1, max = 255))]
    pub(crate) name: String,
    #[garde(skip)]
    pub(crate) service: Service,
    #[garde(dive)]
    pub(crate) key: Secret,
    #[serde(default)]
    #[garde(length(chars, max = 500))]
    pub(crate) description: Option<String>,
    /// 90 days from now when it is not given.
    #[serde(default)]
    #[garde(skip)]
    pub(crate) expires_at: Option<Timestamp>,
}

/// A request to try a key, without storing it.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Trial {
    #[garde(dive)]
    pub(crate) key: Secret,
    #[garde(skip)]
    pub(crate) service: Service,
}

/// A request to change the secret of a key.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rotation {
    #[garde(dive)]
    pub(crate) new_key: Secret,
}

/// The secret of a key: 8 to 512 visible ASCII characters.
#[derive(Debug, Clone, ToSchema)]
#[schema(value_type = String, min_length = 8, max_length = 512, pattern = "^[!-~]+$")]
pub(crate) struct Secret(pub(crate) SecretString);

impl Service {
    pub(crate) const ALL: [Self; 6] =
        [Self::Flights, Self::Accommodation, Self::Googlemaps, Self::Weather, Self::Webcrawl, Self::Openai];

    /// Its name, the same as in JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Flights => "flights",
            Self::Accommodation => "accommodation",
            Self::Googlemaps => "googlemaps",
            Self::Weather => "weather",
            Self::Webcrawl => "webcrawl",
            Self::Openai => "openai",
        }
    }

    /// The service that an MCP server is, by the server's name; none for one that takes no keys of users.
    pub(crate) fn of_server(server: &str) -> Option<Self> {
        match server {
            "flights" => Some(Self::Flights),
            "airbnb" => Some(Self::Accommodation),
            "google_maps" => Some(Self::Googlemaps),
            "weather" => Some(Self::Weather),
            "webcrawl" => Some(Self::Webcrawl),
            _ => None,
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.as_str() == name)
    }
}

impl NewApiKey {
    /// The key that it makes, and the secret.
    pub(crate) fn into_key(self, id: Uuid, now: Timestamp) -> (ApiKey, SecretString) {
        let key = ApiKey {
            id,
            name: self.name,
            service: self.service,
            description: self.description,
            created_at: now,
            updated_at: now,
            expires_at: self.expires_at.unwrap_or_else(|| now + LIFE),
            is_valid: true,
            last_used: None,
        };
        (key, self.key.0)
    }
}

impl ApiKey {
    /// The key with another secret: it lives 90 days more, or as long as before when that is longer.
    pub(crate) fn rotated(self, now: Timestamp) -> Self {
        Self { updated_at: now, expires_at: self.expires_at.max(now + LIFE), is_valid: true, ..self }
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The usual error would repeat what was sent.
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text.into())),
            _ => Err(D::Error::custom("is not a text")),
        }
    }
}

impl Validate for Secret {
    type Context = ();

    fn validate_into(&self, (): &(), parent: &mut dyn FnMut() -> garde::Path, report: &mut garde::Report) {
        let text = self.0.expose_secret();
        if !SECRET_BYTES.contains(&text.len()) {
            report.append(parent(), garde::Error::new("must be 8 to 512 characters long"));
        } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            report.append(parent(), garde::Error::new("must be visible ASCII characters"));
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(json!("sk-12345"), None)]
    #[case(json!("x".repeat(512)), None)]
    #[case(json!("sk-1234"), Some("8 to 512"))]
    #[case(json!("x".repeat(513)), Some("8 to 512"))]
    #[case(json!("sk-1234 5"), Some("visible"))]
    #[case(json!("sk-12345\r\nX-Admin: 1"), Some("visible"))]
    #[case(json!("schlüssel"), Some("visible"))]
    #[case(json!(1234567890), Some("not a text"))]
    #[case(json!(["sk-canary"]), Some("not a text"))]
    fn a_secret_is_checked_and_never_repeated(#[case] key: Value, #[case] expected: Option<&str>) {
        let trial: Result<Trial, _> = serde_json::from_value(json!({"key": key, "service": "flights"}));
        let problem = match trial {
            Ok(trial) => trial.validate().err().map(|report| report.to_string()),
            Err(error) => Some(error.to_string()),
        };
        assert_eq!(problem.is_some(), expected.is_some(), "{problem:?}");
        let said = problem.unwrap_or_default();
        assert!(
            said.contains(expected.unwrap_or_default()) && !said.contains("1234") && !said.contains("sk-"),
            "{said}"
        );
    }

    #[test]
    fn services_have_one_name_in_json_and_in_storage() {
        for service in Service::ALL {
            assert_eq!(serde_json::to_value(service).unwrap(), service.as_str());
            assert_eq!(Service::named(service.as_str()), Some(service));
        }
        assert_eq!(Service::named("calendar"), None);
    }

    #[rstest]
    #[case("the rest of its life is shorter", 10, 90)]
    #[case("it was to live longer anyway", 365, 365)]
    fn a_rotation_never_shortens_a_life(#[case] why: &str, #[case] left_days: i64, #[case] expected_days: i64) {
        let now = Timestamp::UNIX_EPOCH;
        let days = |days: i64| now + SignedDuration::from_hours(24 * days);
        let new = NewApiKey {
            name: "mine".into(),
            service: Service::Flights,
            key: Secret("sk-12345".into()),
            description: None,
            expires_at: Some(days(left_days)),
        };
        let (key, _) = new.into_key(Uuid::nil(), now);
        assert_eq!(key.rotated(now).expires_at, days(expected_days), "{why}");
    }
}
