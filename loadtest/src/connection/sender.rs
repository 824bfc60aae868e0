//! The sending end of an open connection, whatever version of HTTP it speaks.
use super::{
    Http,
    streams::{self, Streams},
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};

/// Sends requests on one connection. The connection itself is a task, which ends when its last sender is dropped or the target closes.
#[derive(Debug)]
pub(crate) enum Sender {
    /// One request at a time.
    Http1(http1::SendRequest<Full<Bytes>>),
    /// Many requests at a time; its clones send on the same connection.
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Sender {
    /// Begins to speak HTTP over a stream. Those who share the connection are given as many streams as its server allows.
    pub(super) async fn over<S>(http: Http, stream: S, shared: Option<&Arc<Streams>>) -> hyper::Result<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stream = TokioIo::new(stream);
        Ok(match http {
            Http::One => {
                let (sender, connection) = http1::handshake(stream).await?;
                // Its error reaches the sender.
                tokio::spawn(connection);
                Self::Http1(sender)
            }
            Http::Two => {
                let mut builder = http2::Builder::new(TokioExecutor::new());
                let (sender, connection) =
                    builder.initial_max_send_streams(streams::NOT_SAID).handshake(stream).await?;
                match shared {
                    Some(streams) => tokio::spawn(streams::drive(connection, streams.clone())),
                    // One user sends one request at a time.
                    None => tokio::spawn(async { drop(connection.await) }),
                };
                Self::Http2(sender)
            }
        })
    }

    /// Whether another request can be sent, as far as is known.
    pub(crate) async fn is_usable(&mut self) -> bool {
        match self {
            Self::Http1(sender) => sender.ready().await.is_ok(),
            Self::Http2(sender) => sender.ready().await.is_ok(),
        }
    }

    /// Whether it can be used after a request that was given up: HTTP/2 resets that request's stream and no more.
    pub(crate) fn outlives_failures(&self) -> bool {
        matches!(self, Self::Http2(_))
    }

    /// Sends a request; hands it back if nothing of it was sent.
    pub(crate) async fn try_send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Full<Bytes>>>> {
        match self {
            Self::Http1(sender) => sender.try_send_request(request).await,
            Self::Http2(sender) => sender.try_send_request(request).await,
        }
    }

    /// Another sender on the same connection, where there can be one.
    pub(super) fn share(&self) -> Option<Self> {
        match self {
            Self::Http1(_) => None,
            Self::Http2(sender) => Some(Self::Http2(sender.clone())),
        }
    }
}
