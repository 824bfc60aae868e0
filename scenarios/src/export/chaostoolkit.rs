//! From a scenario to an experiment of Chaos Toolkit with its extension for Toxiproxy.
use crate::{import, plan::Plan, scenario::Scenario};
use chaos::{Connections, Direction, TimedFault, fault::Means};
use loadtest::written::StepSettings;
use reports::{
    gate::{self, Comparison, Gate, Group, Rule},
    record::Outcome,
    units::format_duration,
};
use reqwest::Url;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::{collections::BTreeSet, time::Duration};

const PROXY: &str = "chaostoxi.proxy.actions";
const TOXIC: &str = "chaostoxi.toxic.actions";

/// Where every service that the harness loads says that it is alive.
const ALIVE: &str = "/health/live";

/// An experiment, and what of the scenario is not in it.
#[derive(Debug)]
pub(crate) struct Exported {
    /// JSON; `None` when no fault maps.
    pub(crate) text: Option<String>,
    /// Faults that a Toxiproxy does not have, each with its reason.
    pub(crate) unmapped: Vec<String>,
    /// What else is left out.
    pub(crate) notes: Vec<String>,
}

/// In the order in which people read one.
#[derive(Serialize)]
struct Experiment<'a> {
    version: &'static str,
    title: &'a str,
    description: String,
    configuration: Value,
    #[serde(rename = "steady-state-hypothesis", skip_serializing_if = "Option::is_none")]
    hypothesis: Option<Value>,
    method: Vec<Value>,
    rollbacks: Vec<Value>,
    extensions: [Value; 1],
}

/// The experiment that does to the proxies of a Toxiproxy what a scenario does to its links.
pub(crate) fn export(scenario: &Scenario, plan: &Plan) -> Exported {
    let mut notes = vec!["the load is left out: an experiment has none, so start it beside".to_owned()];
    let mut unmapped = Vec::new();
    let mut taken = BTreeSet::new();
    let mut mapped: Vec<Option<Mapped>> = Vec::new();
    for fault in plan.timeline.faults() {
        let name = import::name(&fault.name, &mut taken);
        mapped.push(Mapped::new(fault, name).map_err(|why| unmapped.push(format!("{}: {why}", fault.name))).ok());
        if fault.is_leased() && fault.lease != Duration::from_secs(10) {
            notes.push(format!("{}: its lease is left out, a Toxiproxy has none", fault.name));
        }
    }
    if mapped.iter().flatten().next().is_none() {
        return Exported { text: None, unmapped, notes };
    }
    let probes = probes(scenario, &mut notes);
    let extension = json!({ "name": import::EXTENSION, "duration": format_duration(plan.timeline.run()) });
    let experiment = Experiment {
        version: "1.0.0",
        title: &scenario.title,
        description: format!("Made of the scenario {}. It needs the extension chaostoolkit-toxiproxy.", scenario.name),
        configuration: configuration(scenario, &mut notes),
        hypothesis: (!probes.is_empty())
            .then(|| json!({ "title": "The service answers as it should", "probes": probes })),
        method: method(plan, &mapped),
        rollbacks: mapped.iter().flatten().map(|mapped| mapped.activity(false)).collect(),
        extensions: [extension],
    };
    let text = serde_json::to_string_pretty(&experiment).expect("JSON can be written as JSON");
    Exported { text: Some(text), unmapped, notes }
}

/// A fault as the extension brings it about.
struct Mapped {
    name: String,
    on: (&'static str, &'static str, Value),
    off: (&'static str, &'static str, Value),
}

impl Mapped {
    /// # Errors
    /// Why a Toxiproxy cannot do it.
    fn new(fault: &TimedFault, name: String) -> Result<Self, String> {
        if let Some(part) = &fault.part {
            return Err(format!("it acts on the part {part}, not on a link"));
        }
        if !fault.fault.is_toxiproxys() {
            return Err(format!("a Toxiproxy has no {}", fault.fault.kind()));
        }
        if fault.connections != Connections::default() {
            return Err("a Toxiproxy does not choose connections by their order".to_owned());
        }
        let link = &fault.link;
        match &fault.means {
            Means::Disable => {
                let proxy = json!({ "proxy_name": link });
                Ok(Self { name, on: (PROXY, "disable_proxy", proxy.clone()), off: (PROXY, "enable_proxy", proxy) })
            }
            Means::Toxic { kind, attributes } => {
                let attributes: Map<String, Value> =
                    attributes.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
                let stream = if fault.direction == Direction::Upstream { "upstream" } else { "downstream" };
                let on = json!({ "for_proxy": link, "toxic_name": name, "toxic_type": kind, "stream": stream,
                    "toxicity": fault.share, "attributes": attributes });
                let off = json!({ "for_proxy": link, "toxic_name": name });
                Ok(Self { name, on: (TOXIC, "create_toxic", on), off: (TOXIC, "delete_toxic", off) })
            }
            _ => Err("it is no fault of the bytes on a link".to_owned()),
        }
    }

