//! From the probes of a steady-state hypothesis to the steps of a journey: those that ask one service over HTTP.
use super::experiment::{Activity, Experiment, Provider};
use crate::{
    hosts,
    import::{
        correlation::Known,
        draft::{self, Step},
        har::Entry,
        request::Filling,
        secret,
    },
};
use anyhow::Context as _;
use reqwest::Url;
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};

/// What the hypothesis comes to.
#[derive(Debug, Default)]
pub(super) struct Probes {
    /// Scheme, host and port of the service that is asked.
    pub(super) origin: Option<String>,
    pub(super) steps: Vec<Step>,
    /// The longest that a probe waits, if all of them say.
    pub(super) timeout: Option<Duration>,
    pub(super) left_out: Vec<String>,
}

/// The steps that ask what the hypothesis asks.
pub(super) fn probes(experiment: &Experiment) -> Probes {
    let mut probes = Probes::default();
    let mut taken = draft::built_in_names();
    let mut timeouts = Vec::new();
    for probe in &experiment.hypothesis.probes {
        match request(experiment, probe).and_then(|(url, entry)| probes.step(probe, &url, &entry, &mut taken)) {
            Ok(()) => timeouts.push(timeout(&probe.provider.timeout)),
            Err(reason) => probes.left_out.push(format!("{}: {reason}", probe.label())),
        }
    }
    probes.timeout = timeouts.into_iter().collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().max());
    probes
}

/// The request of a probe, as a recording would have it: what is secret in it is then treated as in one.
fn request(experiment: &Experiment, probe: &Activity) -> Result<(Url, Entry), String> {
    let Provider { kind, method, url, headers, .. } = &probe.provider;
    if kind != "http" {
        return Err("only probes over HTTP become steps".to_owned());
    }
    let method = if method.is_empty() { "GET".to_owned() } else { method.to_ascii_uppercase() };
    if !["GET", "HEAD"].contains(&method.as_str()) {
        return Err(format!("it sends {method}, and only GET and HEAD are carried over"));
    }
    let missing = |name| format!("it needs ${{{name}}}, which the configuration does not say");
    let url = experiment.filled(&json!(url)).map_err(missing)?;
    let url = hosts::http_url(url.as_str().unwrap_or_default()).map_err(|_| "its address is no URL".to_owned())?;
    let headers: Vec<Value> =
        headers.iter().map(|(name, value)| json!({ "name": name, "value": header(value) })).collect();
    let entry = json!({ "startedDateTime": "", "request": { "method": method, "url": "", "headers": headers },
        "response": { "status": 200 } });
    let entry = serde_json::from_value(entry).context("it is written as the type says");
    entry.map(|entry| (url, entry)).map_err(|error| format!("{error:#}"))
}

