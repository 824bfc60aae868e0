//! Probes: connections that the driver itself tries while a link refuses them. What the kernel refuses nobody else can count, so without
//! them a fault that did nothing would look like one that held.
use std::{io::ErrorKind, net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

use crate::{control::Control, link::Reach, timeline::TimedFault};

/// A refusal comes at once; what takes longer is none, and must not hold the fault up.
const PATIENCE: Duration = Duration::from_millis(50);

/// The probes of one fault.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    /// `None` when the fault refuses nothing, or the link listens where this machine cannot see it.
    address: Option<SocketAddr>,
    /// Probes that were refused.
    pub(crate) refused: u64,
    /// Probes that were let in although the fault was on.
    pub(crate) let_in: u64,
}

impl Probe {
    /// Finds out where to try; a link that is not there is seen to be missing when the fault is put on.
    pub(crate) async fn of(fault: &TimedFault, control: Option<&Control>) -> Self {
        let Some(control) = control.filter(|_| fault.part.is_none() && fault.fault.reach() == Reach::Door) else {
            return Self::default();
        };
        let address = match control.link(&fault.link).await {
            Ok(link) => seen_from_here(&link.listen, control.host()).await,
            Err(_) => None,
        };
        Self { address, ..Self::default() }
    }

    /// Tries one connection; nothing is sent on it.
    pub(crate) async fn attempt(&mut self) {
        let Some(address) = self.address else { return };
        match timeout(PATIENCE, TcpStream::connect(address)).await {
            Ok(Ok(_)) => self.let_in += 1,
            Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => self.refused += 1,
            _ => {}
        }
    }
}

/// Where a link can be reached whose proxy is at `host` and listens at `listen`.
async fn seen_from_here(listen: &str, host: &str) -> Option<SocketAddr> {
    let address = lookup_host(listen).await.ok()?.next()?;
    let proxy = lookup_host((host, address.port())).await.ok()?.next()?;
    match address.ip() {
        ip if ip.is_unspecified() => Some(proxy),
        // Its loopback is ours only if it runs here.
        ip if ip.is_loopback() && !proxy.ip().is_loopback() => None,
        _ => Some(address),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn refused_and_let_in_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut probe = Probe { address: Some(listener.local_addr().unwrap()), ..Probe::default() };
        probe.attempt().await;
        assert_eq!((probe.refused, probe.let_in), (0, 1));
        drop(listener);
        probe.attempt().await;
        assert_eq!((probe.refused, probe.let_in), (1, 1));
    }

    #[tokio::test]
    async fn another_machines_loopback_is_not_ours() {
        let check =
            async |listen: &str, host: &str| seen_from_here(listen, host).await.map(|address| address.to_string());
        assert_eq!(check("127.0.0.1:80", "127.0.0.1").await.as_deref(), Some("127.0.0.1:80"));
        assert_eq!(check("0.0.0.0:80", "192.0.2.1").await.as_deref(), Some("192.0.2.1:80"));
        assert_eq!(check("127.0.0.1:80", "192.0.2.1").await, None);
        assert_eq!(check("nonsense", "127.0.0.1").await, None);
    }
}