    fn activity(&self, goes_on: bool) -> Value {
        let (module, func, arguments) = if goes_on { &self.on } else { &self.off };
        let name = if goes_on { self.name.clone() } else { format!("end {}", self.name) };
        json!({ "type": "action", "name": name,
            "provider": { "type": "python", "module": module, "func": func, "arguments": arguments } })
    }
}

/// Every going on and off, with the time between them as pauses.
fn method(plan: &Plan, mapped: &[Option<Mapped>]) -> Vec<Value> {
    let changes: Vec<_> = plan.timeline.changes();
    let kept: Vec<_> = changes.iter().filter_map(|change| Some((change, mapped[change.fault].as_ref()?))).collect();
    let mut method = Vec::new();
    for (index, (change, fault)) in kept.iter().enumerate() {
        let next = kept.get(index + 1).map_or(plan.timeline.run(), |(next, _)| next.at);
        let mut activity = fault.activity(change.goes_on);
        let mut pauses = Map::new();
        if index == 0 && !change.at.is_zero() {
            pauses.insert("before".to_owned(), seconds(change.at));
        }
        if next > change.at {
            pauses.insert("after".to_owned(), seconds(next.saturating_sub(change.at)));
        }
        if !pauses.is_empty() {
            activity["pauses"] = pauses.into();
        }
        method.push(activity);
    }
    method
}

/// A whole number where it is one.
fn seconds(duration: Duration) -> Value {
    if duration.subsec_nanos() == 0 { json!(duration.as_secs()) } else { json!(duration.as_secs_f64()) }
}

fn configuration(scenario: &Scenario, notes: &mut Vec<String>) -> Value {
    let api = scenario.links.api.as_ref().and_then(|api| api.get_ref().parse::<Url>().ok());
    let host = api.as_ref().and_then(|api| Some((api.host_str()?, api.port_or_known_default()?)));
    match host {
        Some((host, port)) => json!({ "toxiproxy_host": host, "toxiproxy_port": port }),
        None => {
            notes.push(
                "the scenario names no fault proxy ([links] api): set TOXIPROXY_HOST where the experiment runs"
                    .to_owned(),
            );
            json!({ "toxiproxy_host": { "type": "env", "key": "TOXIPROXY_HOST" } })
        }
    }
}

/// What can be asked once, for the gates that allow no error; otherwise whether the service is alive.
fn probes(scenario: &Scenario, notes: &mut Vec<String>) -> Vec<Value> {
    let url = scenario.target.url.as_ref().map(|url| url.get_ref().trim_end_matches('/'));
    let gates: Vec<Gate> = scenario.gates.iter().filter_map(|gate| gate::parse(gate.get_ref()).ok()).collect();
    let Some(url) = url else {
        notes.push("there is no hypothesis: the target has no `url` that could be asked".to_owned());
        notes.extend(gates.iter().map(left_out));
        return Vec::new();
    };
    let steps = scenario.journeys.iter().flat_map(|(journey, settings)| {
        settings.steps.get_ref().iter().map(move |step| (journey.get_ref().as_str(), step))
    });
    let plain: Vec<_> = steps.filter(|(_, step)| is_plain(step)).collect();
    let mut chosen: Vec<&StepSettings> = Vec::new();
    for gate in &gates {
        let meant = plain.iter().filter(|(journey, step)| {
            gate.name.as_ref().is_none_or(|name| name.value == *journey || name.value == *step.name.get_ref())
        });
        let meant: Vec<&StepSettings> = meant.filter(|_| allows_no_error(gate)).map(|(_, step)| *step).collect();
        if meant.is_empty() {
            notes.push(left_out(gate));
        }
        for step in meant {
            if !chosen.iter().any(|other| other.name.get_ref() == step.name.get_ref()) {
                chosen.push(step);
            }
        }
    }
    if chosen.is_empty() {
        notes.push(format!(
            "the hypothesis asks {url}{ALIVE}, as no gate allows no error of a step that can be asked alone"
        ));
        return vec![probe("the service is alive", "GET", format!("{url}{ALIVE}"), Vec::new())];
    }
    let of_step = |step: &&StepSettings| {
        let statuses = step.expect.status.iter().map(|status| *status.get_ref()).collect();
        let method = step.method.as_ref().map_or("GET", |method| method.get_ref());
        probe(step.name.get_ref(), method, format!("{url}{}", step.path.get_ref()), statuses)
    };
    chosen.iter().map(of_step).collect()
}

