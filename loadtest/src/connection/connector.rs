//! Opens connections to the target: address, TCP, TLS, HTTP.
use super::{Connection, Error, Http, Sender, Streams, address::Addresses, tls::Tls};
use crate::{client::Failure, target::Target};
use bytes::Bytes;
use http::{HeaderValue, Request, Uri, Version, header, uri::PathAndQuery};
use http_body_util::Full;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// Opens connections, and writes on requests what belongs to the connection.
#[derive(Debug)]
pub(crate) struct Connector {
    target: Arc<Target>,
    settings: Connection,
    tls: Option<Tls>,
    addresses: Addresses,
}

/// When a connection was opened for a request, whatever came of it.
#[derive(Debug, Default)]
pub(crate) struct Opening {
    begun: Option<Instant>,
    ended: Option<Instant>,
}

impl Opening {
    /// How long it took, or has been going on; `None` when there was none.
    pub(crate) fn took(&self, now: Instant) -> Option<Duration> {
        self.begun.map(|begun| self.ended.unwrap_or(now).saturating_duration_since(begun))
    }
}

impl Connector {
    /// # Errors
    /// When the settings do not fit the target, or the authorities' file cannot be read.
    pub(crate) fn new(target: Arc<Target>, settings: Connection) -> Result<Self, Error> {
        let tls = Tls::towards(&target, &settings)?;
        let addresses = Addresses::of(&target, settings.resolve);
        Ok(Self { target, settings, tls, addresses })
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    pub(crate) fn settings(&self) -> &Connection {
        &self.settings
    }

    /// Opens a connection, within the time allowed for it; with `shared`, for those who share these streams.
    pub(crate) async fn open(&self, opening: &mut Opening, shared: Option<&Arc<Streams>>) -> Result<Sender, Failure> {
        let limit = self.settings.connect_timeout;
        *opening = Opening { begun: Some(Instant::now()), ended: None };
        let opened = tokio::time::timeout(limit, self.dial(shared)).await;
        opening.ended = Some(Instant::now());
        opened.unwrap_or(Err(Failure::ConnectTimeout(limit)))
    }

    async fn dial(&self, shared: Option<&Arc<Streams>>) -> Result<Sender, Failure> {
        let stream = self.addresses.connect().await?;
        let http = self.settings.http;
        let sender = match &self.tls {
            None => Sender::over(http, stream, shared).await,
            Some(tls) => Sender::over(http, tls.handshake(stream).await?, shared).await,
        };
        sender.map_err(Failure::Connection)
    }

    /// Writes on a request for a path where it goes.
    pub(crate) fn address(&self, request: &mut Request<Full<Bytes>>) {
        match self.settings.http {
            Http::One => {
                let headers = request.headers_mut();
                headers.insert(header::HOST, self.target.host().clone());
                if !self.settings.keep_alive {
                    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
            }
            Http::Two => {
                let mut parts = http::uri::Parts::default();
                parts.scheme = Some(self.target.scheme().clone());
                parts.authority = Some(self.target.authority().clone());
                let path = request.uri().path_and_query().cloned();
                parts.path_and_query = Some(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
                *request.uri_mut() = Uri::from_parts(parts).expect("scheme, authority and path are all there");
                *request.version_mut() = Version::HTTP_2;
            }
        }
    }
}
