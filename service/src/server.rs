//! The server: opens everything, serves, drains, ends.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use axum::serve::ListenerExt as _;
use tokio::{
    net::TcpListener,
    time::{interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    app::{App, OpenError, account_work, now, reconcile, reseal},
    config::Config,
    http::router,
};

/// The last part of the drain, in which streams that still run are told to end.
const STREAM_END_SHARE: f64 = 0.1;
/// Longest wait for the database to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);
/// How often what has expired is forgotten.
const PURGE_EVERY: Duration = Duration::from_secs(3_600);

/// A service that is ready to run: its database is open and its port is taken.
pub struct Server {
    app: Arc<App>,
    listener: TcpListener,
    address: SocketAddr,
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
    Serve(#[source] std::io::Error),
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        Self::Open(Box::new(error))
    }
}

/// Opens the database, brings it up to date, sets up every client and takes the port.
///
/// Providers need not be up: they are first reached by a request.
///
/// # Errors
/// The database cannot be opened or migrated, a setting cannot be used, or the port is taken.
pub async fn bind(config: Config) -> Result<Server, Error> {
    info!(?config, "configuration as decided");
    let at = config.listen;
    let app = Arc::new(App::open(config).await?);
    let listen = async {
        let listener = TcpListener::bind(at).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    let (listener, address) = listen.await.map_err(|source| Error::Listen { address: at, source })?;
    Ok(Server { app, listener, address })
}

impl Server {
    /// Where it listens; the port is the real one also when 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is ready, then drains: not ready any more, no new connections, requests in progress get
    /// up to the drain time (25 s by default), and streams that are still open near its end get a terminal event.
    ///
    /// # Errors
    /// The listener fails.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), Error> {
        let Self { app, listener, address } = self;
        info!(%address, "listening on {address}");
        let stop = CancellationToken::new();
        let purging = tokio::spawn(purge(Arc::clone(&app), stop.clone()));
        let reconciling = tokio::spawn(reconcile(Arc::clone(&app), stop.clone()));
        let working = tokio::spawn(account_work(Arc::clone(&app), stop.clone()));
        let resealing = tokio::spawn(reseal(Arc::clone(&app), stop.clone()));
        let listener = listener.tap_io(|connection| {
            // Small answers must not wait for the acknowledgement of the one before.
            let _ = connection.set_nodelay(true);
        });
        let serving =
            axum::serve(listener, router(Arc::clone(&app))).with_graceful_shutdown(stop.clone().cancelled_owned());
        let mut serving = tokio::spawn(serving.into_future());
        tokio::select! {
            ended = &mut serving => return flattened(ended),
            () = shutdown => {}
        }
        info!("stopping: no new requests, those in progress may end");
        app.stop();
        stop.cancel();
        let drain = app.config.drain;
        let ending = end_streams(&app, drain);
        let drained = tokio::select! {
            ended = &mut serving => Some(ended),
            () = ending => timeout(drain.mul_f64(STREAM_END_SHARE), &mut serving).await.ok(),
        };
        if drained.is_none() {
            warn!(?drain, "requests were still in progress after {drain:?}");
            serving.abort();
        }
        let _ = tokio::join!(purging, reconciling, working, resealing);
        if timeout(CLOSE_TIMEOUT, app.storage.close()).await.is_err() {
            warn!("the database did not close in time");
        }
        info!("stopped");
        drained.map_or(Ok(()), flattened)
    }
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

fn flattened(ended: Result<std::io::Result<()>, tokio::task::JoinError>) -> Result<(), Error> {
    ended.unwrap_or_else(|error| Err(std::io::Error::other(error))).map_err(Error::Serve)
}