fn left_out(gate: &Gate) -> String {
    format!("the gate `{}` is left out: an experiment asks once", gate.text)
}

/// Whether a gate fails at the first answer that is not good, as a probe does.
fn allows_no_error(gate: &Gate) -> bool {
    let counts = |group: &Group| matches!(group, Group::Errors | Group::Class(Outcome::Wrong));
    let is_zero = |comparison: &Comparison| matches!(comparison, Comparison::Equal | Comparison::AtMost);
    matches!(&gate.rule, Rule::Count { group, comparison, limit: 0 } if counts(group) && is_zero(comparison))
}

/// Whether a step can be asked alone: nothing in it comes from elsewhere, and nothing could be a secret.
fn is_plain(step: &StepSettings) -> bool {
    let method = step.method.as_ref().map_or("GET", |method| method.get_ref());
    let path = step.path.get_ref();
    ["GET", "HEAD"].contains(&method)
        && step.body.is_none()
        && step.query.is_empty()
        && step.headers.is_empty()
        && !path.contains("${")
        && !path.split(['/', '?', '&', '=']).any(|word| import::is_secret(word) || import::looks_secret(word))
}

/// A probe that takes these statuses, or any that is good when there are none.
fn probe(name: &str, method: &str, url: String, statuses: Vec<u16>) -> Value {
    let tolerance = match &statuses[..] {
        [] => json!([200, 201, 202, 203, 204, 205, 206]),
        [one] => json!(one),
        several => json!(several),
    };
    json!({ "type": "probe", "name": name, "tolerance": tolerance,
        "provider": { "type": "http", "method": method, "url": url, "timeout": 10 } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Found, Overrides};
    use std::path::PathBuf;

    fn read(text: &str) -> (Scenario, Plan) {
        let found = Found {
            name: "mine".to_owned(),
            path: "mine.toml".to_owned(),
            text: text.to_owned(),
            folder: PathBuf::new(),
            recorded: None,
        };
        let scenario = Scenario::read(found, &Overrides::default()).unwrap_or_else(|e| panic!("{e:#}\n{text}"));
        let plan = Plan::new(&scenario, "2026-11-24".parse().unwrap()).unwrap_or_else(|e| panic!("{e:#}\n{text}"));
        (scenario, plan)
    }

    const LOAD: &str = "title = \"t\"\n[load]\nduration = \"90s\"\nusers = 5\nmix = { chat = 1 }\narrivals = { poisson = { rate = \"5/s\" } }\n";

    /// Every fault that a Toxiproxy has, some at a time, one after another of a kind, at odd times.
    const FAULTS: &str = r#"
[[faults]]
link  = "mcp.flights"
at    = "12.345s"
for   = "10s"
fault = { latency = { delay = "1500ms", jitter = "100ms" } }

[[faults]]
name  = "again"
link  = "mcp.flights"
at    = "22.345s"
for   = "1ms"
fault = { latency = { delay = "1s" } }
direction = "upstream"
share = 0.3

[[faults]]
links = ["llm", "mcp.time"]
at    = "20s"
for   = "20s"
fault = "down"

[[faults]]
link  = "client"
at    = "30s"
for   = "5s"
fault = { slicer = { size = "64B", variation = "32B", delay = "10us" } }

[[faults]]
link  = "client"
at    = "40s"
for   = "5s"
fault = { bandwidth = { rate = "100KB/s" } }

[[faults]]
link  = "client"
at    = "40s"
for   = "6s"
fault = { timeout = { after = "0ms" } }

[[faults]]
link  = "client"
at    = "50s"
for   = "5s"
fault = { reset_peer = { after = "300ms" } }

[[faults]]
link  = "client"
at    = "60s"
for   = "5s"
fault = { slow_close = { delay = "2s" } }

[[faults]]
link  = "client"
at    = "70s"
for   = "20s"
fault = { limit_data = { bytes = "10KB" } }
"#;

    #[test]
    fn there_and_back_the_faults_and_their_times_are_the_same() {
        let (scenario, plan) = read(&format!("{LOAD}{FAULTS}"));
        let exported = export(&scenario, &plan);
        assert_eq!(exported.unmapped, Vec::<String>::new());
        let imported = import::chaostoolkit(&exported.text.unwrap()).unwrap();
        let (_, back) = read(&imported.text);
        // Names are written with `-`, where the name is not the usual one.
        assert_eq!(back.timeline.to_string(), plan.timeline.to_string());
        assert_eq!(plan.timeline.faults().len(), 10);
        assert_eq!(imported.left_out, Vec::<String>::new());
    }

    #[test]
    fn what_was_asked_of_a_service_is_asked_again() {
        let text = r#"
title = "t"
gates = ["errors = 0 for status", "p95 < 2s for status", "wrong = 0 for login"]
[target]
url = "http://127.0.0.1:9000"
[links]
api = "http://127.0.0.1:8474"
[load]
duration = "1m"
users = 5
mix = { ask = 1 }
arrivals = { poisson = { rate = "5/s" } }
[[faults]]
link = "db"
at = "20s"
for = "10s"
fault = "down"
[journeys.ask]
steps = [
    { name = "status", path = "/status?full=1", expect = { status = [200, 204] } },
    { name = "login", method = "POST", path = "/login" },
]
"#;
        let (scenario, plan) = read(text);
        let exported = export(&scenario, &plan);
        let experiment: Value = serde_json::from_str(exported.text.as_ref().unwrap()).unwrap();
        assert_eq!(experiment["configuration"], json!({ "toxiproxy_host": "127.0.0.1", "toxiproxy_port": 8474 }));
        let probes = experiment["steady-state-hypothesis"]["probes"].as_array().unwrap();
        let [probe] = &probes[..] else { panic!("{probes:?}") };
        assert_eq!(probe["tolerance"], json!([200, 204]));
        assert_eq!(probe["provider"]["url"], "http://127.0.0.1:9000/status?full=1");
        let notes = exported.notes.join("\n");
        for gate in ["p95 < 2s for status", "wrong = 0 for login"] {
            assert!(notes.contains(&format!("the gate `{gate}` is left out")), "{notes}");
        }
        let (back, plan) = read(&import::chaostoolkit(exported.text.as_ref().unwrap()).unwrap().text);
        assert_eq!(back.target.url.as_ref().unwrap().get_ref(), "http://127.0.0.1:9000");
        assert_eq!(back.links.api.as_ref().unwrap().get_ref(), "http://127.0.0.1:8474");
        let gates: Vec<&str> = back.gates.iter().map(|gate| gate.get_ref().as_str()).collect();
        assert_eq!(gates, ["errors = 0 for status window=steady", "errors = 0 for status window=after"]);
        assert_eq!(plan.timeline.run(), Duration::from_mins(1));
        let without = text.replace("errors = 0 for status", "errors < 9 for status");
        let (scenario, plan) = read(&without);
        let exported = export(&scenario, &plan);
        assert!(exported.text.unwrap().contains("http://127.0.0.1:9000/health/live"));
        assert!(exported.notes.iter().any(|note| note.contains("the hypothesis asks")), "{:?}", exported.notes);
    }

    #[test]
    fn what_a_toxiproxy_lacks_is_named() {
        let more = r#"
[[faults]]
part = "service"
at = "1s"
for = "1s"
fault = "kill"
[[faults]]
link = "llm"
at = "1s"
for = "1s"
fault = "blackhole"
[[faults]]
link = "client"
at = "1s"
for = "1s"
fault = { latency = { delay = "1s" } }
connections = { first = 2 }
lease = "3s"
"#;
        let (scenario, plan) = read(&format!("{LOAD}{more}"));
        let exported = export(&scenario, &plan);
        assert_eq!(exported.text, None);
        let expected = [
            "service kill: it acts on the part service, not on a link",
            "llm blackhole: a Toxiproxy has no blackhole",
            "client latency: a Toxiproxy does not choose connections by their order",
        ];
        assert_eq!(exported.unmapped, expected);
        let (scenario, plan) = read(&format!("{LOAD}{more}{FAULTS}"));
        let exported = export(&scenario, &plan);
        assert_eq!((exported.unmapped.len(), exported.text.is_some()), (3, true));
        assert!(exported.notes.iter().any(|note| note.contains("its lease is left out")), "{:?}", exported.notes);
    }
}
