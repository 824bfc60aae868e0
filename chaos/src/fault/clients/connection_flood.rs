//! `connection_flood`: so many connections are open on which nothing is ever asked.
use std::{io, net::SocketAddr, sync::Arc};

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::io::AsyncReadExt as _;

use super::{
    crowd::Counters,
    on_clients::{Client, OnClients, check_connections},
};
use crate::fault::setting::Error;

/// Settings of a connection flood in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectionFlood {
    /// How many connections are open at a time, from 1 to 10000. One that the service closes is opened again after 100 ms.
    pub connections: u32,
}

impl ConnectionFlood {
    pub(crate) fn check_settings(self) -> Result<(), Error> {
        check_connections(self.connections)
    }
}

impl OnClients for ConnectionFlood {
    fn name(&self) -> &'static str {
        "connection_flood"
    }

    fn words(&self) -> String {
        format!("connection_flood: {} connections on which nothing is asked", self.connections)
    }

    fn connections(&self) -> u32 {
        self.connections
    }

    fn client(&self) -> Arc<dyn Client> {
        Arc::new(Silent)
    }
}

struct Silent;

impl Client for Silent {
    fn visit<'a>(&'a self, address: SocketAddr, counters: &'a Counters) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(async move {
            let mut stream = counters.connect(address).await?;
            let mut ignored = [0; 512];
            while stream.read(&mut ignored).await? > 0 {}
            Ok(())
        })
    }
}
