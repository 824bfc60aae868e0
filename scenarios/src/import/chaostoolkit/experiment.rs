//! A Chaos Toolkit experiment as written, and what the places in it stand for.
use crate::import::secret;
use anyhow::Context as _;
use serde::{Deserialize, Deserializer, de::IgnoredAny};
use serde_json::Value;
use std::collections::BTreeMap;

/// What of an experiment is looked at.
#[derive(Deserialize)]
pub(super) struct Experiment {
    pub(super) title: String,
    #[serde(default, deserialize_with = "or_empty")]
    pub(super) configuration: BTreeMap<String, Value>,
    #[serde(default, deserialize_with = "or_empty")]
    pub(super) secrets: BTreeMap<String, IgnoredAny>,
    #[serde(default, deserialize_with = "or_empty")]
    pub(super) controls: Vec<IgnoredAny>,
    #[serde(default, rename = "steady-state-hypothesis", deserialize_with = "or_empty")]
    pub(super) hypothesis: Hypothesis,
    pub(super) method: Vec<Activity>,
    #[serde(default, deserialize_with = "or_empty")]
    pub(super) rollbacks: Vec<Activity>,
    #[serde(default, deserialize_with = "or_empty")]
    pub(super) extensions: Vec<Value>,
}

#[derive(Default, Deserialize)]
pub(super) struct Hypothesis {
    #[serde(default, deserialize_with = "or_empty")]
    pub(super) probes: Vec<Activity>,
}

/// A probe or an action.
#[derive(Deserialize)]
pub(super) struct Activity {
    #[serde(default, rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) name: String,
    /// In place of all else: the name of a probe that stands elsewhere.
    #[serde(rename = "ref")]
    pub(super) reference: Option<String>,
    #[serde(default, deserialize_with = "or_empty")]
    pub(super) provider: Provider,
    #[serde(default, deserialize_with = "or_empty")]
    pub(super) pauses: Pauses,
    /// Whether the next one does not wait for it.
    #[serde(default)]
    pub(super) background: bool,
    pub(super) tolerance: Option<Value>,
}

#[derive(Default, Deserialize)]
pub(super) struct Provider {
    #[serde(default, rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) module: String,
    #[serde(default)]
    pub(super) func: String,
    #[serde(default)]
    pub(super) arguments: Value,
    #[serde(default)]
    pub(super) url: String,
    #[serde(default)]
    pub(super) method: String,
    #[serde(default, deserialize_with = "or_empty")]
    pub(super) headers: BTreeMap<String, Value>,
    #[serde(default)]
    pub(super) timeout: Value,
}

/// Seconds, or places for them.
#[derive(Default, Deserialize)]
pub(super) struct Pauses {
    #[serde(default)]
    pub(super) before: Value,
    #[serde(default)]
    pub(super) after: Value,
}

/// `null` stands for nothing, as in Chaos Toolkit.
fn or_empty<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads an experiment in JSON or YAML.
///
/// # Errors
/// When it is neither, or no experiment, with the place.
pub(super) fn read(text: &str) -> anyhow::Result<Experiment> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).context("this is not an experiment in JSON");
    }
    serde_saphyr::from_str(text).context("this is not an experiment in JSON or YAML")
}

impl Experiment {
    /// A setting of its configuration; `None` when there is none, or only the environment, another tool or a secret store knows it.
    pub(super) fn setting(&self, name: &str) -> Option<&Value> {
        let value = self.configuration.get(name).filter(|_| !secret::is_secret(name))?;
        match value.get("type") {
            Some(kind) if kind == "env" => value.get("default"),
            Some(_) => None,
            None => Some(value),
        }
    }

    /// A value with its places (`${name}`) filled from the configuration.
    ///
    /// # Errors
    /// The name of a place that the configuration does not fill.
    pub(super) fn filled(&self, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) => self.filled_text(text)?,
            Value::Array(items) => items.iter().map(|item| self.filled(item)).collect::<Result<Vec<_>, _>>()?.into(),
            Value::Object(fields) => {
                let field = |(name, value): (&String, &Value)| Ok((name.clone(), self.filled(value)?));
                Value::Object(fields.iter().map(field).collect::<Result<_, String>>()?)
            }
            other => other.clone(),
        })
    }

    /// A text that is one place alone becomes the value itself.
    fn filled_text(&self, text: &str) -> Result<Value, String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, name, after)) = place_in(rest) {
            let value = self.setting(name).ok_or_else(|| name.to_owned())?;
            if before.is_empty() && after.is_empty() && filled.is_empty() {
                return Ok(value.clone());
            }
            filled.push_str(before);
            filled.push_str(&value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled.into())
    }
}

impl Activity {
    /// What it is called in notes, without anything that it is given.
    pub(super) fn label(&self) -> String {
        if let Some(name) = &self.reference {
            return format!("the reference to {name}");
        }
        let Provider { kind, module, func, .. } = &self.provider;
        let what = if module.is_empty() { kind.clone() } else { format!("{module}.{func}") };
        format!("{} {:?} ({what})", if self.kind.is_empty() { "activity" } else { &self.kind }, self.name)
    }
}

/// The first place in a text, with what is before and after it.
fn place_in(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("${")?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name.trim(), after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn places_are_filled_from_the_configuration_and_never_with_secrets() {
        let experiment = json!({ "title": "t", "method": [], "configuration": {
            "proxy": "db", "wait": 5, "key": { "type": "env", "key": "WAIT", "default": "7" },
            "outside": { "type": "env", "key": "WAIT" }, "api_token": "hunter2",
        } });
        let experiment = read(&experiment.to_string()).unwrap();
        let filled = |value: Value| experiment.filled(&value);
        assert_eq!(filled(json!("${wait}")), Ok(json!(5)));
        assert_eq!(filled(json!("${wait}/${proxy}")), Ok(json!("5/db")));
        assert_eq!(filled(json!({ "a": ["${ proxy }-${wait}", "${key}", 1] })), Ok(json!({ "a": ["db-5", "7", 1] })));
        for missing in ["outside", "api_token", "nothing"] {
            assert_eq!(filled(json!(format!("x${{{missing}}}"))), Err(missing.to_owned()));
        }
    }

    #[test]
    fn what_is_no_experiment_is_refused_with_its_place() {
        let said = |text: &str| format!("{:#}", read(text).err().unwrap());
        assert!(said("{\n  \"title\": \"t\",\n  \"method\": [,]\n}").contains("line 3 column 14"));
        assert!(said("{ \"title\": \"t\" }").contains("missing field `method`"), "{}", said("{ \"title\": \"t\" }"));
        assert!(said("just words").contains("JSON or YAML"));
        assert_eq!(read("title: t\nmethod:\n- name: n\n").unwrap().method[0].name, "n");
    }
}
