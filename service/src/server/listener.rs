//! One listener: takes connections as long as there is a place for them, and sees each to its end.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{
    connection::{self, Terms},
    tls::Tls,
};
use crate::{config, metrics::Metrics};

/// How long nothing is accepted after the system refused to, for example for want of file descriptors.
const REFUSED_PAUSE: Duration = Duration::from_millis(200);

/// A port that is taken, and what answers there.
pub(super) struct Listener {
    port: TcpListener,
    address: SocketAddr,
    door: Door,
}

/// What every connection of a listener meets.
pub(super) struct Door {
    places: Arc<Semaphore>,
    terms: Terms,
    tls: Option<Tls>,
    router: Router,
    metrics: Arc<Metrics>,
}

/// The place of a connection, counted as long as it is held.
struct Place {
    metrics: Arc<Metrics>,
    _permit: OwnedSemaphorePermit,
}

impl Listener {
    /// Takes the port.
    pub(super) async fn bind(at: SocketAddr, door: Door) -> io::Result<Self> {
        let port = TcpListener::bind(at).await?;
        Ok(Self { address: port.local_addr()?, port, door })
    }

    /// Where it listens; the port is the real one also when 0 was asked for.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`, then until the last connection has come to its end. Connections end with this future.
    pub(super) async fn serve(self, stop: CancellationToken) {
        let Self { port, door, .. } = self;
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = connections.join_next() => continue,
                accepted = port.accept() => accepted,
            };
            match accepted {
                Ok((socket, peer)) => {
                    let place = tokio::select! {
                        place = door.place() => place,
                        () = stop.cancelled() => break,
                    };
                    connections.spawn(door.connection(socket, peer, place, &stop));
                }
                // A client that was gone before its turn.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    warn!(error = &error as &dyn std::error::Error, "connections cannot be accepted at the moment");
                    sleep(REFUSED_PAUSE).await;
                }
            }
        }
        // The system has told these clients that they are connected: they get their answer too.
        for (socket, peer) in waiting(port) {
            let Some(place) = door.free_place() else { break };
            connections.spawn(door.connection(socket, peer, place, &stop));
        }
        while connections.join_next().await.is_some() {}
    }
}

impl Door {
    pub(super) fn new(edge: &config::Edge, tls: Option<Tls>, router: Router, metrics: &Arc<Metrics>) -> Self {
        Self {
            places: Arc::new(Semaphore::new(edge.max_connections)),
            terms: Terms::from(edge),
            tls,
            router,
            metrics: Arc::clone(metrics),
        }
    }

    fn free_place(&self) -> Option<Place> {
        let permit = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some(self.taken(permit))
    }

    /// A place now, or the next one that gets free; having to wait is counted.
    async fn place(&self) -> Place {
        if let Some(place) = self.free_place() {
            return place;
        }
        self.metrics.connections_delayed.inc();
        let permit = Arc::clone(&self.places).acquire_owned().await;
        self.taken(permit.expect("the places are never closed"))
    }

    fn taken(&self, permit: OwnedSemaphorePermit) -> Place {
        self.metrics.connections.inc();
        Place { metrics: Arc::clone(&self.metrics), _permit: permit }
    }

    fn connection(
        &self,
        socket: TcpStream,
        peer: SocketAddr,
        place: Place,
        stop: &CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (tls, router, terms) = (self.tls.clone(), self.router.clone(), self.terms);
        let metrics = Arc::clone(&self.metrics);
        // A token of its own: all waiting on one would contend for its lock.
        let stop = stop.child_token();
        async move {
            let _place = place;
            // Small answers must not wait for the acknowledgement of the one before. A socket that refuses is closed already.
            let _ = socket.set_nodelay(true);
            let peer = peer.ip().to_canonical();
            match tls {
                None => connection::serve(socket, peer, router, terms, metrics, stop).await,
                Some(tls) => match tls.accept(socket, terms.header_timeout).await {
                    Ok(socket) => connection::serve(socket, peer, router, terms, metrics, stop).await,
                    Err(failure) => metrics.connection_cut(failure),
                },
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.metrics.connections.dec();
    }
}

/// The connections that wait to be accepted; then the port is closed.
fn waiting(port: TcpListener) -> impl Iterator<Item = (TcpStream, SocketAddr)> {
    let port = port.into_std().ok();
    std::iter::from_fn(move || {
        let (socket, peer) = port.as_ref()?.accept().ok()?;
        socket.set_nonblocking(true).ok()?;
        Some((TcpStream::from_std(socket).ok()?, peer))
    })
}
