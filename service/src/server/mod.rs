//! The server: opens everything, serves, drains, ends.

mod connection;
mod listener;
mod pulse;
mod redirect;
mod tls;

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    task::{JoinError, JoinSet},
    time::{interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    app::{App, OpenError, account_work, now, reconcile, reseal},
    config::Config,
    http::Routers,
};
use listener::{Door, Listener};
use tls::{Certificate, Tls};

/// The last part of the drain, in which streams that still run are told to end.
const STREAM_END_SHARE: f64 = 0.1;
/// Longest wait for the database to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);
/// How often what has expired is forgotten.
const PURGE_EVERY: Duration = Duration::from_secs(3_600);

/// A service that is ready to run: its database is open and its ports are taken.
pub struct Server {
    app: Arc<App>,
    public: Listener,
    internal: Option<Listener>,
    redirect: Option<Listener>,
    certificate: Option<Arc<Certificate>>,
}

/// Why the service cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A part of it cannot be opened.
    #[error("cannot start the service")]
    Open(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The port cannot be taken.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where it should have listened.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Serving stopped by itself.
    #[error("serving stopped")]
    Serve(#[source] JoinError),
}

impl From<tls::Error> for Error {
    fn from(error: tls::Error) -> Self {
        Self::Open(Box::new(error))
    }
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        Self::Open(Box::new(error))
    }
}

/// Opens the database, brings it up to date, sets up every client and takes the ports.
///
/// Providers need not be up: they are first reached by a request.
///
/// # Errors
/// The database cannot be opened or migrated, a setting cannot be used, or a port is taken.
pub async fn bind(config: Config) -> Result<Server, Error> {
    info!(?config, "configuration as decided");
    let app = Arc::new(App::open(config).await?);
    let config = &app.config;
    let routers = Routers::new(&app);
    let (tls, certificate) = match &config.edge.tls {
        None => (None, None),
        Some(files) => Tls::open(files.clone()).await.map(|(tls, certificate)| (Some(tls), Some(certificate)))?,
    };
    let door = |tls, router| Door::new(&config.edge, tls, router, &app.metrics);
    let public = listen(config.listen, door(tls, routers.public)).await?;
    let internal = match config.edge.internal_listen.zip(routers.internal) {
        None => None,
        Some((at, router)) => Some(listen(at, door(None, router)).await?),
    };
    let redirect = match config.edge.tls.as_ref().and_then(|tls| tls.redirect_listen.zip(Some(tls.public_port))) {
        None => None,
        Some((at, port)) => Some(listen(at, door(None, redirect::router(port, &config.edge.allowed_hosts))).await?),
    };
    Ok(Server { app, public, internal, redirect, certificate })
}

async fn listen(at: SocketAddr, door: Door) -> Result<Listener, Error> {
    Listener::bind(at, door).await.map_err(|source| Error::Listen { address: at, source })
}

impl Server {
    /// Where it listens; the port is the real one also when 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.public.address()
    }

    /// Where it listens for operators, when it does.
    pub fn internal_address(&self) -> Option<SocketAddr> {
        self.internal.as_ref().map(Listener::address)
    }

    /// Where it listens to send plain requests to https, when it does.
    pub fn redirect_address(&self) -> Option<SocketAddr> {
        self.redirect.as_ref().map(Listener::address)
    }

    /// Serves until `shutdown` is ready, then drains: not ready any more, no new connections, requests in progress get
    /// up to the drain time (25 s by default), and streams that are still open near its end get a terminal event.
    ///
    /// # Errors
    /// The system does not let it listen for SIGHUP, or a listener ends by itself.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), Error> {
        let address = self.address();
        let Self { app, public, internal, redirect, certificate } = self;
        info!(%address, "listening on {address}");
        let stop = CancellationToken::new();
        let purging = tokio::spawn(purge(Arc::clone(&app), stop.clone()));
        let reconciling = tokio::spawn(reconcile(Arc::clone(&app), stop.clone()));
        let working = tokio::spawn(account_work(Arc::clone(&app), stop.clone()));
        let resealing = tokio::spawn(reseal(Arc::clone(&app), stop.clone()));
        if let Some(certificate) = certificate {
            tokio::spawn(certificate.reread_on_hangup(stop.clone())?);
        }
        let mut serving = JoinSet::new();
        serving.spawn(public.serve(stop.clone()));
        for (what, listener) in [("operators", internal), ("the redirect to https", redirect)] {
            let Some(listener) = listener else { continue };
            info!(listener = %listener.address(), "listening on {} for {what}", listener.address());
            serving.spawn(listener.serve(stop.clone()));
        }
        tokio::select! {
            Some(Err(panicked)) = serving.join_next() => return Err(Error::Serve(panicked)),
            () = shutdown => {}
        }
        info!("stopping: no new requests, those in progress may end");
        app.stop();
        stop.cancel();
        let drain = app.config.drain;
        let ending = end_streams(&app, drain);
        let drained = tokio::select! {
            ended = ended(&mut serving) => Some(ended),
            () = ending => timeout(drain.mul_f64(STREAM_END_SHARE), ended(&mut serving)).await.ok(),
        };
        if drained.is_none() {
            warn!(?drain, "requests were still in progress after {drain:?}");
            serving.shutdown().await;
        }
        let _ = tokio::join!(purging, reconciling, working, resealing);
        if timeout(CLOSE_TIMEOUT, app.storage.close()).await.is_err() {
            warn!("the database did not close in time");
        }
        info!("stopped");
        drained.unwrap_or(Ok(()))
    }
}

/// Waits for the listeners and all their connections.
async fn ended(serving: &mut JoinSet<()>) -> Result<(), Error> {
    while let Some(ended) = serving.join_next().await {
        ended.map_err(Error::Serve)?;
    }
    Ok(())
}

/// Waits for most of the drain, then tells the streams to end.
async fn end_streams(app: &App, drain: Duration) {
    sleep(drain.mul_f64(1.0 - STREAM_END_SHARE)).await;
    app.stop_streams.cancel();
}

async fn purge(app: Arc<App>, stop: CancellationToken) {
    let mut due = interval(PURGE_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = due.tick() => {}
        }
        match app.storage.purge(now()).await {
            Ok(rows) => tracing::debug!(rows, "forgot {rows} expired rows"),
            Err(error) => warn!(error = &error as &dyn std::error::Error, "expired rows are still there"),
        }
    }
}
