//! A TCP link that can be shut in the ways that matter: refused, or black-holed.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp},
};

/// What the link does with bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Passes them on.
    Open = 0,
    /// Closes every connection.
    Closed = 1,
    /// Takes them and never answers. A connection that met this mode stays dead, also when the link is open again.
    BlackHole = 2,
}

/// The link.
pub(crate) struct Gate {
    pub(crate) address: SocketAddr,
    mode: Arc<AtomicU8>,
    connections: Arc<AtomicUsize>,
}

impl Gate {
    /// A link to `target`, open.
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mode = Arc::new(AtomicU8::new(Mode::Open as u8));
        let connections = Arc::new(AtomicUsize::new(0));
        let (seen, count) = (Arc::clone(&mode), Arc::clone(&connections));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(link(client, target, Arc::clone(&seen)));
            }
        });
        Self { address, mode, connections }
    }

    /// Connections made so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.store(mode as u8, Ordering::SeqCst);
    }
}

async fn link(client: TcpStream, target: SocketAddr, mode: Arc<AtomicU8>) {
    if mode.load(Ordering::SeqCst) == Mode::Closed as u8 {
        return;
    }
    let server = TcpStream::connect(target).await.unwrap();
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = copy(from_client, to_server, &mode) => {}
        () = copy(from_server, to_client, &mode) => {}
    }
}

async fn copy(mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf, mode: &AtomicU8) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        match mode.load(Ordering::SeqCst) {
            0 => to.write_all(&buffer[..count]).await.unwrap_or_default(),
            1 => return,
            _ => std::future::pending().await,
        }
    }
}
