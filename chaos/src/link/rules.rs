//! The rules of a link that speaks a protocol: what the HTTP API says of them, and what they have done.
use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use serde_json::{Map, Value};
use tokio::time::Instant;
use tracing::info;

use super::{
    ListenError,
    body::Fields,
    lease::Lease,
    registry::Error,
    wire::{self, RuleEffects},
};
use crate::{
    draw::Draw,
    fault::{self, WithSettings},
    forward::{Forwarder, Protocol, Rule, Selector},
};

/// Removed rules whose effects are kept.
const RETIRED_MAX: usize = 256;

/// The forwarder of a link, and the rules that it obeys.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) forwarder: Forwarder,
    mounted: Vec<Mounted>,
    retired: VecDeque<Rule>,
    link: String,
    /// The branch of decisions of the link's rules.
    draw: Draw,
}

#[derive(Debug)]
struct Mounted {
    rule: Rule,
    lease: Option<Lease>,
}

/// What a request says of a rule, beside its name and kind; what it does not say stays.
struct Change {
    attributes: Map<String, Value>,
    selector: Map<String, Value>,
    share: Option<f64>,
    ttl_ms: Option<u64>,
}

impl Change {
    fn read(fields: &Fields) -> Result<Self, Error> {
        let mut selector = Map::new();
        for name in ["nth", "first", "every"] {
            selector.extend(fields.whole(name)?.map(|number| (name.to_owned(), Value::from(number))));
        }
        selector.extend(fields.raw("match").map(|value| ("match".to_owned(), value.clone())));
        let share = fields.number("share")?;
        if let Some(share) = share.filter(|share| !(*share > 0.0 && *share <= 1.0)) {
            return Err(Error::InvalidRule(format!("share is {share}, but must be above 0 and at most 1")));
        }
        let attributes = fields.object("attributes")?.into_map();
        Ok(Self { attributes, selector, share, ttl_ms: fields.whole("ttl_ms")? })
    }
}

impl Rules {
    pub(crate) fn start(link: &str, protocol: Protocol, upstream: &str, draw: Draw) -> Result<Self, ListenError> {
        let forwarder = Forwarder::start(link, protocol, upstream)?;
        Ok(Self {
            forwarder,
            mounted: Vec::new(),
            retired: VecDeque::new(),
            link: link.to_owned(),
            draw: draw.named("rules"),
        })
    }

    /// In order of creation.
    pub(crate) fn shapes(&self) -> Vec<wire::Rule> {
        self.mounted.iter().map(shape).collect()
    }

    pub(crate) fn get(&self, name: &str) -> Result<wire::Rule, Error> {
        self.mounted.iter().find(|mounted| mounted.rule.name == name).map(shape).ok_or(Error::RuleNotFound)
    }

    pub(crate) fn add(&mut self, fields: &Fields) -> Result<wire::Rule, Error> {
        let kind = fields.text("kind")?.ok_or_else(|| Error::MissingField { field: "kind".to_owned() })?;
        let name = fields.text("name")?.filter(|name| !name.is_empty()).unwrap_or_else(|| kind.clone());
        if self.mounted.iter().any(|mounted| mounted.rule.name == name) {
            return Err(Error::RuleExists);
        }
        let change = Change::read(fields)?;
        let (fault, attributes) = self.fault(&kind, change.attributes)?;
        let selector = selector(change.selector)?;
        let (share, draw) = (change.share.unwrap_or(1.0), self.draw.named(&name));
        let rule = Rule { name, fault, attributes, selector, share, draw, state: Arc::default() };
        let mounted = Mounted { rule, lease: change.ttl_ms.and_then(Lease::from_now) };
        let shape = shape(&mounted);
        info!(link = %self.link, rule = %shape.name, %kind, "rule `{}` on link `{}`", shape.name, self.link);
        self.mounted.push(mounted);
        self.publish();
        Ok(shape)
    }

    /// Merges attributes key by key, sets what else is given, and renews the lease.
    pub(crate) fn update(&mut self, name: &str, fields: &Fields) -> Result<wire::Rule, Error> {
        let change = Change::read(fields)?;
        let position = self.mounted.iter().position(|mounted| mounted.rule.name == name).ok_or(Error::RuleNotFound)?;
        let present = &self.mounted[position];
        let mut attributes = present.rule.attributes.clone();
        attributes.extend(change.attributes);
        let mut selected = serde_json::to_value(&present.rule.selector).map_err(invalid)?;
        let selected = selected.as_object_mut().map(std::mem::take).unwrap_or_default();
        let (fault, attributes) = self.fault(present.rule.fault.kind(), attributes)?;
        let selector = selector(selected.into_iter().chain(change.selector).collect())?;
        let present = &mut self.mounted[position];
        let share = change.share.unwrap_or(present.rule.share);
        present.rule = Rule { fault, attributes, selector, share, ..present.rule.clone() };
        present.lease = Lease::renewed(present.lease, change.ttl_ms);
        let shape = shape(present);
        self.publish();
        Ok(shape)
    }

