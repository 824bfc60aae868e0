//! One link: its listener, its toxics, its open connections.
use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinHandle,
};
use tracing::{debug, warn};

use super::{
    connection::{Connection, Lane},
    counters::ProxyCounters,
    lease::Lease,
    listen,
    live::{Entry, Live},
    rules::Rules,
    spec::Spec,
    timer::Timers,
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
        let attributes = self.spec.attributes.iter().chain(self.lease.map(|lease| ("ttl_ms", lease.ttl_ms)));
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
    next_ordinal: AtomicU64,
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
            next_ordinal: AtomicU64::new(0),
            timers,
        };
        Self {
            name: name.to_owned(),
            listen: listen.to_owned(),
            address,
            upstream: upstream.to_owned(),
            toxics: Vec::new(),
            lease: None,
            rules: None,
            retired: VecDeque::new(),
            door: Door::Shut(None),
            shared: Arc::new(shared),
            next_toxic_id: 0,
        }
    }

    pub(crate) fn is_enabled(&self) -> bool {
        matches!(self.door, Door::Open(_))
    }

    /// Lets connections in; does nothing when it already does.
    pub(crate) fn enable(&mut self) -> Result<(), listen::Error> {
        let Door::Shut(reserved) = &mut self.door else { return Ok(()) };
        let socket = match reserved.take() {
            Some(socket) => socket,
            None => listen::reserve(self.address)?,
        };
        let (listener, address) = listen::listen(socket, self.address)?;
        self.address = address;
        self.listen = address.to_string();
        self.lease = None;
        let forwarder = self.rules.as_ref().map(|rules| rules.forwarder.address.to_string());
        let upstream = Arc::from(forwarder.as_deref().unwrap_or(&self.upstream));
        let accepting = accept(listener, Arc::clone(&self.shared), upstream);
        self.door = Door::Open(tokio::spawn(accepting));
        Ok(())
    }

    /// Refuses connections from now on and cuts the open ones; on return, both have happened.
    pub(crate) async fn disable(&mut self) {
        let Door::Open(accepting) = &mut self.door else { return };
        accepting.abort();
        // It was aborted, so the only news is that it is gone.
        let _ = accepting.await;
        self.door = Door::Shut(listen::reserve(self.address).ok());
        let cut = self.shared.live.close_all().await;
        self.shared.counters.cut.fetch_add(cut as u64, Relaxed);
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

    /// The branch of decisions and the number of a new toxic.
    pub(crate) fn next_toxic(&mut self, name: &str, stream: Stream) -> (u64, Draw) {
        self.next_toxic_id += 1;
        (self.next_toxic_id, self.shared.draw.named(name).numbered(stream as u64))
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
            let of_stream = self.toxics.iter().filter(|toxic| toxic.stream == stream);
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
        self.shared.lanes.iter().for_each(|lane| lane.bytes.store(0, Relaxed));
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
                let ordinal = shared.next_ordinal.fetch_add(1, Relaxed);
                shared.counters.connections.fetch_add(1, Relaxed);
                let entry = shared.live.enter(ordinal);
                tokio::spawn(carry(ordinal, client, entry, Arc::clone(&shared), Arc::clone(&upstream)));
            }
            Err(error) => {
                warn!(link = %shared.name, %error, "link `{}` cannot accept a connection", shared.name);
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

async fn carry(ordinal: u64, client: TcpStream, entry: Entry, shared: Arc<Shared>, upstream: Arc<str>) {
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
    let connection = Connection::new(ordinal, client, server, shared.lanes.clone(), &shared.timers);
    let ending = connection.run(&entry.control).await;
    debug!(link = %name, ordinal, ?ending, "connection {ordinal} of link `{name}` ended");
}
