//! The edge: listeners, what a connection may take, TLS, and who may ask from where.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use http::HeaderValue;

use super::{Error, Vars, secs};

/// Where the service is reached beside `TRIPSAGE_LISTEN`, and on which terms.
#[derive(Debug, Clone)]
pub struct Edge {
    /// `TRIPSAGE_INTERNAL_LISTEN`: address for operators; port 0 takes a free one. When it is set, `/metrics` and the
    /// administrators' routes are served only there, always without TLS, else they are on the public listener. Default none.
    pub internal_listen: Option<SocketAddr>,
    /// `TRIPSAGE_MAX_CONNECTIONS`: connections open at a time, per listener; more have to wait. Default 8192.
    pub max_connections: usize,
    /// `TRIPSAGE_HEADER_TIMEOUT`: longest time for a TLS handshake, for the first byte of a connection, and for a
    /// request's head from its first byte on. Default `10s`.
    pub header_timeout: Duration,
    /// `TRIPSAGE_HEADER_BYTES_MAX`: largest head of a request, in bytes, 1024 or more; a larger one is answered 431. Default 16384.
    pub header_bytes_max: usize,
    /// `TRIPSAGE_IDLE_TIMEOUT`: how long a connection is kept open between requests. Default `75s`.
    pub idle_timeout: Duration,
    /// `TRIPSAGE_WRITE_TIMEOUT`: how long a client may take nothing of its answer before it is cut off. Default `30s`.
    pub write_timeout: Duration,
    /// TLS of the public listener. Default none.
    pub tls: Option<Tls>,
    /// `TRIPSAGE_ALLOWED_HOSTS`: names (without port) under which the service may be asked, separated by commas; other
    /// requests are answered 400, except probes. Default any.
    pub allowed_hosts: Vec<String>,
    /// `TRIPSAGE_CORS_ORIGINS`: origins whose pages may use the API, such as `https://app.tripsage.ai`, separated by commas. Default none.
    pub cors_origins: Vec<HeaderValue>,
    /// `TRIPSAGE_COMPRESSION`: `on` compresses answers for clients that ask for gzip. Default `off`: it costs more time than a
    /// data centre's network saves, and is mostly done by the proxy in front.
    pub compression: bool,
}

/// TLS of the public listener.
#[derive(Debug, Clone)]
pub struct Tls {
    /// `TRIPSAGE_TLS_CERTIFICATE`: file with the certificate chain, PEM. It is read again on SIGHUP.
    pub certificate: PathBuf,
    /// `TRIPSAGE_TLS_KEY`: file with its private key, PEM.
    pub key: PathBuf,
    /// `TRIPSAGE_TLS_REDIRECT_LISTEN`: address of a plain listener that sends every request to https. Default none.
    pub redirect_listen: Option<SocketAddr>,
    /// `TRIPSAGE_TLS_PUBLIC_PORT`: port at which clients reach the TLS listener, for that redirect. Default 443.
    pub public_port: u16,
}

impl Edge {
    pub(super) fn read(vars: &mut Vars) -> Result<Self, Error> {
        Ok(Self {
            internal_listen: vars.address("TRIPSAGE_INTERNAL_LISTEN")?,
            max_connections: vars.count("TRIPSAGE_MAX_CONNECTIONS", 8192)? as usize,
            header_timeout: vars.duration("TRIPSAGE_HEADER_TIMEOUT", secs(10))?,
            header_bytes_max: vars.at_least(
                "TRIPSAGE_HEADER_BYTES_MAX",
                16 * 1024,
                1024,
                "a number of bytes, 1024 or more",
            )? as usize,
            idle_timeout: vars.duration("TRIPSAGE_IDLE_TIMEOUT", secs(75))?,
            write_timeout: vars.duration("TRIPSAGE_WRITE_TIMEOUT", secs(30))?,
            tls: Tls::read(vars)?,
            allowed_hosts: vars.list("TRIPSAGE_ALLOWED_HOSTS").iter().map(|host| host.to_ascii_lowercase()).collect(),
            cors_origins: vars.each("TRIPSAGE_CORS_ORIGINS", "origins such as https://app.tripsage.ai", origin)?,
            compression: vars.switch("TRIPSAGE_COMPRESSION", false)?,
        })
    }
}

impl Tls {
    fn read(vars: &mut Vars) -> Result<Option<Self>, Error> {
        const CERTIFICATE: &str = "TRIPSAGE_TLS_CERTIFICATE";
        const KEY: &str = "TRIPSAGE_TLS_KEY";
        const HINT: &str = "TLS needs both, TRIPSAGE_TLS_CERTIFICATE and TRIPSAGE_TLS_KEY";
        let (certificate, key) = (vars.text(CERTIFICATE), vars.text(KEY));
        let redirect_listen = vars.address("TRIPSAGE_TLS_REDIRECT_LISTEN")?;
        let public_port = vars.parsed("TRIPSAGE_TLS_PUBLIC_PORT", "a port number")?.unwrap_or(443);
        match (certificate, key) {
            (Some(certificate), Some(key)) => {
                Ok(Some(Self { certificate: certificate.into(), key: key.into(), redirect_listen, public_port }))
            }
            (None, None) if redirect_listen.is_none() => Ok(None),
            (None, _) => Err(Error::Missing { name: CERTIFICATE, hint: HINT }),
            (_, None) => Err(Error::Missing { name: KEY, hint: HINT }),
        }
    }
}

/// Scheme and host, nothing after it.
fn origin(text: &str) -> Option<HeaderValue> {
    let url = reqwest::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let is_plain = url.origin().ascii_serialization() == text;
    HeaderValue::from_str(text).ok().filter(|_| is_plain)
}
