//! The pooled connections to one dependency, replaced as a whole when one of them turns out to be dead.
//!
//! A connection that hangs (black-holed link) or is reset says that its idle neighbours are likely dead too. Dropping
//! the pool costs one connect; keeping it would let each dead neighbour take one call with it, long after the link healed.

use std::{
    sync::{PoisonError, RwLock},
    time::Duration,
};

use reqwest::{Client, ClientBuilder, Url, redirect};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
const USER_AGENT: &str = concat!("tripsage/", env!("CARGO_PKG_VERSION"));

/// A pool of connections to one server.
pub(crate) struct Connections {
    is_tls: bool,
    current: RwLock<(Generation, Client)>,
}

/// Which pool a call used; names the one to retire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Generation(u64);

impl Connections {
    /// An empty pool for the server of `url`.
    ///
    /// # Errors
    /// The TLS set-up of this machine cannot be read.
    pub(crate) fn to(url: &Url) -> reqwest::Result<Self> {
        let is_tls = url.scheme() == "https";
        Ok(Self { is_tls, current: RwLock::new((Generation(0), build(is_tls)?)) })
    }

    /// The client to call with now, and the generation to name should it fail.
    pub(crate) fn client(&self) -> (Generation, Client) {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        (current.0, current.1.clone())
    }

    /// Replaces the pool, unless another call did so already. Calls in progress keep theirs.
    pub(crate) fn retire(&self, generation: Generation) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.0 != generation {
            return;
        }
        match build(self.is_tls) {
            Ok(client) => *current = (Generation(generation.0 + 1), client),
            Err(error) => tracing::warn!(%error, "connections are kept, new ones cannot be set up"),
        }
    }
}

fn build(is_tls: bool) -> reqwest::Result<Client> {
    let builder: ClientBuilder = Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .tcp_nodelay(true)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .http1_only();
    // Reading the system's certificates takes milliseconds; plain links do without.
    if is_tls { builder.build() } else { builder.tls_certs_only([]).build() }
}
