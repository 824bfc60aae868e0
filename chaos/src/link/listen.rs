//! Where a link listens: reading the address, binding it, and keeping the port while the link is down.
use std::{io, net::SocketAddr};

use tokio::net::{TcpListener, TcpSocket, lookup_host};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4096;

/// Why a link cannot listen. The texts are those of Toxiproxy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no `:port`.
    #[error("listen tcp: address {address}: missing port in address")]
    MissingPort {
        /// The address as given.
        address: String,
    },
    /// The host has no address.
    #[error("listen tcp: lookup {address}: no such host")]
    Lookup {
        /// The address as given.
        address: String,
        /// What the resolver said.
        #[source]
        source: Option<io::Error>,
    },
    /// The address is in use or not ours.
    #[error("listen tcp {address}: bind: {}", reason(source))]
    Bind {
        /// The address as resolved.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Resolves `host:port`; IPv4 is preferred, and no host means loopback (never every interface).
pub(crate) async fn resolve(address: &str) -> Result<SocketAddr, Error> {
    if address.is_empty() {
        return Ok(SocketAddr::from(([127, 0, 0, 1], 0)));
    }
    let missing_port = || Error::MissingPort { address: address.to_owned() };
    let (host, port) = address.rsplit_once(':').ok_or_else(missing_port)?;
    let host = if host.is_empty() { "127.0.0.1" } else { host };
    let lookup = |source| Error::Lookup { address: address.to_owned(), source };
    let found: Vec<SocketAddr> =
        lookup_host(format!("{host}:{port}")).await.map_err(|error| lookup(Some(error)))?.collect();
    let preferred = found.iter().find(|address| address.is_ipv4()).or(found.first());
    preferred.copied().ok_or_else(|| lookup(None))
}

/// Takes the port without listening: connections are refused, and nobody else can have it.
pub(crate) fn reserve(address: SocketAddr) -> Result<(TcpSocket, SocketAddr), Error> {
    let bound = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let address = socket.local_addr()?;
        Ok((socket, address))
    };
    bound().map_err(|source| Error::Bind { address, source })
}

/// Starts to listen on a reserved port.
pub(crate) fn listen(reserved: TcpSocket, address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let listening = || {
        let listener = reserved.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    listening().map_err(|source| Error::Bind { address, source })
}

/// The words of the system without Rust's "(os error 98)", in lower case as Go has them.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_are_resolved_and_mistakes_said_as_toxiproxy_says_them() {
        assert_eq!(resolve("127.0.0.1:80").await.unwrap(), SocketAddr::from(([127, 0, 0, 1], 80)));
        assert!(resolve("localhost:0").await.unwrap().ip().is_loopback());
        assert_eq!(resolve("").await.unwrap(), SocketAddr::from(([127, 0, 0, 1], 0)));
        assert_eq!(resolve(":8080").await.unwrap(), SocketAddr::from(([127, 0, 0, 1], 8080)));
        let text = resolve("nonsense").await.unwrap_err().to_string();
        assert!(text.contains("address nonsense: missing port in address"), "{text}");

        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        // With SO_REUSEADDR a listening port shows either when it is bound or when it is listened on.
        let error = reserve(address).and_then(|(reserved, _)| listen(reserved, address).map(|_| ())).unwrap_err();
        assert_eq!(error.to_string(), format!("listen tcp {address}: bind: address already in use"));
    }
}
