//! The target's addresses: looked up once, or again for each connection.
use super::{settings::Resolve, shortage};
use crate::{client::Failure, target::Target};
use futures_util::future::BoxFuture;
use std::{
    fmt::Debug,
    io,
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};
use tokio::net::TcpStream;

/// Finds the addresses of a name.
pub(super) trait Lookup: Debug + Send + Sync {
    fn lookup<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>>;
}

/// The system's own way, with everything that it caches.
#[derive(Debug)]
pub(super) struct System;

impl Lookup for System {
    fn lookup<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host(host).await?.collect()) })
    }
}

/// Where the next connection goes.
#[derive(Debug)]
pub(super) enum Addresses {
    /// The addresses known before the start, the first that answers.
    Once(Vec<SocketAddr>),
    /// The next one of those that the name has now. An address that does not answer is a failure: nothing is tried in its place.
    PerConnection { host: String, lookup: Box<dyn Lookup>, next: AtomicUsize },
}

impl Addresses {
    pub(super) fn of(target: &Target, resolve: Resolve) -> Self {
        match resolve {
            Resolve::Once => Self::Once(target.addresses().to_vec()),
            Resolve::PerConnection => Self::looked_up(target.host_and_port(), Box::new(System)),
        }
    }

    fn looked_up(host: String, lookup: Box<dyn Lookup>) -> Self {
        Self::PerConnection { host, lookup, next: AtomicUsize::new(0) }
    }

    /// Opens a TCP connection.
    pub(super) async fn connect(&self) -> Result<TcpStream, Failure> {
        let stream = match self {
            Self::Once(addresses) => first_of(addresses).await,
            Self::PerConnection { host, lookup, next } => {
                let failed = |source| Failure::Resolve { host: host.clone(), source };
                let mut found = lookup.lookup(host).await.map_err(failed)?;
                // Name servers rotate their answers; here the turns are our own.
                found.sort();
                found.dedup();
                let turn = next.fetch_add(1, Relaxed).checked_rem(found.len());
                let none = || failed(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
                TcpStream::connect(found[turn.ok_or_else(none)?]).await
            }
        };
        let stream = stream.map_err(Failure::Connect)?;
        stream.set_nodelay(true).map_err(Failure::Connect)?;
        Ok(stream)
    }
}

/// Connects to the first of the addresses that answers. Of their failures, one of the target's goes before one of this machine's,
/// which may just not have that kind of address.
async fn first_of(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut failure: Option<io::Error> = None;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) if shortage::of(&error).is_some() => failure = failure.or(Some(error)),
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.unwrap_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tokio::net::TcpListener;

    /// Answers what it was told to, one answer after the other.
    #[derive(Debug, Default, Clone)]
    struct Scripted(Arc<Mutex<Vec<io::Result<Vec<SocketAddr>>>>>);

    impl Lookup for Scripted {
        fn lookup<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
            assert_eq!(host, "service.example:80");
            Box::pin(async { self.0.lock().unwrap().remove(0) })
        }
    }

    #[tokio::test]
    async fn each_connection_looks_the_name_up_again_and_takes_the_next_address() {
        let listeners = [listen().await, listen().await];
        let mut addresses = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
        addresses.sort();
        let [first, second] = addresses;
        let answers = vec![
            Ok(vec![first, second]),
            Ok(vec![first, second]),
            Ok(vec![second, first]),
            Ok(vec![second]),
            Err(io::Error::other("no such name")),
            Ok(Vec::new()),
        ];
        let scripted = Scripted(Arc::new(Mutex::new(answers)));
        let addresses = Addresses::looked_up("service.example:80".to_owned(), Box::new(scripted.clone()));
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push(addresses.connect().await.unwrap().peer_addr().unwrap());
        }
        assert_eq!(seen, [first, second, first, second]);
        for reason in ["no such name", "the name has no address"] {
            let Err(Failure::Resolve { host, source }) = addresses.connect().await else { panic!("resolve") };
            assert_eq!((host.as_str(), source.to_string().as_str()), ("service.example:80", reason));
        }
        assert!(scripted.0.lock().unwrap().is_empty(), "every connection asked");
    }

    async fn listen() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").await.unwrap()
    }
}
