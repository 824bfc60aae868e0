//! What the actions of Chaos Toolkit's extension for Toxiproxy do, by their documented names and arguments.
use super::experiment::{Activity, Experiment};
use chaos::fault::Fault;
use reports::units::{format_duration, format_size};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::{fmt, time::Duration};

const PROXY: &str = "chaostoxi.proxy.actions";
const TOXIC: &str = "chaostoxi.toxic.actions";

/// What an action does, and what of it is left out.
#[derive(Debug)]
pub(super) struct Effects {
    pub(super) effect: Effect,
    pub(super) more: Option<String>,
}

#[derive(Debug)]
pub(super) enum Effect {
    On(Key, Toxic),
    Off(Key),
    /// Every proxy is enabled, every toxic gone.
    AllOff,
}

/// What is on: a toxic of a proxy, or the proxy itself is disabled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) proxy: String,
    pub(super) toxic: Option<String>,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.toxic {
            Some(toxic) => write!(f, "{toxic:?} on {}", self.proxy),
            None => f.write_str(&self.proxy),
        }
    }
}

/// A fault as a scenario has it.
#[derive(Debug, PartialEq)]
pub(super) struct Toxic {
    /// What it should be called.
    pub(super) name: String,
    pub(super) kind: &'static str,
    /// The value of `fault` in TOML.
    pub(super) settings: String,
    pub(super) is_upstream: bool,
    /// Above 0 and up to 1.
    pub(super) share: f64,
}

/// What an activity does to links.
///
/// # Errors
/// Why it does nothing that a scenario could do.
pub(super) fn effects(experiment: &Experiment, activity: &Activity) -> Result<Effects, String> {
    if activity.kind == "probe" || activity.reference.is_some() {
        return Err("probes are asked all the time, but only those of the steady-state hypothesis".to_owned());
    }
    let provider = &activity.provider;
    let is_known = provider.kind == "python" && [PROXY, TOXIC].contains(&provider.module.as_str());
    if !is_known {
        return Err("only the actions of the extension for Toxiproxy become faults".to_owned());
    }
    let filled = experiment.filled(&provider.arguments);
    let filled = filled.map_err(|name| format!("it needs ${{{name}}}, which the configuration does not say"))?;
    let arguments = Arguments(filled.as_object().cloned().unwrap_or_default());
    let only = |effect| Ok(Effects { effect, more: None });
    if provider.module == TOXIC {
        return only(of_toxic(&provider.func, &arguments)?);
    }
    match provider.func.as_str() {
        "disable_proxy" => only(down(arguments.proxy("proxy_name")?, &activity.name)),
        "enable_proxy" => only(Effect::Off(arguments.proxy("proxy_name")?)),
        "reset" => only(Effect::AllOff),
        "modify_proxy" => {
            let key = arguments.proxy("proxy_name")?;
            let is_moved = ["listen_address", "upstream_address"].iter().any(|name| !arguments.get(name).is_null());
            let more = is_moved.then(|| "a scenario does not move proxies to other addresses".to_owned());
            match arguments.get("enabled") {
                Value::Bool(true) => Ok(Effects { effect: Effect::Off(key), more }),
                Value::Bool(false) => Ok(Effects { effect: down(key, &activity.name), more }),
                _ => Err(more.unwrap_or_else(|| "it neither enables nor disables the proxy".to_owned())),
            }
        }
        "create_proxy" => Err("a scenario takes the proxies that are there; make it before the run".to_owned()),
        "delete_proxy" => Err("a scenario takes no proxy away; delete it after the run".to_owned()),
        _ => Err("the extension for Toxiproxy has no such action that is known here".to_owned()),
    }
}

fn down(key: Key, name: &str) -> Effect {
    let settings = "\"down\"".to_owned();
    Effect::On(key, Toxic { name: name.to_owned(), kind: "down", settings, is_upstream: false, share: 1.0 })
}

