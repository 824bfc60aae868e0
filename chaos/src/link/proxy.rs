//! One link: its listener, its toxics, its open connections.
use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinHandle,
};
use tracing::{debug, warn};

use super::{
    choice::Census,
    connection::{Connection, Lane},
    counters::ProxyCounters,
    draft::NewToxic,
    lease::Lease,
    listen,
    live::{Entry, Live},
    rules::Rules,
    spec::Spec,
    timer::Timers,
    toxic::Reach,
    wire::{self, ProxyEffects, ToxicEffects},
};
use crate::{draw::Draw, forward::Protocol};

/// Removed toxics whose effects are kept.
const RETIRED_MAX: usize = 256;
/// How long a client waits for a server that does not answer before it is let go.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause after the system refused to accept (out of file descriptors).
const ACCEPT_RETRY: Duration = Duration::from_millis(10);

/// The direction that a toxic acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Upstream,
    Downstream,
}

/// A toxic on a link, with what only the API needs to know.
#[derive(Debug)]
pub(crate) struct Mounted {
    pub(crate) name: String,
    pub(crate) stream: Stream,
    /// The stream as it was sent; letters may be in any case.
    pub(crate) stream_text: String,
    pub(crate) spec: Arc<Spec>,
    pub(crate) lease: Option<Lease>,
}

impl Mounted {
    pub(crate) fn shape(&self) -> wire::Toxic {
        let own = self.spec.attributes.iter().chain(self.spec.choice.set());
        let attributes = own.chain(self.lease.map(|lease| ("ttl_ms", lease.ttl_ms)));
        wire::Toxic {
            attributes: attributes.map(|(name, value)| (name.to_owned(), Value::from(value))).collect(),
            name: self.name.clone(),
            kind: self.spec.kind.name.to_owned(),
            stream: self.stream_text.clone(),
            toxicity: self.spec.toxicity,
        }
    }

    fn effects(&self, removed: bool) -> ToxicEffects {
        self.spec.counters.effects(&self.name, self.spec.kind.name, removed)
    }
}

/// One link.
pub(crate) struct Proxy {
    pub(crate) name: String,
    /// As given, until it has listened once; then the real address.
    pub(crate) listen: String,
    pub(crate) address: SocketAddr,
    pub(crate) upstream: String,
    pub(crate) toxics: Vec<Mounted>,
    is_enabled: bool,
    /// The lease of being down.
    pub(crate) lease: Option<Lease>,
    /// What a link that speaks a protocol has between its connections and the upstream.
    pub(crate) rules: Option<Rules>,
    retired: VecDeque<Mounted>,
    door: Door,
    shared: Arc<Shared>,
    next_toxic_id: u64,
}

/// Whether connections come in.
enum Door {
    Open(JoinHandle<()>),
    /// The port is kept if the system let us.
    Shut(Option<TcpSocket>),
}

/// What a link's connections share.
struct Shared {
    name: String,
    draw: Draw,
    lanes: [Arc<Lane>; 2],
    live: Arc<Live>,
    counters: ProxyCounters,
    timers: Timers,
}

impl Proxy {
    /// A link that is down.
    pub(crate) fn new(
        name: &str,
        listen: &str,
        address: SocketAddr,
        upstream: &str,
        draw: Draw,
        timers: Timers,
    ) -> Self {
        let shared = Shared {
            name: name.to_owned(),
            draw: draw.named(name),
            lanes: Default::default(),
            live: Arc::default(),
            counters: ProxyCounters::default(),
            timers,
        };
        Self {
            name: name.to_owned(),
            listen: listen.to_owned(),
            address,
            upstream: upstream.to_owned(),
            toxics: Vec::new(),
            is_enabled: false,
            lease: None,
            rules: None,
            retired: VecDeque::new(),
            door: Door::Shut(None),
            shared: Arc::new(shared),
            next_toxic_id: 0,
        }
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.is_enabled
    }

    /// Lets connections in, unless a toxic refuses them.
    pub(crate) async fn enable(&mut self) -> Result<(), listen::Error> {
        self.is_enabled = true;
        self.lease = None;
        self.settle().await
    }

    /// Refuses connections from now on and cuts the open ones; on return, both have happened.
    pub(crate) async fn disable(&mut self) {
        self.is_enabled = false;
        self.shut().await;
        let cut = self.shared.live.close_all().await;
        self.shared.counters.cut.fetch_add(cut as u64, Relaxed);
    }

