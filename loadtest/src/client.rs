//! One user's client: HTTP over hyper, and the instants at which things happened on it.
//!
//! By default a connection belongs to one user, as a browser's does, and is kept. It is opened again when the service closed it. hyper
//! costs half of what a full-blown client costs per request, and hands over the instants that are needed here.
use crate::{
    connection::{self, Connection, Connector, Line, Opening, Sender, Turn, shortage},
    target::Target,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use std::{io, pin::Pin, sync::Arc, time::Duration};
use tokio::time::{Instant, Sleep};

/// The largest answer that is read, in bytes; a larger one is a wrong answer.
pub const BODY_MAX: usize = 8 << 20;

/// An answer that came in whole.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body; empty when it was handed over as a stream of events.
    pub body: Vec<u8>,
    /// Whether the body was handed over as a stream of events.
    pub is_stream: bool,
}

/// Why there is no whole answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The deadline passed.
    #[error("no complete answer within {0:?}")]
    Timeout(Duration),
    /// No connection of the pool, or no stream on a shared one, became free.
    #[error("no connection of the pool was free within {0:?}")]
    PoolTimeout(Duration),
    /// No connection in time.
    #[error("no connection within {0:?}")]
    ConnectTimeout(Duration),
    /// The target's name has no address now.
    #[error("cannot find the address of {host}")]
    Resolve {
        /// Host and port.
        host: String,
        /// Why.
        source: io::Error,
    },
    /// No connection.
    #[error("cannot connect{}", shortage::of(.0).map(|what| format!(": {what}")).unwrap_or_default())]
    Connect(#[source] io::Error),
    /// Whoever answered could not be believed, or does not speak TLS.
    #[error("no trusted TLS connection to {host}")]
    Tls {
        /// The name that the certificate must be for.
        host: String,
        /// Why.
        source: io::Error,
    },
    /// The target does not speak HTTP/2 over TLS.
    #[error("the target did not agree to HTTP/2 (ALPN)")]
    NotHttp2,
    /// The connection broke, or what came over it was not HTTP.
    #[error("the connection failed")]
    Connection(#[source] hyper::Error),
    /// The body is larger than [`BODY_MAX`].
    #[error("the answer has more than {BODY_MAX} bytes")]
    TooLarge,
}

impl Failure {
    /// Whether it is this machine that could not open one more connection, which says nothing about the target.
    #[must_use]
    pub fn is_own(&self) -> bool {
        matches!(self, Self::Connect(error) if shortage::of(error).is_some())
    }

    /// Whether nothing of the request was written to the wire.
    #[must_use]
    pub(crate) fn is_unsent(&self) -> bool {
        match self {
            Self::PoolTimeout(_)
            | Self::ConnectTimeout(_)
            | Self::Resolve { .. }
            | Self::Connect(_)
            | Self::Tls { .. }
            | Self::NotHttp2 => true,
            Self::Timeout(_) | Self::Connection(_) | Self::TooLarge => false,
        }
    }
}

/// One request and what came of it.
#[derive(Debug)]
pub struct Exchange {
    /// When the request was about to be written, or the connection for it to be opened.
    pub sent: Instant,
    /// When the head of the answer was in, which is what the first byte belongs to.
    pub first_byte: Option<Instant>,
    /// When the answer was complete, or given up.
    pub done: Instant,
    /// How long it waited for a free connection of a pool, or a free stream, before it was sent; `None` without a pool.
    pub waited: Option<Duration>,
    /// How long opening a connection for it took, after it was sent, and until it was given up; `None` when one was open.
    pub opened: Option<Duration>,
    /// The answer.
    pub end: Result<Answer, Failure>,
}

/// Receives the body of an event stream, piece by piece, with the instant of each.
pub type OnPiece<'a> = dyn FnMut(Instant, &[u8]) + Send + 'a;

/// One user's way to the target.
#[derive(Debug)]
pub struct Client {
    connector: Arc<Connector>,
    bearer: Option<HeaderValue>,
    line: Line,
    connection: Option<Sender>,
    /// Rings at the deadline of the request. Putting one off costs less than setting a new one for each request.
    alarm: Option<Pin<Box<Sleep>>>,
}

/// What happened on the way to an answer.
#[derive(Debug, Default)]
struct Seen {
    first_byte: Option<Instant>,
    opening: Opening,
}

impl Client {
    /// A client that has not connected yet, with a connection of its own and the default settings.
    #[must_use]
    pub fn new(target: Arc<Target>) -> Self {
        Self::with(target, Connection::default()).expect("the defaults fit every target and read no file")
    }

    /// The same with other settings, whose pool is not used.
    ///
    /// # Errors
    /// When the settings do not fit the target, or the authorities' file cannot be read.
    pub fn with(target: Arc<Target>, settings: Connection) -> Result<Self, connection::Error> {
        Ok(Self::over(Arc::new(Connector::new(target, settings)?), Line::Own))
    }

    pub(crate) fn over(connector: Arc<Connector>, line: Line) -> Self {
        Self { connector, bearer: None, line, connection: None, alarm: None }
    }

    /// The service that it talks to.
    #[must_use]
    pub fn target(&self) -> &Target {
        self.connector.target()
    }

    /// Sends this access token with every request from now on that has none of its own. Not shown in logs.
    pub fn set_bearer(&mut self, token: &str) {
        self.bearer = bearer(token);
    }

    /// Opens the connection if there is none.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn connect(&mut self) -> Result<(), Failure> {
        let held = self.hold().await;
        self.end_turn(held.is_err());
        held
    }

    /// The same, and holds its turn until it is released: nobody else can use the connection.
    pub(crate) async fn hold(&mut self) -> Result<(), Failure> {
        let limit = self.connector.settings().connect_timeout;
        self.wait_for_turn(limit).await?;
        self.open(&mut Opening::default()).await?;
        if let Line::Shared { shared, .. } = &self.line {
            // A server that does not say in time how many streams it allows is taken to allow the usual number.
            let _ = tokio::time::timeout(limit, shared.streams.said()).await;
        }
        Ok(())
    }

    /// Gives back what it holds, to be used again.
    pub(crate) fn release(mut self) {
        self.end_turn(false);
    }

    /// Waits until a connection, or a stream of a shared one, is free for the next request, and says for how long; without a pool it is
    /// at once, and `None`.
    ///
    /// # Errors
    /// When none is free in time.
    pub async fn wait_for_turn(&mut self, timeout: Duration) -> Result<Option<Duration>, Failure> {
        let turn = match &mut self.line {
            Line::Own => return Ok(None),
            Line::Pooled { turn, .. } | Line::Shared { turn, .. } if turn.is_some() => turn,
            Line::Pooled { pool, turn } => {
                *turn = Some(pool.turn(timeout).await?);
                self.connection = pool.take();
                turn
            }
            Line::Shared { shared, turn } => {
                *turn = Some(shared.streams.turn(timeout).await?);
                turn
            }
        };
        Ok(turn.as_ref().map(|Turn { waited, .. }| *waited))
    }

    /// Sends a request and reads the whole answer within `timeout` from sending it. Waiting for a turn before has the same limit of its
    /// own.
    ///
    /// With `on_piece`, the body of an event stream goes there instead of into the answer.
    pub async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        timeout: Duration,
        on_piece: Option<&mut OnPiece<'_>>,
    ) -> Exchange {
        let asked = Instant::now();
        let waited = match self.wait_for_turn(timeout).await {
            Ok(waited) => waited,
            Err(failure) => return Exchange::unsent(Some(asked.elapsed()), failure),
        };
        let sent = if waited.is_some() { Instant::now() } else { asked };
        let mut seen = Seen::default();
        let mut alarm = self.alarm.take().unwrap_or_else(|| Box::pin(tokio::time::sleep_until(sent + timeout)));
        let conversation = self.converse(request, &mut seen, on_piece);
        alarm.as_mut().reset(sent + timeout);
        let within = tokio::select! {
            biased;
            end = conversation => Some(end),
            () = &mut alarm => None,
        };
        let done = Instant::now();
        self.alarm = Some(alarm);
        let end = within.unwrap_or(Err(Failure::Timeout(timeout)));
        self.end_turn(end.is_err());
        Exchange { sent, first_byte: seen.first_byte, done, waited, opened: seen.opening.took(done), end }
    }

    /// Puts the connection away after a request, or gives it up.
    pub(crate) fn end_turn(&mut self, has_failed: bool) {
        // What is left of an answer must not be taken for the next one.
        let is_torn = has_failed && !self.connection.as_ref().is_some_and(Sender::outlives_failures);
        if is_torn || !self.connector.settings().keep_alive {
            self.connection = None;
        }
        match &mut self.line {
            Line::Own => {}
            Line::Pooled { pool, turn } => {
                self.connection.take().into_iter().for_each(|connection| pool.give_back(connection));
                *turn = None;
            }
            Line::Shared { shared, turn } => turn.take().into_iter().for_each(|turn| shared.streams.end(turn)),
        }
    }

    async fn converse(
        &mut self,
        request: Request<Full<Bytes>>,
        seen: &mut Seen,
        on_piece: Option<&mut OnPiece<'_>>,
    ) -> Result<Answer, Failure> {
        let response = self.send(request, &mut seen.opening).await?;
        seen.first_byte = Some(Instant::now());
        let (head, body) = response.into_parts();
        let on_piece = on_piece.filter(|_| head.status == StatusCode::OK && is_event_stream(&head.headers));
        let is_stream = on_piece.is_some();
        let body = read(body, on_piece).await?;
        Ok(Answer { status: head.status, headers: head.headers, body, is_stream })
    }

    /// Sends the request; once more on a new connection if the service had closed the idle one before a byte of it was written.
    async fn send(
        &mut self,
        mut request: Request<Full<Bytes>>,
        opening: &mut Opening,
    ) -> Result<http::Response<Incoming>, Failure> {
        self.connector.address(&mut request);
        let headers = request.headers_mut();
        // A request that brings a token of its own is sent with that.
        if let Some(bearer) = self.bearer.as_ref().filter(|_| !headers.contains_key(header::AUTHORIZATION)) {
            headers.insert(header::AUTHORIZATION, bearer.clone());
        }
        loop {
            let (connection, is_new) = self.open(opening).await?;
            let mut error = match connection.try_send(request).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            match error.take_message() {
                Some(unsent) if !is_new => {
                    self.connection = None;
                    request = unsent;
                }
                _ => return Err(Failure::Connection(error.into_error())),
            }
        }
    }

    /// The open connection, and whether it was opened just now.
    async fn open(&mut self, opening: &mut Opening) -> Result<(&mut Sender, bool), Failure> {
        let is_usable = match &mut self.connection {
            Some(connection) => connection.is_usable().await,
            None => false,
        };
        let mut is_new = false;
        if !is_usable {
            let (connection, was_opened) = match &self.line {
                Line::Own | Line::Pooled { .. } => (self.connector.open(opening, None).await?, true),
                Line::Shared { shared, .. } => shared.sender(&self.connector, opening).await?,
            };
            is_new = was_opened;
            self.connection = Some(connection);
        }
        let connection = self.connection.as_mut().expect("opened above if there was none");
        Ok((connection, is_new))
    }
}