fn of_toxic(func: &str, arguments: &Arguments) -> Result<Effect, String> {
    let mut key = arguments.proxy("for_proxy")?;
    let name = arguments.text("toxic_name")?;
    key.toxic = Some(name.clone());
    let (kind, attributes) = match func {
        "delete_toxic" => return Ok(Effect::Off(key)),
        "create_toxic" => {
            let attributes = arguments.get("attributes").as_object().cloned().unwrap_or_default();
            (arguments.text("toxic_type")?, Arguments(attributes))
        }
        "create_latency_toxic" => ("latency".to_owned(), arguments.clone()),
        // As the extension spells it.
        "create_bandwith_degradation_toxic" => ("bandwidth".to_owned(), arguments.clone()),
        "create_slow_connection_close_toxic" => ("slow_close".to_owned(), arguments.clone()),
        "create_timeout_toxic" => ("timeout".to_owned(), arguments.clone()),
        "create_slicer_toxic" => ("slicer".to_owned(), arguments.clone()),
        "create_limiter_toxic" => {
            // Its code says `bytes_limit`, its description `bytes`.
            let limit = Some(arguments.get("bytes_limit")).filter(|limit| !limit.is_null());
            let limit = limit.unwrap_or(arguments.get("bytes")).clone();
            ("limit_data".to_owned(), Arguments(Map::from_iter([("bytes".to_owned(), limit)])))
        }
        _ => return Err("the extension for Toxiproxy has no such action that is known here".to_owned()),
    };
    let (kind, settings) = fault(&kind, &attributes)?;
    let is_upstream = match arguments.get("stream") {
        Value::Null => false,
        Value::String(stream) if stream == "downstream" => false,
        Value::String(stream) if stream == "upstream" => true,
        other => return Err(format!("its stream is {other}, not upstream or downstream")),
    };
    let share = match arguments.get("toxicity") {
        Value::Null => 1.0,
        given => number(given)
            .filter(|share| *share > 0.0 && *share <= 1.0)
            .ok_or_else(|| format!("its toxicity is {given}, but a share of connections is above 0 and at most 1"))?,
    };
    Ok(Effect::On(key, Toxic { name, kind, settings, is_upstream, share }))
}

/// The kind and the settings of a toxic, as a scenario writes them; what a toxic is not given is 0, as in Toxiproxy.
fn fault(kind: &str, attributes: &Arguments) -> Result<(&'static str, String), String> {
    let millis = |name| Ok::<_, String>(format_duration(Duration::from_millis(attributes.whole(name)?)));
    let bytes = |name| Ok::<_, String>(format_size(attributes.whole(name)?));
    // What is nothing is not written.
    let given = |name, value: String| match value.as_str() {
        "0s" | "0B" => String::new(),
        value => format!(", {name} = \"{value}\""),
    };
    let settings = match kind {
        "latency" => {
            let jitter = given("jitter", millis("jitter")?);
            format!("{{ latency = {{ delay = \"{}\"{jitter} }} }}", millis("latency")?)
        }
        "bandwidth" => {
            let rate = attributes.whole("rate")?.checked_mul(1000).ok_or("its rate is too high")?;
            format!("{{ bandwidth = {{ rate = \"{}/s\" }} }}", format_size(rate))
        }
        "slow_close" => format!("{{ slow_close = {{ delay = \"{}\" }} }}", millis("delay")?),
        "timeout" => format!("{{ timeout = {{ after = \"{}\" }} }}", millis("timeout")?),
        "reset_peer" => format!("{{ reset_peer = {{ after = \"{}\" }} }}", millis("timeout")?),
        "slicer" => {
            let delay = given("delay", format_duration(Duration::from_micros(attributes.whole("delay")?)));
            let variation = given("variation", bytes("size_variation")?);
            format!("{{ slicer = {{ size = \"{}\"{variation}{delay} }} }}", bytes("average_size")?)
        }
        "limit_data" => format!("{{ limit_data = {{ bytes = \"{}\" }} }}", bytes("bytes")?),
        other => return Err(format!("Toxiproxy has no toxic of type {other:?} that is known here")),
    };
    #[derive(Deserialize)]
    struct File {
        fault: Fault,
    }
    let read: File = toml::from_str(&format!("fault = {settings}")).map_err(|error| error.message().to_owned())?;
    read.fault.means().map_err(|error| error.to_string())?;
    Ok((read.fault.kind(), settings))
}

/// The arguments of an action.
#[derive(Debug, Clone)]
struct Arguments(Map<String, Value>);

impl Arguments {
    fn get(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or(&Value::Null)
    }

    fn text(&self, name: &str) -> Result<String, String> {
        let text = self.get(name).as_str().filter(|text| !text.is_empty());
        text.map(str::to_owned).ok_or_else(|| format!("its argument {name} is no text"))
    }

    fn proxy(&self, name: &str) -> Result<Key, String> {
        Ok(Key { proxy: self.text(name)?, toxic: None })
    }