    /// Opens or shuts the door as the link's state and its toxics want it; a link that cannot listen is down.
    pub(crate) async fn settle(&mut self) -> Result<(), listen::Error> {
        let is_refusing = self.toxics.iter().any(|toxic| toxic.spec.kind.reach == Reach::Door);
        if self.is_enabled && !is_refusing {
            return self.open().inspect_err(|_| self.is_enabled = false);
        }
        self.shut().await;
        if self.is_enabled { self.reserve().inspect_err(|_| self.is_enabled = false) } else { Ok(()) }
    }

    /// Takes the port of a link that is to refuse connections, so that it is known.
    fn reserve(&mut self) -> Result<(), listen::Error> {
        if let Door::Shut(reserved @ None) = &mut self.door {
            let (socket, address) = listen::reserve(self.address)?;
            *reserved = Some(socket);
            self.settle_at(address);
        }
        Ok(())
    }

    fn settle_at(&mut self, address: SocketAddr) {
        self.address = address;
        self.listen = address.to_string();
    }

    fn open(&mut self) -> Result<(), listen::Error> {
        let Door::Shut(reserved) = &mut self.door else { return Ok(()) };
        let socket = match reserved.take() {
            Some(socket) => socket,
            None => listen::reserve(self.address)?.0,
        };
        let (listener, address) = listen::listen(socket, self.address)?;
        self.settle_at(address);
        let forwarder = self.rules.as_ref().map(|rules| rules.forwarder.address.to_string());
        let upstream = Arc::from(forwarder.as_deref().unwrap_or(&self.upstream));
        let accepting = accept(listener, Arc::clone(&self.shared), upstream);
        self.door = Door::Open(tokio::spawn(accepting));
        Ok(())
    }

    /// Refuses connections from now on; on return, it has happened.
    async fn shut(&mut self) {
        let Door::Open(accepting) = &mut self.door else { return };
        accepting.abort();
        // It was aborted, so the only news is that it is gone.
        let _ = accepting.await;
        self.door = Door::Shut(listen::reserve(self.address).ok().map(|(socket, _)| socket));
    }

    /// Moves the link to another address; it must be down.
    pub(crate) fn rebind(&mut self, listen: &str, address: SocketAddr) {
        self.listen = listen.to_owned();
        self.address = address;
        self.door = Door::Shut(None);
    }

    /// Leads the link elsewhere; it must be down.
    pub(crate) fn lead_to(&mut self, upstream: String) {
        if let Some(rules) = &self.rules {
            rules.forwarder.set_upstream(&upstream);
        }
        self.upstream = upstream;
    }

    /// Puts a forwarder between the link and its upstream; it must be down.
    pub(crate) fn speak(&mut self, protocol: Protocol) -> Result<(), listen::Error> {
        self.rules = Some(Rules::start(&self.name, protocol, &self.upstream, self.shared.draw)?);
        Ok(())
    }

    pub(crate) fn protocol(&self) -> Option<Protocol> {
        self.rules.as_ref().map(|rules| rules.forwarder.protocol)
    }

    /// The number of a new toxic, its branch of decisions, and the connections that it finds.
    fn next_toxic(&mut self, name: &str, stream: Stream) -> (u64, Draw, Arc<Census>) {
        self.next_toxic_id += 1;
        let draw = self.shared.draw.named(name).numbered(stream as u64);
        (self.next_toxic_id, draw, Arc::new(self.shared.live.census()))
    }

    pub(crate) fn has_toxic(&self, name: &str) -> bool {
        self.toxics.iter().any(|toxic| toxic.name == name)
    }

    /// Puts a toxic on; it acts once the toxics are published and the link has settled.
    pub(crate) fn mount(&mut self, new: &NewToxic) {
        let (id, draw, census) = self.next_toxic(&new.name, new.stream);
        let NewToxic { kind, toxicity, choice, ref attributes, .. } = *new;
        let (attributes, counters) = (attributes.clone(), Arc::default());
        let spec = Spec { id, revision: 0, kind, attributes, toxicity, choice, census, draw, counters };
        self.toxics.push(Mounted {
            name: new.name.clone(),
            stream: new.stream,
            stream_text: new.stream_text.clone(),
            spec: Arc::new(spec),
            lease: new.ttl_ms.and_then(Lease::from_now),
        });
    }

    /// Takes the toxics out that `is_chosen` chooses, keeps what they did, and says their names.
    pub(crate) fn remove_toxics(&mut self, is_chosen: impl Fn(&Mounted) -> bool) -> Vec<String> {
        let (removed, kept) = std::mem::take(&mut self.toxics).into_iter().partition::<Vec<_>, _>(is_chosen);
        self.toxics = kept;
        if removed.is_empty() {
            return Vec::new();
        }
        self.publish_toxics();
        let names = removed.iter().map(|toxic| toxic.name.clone()).collect();
        self.retired.extend(removed);
        let too_many = self.retired.len().saturating_sub(RETIRED_MAX);
        self.retired.drain(..too_many);
        names
    }

