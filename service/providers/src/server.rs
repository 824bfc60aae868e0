//! Starts one listener per provider, and stops them all.

use std::{collections::BTreeMap, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Json, Router, routing::get, serve::ListenerExt};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinSet, time::timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{debug, info, warn};

use crate::{
    instance::Instance,
    pace::Pace,
    provider::{Context, Mount, Provider},
    service_time::ServiceTime,
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
    instances: BTreeMap<Instance, SocketAddr>,
    servers: JoinSet<()>,
    /// Cancels the token on which answers stop waiting and sessions end.
    hurry: DropGuard,
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
    #[error("cannot listen on {address} for provider `{instance}`")]
    Bind {
        /// The server that was to listen.
        instance: Instance,
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
    let mut instances = BTreeMap::new();
    let mut servers = JoinSet::new();
    let mounts: BTreeMap<Provider, Mount> =
        Provider::ALL.into_iter().map(|provider| (provider, provider.open(&settings))).collect();
    for (index, (instance, service_time)) in settings.instances().into_iter().enumerate() {
        let (listener, address) = bind(&settings, instance, index).await?;
        let router = router(&settings, instance, service_time, &mounts[&instance.provider()], &hurry);
        servers.spawn(serve(instance, listener, router, stopping.clone()));
        instances.insert(instance, address);
        info!(provider = %instance, %address, "provider `{instance}` listens on {address}");
    }
    let first = instances.iter().filter(|(instance, _)| instance.is_first());
    Ok(Providers {
        addresses: first.map(|(instance, address)| (instance.provider(), *address)).collect(),
        instances,
        servers,
        hurry: hurry.drop_guard(),
        stopping: stopping.drop_guard(),
    })
}

impl Providers {
    /// Where the first server of each provider listens.
    pub fn addresses(&self) -> &BTreeMap<Provider, SocketAddr> {
        &self.addresses
    }

    /// Where each server listens, the first ones and the replicas.
    pub fn instances(&self) -> &BTreeMap<Instance, SocketAddr> {
        &self.instances
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
        drop(hurry);
        if !drained(&mut servers, HURRY).await {
            warn!("providers stopped with answers that nobody read");
        }
    }
}

async fn drained(servers: &mut JoinSet<()>, limit: Duration) -> bool {
    let all = async { while servers.join_next().await.is_some() {} };
    timeout(limit, all).await.is_ok()
}

async fn bind(settings: &Settings, instance: Instance, index: usize) -> Result<(TcpListener, SocketAddr), Error> {
    let address = SocketAddr::new(settings.address, settings.port(index));
    let bind = async {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bind.await.map_err(|source| Error::Bind { instance, address, source })
}

fn router(
    settings: &Settings,
    instance: Instance,
    service_time: ServiceTime,
    mount: &Mount,
    hurry: &CancellationToken,
) -> Router {
    let pace = Pace::new(service_time, settings.seed, &instance.to_string(), hurry.clone());
    let context = Context { address: settings.address, pace: Arc::new(pace), hurry: hurry.clone() };
    let health = move || async move { Json(json!({"status": "ok", "provider": instance.to_string()})) };
    mount(&context).route("/health", get(health))
}

async fn serve(instance: Instance, listener: TcpListener, router: Router, stopping: CancellationToken) {
    // Answers are small: without TCP_NODELAY each waits for the client's delayed acknowledgement, about 40 ms.
    let listener = listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            debug!(%error, "TCP_NODELAY was refused");
        }
    });
    let served = axum::serve(listener, router).with_graceful_shutdown(stopping.cancelled_owned()).await;
    if let Err(error) = served {
        warn!(provider = %instance, %error, "provider `{instance}` ended: {error}");
    }
}