    /// Lifts the rules that `is_chosen` chooses, keeps what they did, and says their names.
    fn remove(&mut self, is_chosen: impl Fn(&Mounted) -> bool) -> Vec<String> {
        let (removed, kept) = std::mem::take(&mut self.mounted).into_iter().partition::<Vec<_>, _>(is_chosen);
        self.mounted = kept;
        if removed.is_empty() {
            return Vec::new();
        }
        self.publish();
        let rules = removed.into_iter().map(|mounted| mounted.rule);
        let names = rules.inspect(|rule| rule.state.lifted.cancel()).map(|rule| {
            let name = rule.name.clone();
            self.retired.push_back(rule);
            name
        });
        let names = names.collect();
        let too_many = self.retired.len().saturating_sub(RETIRED_MAX);
        self.retired.drain(..too_many);
        names
    }

    pub(crate) fn remove_named(&mut self, name: &str) -> Result<(), Error> {
        match self.remove(|mounted| mounted.rule.name == name).is_empty() {
            true => Err(Error::RuleNotFound),
            false => {
                info!(link = %self.link, rule = %name, "rule `{name}` is off link `{}`", self.link);
                Ok(())
            }
        }
    }

    pub(crate) fn remove_all(&mut self) {
        self.remove(|_| true);
    }

    /// Lifts the rules whose lease has run out, and says their names.
    pub(crate) fn remove_expired(&mut self, now: Instant) -> Vec<String> {
        self.remove(|mounted| mounted.lease.is_some_and(|lease| lease.until <= now))
    }

    pub(crate) fn leases(&self) -> impl Iterator<Item = Lease> {
        self.mounted.iter().filter_map(|mounted| mounted.lease)
    }

    pub(crate) fn effects(&self) -> Vec<RuleEffects> {
        let retired = self.retired.iter().map(|rule| effects(rule, true));
        retired.chain(self.mounted.iter().map(|mounted| effects(&mounted.rule, false))).collect()
    }

    /// Forgets what has been counted.
    pub(crate) fn reset_effects(&mut self) {
        self.retired.clear();
        self.mounted.iter().for_each(|mounted| mounted.rule.state.reset());
        self.forwarder.upstream_failed().store(0, Relaxed);
    }

    fn fault(&self, kind: &str, attributes: Map<String, Value>) -> Result<WithSettings, Error> {
        fault::request_fault(self.forwarder.protocol, kind, attributes).map_err(invalid)
    }

    fn publish(&self) {
        self.forwarder.set_rules(self.mounted.iter().map(|mounted| mounted.rule.clone()).collect());
    }
}

fn selector(fields: Map<String, Value>) -> Result<Selector, Error> {
    let selector: Selector = serde_json::from_value(Value::from(fields)).map_err(invalid)?;
    match selector.is_void() {
        true => Err(invalid("no request is meant: nth, first and every contradict one another")),
        false => Ok(selector),
    }
}

fn invalid(error: impl ToString) -> Error {
    Error::InvalidRule(error.to_string())
}

fn shape(mounted: &Mounted) -> wire::Rule {
    let Rule { name, fault, attributes, selector, share, .. } = &mounted.rule;
    wire::Rule {
        name: name.clone(),
        kind: fault.kind().to_owned(),
        attributes: attributes.clone(),
        selector: selector.clone(),
        share: *share,
        ttl_ms: mounted.lease.map(|lease| lease.ttl_ms),
    }
}

fn effects(rule: &Rule, removed: bool) -> RuleEffects {
    let state = &rule.state;
    RuleEffects {
        name: rule.name.clone(),
        kind: rule.fault.kind().to_owned(),
        removed,
        matched: state.matched.load(Relaxed),
        chosen: state.chosen.load(Relaxed),
        hit: state.hit.load(Relaxed),
        cut: state.cut.load(Relaxed),
        dropped_bytes: state.dropped_bytes.load(Relaxed),
        delayed_us: state.delayed_ns.load(Relaxed) / 1_000,
    }
}