    /// Has every connection, open or to come, run the toxics as they are now.
    pub(crate) fn publish_toxics(&self) {
        for (stream, lane) in [Stream::Upstream, Stream::Downstream].into_iter().zip(&self.shared.lanes) {
            let acts_on = |toxic: &&Mounted| toxic.stream == stream || toxic.spec.kind.reach == Reach::BothStreams;
            let of_stream = self.toxics.iter().filter(acts_on);
            lane.set(of_stream.map(|toxic| Arc::clone(&toxic.spec)).collect());
        }
        self.shared.live.wake_all();
    }

    /// Upstream toxics first, then downstream ones, each in order of creation.
    pub(crate) fn toxic_shapes(&self) -> Vec<wire::Toxic> {
        let of = |stream| self.toxics.iter().filter(move |toxic| toxic.stream == stream);
        of(Stream::Upstream).chain(of(Stream::Downstream)).map(Mounted::shape).collect()
    }

    pub(crate) fn shape(&self) -> wire::Proxy {
        wire::Proxy {
            name: self.name.clone(),
            listen: self.listen.clone(),
            upstream: self.upstream.clone(),
            enabled: self.is_enabled(),
            toxics: self.toxic_shapes(),
            ttl_ms: self.lease.map(|lease| lease.ttl_ms),
            protocol: self.protocol(),
            rules: self.rules.as_ref().map(Rules::shapes).unwrap_or_default(),
        }
    }

    pub(crate) fn effects(&self) -> ProxyEffects {
        let counters = &self.shared.counters;
        let [upstream, downstream] = &self.shared.lanes;
        let behind = self.rules.as_ref().map_or(0, |rules| rules.forwarder.upstream_failed().load(Relaxed));
        let retired = self.retired.iter().map(|toxic| toxic.effects(true));
        let present = self.toxics.iter().map(|toxic| toxic.effects(false));
        ProxyEffects {
            connections: counters.connections.load(Relaxed),
            open: self.shared.live.count() as u64,
            upstream_failed: counters.upstream_failed.load(Relaxed) + behind,
            cut: counters.cut.load(Relaxed),
            upstream_bytes: upstream.bytes.load(Relaxed),
            downstream_bytes: downstream.bytes.load(Relaxed),
            upstream_sent_bytes: upstream.sent_bytes.load(Relaxed),
            downstream_sent_bytes: downstream.sent_bytes.load(Relaxed),
            toxics: retired.chain(present).collect(),
            rules: self.rules.as_ref().map(Rules::effects).unwrap_or_default(),
        }
    }

    /// Forgets what has been counted.
    pub(crate) fn reset_effects(&mut self) {
        self.retired.clear();
        self.toxics.iter().for_each(|toxic| toxic.spec.counters.reset());
        self.rules.iter_mut().for_each(Rules::reset_effects);
        self.shared.counters.reset();
        self.shared.lanes.iter().for_each(|lane| lane.reset());
    }
}

impl Drop for Proxy {
    /// Ends the listener; connections end with the runtime or by `disable`.
    fn drop(&mut self) {
        if let Door::Open(accepting) = &self.door {
            accepting.abort();
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, upstream: Arc<str>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                shared.counters.connections.fetch_add(1, Relaxed);
                let entry = shared.live.enter();
                tokio::spawn(carry(client, entry, Arc::clone(&shared), Arc::clone(&upstream)));
            }
            Err(error) => {
                warn!(link = %shared.name, %error, "link `{}` cannot accept a connection", shared.name);
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

async fn carry(client: TcpStream, entry: Entry, shared: Arc<Shared>, upstream: Arc<str>) {
    let connecting = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(&*upstream));
    let server = tokio::select! {
        server = connecting => server,
        () = entry.control.closed() => return,
    };
    let name = &shared.name;
    let Ok(Ok(server)) = server else {
        shared.counters.upstream_failed.fetch_add(1, Relaxed);
        debug!(link = %name, %upstream, "link `{name}` cannot reach {upstream}");
        return;
    };
    // Without this small messages wait for acknowledgements; a socket that is gone shows in the reading.
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let ordinal = entry.ordinal;
    let connection = Connection::new(ordinal, client, server, shared.lanes.clone(), &shared.timers);
    let ending = connection.run(&entry.control).await;
    debug!(link = %name, ordinal, ?ending, "connection {ordinal} of link `{name}` ended");
}
