//! What every crowd of clients does, and the limits that all of them have.
use std::{net::SocketAddr, sync::Arc};

use futures_util::future::BoxFuture;

use super::crowd::Counters;
use crate::fault::setting::Error;

/// The most connections that a crowd may have at a time.
pub(super) const CONNECTIONS_MAX: u32 = 10_000;

/// A fault that is a crowd of clients.
pub(crate) trait OnClients: Send + Sync {
    /// Its name in scenarios and records.
    fn name(&self) -> &'static str;

    /// All of it in a line.
    fn words(&self) -> String;

    /// The most connections that it has at a time: as many clients as there are.
    fn connections(&self) -> u32;

    /// What one of the clients does, once: it connects, misbehaves, and counts, until the service has had enough.
    fn client(&self) -> Arc<dyn Client>;
}

/// One way to misbehave.
pub(crate) trait Client: Send + Sync {
    /// One connection from its beginning to its end. Dropped when the crowd is told to go.
    fn visit<'a>(&'a self, address: SocketAddr, counters: &'a Counters) -> BoxFuture<'a, std::io::Result<()>>;
}

pub(super) fn check_connections(connections: u32) -> Result<(), Error> {
    match connections {
        1..=CONNECTIONS_MAX => Ok(()),
        _ => Err(Error::NoEffect("`connections` must be from 1 to 10000")),
    }
}
