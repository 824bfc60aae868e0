//! The link in front of the cluster, which leads to the server that takes writes.
use std::net::SocketAddr;

use sqlx::postgres::PgConnectOptions;

use super::cluster::Cluster;
use crate::{
    control::{Control, Link},
    fault::database::injection::Error,
};

/// A link that the service reaches the database by.
#[derive(Debug, Clone)]
pub(super) struct Front {
    control: Control,
    link: Link,
}

impl Cluster {
    /// Tells the cluster of the link that the service reaches it by, so that a failover can lead it to another server.
    ///
    /// `link` says where it really listens. Done once; a second link is not taken.
    pub fn behind(&self, control: Control, link: Link) {
        // Only the first one counts, which is what the line above says.
        let _ = self.front.set(Front { control, link });
    }

    pub(super) fn has_front(&self) -> Result<(), Error> {
        self.front().map(drop)
    }

    /// Has the link lead to the server that takes writes now.
    pub(super) async fn lead_front(&self) -> Result<(), Error> {
        let Front { control, link } = self.front()?;
        let link = Link { upstream: self.address().to_string(), ..link.clone() };
        control.populate(&[link]).await.map(drop).map_err(Error::Link)
    }

    /// How probes connect by the link.
    pub(super) fn as_visitor_by_front(&self) -> Result<PgConnectOptions, Error> {
        let listen = &self.front()?.link.listen;
        let address: Option<SocketAddr> = listen.parse().ok();
        let port = address.map(|address| address.port()).ok_or(Error::NoFront)?;
        Ok(self.as_visitor().port(port))
    }

    fn front(&self) -> Result<&Front, Error> {
        self.front.get().ok_or(Error::NoFront)
    }
}
