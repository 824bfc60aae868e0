//! Starting and stopping a server of links.
use std::{io, net::SocketAddr, sync::Arc};

use axum::serve::ListenerExt;
use tokio::{net::TcpListener, task::JoinHandle};
use tracing::{error, info};

use super::{
    api,
    draft::NewProxy,
    lease,
    registry::{self, Registry},
    timer::Timers,
    wire,
};

/// How a server of links runs.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Where the HTTP API listens; port 0 for a free one.
    pub api: SocketAddr,
    /// Every random decision follows from it.
    pub seed: u64,
}

/// Why the links cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address of the API is in use or not ours.
    #[error("cannot listen on {address} for the API of the links")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The system gave no thread for the timer.
    #[error("cannot start the timer of the links")]
    Timer(#[source] io::Error),
}

/// Why links cannot be made from a file.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct PopulateError(#[from] registry::Error);

/// A running server of links; dropping it ends the API and lets no more connections in.
#[derive(Debug)]
pub struct Links {
    api_address: SocketAddr,
    registry: RegistryHandle,
    tasks: [JoinHandle<()>; 2],
}

struct RegistryHandle(Arc<Registry>);

impl std::fmt::Debug for RegistryHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Registry")
    }
}

/// Serves links under Toxiproxy's HTTP API, on the runtime of the caller.
///
/// # Errors
/// When the address of the API cannot be bound, or the system gives no thread.
pub async fn serve(settings: Settings) -> Result<Links, Error> {
    let bind = |source| Error::Bind { address: settings.api, source };
    let listener = TcpListener::bind(settings.api).await.map_err(bind)?;
    let api_address = listener.local_addr().map_err(bind)?;
    let timers = Timers::start().map_err(Error::Timer)?;
    let registry = Arc::new(Registry::new(settings.seed, timers));
    let listener = listener.tap_io(|connection| {
        // Only a connection that is already gone refuses this.
        let _ = connection.set_nodelay(true);
    });
    let router = api::router(Arc::clone(&registry));
    let answering = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            error!(%error, "the API of the links ended");
        }
    });
    let keeping = tokio::spawn(lease::keep(Arc::clone(&registry)));
    info!(%api_address, seed = settings.seed, "links are driven at http://{api_address}");
    Ok(Links { api_address, registry: RegistryHandle(registry), tasks: [answering, keeping] })
}

impl Links {
    /// Where the HTTP API listens.
    #[must_use]
    pub fn api_address(&self) -> SocketAddr {
        self.api_address
    }

    /// Makes links from a JSON array of proxies, as `POST /populate` takes it and Toxiproxy's configuration file holds it.
    ///
    /// # Errors
    /// When it is no such array (then nothing is made), or a link cannot listen (then those before it are).
    pub async fn populate(&self, json: &[u8]) -> Result<Vec<wire::Proxy>, PopulateError> {
        let (made, outcome) = self.registry.0.populate(NewProxy::read_all(json)?).await;
        outcome?;
        Ok(made)
    }

    /// Lifts every fault and forgets every count; the links stay up as plain pipes.
    ///
    /// # Errors
    /// When a link that is down cannot listen again.
    pub async fn reset(&self) -> Result<(), super::ListenError> {
        match self.registry.0.reset().await {
            Err(registry::Error::Listen(error)) => Err(error),
            _ => Ok(()),
        }
    }

    /// Ends the API, cuts every connection and gives every port back.
    pub async fn stop(self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.registry.0.close().await;
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}
