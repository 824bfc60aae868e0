//! One connection: its requests in turn, until it is closed, overdue, or the service stops.
//!
//! `hyper` has one timer for a head that is slow and a connection that has none to read; here they are two, and a client
//! that does not take its answer is a third.

use std::{convert::Infallible, net::IpAddr, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use http::{HeaderValue, Request, header::CONNECTION};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tower::Service as _;

use super::pulse::{Answer, Overdue, Pulse, Watched};
use crate::{config, http::Peer, metrics::Metrics};

/// How long a connection without a request stays open after the stop: what its client has just sent is still answered.
const LINGER: Duration = Duration::from_millis(250);

/// What a connection may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) header_timeout: Duration,
    pub(super) idle_timeout: Duration,
    pub(super) write_timeout: Duration,
    header_bytes_max: usize,
}

impl From<&config::Edge> for Terms {
    fn from(edge: &config::Edge) -> Self {
        let config::Edge { header_timeout, idle_timeout, write_timeout, header_bytes_max, .. } = *edge;
        Self { header_timeout, idle_timeout, write_timeout, header_bytes_max }
    }
}

impl Terms {
    pub(super) fn shortest(&self) -> Duration {
        self.header_timeout.min(self.idle_timeout).min(self.write_timeout)
    }
}

/// Serves the requests of one connection.
///
/// After `stop` no connection is cut in the middle: an answer in progress is finished, and says that it is the last.
pub(super) async fn serve<S>(
    socket: S,
    peer: IpAddr,
    router: Router,
    terms: Terms,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let pulse = Pulse::new();
    let service = service_fn(|mut request: Request<Incoming>| {
        pulse.busy();
        request.extensions_mut().insert(Peer(peer));
        let answering = router.clone().call(request);
        let (pulse, stop) = (Arc::clone(&pulse), &stop);
        async move {
            let mut response = answering.await?;
            if stop.is_cancelled() {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response.map(|body| Answer { body, pulse }))
        }
    });
    let socket = TokioIo::new(Watched { socket, pulse: Arc::clone(&pulse) });
    let mut connection = pin!(
        http1::Builder::new()
            .header_read_timeout(None)
            .max_header_size(terms.header_bytes_max)
            .serve_connection(socket, service)
    );
    let mut check = pin!(sleep(terms.shortest()));
    let mut is_stopping = false;
    loop {
        tokio::select! {
            // First, so that what has arrived before a stop is seen before it.
            biased;
            // A connection that ends badly is its client's business; requests cut by it are counted as such.
            _ = connection.as_mut() => return,
            () = stop.cancelled(), if !is_stopping => {
                is_stopping = true;
                check.as_mut().reset(Instant::now() + LINGER);
                continue;
            }
            () = check.as_mut() => {}
        }
        if is_stopping {
            connection.as_mut().graceful_shutdown();
        }
        match pulse.check(&terms) {
            Err(next) => check.as_mut().reset(next),
            Ok(Overdue::Idle) => {
                connection.as_mut().graceful_shutdown();
                check.as_mut().reset(Instant::now() + terms.shortest());
            }
            Ok(overdue) => {
                metrics.connection_cut(overdue.label());
                return;
            }
        }
    }
}

impl Overdue {
    fn label(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Header => "header",
            Self::Write => "write",
        }
    }
}
