//! So many clients at a time, each beginning anew when it is sent away, until they are told to go.
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use reports::record::FaultEffect;
use tokio::{net::TcpStream, task::JoinSet, time::sleep};

use super::on_clients::OnClients;

/// How long a client that was sent away, or not let in, stays away, so that a service which refuses at once is not hammered.
const AWAY: Duration = Duration::from_millis(100);

/// What a crowd has done so far.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    connections: AtomicU64,
    refused: AtomicU64,
    pieces: AtomicU64,
    bytes: AtomicU64,
}

impl Counters {
    /// Connects, and counts it. One that the crowd's end interrupts is counted, because the other side may have seen it.
    pub(super) async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        self.connections.fetch_add(1, Relaxed);
        let connected = TcpStream::connect(address).await;
        if connected.is_err() {
            self.connections.fetch_sub(1, Relaxed);
        }
        connected
    }

    /// Counts bytes that were sent in one piece.
    pub(super) fn sent(&self, bytes: usize) {
        self.pieces.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }
}

/// Clients at work. They go when it is dropped.
#[derive(Debug)]
pub(crate) struct Crowd {
    clients: JoinSet<()>,
    counters: Arc<Counters>,
}

impl Crowd {
    /// Lets all clients of a fault come at once.
    pub(crate) fn gather(fault: &dyn OnClients, address: SocketAddr) -> Self {
        let (client, counters) = (fault.client(), Arc::new(Counters::default()));
        let mut clients = JoinSet::new();
        for _ in 0..fault.connections() {
            let (client, counters) = (Arc::clone(&client), Arc::clone(&counters));
            clients.spawn(async move {
                loop {
                    if client.visit(address, &counters).await.is_err() {
                        counters.refused.fetch_add(1, Relaxed);
                    }
                    sleep(AWAY).await;
                }
            });
        }
        Self { clients, counters }
    }

    /// Sends all clients away, closes their connections, and says what they have done.
    pub(crate) async fn disperse(mut self) -> FaultEffect {
        self.clients.shutdown().await;
        let Counters { connections, refused, pieces, bytes } = &*self.counters;
        tracing::info!(refused = refused.load(Relaxed), "a crowd of clients has gone");
        FaultEffect {
            connections: connections.load(Relaxed),
            chunks: pieces.load(Relaxed),
            bytes: bytes.load(Relaxed),
            ..FaultEffect::default()
        }
    }
}
