//! From an experiment of Chaos Toolkit to a scenario: the faults that its extension for Toxiproxy makes, and the HTTP probes of its
//! steady-state hypothesis.
//!
//! ```text
//! method, rollbacks ─▶ action (what each does) ─▶ faults (when each is on)
//! hypothesis        ─▶ probes (a journey)        ─▶ gates before and after
//! ```
mod action;
mod experiment;
mod faults;
mod probes;

use self::{
    experiment::Experiment,
    faults::{CHECK, Course, Fault},
    probes::Probes,
};
use super::{
    draft::{self, Step, comment, quoted},
    secret,
};
use crate::{hosts, scenario::BUNDLED_LINKS};
use reports::units::{format_duration, parse_duration};
use serde_json::Value;
use std::{collections::BTreeSet, fmt::Write as _, time::Duration};

/// The name of what an exported experiment says of its run, in `extensions`.
pub(crate) const EXTENSION: &str = "tripsage";

/// How long the load runs before the method begins.
const LEAD: Duration = Duration::from_secs(30);
/// How long the load runs after the last fault.
const TRAIL: Duration = Duration::from_secs(30);
/// The part of the time before that is not judged.
const WARM_UP: Duration = Duration::from_secs(10);
/// The journey of the probes.
const JOURNEY: &str = "steady-state";
/// The link of the bundled stack that is there only where the database is a server.
const DATABASE: &str = "database";

/// A scenario, and what of the experiment is not in it, which its comments say too.
#[derive(Debug)]
pub(crate) struct Imported {
    pub(crate) text: String,
    pub(crate) left_out: Vec<String>,
}

/// The text of a scenario that does to links what an experiment in JSON or YAML does to the proxies of a Toxiproxy.
///
/// # Errors
/// When the text is no experiment, a pause is not known, or nothing of its method becomes a fault.
pub(crate) fn import(text: &str) -> anyhow::Result<Imported> {
    let experiment = experiment::read(text)?;
    let course = faults::course(&experiment)?;
    let probes = probes::probes(&experiment);
    let mut left_out = general(&experiment);
    left_out.extend(probes.left_out.iter().cloned());
    left_out.extend(course.left_out.iter().map(|(_, text)| text.clone()));
    let writing = Writing {
        plan: Plan::new(&experiment, &course),
        place: Place::new(&experiment, &course, &probes),
        probes,
        course,
    };
    Ok(Imported { text: writing.text(&experiment), left_out })
}

/// What is left out as a whole.
fn general(experiment: &Experiment) -> Vec<String> {
    let mut left_out = Vec::new();
    if !experiment.secrets.is_empty() {
        let names: Vec<&str> = experiment.secrets.keys().map(String::as_str).collect();
        left_out.push(format!("secrets ({}): never copied", names.join(", ")));
    }
    if !experiment.controls.is_empty() {
        left_out.push(format!("controls ({}): a scenario has none", experiment.controls.len()));
    }
    left_out
}

/// The times of the run around the method.
struct Plan {
    lead: Duration,
    warm_up: Duration,
    duration: Duration,
}

impl Plan {
    fn new(experiment: &Experiment, course: &Course) -> Self {
        let own = experiment.extensions.iter().find(|extension| extension["name"] == EXTENSION);
        let said = own.and_then(|own| parse_duration(own["duration"].as_str()?).ok());
        let last = course.faults.iter().map(|fault| fault.off).max().unwrap_or_default().max(course.end);
        let lead = if said.is_some() { Duration::ZERO } else { LEAD };
        let around = lead.saturating_add(last).saturating_add(TRAIL);
        let duration = said.filter(|duration| *duration >= last && !duration.is_zero()).unwrap_or(around);
        let first = course.faults.first().map_or(duration, |fault| fault.on.saturating_add(lead));
        let warm_up = if first >= 2 * WARM_UP { WARM_UP } else { Duration::ZERO };
        Self { lead, warm_up, duration }
    }
}

/// Where the service and its proxies are.
struct Place {
    url: Option<String>,
    api: Option<String>,
    notes: Vec<String>,
}

