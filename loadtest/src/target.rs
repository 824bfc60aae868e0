//! The service under test, as an address.
use http::{
    HeaderValue, Uri,
    uri::{Authority, Scheme},
};
use rustls::pki_types::ServerName;
use std::{io, net::SocketAddr};

/// Where the load is sent.
#[derive(Debug, Clone)]
pub struct Target {
    url: String,
    scheme: Scheme,
    authority: Authority,
    host: HeaderValue,
    host_and_port: String,
    addresses: Vec<SocketAddr>,
    server_name: Option<ServerName<'static>>,
}

/// Why a text is not a target.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text is not a URL of a host.
    #[error("`{url}` is not the URL of a service; write one such as http://127.0.0.1:8000")]
    NotUrl {
        /// What was given.
        url: String,
    },
    /// What stands for the port is none.
    #[error("`{port}` in `{url}` is not a port; write a number from 0 to 65535, or nothing after the host")]
    NotAPort {
        /// What was given.
        url: String,
        /// Its part after the host.
        port: String,
    },
    /// The scheme is not one of HTTP.
    #[error("`{url}` is neither http nor https")]
    NotHttp {
        /// What was given.
        url: String,
    },
    /// The name has no address.
    #[error("cannot find the address of {host}")]
    Resolve {
        /// Host and port.
        host: String,
        /// Why.
        source: io::Error,
    },
    /// The name is known, but has no address.
    #[error("{host} has no address")]
    NoAddress {
        /// Host and port.
        host: String,
    },
}

impl Target {
    /// Reads a URL and looks its addresses up: a name without any shows before the start.
    ///
    /// # Errors
    /// When the text is not `http://host[:port]` or `https://host[:port]`, or the host has no address.
    pub async fn resolve(url: &str) -> Result<Self, Error> {
        let bad = || Error::NotUrl { url: url.to_owned() };
        let uri: Uri = url.parse().map_err(|_| bad())?;
        let scheme = uri.scheme().ok_or_else(bad)?;
        let is_tls = *scheme == Scheme::HTTPS;
        if !is_tls && *scheme != Scheme::HTTP {
            return Err(Error::NotHttp { url: url.to_owned() });
        }
        let authority = uri.authority().filter(|_| matches!(uri.path(), "/" | "") && uri.query().is_none());
        let authority = authority.filter(|authority| !authority.as_str().contains('@')).ok_or_else(bad)?;
        let server_name = match is_tls {
            true => Some(server_name(authority.host()).ok_or_else(bad)?),
            false => None,
        };
        let default_port = if is_tls { 443 } else { 80 };
        let not_a_port = |port: &str| Error::NotAPort { url: url.to_owned(), port: port.to_owned() };
        let port = match authority.as_str().strip_prefix(authority.host()) {
            None | Some("") => default_port,
            Some(port) => authority.port_u16().ok_or_else(|| not_a_port(port))?,
        };
        let host_and_port = format!("{}:{port}", authority.host());
        let unknown = |source| Error::Resolve { host: host_and_port.clone(), source };
        let addresses: Vec<_> = tokio::net::lookup_host(&host_and_port).await.map_err(unknown)?.collect();
        if addresses.is_empty() {
            return Err(Error::NoAddress { host: host_and_port });
        }
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| bad())?;
        let (scheme, authority) = (scheme.clone(), authority.clone());
        let url = format!("{scheme}://{authority}");
        Ok(Self { url, scheme, authority, host, host_and_port, addresses, server_name })
    }

    /// The base URL, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its addresses; there is at least one.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Whether it is reached over TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.server_name.is_some()
    }

    /// The name that its certificate must be for; `None` without TLS.
    pub(crate) fn server_name(&self) -> Option<&ServerName<'static>> {
        self.server_name.as_ref()
    }

    /// Host and port, to be looked up again.
    pub(crate) fn host_and_port(&self) -> String {
        self.host_and_port.clone()
    }

    /// Value of the `Host` header.
    pub(crate) fn host(&self) -> &HeaderValue {
        &self.host
    }

    pub(crate) fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }
}

fn server_name(host: &str) -> Option<ServerName<'static>> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    ServerName::try_from(bare.to_owned()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(url: &str, expected: Result<&str, &str>) {
        let seen =
            Target::resolve(url).await.map(|target| target.addresses[0].to_string()).map_err(|error| error.to_string());
        assert_eq!(seen.as_deref().map_err(String::as_str), expected, "{url}");
    }

    #[tokio::test]
    async fn a_target_is_an_http_or_https_url_without_a_path() {
        check("http://127.0.0.1:8000", Ok("127.0.0.1:8000")).await;
        check("http://127.0.0.1/", Ok("127.0.0.1:80")).await;
        check("http://[::1]:9", Ok("[::1]:9")).await;
        check("https://127.0.0.1", Ok("127.0.0.1:443")).await;
        check("https://[::1]:9/", Ok("[::1]:9")).await;
        check("ftp://127.0.0.1", Err("`ftp://127.0.0.1` is neither http nor https")).await;
        for url in
            ["", "127.0.0.1:8000", "http://", "http://127.0.0.1/api", "http://127.0.0.1?x", "http://a:b@127.0.0.1"]
        {
            let text = format!("`{url}` is not the URL of a service; write one such as http://127.0.0.1:8000");
            check(url, Err(&text)).await;
        }
        for (url, port) in
            [("http://127.0.0.1:80000", ":80000"), ("https://[::1]:8o00", ":8o00"), ("http://localhost:", ":")]
        {
            let text =
                format!("`{port}` in `{url}` is not a port; write a number from 0 to 65535, or nothing after the host");
            check(url, Err(&text)).await;
        }
    }
}