    /// A whole number; 0 when it is not given.
    fn whole(&self, name: &str) -> Result<u64, String> {
        let given = self.get(name);
        let whole = match given {
            Value::Null => Some(0),
            // Environment variables and templates bring texts.
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_u64().or_else(|| other.as_f64().and_then(whole)),
        };
        whole.ok_or_else(|| format!("its {name} is {given}, not a whole number"))
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// A number that was written with a point, such as `250.0`.
fn whole(value: f64) -> Option<u64> {
    let is_whole = value.fract() == 0.0 && (0.0..9e15).contains(&value);
    is_whole.then_some(value as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn done(module: &str, func: &str, arguments: Value) -> Result<Effects, String> {
        let experiment = json!({ "title": "t", "method": [{ "type": "action", "name": "an act",
            "provider": { "type": "python", "module": module, "func": func, "arguments": arguments } }] });
        let experiment = super::super::experiment::read(&experiment.to_string()).unwrap();
        effects(&experiment, &experiment.method[0])
    }

    #[test]
    fn every_action_that_makes_a_toxic_becomes_its_fault() {
        let check = |func: &str, arguments: &Value, settings: &str| {
            let mut all = json!({ "for_proxy": "db", "toxic_name": "t" });
            all.as_object_mut().unwrap().extend(arguments.as_object().unwrap().clone());
            match done(TOXIC, func, all).unwrap().effect {
                Effect::On(key, toxic) => {
                    assert_eq!((key.proxy.as_str(), key.toxic.as_deref()), ("db", Some("t")));
                    assert_eq!((toxic.settings.as_str(), toxic.is_upstream, toxic.share), (settings, false, 1.0));
                }
                other => panic!("{other:?}"),
            }
        };
        let latency = r#"{ latency = { delay = "1.5s" } }"#;
        check("create_latency_toxic", &json!({ "latency": 1500 }), latency);
        check("create_latency_toxic", &json!({ "latency": "1500", "jitter": 0.0 }), latency);
        check("create_bandwith_degradation_toxic", &json!({ "rate": 30 }), r#"{ bandwidth = { rate = "30KB/s" } }"#);
        check(
            "create_slow_connection_close_toxic",
            &json!({ "delay": 900 }),
            r#"{ slow_close = { delay = "900ms" } }"#,
        );
        check("create_timeout_toxic", &json!({ "timeout": 0 }), r#"{ timeout = { after = "0s" } }"#);
        let slicer = json!({ "average_size": 64, "size_variation": 32, "delay": 10 });
        check("create_slicer_toxic", &slicer, r#"{ slicer = { size = "64B", variation = "32B", delay = "10us" } }"#);
        check("create_latency_toxic", &json!({ "jitter": 9 }), r#"{ latency = { delay = "0s", jitter = "9ms" } }"#);
        check("create_slicer_toxic", &json!({ "average_size": 9 }), r#"{ slicer = { size = "9B" } }"#);
        for name in ["bytes", "bytes_limit"] {
            check("create_limiter_toxic", &json!({ name: 5000 }), r#"{ limit_data = { bytes = "5KB" } }"#);
        }
        let reset = json!({ "toxic_type": "reset_peer", "attributes": { "timeout": 300 } });
        check("create_toxic", &reset, r#"{ reset_peer = { after = "300ms" } }"#);
    }

    #[test]
    fn proxies_go_down_and_come_back() {
        let on = |func: &str, arguments: Value| done(PROXY, func, arguments).unwrap().effect;
        let is_down = |effect: &Effect| matches!(effect, Effect::On(key, toxic) if key.proxy == "db" && toxic.kind == "down" && toxic.name == "an act");
        assert!(is_down(&on("disable_proxy", json!({ "proxy_name": "db" }))));
        assert!(is_down(&on("modify_proxy", json!({ "proxy_name": "db", "enabled": false }))));
        assert!(matches!(on("enable_proxy", json!({ "proxy_name": "db" })), Effect::Off(_)));
        assert!(matches!(on("reset", Value::Null), Effect::AllOff));
        let moved = json!({ "proxy_name": "db", "enabled": true, "upstream_address": "h:1" });
        assert!(done(PROXY, "modify_proxy", moved).unwrap().more.unwrap().contains("does not move"));
    }

    #[test]
    fn what_is_no_fault_says_why() {
        let said = |module, func, arguments| done(module, func, arguments).unwrap_err();
        assert!(said("chaosaws.ec2.actions", "stop_instance", json!({})).contains("only the actions of the extension"));
        assert!(said(PROXY, "create_proxy", json!({})).contains("make it before the run"));
        assert!(said(PROXY, "explode", json!({})).contains("no such action"));
        assert!(said(PROXY, "disable_proxy", json!({})).contains("proxy_name is no text"));
        let toxic = |more: Value| {
            let mut all = json!({ "for_proxy": "db", "toxic_name": "t", "toxic_type": "latency", "attributes": { "latency": 5 } });
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            said(TOXIC, "create_toxic", all)
        };
        assert!(toxic(json!({ "toxic_type": "noise" })).contains("no toxic of type \"noise\""));
        assert!(toxic(json!({ "toxicity": 0 })).contains("above 0"));
        assert!(toxic(json!({ "stream": "sideways" })).contains("not upstream or downstream"));
        assert!(toxic(json!({ "attributes": { "latency": 0.5 } })).contains("not a whole number"));
        assert!(toxic(json!({ "attributes": {} })).contains("does nothing"));
        assert!(toxic(json!({ "for_proxy": "${secret}" })).contains("${secret}"));
    }
}
