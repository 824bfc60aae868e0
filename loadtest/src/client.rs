//! One user's connection: HTTP/1.1 with keep-alive over hyper, and the instants at which things happened on it.
//!
//! A connection belongs to one user, as a browser's does. It is opened again when the service closed it. hyper costs half of what a
//! full-blown client costs per request, and hands over the instants that are needed here.
use crate::target::Target;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use std::{io, pin::Pin, sync::Arc, time::Duration};
use tokio::{
    net::TcpStream,
    time::{Instant, Sleep},
};

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
    /// No connection.
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    /// The connection broke, or what came over it was not HTTP.
    #[error("the connection failed")]
    Connection(#[source] hyper::Error),
    /// The body is larger than [`BODY_MAX`].
    #[error("the answer has more than {BODY_MAX} bytes")]
    TooLarge,
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
    /// The answer.
    pub end: Result<Answer, Failure>,
}

/// Receives the body of an event stream, piece by piece, with the instant of each.
pub type OnPiece<'a> = dyn FnMut(Instant, &[u8]) + Send + 'a;

/// One user's connection.
#[derive(Debug)]
pub struct Client {
    target: Arc<Target>,
    bearer: Option<HeaderValue>,
    connection: Option<SendRequest<Full<Bytes>>>,
    /// Rings at the deadline of the request. Putting one off costs less than setting a new one for each request.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Client {
    /// A client that has not connected yet.
    #[must_use]
    pub fn new(target: Arc<Target>) -> Self {
        Self { target, bearer: None, connection: None, alarm: None }
    }

    /// The service that it talks to.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Sends this access token with every request from now on. Not shown in logs.
    pub fn set_bearer(&mut self, token: &str) {
        let value = HeaderValue::from_str(&format!("Bearer {token}")).ok();
        self.bearer = value.map(|mut value| {
            value.set_sensitive(true);
            value
        });
    }

    /// Opens the connection if there is none.
    ///
    /// # Errors
    /// When it cannot be opened in time.
    pub async fn connect(&mut self, timeout: Duration) -> Result<(), Failure> {
        let opened = tokio::time::timeout(timeout, self.open()).await;
        opened.unwrap_or(Err(Failure::Timeout(timeout))).map(|_| ())
    }

    /// Sends a request and reads the whole answer, all within `timeout` from now.
    ///
    /// With `on_piece`, the body of an event stream goes there instead of into the answer.
    pub async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        timeout: Duration,
        on_piece: Option<&mut OnPiece<'_>>,
    ) -> Exchange {
        let sent = Instant::now();
        let mut first_byte = None;
        let mut alarm = self.alarm.take().unwrap_or_else(|| Box::pin(tokio::time::sleep_until(sent + timeout)));
        let conversation = self.converse(request, &mut first_byte, on_piece);
        alarm.as_mut().reset(sent + timeout);
        let within = tokio::select! {
            biased;
            end = conversation => Some(end),
            () = &mut alarm => None,
        };
        let done = Instant::now();
        self.alarm = Some(alarm);
        let end = within.unwrap_or(Err(Failure::Timeout(timeout)));
        if end.is_err() {
            // What is left of the answer must not be taken for the next one.
            self.connection = None;
        }
        Exchange { sent, first_byte, done, end }
    }

    async fn converse(
        &mut self,
        request: Request<Full<Bytes>>,
        first_byte: &mut Option<Instant>,
        on_piece: Option<&mut OnPiece<'_>>,
    ) -> Result<Answer, Failure> {
        let response = self.send(request).await?;
        *first_byte = Some(Instant::now());
        let (head, body) = response.into_parts();
        let on_piece = on_piece.filter(|_| head.status == StatusCode::OK && is_event_stream(&head.headers));
        let is_stream = on_piece.is_some();
        let body = read(body, on_piece).await?;
        Ok(Answer { status: head.status, headers: head.headers, body, is_stream })
    }

    /// Sends the request; once more on a new connection if the service had closed the idle one before a byte of it was written.
    async fn send(&mut self, mut request: Request<Full<Bytes>>) -> Result<http::Response<Incoming>, Failure> {
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.target.host().clone());
        if let Some(bearer) = &self.bearer {
            headers.insert(header::AUTHORIZATION, bearer.clone());
        }
        loop {
            let (connection, is_new) = self.open().await?;
            let mut error = match connection.try_send_request(request).await {
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
    async fn open(&mut self) -> Result<(&mut SendRequest<Full<Bytes>>, bool), Failure> {
        let is_usable = match &mut self.connection {
            Some(connection) => connection.ready().await.is_ok(),
            None => false,
        };
        if !is_usable {
            let stream = TcpStream::connect(self.target.address()).await.map_err(Failure::Connect)?;
            stream.set_nodelay(true).map_err(Failure::Connect)?;
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(Failure::Connection)?;
            // Ends by itself when the sender is dropped or the service closes; its error reaches the sender.
            tokio::spawn(connection);
            self.connection = Some(sender);
        }
        let connection = self.connection.as_mut().expect("opened above if there was none");
        Ok((connection, !is_usable))
    }
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

fn request(method: Method, path: Uri, body: Bytes) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = path;
    request
}
