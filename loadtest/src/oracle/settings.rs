//! `oracle = …`: whether acknowledged writes are read back, and within which bounds.
use crate::settings::Error;
use reports::units;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{borrow::Cow, fmt, time::Duration};

/// The most owners whose writes are read back at once.
const AT_ONCE_MAX: u32 = 256;
/// The longest that reading back may take.
const WITHIN_MAX: Duration = Duration::from_secs(3_600);

/// Written as `false`, `true`, or `{ within = "2m", at_once = 16, own_writes = "0s" }`.
#[derive(Debug, Clone, PartialEq)]
pub struct OracleSettings {
    /// Whether acknowledged writes are read back after the load.
    pub is_on: bool,
    /// The bounds.
    pub bounds: Bounds,
}

/// The bounds of reading back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bounds {
    /// How long reading back may take, waiting for the target to answer again included; what is left then is not verified.
    #[serde(with = "units::duration")]
    pub within: Duration,
    /// How many owners read at once.
    pub at_once: u32,
    /// How soon a user's own read must show its own acknowledged write, and a read after the load the last one.
    #[serde(with = "units::duration")]
    pub own_writes: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { within: Duration::from_secs(120), at_once: 16, own_writes: Duration::ZERO }
    }
}

impl Default for OracleSettings {
    fn default() -> Self {
        Self { is_on: true, bounds: Bounds::default() }
    }
}

impl OracleSettings {
    /// Checks what the types cannot say.
    pub(crate) fn check(&self) -> Result<(), Error> {
        Error::unless_positive("oracle.within", self.bounds.within.as_secs_f64())?;
        Error::unless_positive("oracle.at_once", f64::from(self.bounds.at_once))?;
        Error::unless_at_most("oracle.at_once", self.bounds.at_once, AT_ONCE_MAX)?;
        for (key, duration) in [("oracle.within", self.bounds.within), ("oracle.own_writes", self.bounds.own_writes)] {
            if duration > WITHIN_MAX {
                let (value, limit) = (units::format_duration(duration), units::format_duration(WITHIN_MAX));
                return Err(Error::TooMuch { key, value, limit });
            }
        }
        Ok(())
    }
}

impl Serialize for OracleSettings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_on && self.bounds != Bounds::default() {
            return self.bounds.serialize(serializer);
        }
        serializer.serialize_bool(self.is_on)
    }
}

impl<'de> Deserialize<'de> for OracleSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SwitchOrBounds;
        impl<'de> de::Visitor<'de> for SwitchOrBounds {
            type Value = OracleSettings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false, or bounds such as { within = \"2m\" }")
            }

            fn visit_bool<E>(self, is_on: bool) -> Result<OracleSettings, E> {
                Ok(OracleSettings { is_on, bounds: Bounds::default() })
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<OracleSettings, A::Error> {
                let bounds = Bounds::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(OracleSettings { is_on: true, bounds })
            }
        }
        deserializer.deserialize_any(SwitchOrBounds)
    }
}

impl JsonSchema for OracleSettings {
    fn schema_name() -> Cow<'static, str> {
        "OracleSettings".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Whether acknowledged writes are read back after the load, and within which bounds.",
            "anyOf": [
                { "type": "boolean" },
                {
                    "type": "object",
                    "properties": {
                        "within": { "type": "string", "description": "How long reading back may take. Default: \"2m\"." },
                        "at_once": { "type": "integer", "minimum": 1, "maximum": AT_ONCE_MAX,
                            "description": "How many owners read at once. Default: 16." },
                        "own_writes": { "type": "string",
                            "description": "How soon a user's own read must show its own acknowledged write. Default: \"0s\"." }
                    },
                    "additionalProperties": false
                }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Holder {
        #[serde(default)]
        oracle: OracleSettings,
    }

    fn read(text: &str) -> Result<OracleSettings, String> {
        let holder: Holder = toml::from_str(text).map_err(|error| error.to_string())?;
        assert_eq!(toml::from_str::<Holder>(&toml::to_string(&holder).unwrap()).unwrap(), holder, "{text}");
        Ok(holder.oracle)
    }

    #[test]
    fn it_is_a_switch_or_its_bounds() {
        assert_eq!(read("").unwrap(), OracleSettings::default());
        assert!(read("oracle = true").unwrap().is_on && !read("oracle = false").unwrap().is_on);
        let bounds = read("oracle = { within = \"5m\", own_writes = \"2s\" }").unwrap().bounds;
        assert_eq!((bounds.within.as_secs(), bounds.at_once, bounds.own_writes.as_secs()), (300, 16, 2));
        let error = read("oracle = { with = \"5m\" }").unwrap_err();
        assert!(error.contains("unknown field `with`"), "{error}");
        let error = read("oracle = 3").unwrap_err();
        assert!(error.contains("expected true, false, or bounds"), "{error}");
    }

    #[test]
    fn bounds_that_cannot_be_kept_are_refused_by_key() {
        let refused = |text: &str| read(text).unwrap().check().unwrap_err().to_string();
        assert_eq!(refused("oracle = { within = \"0s\" }"), "`oracle.within` must be more than 0");
        assert_eq!(refused("oracle = { within = \"2h\" }"), "`oracle.within` is 2h, more than 1h");
        assert_eq!(refused("oracle = { at_once = 0 }"), "`oracle.at_once` must be more than 0");
        assert_eq!(refused("oracle = { at_once = 257 }"), "`oracle.at_once` is 257, more than 256");
    }
}
