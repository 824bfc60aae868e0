//! All links of one server: what the HTTP API does to them.
use std::{collections::BTreeMap, sync::Arc};

use tokio::{
    sync::{Mutex, Notify, futures::Notified},
    time::Instant,
};
use tracing::{error, info, warn};

use super::{
    body::{self, Fields},
    draft::{NewProxy, NewToxic, check_reach},
    lease::Lease,
    listen,
    proxy::{Mounted, Proxy},
    rules::Rules,
    spec::Spec,
    timer::Timers,
    wire::{self, Effects},
};
use crate::draw::Draw;

/// When to try again to bring a link up whose lease of being down has run out.
const RETRY_MS: u64 = 1_000;

/// Why a request cannot be done. The texts are those of Toxiproxy.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("bad request body: {0}")]
    Body(#[from] body::Error),
    #[error("missing required field: {field}")]
    MissingField { field: String },
    #[error("proxy not found")]
    ProxyNotFound,
    #[error("proxy already exists")]
    ProxyExists,
    #[error("toxic not found")]
    ToxicNotFound,
    #[error("toxic already exists")]
    ToxicExists,
    #[error("invalid toxic type")]
    InvalidToxicType,
    #[error("stream was invalid, can be either upstream or downstream")]
    InvalidStream,
    #[error("a {kind} toxic acts on every new connection: leave toxicity, skip, every, count and per_mille out")]
    WholeDoor { kind: &'static str },
    #[error("invalid protocol `{protocol}`, can be either mcp or llm")]
    InvalidProtocol { protocol: String },
    #[error("the proxy has no protocol, so it knows no rules: create it with \"protocol\": \"mcp\" or \"llm\"")]
    NoProtocol,
    #[error("rule not found")]
    RuleNotFound,
    #[error("rule already exists")]
    RuleExists,
    #[error("invalid rule: {0}")]
    InvalidRule(String),
    #[error(transparent)]
    Listen(#[from] listen::Error),
}

/// All links of one server.
pub(crate) struct Registry {
    /// Held only while nothing is waited for but our own tasks, so no stalled peer can hold it up.
    proxies: Mutex<BTreeMap<String, Proxy>>,
    draw: Draw,
    timers: Timers,
    leases: Notify,
}

impl Registry {
    pub(crate) fn new(seed: u64, timers: Timers) -> Self {
        Self { proxies: Mutex::default(), draw: Draw::seeded(seed), timers, leases: Notify::new() }
    }

    pub(crate) async fn list(&self) -> BTreeMap<String, wire::Proxy> {
        self.proxies.lock().await.iter().map(|(name, proxy)| (name.clone(), proxy.shape())).collect()
    }

    pub(crate) async fn get(&self, name: &str) -> Result<wire::Proxy, Error> {
        self.proxies.lock().await.get(name).map(Proxy::shape).ok_or(Error::ProxyNotFound)
    }

    pub(crate) async fn effects(&self) -> Effects {
        let proxies = self.proxies.lock().await;
        Effects { proxies: proxies.iter().map(|(name, proxy)| (name.clone(), proxy.effects())).collect() }
    }

    /// Every link with what it did.
    pub(crate) async fn overview(&self) -> Vec<(wire::Proxy, wire::ProxyEffects)> {
        self.proxies.lock().await.values().map(|proxy| (proxy.shape(), proxy.effects())).collect()
    }

    pub(crate) async fn create(&self, new: NewProxy) -> Result<wire::Proxy, Error> {
        let address = listen::resolve(&new.listen).await?;
        let mut proxies = self.proxies.lock().await;
        if proxies.contains_key(&new.name) {
            return Err(Error::ProxyExists);
        }
        let proxy = self.start(&new, address).await?;
        let shape = proxy.shape();
        proxies.insert(new.name, proxy);
        Ok(shape)
    }

    /// Creates proxies, replaces those that differ in their addresses or protocol, and leaves identical ones as they are.
    ///
    /// On an error, the proxies made so far stay and are handed back beside it.
    pub(crate) async fn populate(&self, all: Vec<NewProxy>) -> (Vec<wire::Proxy>, Result<(), Error>) {
        let mut done = Vec::new();
        for new in all {
            match self.create_or_replace(new).await {
                Ok(shape) => done.push(shape),
                Err(error) => return (done, Err(error)),
            }
        }
        (done, Ok(()))
    }

    async fn create_or_replace(&self, new: NewProxy) -> Result<wire::Proxy, Error> {
        let address = listen::resolve(&new.listen).await?;
        let mut proxies = self.proxies.lock().await;
        if let Some(existing) = proxies.get_mut(&new.name) {
            let is_same = existing.address == address && existing.upstream == new.upstream;
            if is_same && existing.protocol() == new.protocol {
                let has = |toxic: &&NewToxic| existing.has_toxic(&toxic.name);
                let lacking: Vec<&NewToxic> = new.toxics.iter().filter(|toxic| !has(toxic)).collect();
                self.mount(existing, lacking).await?;
                return Ok(existing.shape());
            }
            existing.disable().await;
            proxies.remove(&new.name);
        }
        let proxy = self.start(&new, address).await?;
        let shape = proxy.shape();
        proxies.insert(new.name, proxy);
        Ok(shape)
    }

    async fn start(&self, new: &NewProxy, address: std::net::SocketAddr) -> Result<Proxy, Error> {
        let timers = self.timers.clone();
        let mut proxy = Proxy::new(&new.name, &new.listen, address, &new.upstream, self.draw, timers);
        if let Some(protocol) = new.protocol {
            proxy.speak(protocol)?;
        }
        self.mount(&mut proxy, &new.toxics).await?;
        if new.enabled {
            proxy.enable().await?;
        } else {
            proxy.lease = new.ttl_ms.and_then(Lease::from_now);
            self.leases.notify_one();
        }
        let Proxy { name, listen, upstream, .. } = &proxy;
        info!(link = %name, %listen, %upstream, "link `{name}` leads from {listen} to {upstream}");
        Ok(proxy)
    }

    /// Puts toxics on a link, all or none.
    async fn mount(&self, proxy: &mut Proxy, toxics: impl IntoIterator<Item = &NewToxic>) -> Result<(), Error> {
        let toxics: Vec<&NewToxic> = toxics.into_iter().collect();
        let is_double = |(index, toxic): (usize, &&NewToxic)| {
            proxy.has_toxic(&toxic.name) || toxics[..index].iter().any(|other| other.name == toxic.name)
        };
        if toxics.iter().enumerate().any(is_double) {
            return Err(Error::ToxicExists);
        }
        for toxic in toxics {
            info!(link = %proxy.name, toxic = %toxic.name, kind = toxic.kind.name, "toxic `{}` on link `{}`", toxic.name, proxy.name);
            proxy.mount(toxic);
        }
        proxy.publish_toxics();
        self.leases.notify_one();
        Ok(proxy.settle().await?)
    }

    /// Changes what the fields name: `listen`, `upstream`, `enabled`, and the lease of being down, `ttl_ms`.
    pub(crate) async fn update(&self, name: &str, fields: &Fields) -> Result<wire::Proxy, Error> {
        let (listen, upstream) = (fields.text("listen")?, fields.text("upstream")?);
        let (enabled, ttl_ms) = (fields.flag("enabled")?, fields.whole("ttl_ms")?);
        let listen = listen.filter(|listen| !listen.is_empty());
        let address = match &listen {
            Some(listen) => Some(listen::resolve(listen).await?),
            None => None,
        };
        let mut proxies = self.proxies.lock().await;
        let proxy = proxies.get_mut(name).ok_or(Error::ProxyNotFound)?;
        let wants_enabled = enabled.unwrap_or(proxy.is_enabled());
        if let (Some(listen), Some(address)) = (&listen, address)
            && address != proxy.address
        {
            proxy.disable().await;
            proxy.rebind(listen, address);
        }
        if let Some(upstream) = upstream.filter(|upstream| !upstream.is_empty() && *upstream != proxy.upstream) {
            proxy.disable().await;
            proxy.lead_to(upstream);
        }
        if wants_enabled {
            proxy.enable().await?;
        } else {
            proxy.disable().await;
            proxy.lease = Lease::renewed(proxy.lease, ttl_ms);
            self.leases.notify_one();
        }
        if enabled.is_some() {
            let state = if wants_enabled { "up" } else { "down" };
            info!(link = %name, state, "link `{name}` is {state}");
        }
        Ok(proxy.shape())
    }

    pub(crate) async fn delete(&self, name: &str) -> Result<(), Error> {
        let mut proxies = self.proxies.lock().await;
        proxies.get_mut(name).ok_or(Error::ProxyNotFound)?.disable().await;
        proxies.remove(name);
        Ok(())
    }

    /// Enables every proxy, removes every toxic, forgets every count; stops at a proxy that cannot listen.
    pub(crate) async fn reset(&self) -> Result<(), Error> {
        for proxy in self.proxies.lock().await.values_mut() {
            proxy.remove_toxics(|_| true);
            proxy.rules.iter_mut().for_each(Rules::remove_all);
            proxy.reset_effects();
            proxy.enable().await?;
        }
        Ok(())
    }

    /// Cuts every connection and gives every port back.
    pub(crate) async fn close(&self) {
        let mut proxies = self.proxies.lock().await;
        for proxy in proxies.values_mut() {
            proxy.disable().await;
        }
        proxies.clear();
    }

    pub(crate) async fn toxics(&self, proxy: &str) -> Result<Vec<wire::Toxic>, Error> {
        self.proxies.lock().await.get(proxy).map(Proxy::toxic_shapes).ok_or(Error::ProxyNotFound)
    }

    pub(crate) async fn toxic(&self, proxy: &str, name: &str) -> Result<wire::Toxic, Error> {
        let proxies = self.proxies.lock().await;
        let proxy = proxies.get(proxy).ok_or(Error::ProxyNotFound)?;
        proxy.toxics.iter().find(|toxic| toxic.name == name).map(Mounted::shape).ok_or(Error::ToxicNotFound)
    }

    pub(crate) async fn add_toxic(&self, proxy: &str, new: &NewToxic) -> Result<wire::Toxic, Error> {
        let mut proxies = self.proxies.lock().await;
        let proxy = proxies.get_mut(proxy).ok_or(Error::ProxyNotFound)?;
        self.mount(proxy, [new]).await?;
        proxy.toxics.last().map(Mounted::shape).ok_or(Error::ToxicNotFound)
    }

    /// Merges attributes key by key, sets the toxicity if given, and renews the lease.
    pub(crate) async fn update_toxic(&self, proxy: &str, name: &str, fields: &Fields) -> Result<wire::Toxic, Error> {
        let mut proxies = self.proxies.lock().await;
        let proxy = proxies.get_mut(proxy).ok_or(Error::ProxyNotFound)?;
        let toxic = proxy.toxics.iter_mut().find(|toxic| toxic.name == name).ok_or(Error::ToxicNotFound)?;
        let given = fields.object("attributes")?;
        let mut spec = Spec::clone(&toxic.spec);
        spec.attributes.merge(|name| given.whole(name))?;
        spec.choice.merge(|name| given.whole(name))?;
        spec.toxicity = fields.number("toxicity")?.unwrap_or(spec.toxicity);
        check_reach(spec.kind, spec.toxicity, spec.choice)?;
        let ttl_ms = given.whole("ttl_ms")?;
        let has_changed = !spec.is_set_as(&toxic.spec);
        if has_changed {
            spec.revision += 1;
            toxic.spec = Arc::new(spec);
        }
        toxic.lease = Lease::renewed(toxic.lease, ttl_ms);
        let shape = toxic.shape();
        if has_changed {
            proxy.publish_toxics();
        }
        self.leases.notify_one();
        Ok(shape)
    }

    pub(crate) async fn remove_toxic(&self, proxy: &str, name: &str) -> Result<(), Error> {
        let mut proxies = self.proxies.lock().await;
        let proxy = proxies.get_mut(proxy).ok_or(Error::ProxyNotFound)?;
        if proxy.remove_toxics(|toxic| toxic.name == name).is_empty() {
            return Err(Error::ToxicNotFound);
        }
        self.settle(proxy).await?;
        info!(link = %proxy.name, toxic = %name, "toxic `{name}` is off link `{}`", proxy.name);
        Ok(())
    }

    /// Lets connections in again after toxics went; a link that cannot listen is down, and tried again by the keeper of leases.
    async fn settle(&self, proxy: &mut Proxy) -> Result<(), Error> {
        proxy.settle().await.map_err(|error| {
            error!(link = %proxy.name, %error, "link `{}` cannot come up again", proxy.name);
            proxy.lease = Lease::from_now(RETRY_MS);
            self.leases.notify_one();
            Error::Listen(error)
        })
    }

    /// Does something with the rules of a proxy.
    pub(crate) async fn with_rules<T>(
        &self,
        proxy: &str,
        act: impl FnOnce(&mut Rules) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut proxies = self.proxies.lock().await;
        let proxy = proxies.get_mut(proxy).ok_or(Error::ProxyNotFound)?;
        let done = act(proxy.rules.as_mut().ok_or(Error::NoProtocol)?);
        self.leases.notify_one();
        done
    }

    /// Resolves once a lease was set, renewed or given up.
    pub(super) fn leases_changed(&self) -> Notified<'_> {
        self.leases.notified()
    }

    /// Lifts every fault whose lease has run out, and says when the next one runs out.
    pub(super) async fn lift_expired(&self) -> Option<Instant> {
        let now = Instant::now();
        let has_expired = |lease: Option<Lease>| lease.is_some_and(|lease| lease.until <= now);
        let mut proxies = self.proxies.lock().await;
        for proxy in proxies.values_mut() {
            for name in proxy.remove_toxics(|toxic| has_expired(toxic.lease)) {
                warn!(link = %proxy.name, toxic = %name, "lease of toxic `{name}` on link `{}` ran out", proxy.name);
                // Said and tried again there.
                let _ = self.settle(proxy).await;
            }
            for name in proxy.rules.iter_mut().flat_map(|rules| rules.remove_expired(now)) {
                warn!(link = %proxy.name, rule = %name, "lease of rule `{name}` on link `{}` ran out", proxy.name);
            }
            if has_expired(proxy.lease) {
                warn!(link = %proxy.name, "lease of link `{}` being down ran out", proxy.name);
                if let Err(error) = proxy.enable().await {
                    error!(link = %proxy.name, %error, "link `{}` cannot come up again", proxy.name);
                    proxy.lease = Lease::from_now(RETRY_MS);
                }
            }
        }
        let toxic_leases = proxies.values().flat_map(|proxy| proxy.toxics.iter().filter_map(|toxic| toxic.lease));
        let down_leases = proxies.values().filter_map(|proxy| proxy.lease);
        let rule_leases = proxies.values().flat_map(|proxy| proxy.rules.iter().flat_map(Rules::leases));
        toxic_leases.chain(down_leases).chain(rule_leases).map(|lease| lease.until).min()
    }
}
