//! Starts one listener per provider, and stops them all.

use std::{collections::BTreeMap, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Json, Router, routing::get, serve::ListenerExt};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinSet, time::timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{debug, info, warn};

use crate::{
    pace::Pace,
    provider::{Context, Provider},
    settings::{InvalidSettings, Settings},
};

/// How long requests in flight keep their service times after [`Providers::stop`].
const GRACE: Duration = Duration::from_secs(2);

/// How long they may take after that, with no service times left.
const HURRY: Duration = Duration::from_secs(1);

/// The running providers; dropping them stops them without waiting.
#[derive(Debug)]
pub struct Providers {
    addresses: BTreeMap<Provider, SocketAddr>,
    servers: JoinSet<()>,
    hurry: CancellationToken,
    /// Cancels the token on which all servers stop accepting.
    stopping: DropGuard,
}

/// Why the providers did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The settings contradict themselves.
    #[error("cannot start the providers")]
    Settings(#[from] InvalidSettings),
    /// An address is taken or not ours.
    #[error("cannot listen on {address} for provider `{provider}`")]
    Bind {
        /// The provider that was to listen.
        provider: Provider,
        /// The address as asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Starts all providers; when it returns, every one of them accepts connections.
///
/// # Errors
///
/// [`Error::Settings`] before anything is bound; [`Error::Bind`] for the first address that cannot be had, after
/// which none is kept.
pub async fn start(settings: Settings) -> Result<Providers, Error> {
    settings.check()?;
    let stopping = CancellationToken::new();
    let hurry = CancellationToken::new();
    let mut addresses = BTreeMap::new();
    let mut servers = JoinSet::new();
    for provider in Provider::ALL {
        let (listener, address) = bind(&settings, provider).await?;
        let router = router(&settings, provider, &hurry);
        servers.spawn(serve(provider, listener, router, stopping.clone()));
        addresses.insert(provider, address);
        info!(%provider, %address, "provider `{provider}` listens on {address}");
    }
    Ok(Providers { addresses, servers, hurry, stopping: stopping.drop_guard() })
}

impl Providers {
    /// Where each provider listens.
    pub fn addresses(&self) -> &BTreeMap<Provider, SocketAddr> {
        &self.addresses
    }

    /// Stops accepting, lets requests in flight finish, and returns within three seconds.
    ///
    /// After two seconds the remaining service times are cut short. A client that does not read its answer keeps
    /// its connection, until the runtime ends.
    pub async fn stop(self) {
        let Self { mut servers, hurry, stopping, .. } = self;
        drop(stopping);
        if drained(&mut servers, GRACE).await {
            return;
        }
        hurry.cancel();
        if !drained(&mut servers, HURRY).await {
            warn!("providers stopped with answers that nobody read");
        }
    }
}

async fn drained(servers: &mut JoinSet<()>, limit: Duration) -> bool {
    let all = async { while servers.join_next().await.is_some() {} };
    timeout(limit, all).await.is_ok()
}

async fn bind(settings: &Settings, provider: Provider) -> Result<(TcpListener, SocketAddr), Error> {
    let address = SocketAddr::new(settings.address, settings.port(provider));
    let bind = async {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bind.await.map_err(|source| Error::Bind { provider, address, source })
}

fn router(settings: &Settings, provider: Provider, hurry: &CancellationToken) -> Router {
    let context = Context {
        address: settings.address,
        seed: settings.seed,
        pace: Arc::new(Pace::new(settings.service_time(provider), settings.seed, provider.name(), hurry.clone())),
        llm: settings.llm.clone(),
    };
    let health = move || async move { Json(json!({"status": "ok", "provider": provider.name()})) };
    provider.router(&context).route("/health", get(health))
}

async fn serve(provider: Provider, listener: TcpListener, router: Router, stopping: CancellationToken) {
    // Answers are small: without TCP_NODELAY each waits for the client's delayed acknowledgement, about 40 ms.
    let listener = listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            debug!(%error, "TCP_NODELAY was refused");
        }
    });
    let served = axum::serve(listener, router).with_graceful_shutdown(stopping.cancelled_owned()).await;
    if let Err(error) = served {
        warn!(%provider, %error, "provider `{provider}` ended: {error}");
    }
}
