//! The service under test, as an address.
use http::{HeaderValue, Uri, uri::Scheme};
use std::{io, net::SocketAddr};

/// Where the load is sent.
#[derive(Debug, Clone)]
pub struct Target {
    url: String,
    address: SocketAddr,
    host: HeaderValue,
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
    /// The scheme is not served yet.
    #[error("`{url}` is not http; the load generator does not speak TLS yet")]
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
    /// Reads a URL and looks its address up, once: name resolution is not part of what is measured.
    ///
    /// # Errors
    /// When the text is not `http://host[:port]`, or the host has no address.
    pub async fn resolve(url: &str) -> Result<Self, Error> {
        let bad = || Error::NotUrl { url: url.to_owned() };
        let uri: Uri = url.parse().map_err(|_| bad())?;
        match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => {}
            Some(_) => return Err(Error::NotHttp { url: url.to_owned() }),
            None => return Err(bad()),
        }
        let authority = uri.authority().filter(|_| matches!(uri.path(), "/" | "") && uri.query().is_none());
        let authority = authority.filter(|authority| !authority.as_str().contains('@')).ok_or_else(bad)?;
        let host = format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(80));
        let mut addresses =
            tokio::net::lookup_host(&host).await.map_err(|source| Error::Resolve { host: host.clone(), source })?;
        let address = addresses.next().ok_or_else(|| Error::NoAddress { host: host.clone() })?;
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| bad())?;
        Ok(Self { url: format!("http://{authority}"), address, host })
    }

    /// The base URL, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address that connections are opened to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Value of the `Host` header.
    pub(crate) fn host(&self) -> &HeaderValue {
        &self.host
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(url: &str, expected: Result<&str, &str>) {
        let seen =
            Target::resolve(url).await.map(|target| target.address.to_string()).map_err(|error| error.to_string());
        assert_eq!(seen.as_deref().map_err(String::as_str), expected, "{url}");
    }

    #[tokio::test]
    async fn a_target_is_an_http_url_without_a_path() {
        check("http://127.0.0.1:8000", Ok("127.0.0.1:8000")).await;
        check("http://127.0.0.1/", Ok("127.0.0.1:80")).await;
        check("http://[::1]:9", Ok("[::1]:9")).await;
        let tls = "`https://127.0.0.1` is not http; the load generator does not speak TLS yet";
        check("https://127.0.0.1", Err(tls)).await;
        for url in
            ["", "127.0.0.1:8000", "http://", "http://127.0.0.1/api", "http://127.0.0.1?x", "http://a:b@127.0.0.1"]
        {
            let text = format!("`{url}` is not the URL of a service; write one such as http://127.0.0.1:8000");
            check(url, Err(&text)).await;
        }
    }
}