impl Place {
    fn new(experiment: &Experiment, course: &Course, probes: &Probes) -> Self {
        let mut notes = Vec::new();
        let said = proxy(experiment);
        let is_bundled = probes.origin.is_none()
            && said.is_none()
            && course.faults.iter().all(|fault| BUNDLED_LINKS.contains(&fault.key.proxy.as_str()));
        if is_bundled {
            notes.push(
                "The bundled TripSage stack is started and loaded, as its links have the names of the proxies."
                    .to_owned(),
            );
            return Self { url: None, api: None, notes };
        }
        if probes.origin.is_none() {
            notes.push("The experiment does not say where the service is: write its address.".to_owned());
        }
        let api = (!course.faults.is_empty()).then(|| {
            said.unwrap_or_else(|| {
                notes.push("The experiment does not say where its Toxiproxy is: write its address.".to_owned());
                "http://127.0.0.1:8474".to_owned()
            })
        });
        notes.push("A run begins when the service answers GET /health/live.".to_owned());
        let url = probes.origin.clone().unwrap_or_else(|| "http://127.0.0.1:8000".to_owned());
        Self { url: Some(url), api, notes }
    }
}

/// Where the configuration says that the Toxiproxy is, without anything else that an address may hold.
fn proxy(experiment: &Experiment) -> Option<String> {
    let text = |name: &str| match experiment.setting(name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let of_host =
        || Some(format!("http://{}:{}", text("toxiproxy_host")?, text("toxiproxy_port").unwrap_or("8474".to_owned())));
    let url = hosts::http_url(&text("toxiproxy_url").or_else(of_host)?).ok()?;
    Some(url.origin().ascii_serialization())
}

/// A scenario being written.
struct Writing {
    plan: Plan,
    place: Place,
    probes: Probes,
    course: Course,
}

impl Writing {
    fn text(&self, experiment: &Experiment) -> String {
        let mut out = String::new();
        self.head(experiment, &mut out);
        self.load(&mut out);
        self.faults(&mut out);
        self.journey(&mut out);
        out
    }

    fn head(&self, experiment: &Experiment, out: &mut String) {
        comment(
            out,
            "From an experiment of Chaos Toolkit. Its actions take no time here; its pauses do. What the load is, is yours to say.",
        );
        if !self.plan.lead.is_zero() {
            comment(out, &format!("The method begins {} after the load.", format_duration(self.plan.lead)));
        }
        if self.stays_on() && !self.probes.steps.is_empty() {
            let check = format_duration(CHECK);
            comment(
                out,
                &format!(
                    "The rollbacks come {check} after the method: until then the hypothesis is asked again, with faults on."
                ),
            );
        }
        for text in general(experiment).iter().chain(&self.probes.left_out) {
            comment(out, &format!("Left out: {text}."));
        }
        if self.probes.steps.iter().any(|step| step.notes.iter().any(|note| note.contains("secret"))) {
            comment(out, secret::ADVICE);
        }
        let gates: Vec<String> = self.gates().iter().map(|gate| format!("    {},\n", quoted(gate))).collect();
        let _ = write!(out, "title = {}\nseed  = 1\n\ngates = [\n{}]\n\n", quoted(&experiment.title), gates.concat());
        for note in &self.place.notes {
            comment(out, note);
        }
        if let Some(url) = &self.place.url {
            let _ = writeln!(out, "[target]\nurl = {}\n", quoted(url));
        } else if self.course.faults.iter().any(|fault| fault.key.proxy == DATABASE) {
            let _ = writeln!(out, "[target]\ndatabase = \"postgres\"\n");
        }
        if let Some(api) = &self.place.api {
            let _ = writeln!(out, "[links]\napi = {}\n", quoted(api));
        }
    }

    /// The hypothesis holds before the first fault and when the method has ended.
    fn gates(&self) -> Vec<String> {
        if self.probes.steps.is_empty() {
            return vec!["wrong = 0".to_owned(), "undeclared = 0".to_owned()];
        }
        let faults = &self.course.faults;
        let begins = faults.first().map_or(self.plan.duration, |fault| fault.on + self.plan.lead);
        let ends = faults.iter().map(|fault| fault.off + self.plan.lead).max();
        let before = (begins > self.plan.warm_up).then(|| "steady".to_owned());
        let after = match ends {
            Some(ends) if !self.stays_on() => (ends < self.plan.duration).then(|| "after".to_owned()),
            Some(_) => Some(self.check()),
            None => None,
        };
        let windows: Vec<String> = before.into_iter().chain(after).collect();
        let of_step = |step: &Step| {
            let gate = |window: &String| format!("errors = 0 for {} window={window}", step.name);
            windows.iter().map(gate).collect::<Vec<_>>()
        };
        self.probes.steps.iter().flat_map(of_step).collect()
    }

    /// Whether only the rollbacks end a fault, so that it is on when the hypothesis is asked again.
    fn stays_on(&self) -> bool {
        self.course.faults.iter().any(|fault| fault.off > self.course.end)
    }

    /// The whole seconds between the method and the rollbacks.
    fn check(&self) -> String {
        let from = self.course.end + self.plan.lead;
        let whole = from.as_secs() + u64::from(from.subsec_nanos() > 0);
        format!("{whole}s..{}s", (from + CHECK).as_secs())
    }

    fn load(&self, out: &mut String) {
        let Plan { warm_up, duration, .. } = &self.plan;
        let _ = writeln!(out, "[load]\nduration = {}", quoted(&format_duration(*duration)));
        if !warm_up.is_zero() {
            let _ = writeln!(out, "warm_up  = {}", quoted(&format_duration(*warm_up)));
        }
        if let Some(timeout) = self.probes.timeout {
            let _ = writeln!(out, "request_timeout = {}", quoted(&format_duration(timeout)));
        }
        let journey = if self.has_journey() { JOURNEY } else { "flight-search" };
        let _ = writeln!(
            out,
            "users    = 20\nmix      = {{ {journey} = 1 }}\narrivals = {{ poisson = {{ rate = \"5/s\" }} }}"
        );
    }

    fn has_journey(&self) -> bool {
        !self.probes.steps.is_empty() || self.place.url.is_some()
    }

    /// The faults with what was left out between them, in order of time.
    fn faults(&self, out: &mut String) {
        let mut taken = BTreeSet::new();
        let mut left_out = self.course.left_out.iter().peekable();
        for fault in &self.course.faults {
            out.push('\n');
            while let Some((at, text)) = left_out.next_if(|(at, _)| *at <= fault.on) {
                self.left_out(*at, text, out);
            }
            self.fault(fault, &mut taken, out);
        }
        if left_out.peek().is_some() {
            out.push('\n');
        }
        left_out.for_each(|(at, text)| self.left_out(*at, text, out));
    }

    fn left_out(&self, at: Duration, text: &str, out: &mut String) {
        comment(out, &format!("At {}: {text}.", format_duration(at + self.plan.lead)));
    }

    fn fault(&self, fault: &Fault, taken: &mut BTreeSet<String>, out: &mut String) {
        let Fault { key, toxic, on, off } = fault;
        let _ = writeln!(out, "[[faults]]");
        let mut line = |name: &str, value: String| {
            let _ = writeln!(out, "{name:<5} = {value}");
        };
        // Names have no spaces, so they never meet the name that a fault without one has.
        let name = draft::name(&toxic.name, taken);
        let usual = draft::name(&format!("{} {}", key.proxy, toxic.kind), &mut BTreeSet::new());
        let own_name = (name != usual).then_some(name);
        line("link", quoted(&key.proxy));
        if let Some(name) = own_name {
            line("name", quoted(&name));
        }
        line("at", quoted(&format_duration(*on + self.plan.lead)));
        line("for", quoted(&format_duration(off.saturating_sub(*on))));
        line("fault", toxic.settings.clone());
        if toxic.is_upstream {
            line("direction", quoted("upstream"));
        }
        if toxic.share < 1.0 {
            line("share", format!("{:?}", toxic.share));
        }
    }

    fn journey(&self, out: &mut String) {
        if !self.has_journey() {
            return;
        }
        let _ = writeln!(out, "\n[journeys.{JOURNEY}]\nlogin = false");
        for step in &self.probes.steps {
            step.write(out, JOURNEY);
        }
        if self.probes.steps.is_empty() {
            let note = "No probe of the experiment asks over HTTP. What users do is yours to say.".to_owned();
            let step = Step {
                notes: vec![note],
                name: "get".to_owned(),
                method: "GET".to_owned(),
                path: "/".to_owned(),
                ..Step::default()
            };
            step.write(out, JOURNEY);
        }
    }
}