/// A header's value as a text; one with places is taken for what is not known.
fn header(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Seconds, or seconds to connect and to wait.
fn timeout(value: &Value) -> Option<Duration> {
    let seconds = value.as_array().map_or_else(|| value.as_f64(), |both| both.last()?.as_f64())?;
    Duration::try_from_secs_f64(seconds).ok().filter(|timeout| !timeout.is_zero())
}

impl Probes {
    fn step(&mut self, probe: &Activity, url: &Url, entry: &Entry, taken: &mut BTreeSet<String>) -> Result<(), String> {
        let origin = url.origin().ascii_serialization();
        let first = self.origin.get_or_insert_with(|| origin.clone());
        if *first != origin {
            return Err(format!("it asks another service than {first}"));
        }
        let mut step = Step { method: entry.request.method.clone(), ..Step::default() };
        let mut dropped = BTreeSet::new();
        Filling::new(&mut Known::default(), &mut step).fill(url, entry, &mut dropped);
        if !url.username().is_empty() || url.password().is_some() {
            step.notes.push(secret::note("The user in the address"));
        }
        if !dropped.is_empty() {
            let dropped: Vec<String> = dropped.into_iter().collect();
            step.notes.push(format!("Left out: the headers {}.", dropped.join(", ")));
        }
        step.name = draft::name(&probe.name, taken);
        match statuses(probe.tolerance.as_ref()) {
            Some(statuses) => step.statuses = statuses,
            None => {
                let note = "its tolerance is not carried over, any status from 200 to 299 is taken for good";
                step.notes.push(format!("Left out: {note}."));
                self.left_out.push(format!("{}: {note}", probe.label()));
            }
        }
        self.steps.push(step);
        Ok(())
    }
}

/// The statuses that a tolerance takes; `None` when it is about something else.
fn statuses(tolerance: Option<&Value>) -> Option<Vec<u16>> {
    let status = |value: &Value| {
        let status = value.as_u64().and_then(|status| u16::try_from(status).ok());
        status.filter(|status| (200..600).contains(status))
    };
    match tolerance? {
        Value::Array(values) if !values.is_empty() => values.iter().map(status).collect(),
        one => Some(vec![status(one)?]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::chaostoolkit::experiment;

    fn of(probe: Value) -> Probes {
        let mut whole = json!({ "type": "probe", "name": "p", "tolerance": 200, "provider": { "type": "http" } });
        let provider = probe.get("tolerance").is_none().then_some("provider");
        match provider {
            Some(key) => whole[key].as_object_mut().unwrap().extend(probe.as_object().unwrap().clone()),
            None => {
                whole["tolerance"] = probe["tolerance"].clone();
                whole["provider"]["url"] = json!("http://h/");
            }
        }
        let probes = [
            json!({ "type": "probe", "name": "q", "tolerance": 200,
            "provider": { "type": "http", "url": "http://h/first", "timeout": 2 } }),
            whole,
        ];
        let experiment = json!({ "title": "t", "method": [], "steady-state-hypothesis": { "probes": probes } });
        super::probes(&experiment::read(&experiment.to_string()).unwrap())
    }

    #[test]
    fn statuses_are_expected_as_the_tolerance_says() {
        let check = |tolerance: Value, expected: &[u16], notes: usize| {
            let probes = of(json!({ "tolerance": tolerance }));
            assert_eq!((&probes.steps[1].statuses[..], probes.left_out.len()), (expected, notes), "{tolerance}");
        };
        check(json!(404), &[404], 0);
        check(json!([200, 204]), &[200, 204], 0);
        for other in [json!(true), json!(99), json!([]), json!({ "type": "regex", "pattern": "ok" }), Value::Null] {
            check(other, &[], 1);
        }
    }

    #[test]
    fn what_is_asked_elsewhere_or_with_a_body_is_left_out_and_said() {
        let left_out = |provider: Value, said: &str| {
            let probes = of(provider);
            assert_eq!(probes.steps.len(), 1);
            assert!(probes.left_out[0].contains(said), "{:?}", probes.left_out);
        };
        left_out(json!({ "url": "http://other/" }), "another service than http://h");
        left_out(json!({ "url": "http://h/", "method": "POST" }), "it sends POST");
        left_out(json!({ "url": "ftp://h/" }), "no URL");
        left_out(json!({ "url": "${host}/" }), "${host}");
        left_out(json!({ "type": "process" }), "only probes over HTTP");
    }

    #[test]
    fn users_in_addresses_are_secrets_and_waits_are_the_longest() {
        let probes = of(json!({ "url": "http://me:hunter2@h/second", "timeout": [1, 7] }));
        assert_eq!(probes.origin.as_deref(), Some("http://h"));
        assert!(!format!("{probes:?}").contains("hunter2"));
        assert!(probes.steps[1].notes[0].contains("is a secret"), "{:?}", probes.steps[1].notes);
        assert_eq!(probes.timeout, Some(Duration::from_secs(7)));
        assert_eq!(of(json!({ "url": "http://h/second" })).timeout, None, "one probe does not say");
    }
}