impl Exchange {
    /// A request that was never sent.
    pub(crate) fn unsent(waited: Option<Duration>, failure: Failure) -> Self {
        let now = Instant::now();
        Self { sent: now, first_byte: None, done: now, waited, opened: None, end: Err(failure) }
    }
}

/// An access token as requests carry it; `None` for a text that is no token. Not shown in logs.
#[must_use]
pub(crate) fn bearer(token: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

async fn read(mut body: Incoming, mut on_piece: Option<&mut OnPiece<'_>>) -> Result<Vec<u8>, Failure> {
    let mut whole = Vec::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(Failure::Connection)?.into_data() else { continue };
        length += piece.len();
        if length > BODY_MAX {
            return Err(Failure::TooLarge);
        }
        match &mut on_piece {
            Some(on_piece) => on_piece(Instant::now(), &piece),
            None => whole.extend_from_slice(&piece),
        }
    }
    Ok(whole)
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|value| value.starts_with("text/event-stream"))
}

/// A request without a body. The client adds host and access token.
#[must_use]
pub fn get(path: Uri) -> Request<Full<Bytes>> {
    request(Method::GET, path, Bytes::new())
}

/// A request with a JSON body. The client adds host and access token.
#[must_use]
pub fn post(path: Uri, body: Vec<u8>) -> Request<Full<Bytes>> {
    let mut request = request(Method::POST, path, body.into());
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request
}

/// A change with a JSON body. The client adds host and access token.
#[must_use]
pub fn put(path: Uri, body: Vec<u8>) -> Request<Full<Bytes>> {
    let mut request = post(path, body);
    *request.method_mut() = Method::PUT;
    request
}

fn request(method: Method, path: Uri, body: Bytes) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = path;
    request
}
