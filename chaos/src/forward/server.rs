//! The forwarder of a link: accepts what the TCP engine connects, and asks the upstream.
use std::{
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, BodyStream, Full, StreamBody};
use hyper::{
    Request, Response,
    body::{Frame, Incoming},
    client::conn::http1::{self as client, SendRequest},
    header::ACCEPT_ENCODING,
    server::conn::http1 as server,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tracing::{debug, warn};

use super::{
    Call, Deed, Protocol, Reply, Rule, Silence, State,
    player::{Body, Error, PIECE_BYTES_MAX, play},
};
use crate::link::{ListenError, listen};

/// How long the upstream may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause after the system refused to accept (out of file descriptors).
const ACCEPT_RETRY: Duration = Duration::from_millis(10);

/// The forwarder of one link; dropping it lets no more connections in.
#[derive(Debug)]
pub(crate) struct Forwarder {
    pub(crate) protocol: Protocol,
    /// Where the TCP engine connects to.
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    link: String,
    protocol: Protocol,
    upstream: Mutex<Arc<str>>,
    rules: Mutex<Arc<[Rule]>>,
    upstream_failed: AtomicU64,
}

impl Forwarder {
    /// Listens on a free port of loopback.
    ///
    /// # Errors
    /// When the system gives no port.
    pub(crate) fn start(link: &str, protocol: Protocol, upstream: &str) -> Result<Self, ListenError> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (listener, address) = listen::listen(listen::reserve(any)?.0, any)?;
        let shared = Arc::new(Shared {
            link: link.to_owned(),
            protocol,
            upstream: Mutex::new(upstream.into()),
            rules: Mutex::default(),
            upstream_failed: AtomicU64::new(0),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { protocol, address, shared, accepting })
    }

    /// Has requests from now on meet these rules, in this order.
    pub(crate) fn set_rules(&self, rules: Arc<[Rule]>) {
        *lock(&self.shared.rules) = rules;
    }

    /// Leads connections from now on elsewhere.
    pub(crate) fn set_upstream(&self, upstream: &str) {
        *lock(&self.shared.upstream) = upstream.into();
    }

    /// Connections whose upstream could not be reached.
    pub(crate) fn upstream_failed(&self) -> &AtomicU64 {
        &self.shared.upstream_failed
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => drop(tokio::spawn(carry(client, Arc::clone(&shared)))),
            Err(error) => {
                warn!(link = %shared.link, %error, "the forwarder of link `{}` cannot accept a connection", shared.link);
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

/// Serves one connection over one to the upstream, until either ends.
async fn carry(client: TcpStream, shared: Arc<Shared>) {
    let upstream = Arc::clone(&lock(&shared.upstream));
    let connecting = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(&*upstream));
    let Ok(Ok(server)) = connecting.await else {
        shared.upstream_failed.fetch_add(1, Relaxed);
        debug!(link = %shared.link, %upstream, "link `{}` cannot reach {upstream}", shared.link);
        return;
    };
    // Without this small messages wait for acknowledgements; a socket that is gone shows in the reading.
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let shaking = client::Builder::new().preserve_header_case(true).handshake(TokioIo::new(server)).await;
    let Ok((sender, asking)) = shaking else { return };
    let lane = Lane { shared, sender: Arc::new(tokio::sync::Mutex::new(sender)), requests: Arc::default() };
    let requests = Arc::clone(&lane.requests);
    let serving = server::Builder::new()
        .preserve_header_case(true)
        .auto_date_header(false)
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(client), service_fn(move |request| lane.clone().forward(request)));
    let (mut serving, asking) = (pin!(serving), pin!(asking));
    let ended = tokio::select! {
        ended = &mut serving => ended,
        _ = asking => {
            // An answer that is on its way is finished; a connection that has asked nothing ends as the upstream's did.
            if requests.load(Relaxed) == 0 {
                return;
            }
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        debug!(error = %error, "a forwarded connection was cut");
    }
}

/// A connection of a client with its connection to the upstream.
#[derive(Clone)]
struct Lane {
    shared: Arc<Shared>,
    /// Requests of one connection come one after the other, so nobody waits here.
    sender: Arc<tokio::sync::Mutex<SendRequest<Body>>>,
    requests: Arc<AtomicU64>,
}

impl Lane {
    async fn forward(self, request: Request<Incoming>) -> Result<Response<Body>, Error> {
        self.requests.fetch_add(1, Relaxed);
        let rules = Arc::clone(&lock(&self.shared.rules));
        if rules.is_empty() {
            let request = request.map(|body| body.map_err(Error::Client).boxed_unsync());
            return Ok(self.ask(request).await?.map(passing));
        }
        let (request, body) = read(request).await?;
        let call = body.and_then(|body| Call::read(self.shared.protocol, &request, &body));
        // Every rule sees every request, so that none shifts the numbers of another; the first that means it acts.
        let met: Vec<_> = call.iter().flat_map(|call| rules.iter().map(|rule| (rule, rule.meet(call)))).collect();
        let acting = met.into_iter().find_map(|(rule, deed)| Some((Arc::clone(&rule.state), deed?)));
        match acting {
            None => Ok(self.ask(request).await?.map(passing)),
            Some((state, deed)) => self.act(request, deed, state).await,
        }
    }

    async fn act(&self, mut request: Request<Body>, deed: Deed, state: Arc<State>) -> Result<Response<Body>, Error> {
        match deed {
            Deed::Answer(Reply { status, headers, body }) => {
                state.hit.fetch_add(1, Relaxed);
                let mut response = Response::new(Full::new(body).map_err(|never| match never {}).boxed_unsync());
                (*response.status_mut(), *response.headers_mut()) = (status, headers);
                Ok(response)
            }
            Deed::Silence(silence) => {
                if silence.asks {
                    lose(self.ask(request).await?, &state).await?;
                }
                keep_silent(silence, &state).await
            }
            Deed::Rewrite(rewrite) => {
                // What cannot be read cannot be changed.
                request.headers_mut().remove(ACCEPT_ENCODING);
                play(self.ask(request).await?, rewrite, state).await
            }
        }
    }

    async fn ask(&self, request: Request<Body>) -> Result<Response<Incoming>, Error> {
        let mut sender = self.sender.lock().await;
        sender.ready().await.map_err(Error::Upstream)?;
        let answering = sender.send_request(request);
        drop(sender);
        answering.await.map_err(Error::Upstream)
    }
}

fn passing(body: Incoming) -> Body {
    body.map_err(Error::Upstream).boxed_unsync()
}

/// Reads a request's body so that it can be looked at and sent on; one that is too large is only sent on.
async fn read(request: Request<Incoming>) -> Result<(Request<Body>, Option<Bytes>), Error> {
    let (head, mut body) = request.into_parts();
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        read.extend(frame.map_err(Error::Client)?.into_data().ok());
        if read.len() > PIECE_BYTES_MAX {
            let begun = stream::iter([Ok(Frame::data(read.freeze()))]);
            let whole = StreamBody::new(begun.chain(BodyStream::new(body.map_err(Error::Client))));
            return Ok((Request::from_parts(head, whole.boxed_unsync()), None));
        }
    }
    let read = read.freeze();
    let whole = Full::new(read.clone()).map_err(|never| match never {});
    Ok((Request::from_parts(head, whole.boxed_unsync()), Some(read)))
}

/// Throws an answer away.
async fn lose(answer: Response<Incoming>, state: &State) -> Result<(), Error> {
    let mut body = answer.into_body();
    while let Some(frame) = body.frame().await {
        let bytes = frame.map_err(Error::Upstream)?.into_data().map_or(0, |data| data.len());
        state.dropped_bytes.fetch_add(bytes as u64, Relaxed);
    }
    Ok(())
}

/// Says nothing until the connection is to be closed, or the rule is lifted: a request that was swallowed gets no answer any more.
async fn keep_silent(silence: Silence, state: &State) -> Result<Response<Body>, Error> {
    state.hit.fetch_add(1, Relaxed);
    let closing = async {
        match silence.close_after {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = closing => {}
        () = state.lifted.cancelled() => {}
    }
    state.cut.fetch_add(1, Relaxed);
    Err(Error::Cut)
}
