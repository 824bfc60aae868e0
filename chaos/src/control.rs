//! A client of the HTTP API of fault proxies: our links, or a real Toxiproxy, by URL.
//!
//! Every write is read back and compared, because a proxy may answer well and do otherwise.
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use reqwest::{Client, Method, StatusCode, Url};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    fault::Means,
    forward::Protocol,
    link::wire::{Effects, Proxy, Toxic},
    timeline::TimedFault,
};

/// A request that takes longer has failed.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How our links call themselves in the answer to `GET /version`.
const SERVER: &str = "tripsage-links";

/// Drives the fault proxy at a URL. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Control {
    http: Client,
    base: Url,
    lease_supported: Arc<AtomicBool>,
}

/// A link to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// Its name, such as `mcp.flights`.
    pub name: String,
    /// Where it listens, `host:port`; port 0 for a free one.
    pub listen: String,
    /// Where it leads, `host:port`.
    pub upstream: String,
    /// What it speaks, when faults are to act on single requests; only our own links know such.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
}

/// The instants just before and just after a write, between which it took hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// When the request was sent.
    pub before: Instant,
    /// When its answer had come.
    pub after: Instant,
}

/// Why a fault proxy was not brought to do something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL is none.
    #[error("`{url}` is not the URL of a fault proxy; write one such as \"http://127.0.0.1:8474\"")]
    Url {
        /// As given.
        url: String,
    },
    /// The HTTP client cannot be set up.
    #[error("cannot set up an HTTP client")]
    Client(#[source] reqwest::Error),
    /// The fault proxy did not answer, or not in JSON of the expected shape.
    #[error("cannot {attempt}")]
    Http {
        /// What was attempted.
        attempt: String,
        /// What came in between.
        #[source]
        source: reqwest::Error,
    },
    /// The fault proxy refused.
    #[error("cannot {attempt}: the fault proxy answers {status}: {said}")]
    Refused {
        /// What was attempted.
        attempt: String,
        /// The status of its answer.
        status: StatusCode,
        /// The text of its answer.
        said: String,
    },
    /// The link cannot break single requests.
    #[error(
        "cannot {attempt}: link `{link}` does not speak {protocol} there, so no fault can act on single requests; make it in \
         `harness links` with \"protocol\": \"{protocol}\" (a real Toxiproxy cannot)"
    )]
    NoRules {
        /// What was attempted.
        attempt: String,
        /// The link.
        link: String,
        /// What it should speak.
        protocol: Protocol,
    },
    /// What was read back is not what was written.
    #[error("cannot {attempt}: {expected} was written, but {seen} was read back")]
    Mismatch {
        /// What was attempted.
        attempt: String,
        /// What was written.
        expected: String,
        /// What was read back.
        seen: String,
    },
}

impl Error {
    /// True when the thing that was to be changed is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Error::Refused { status: StatusCode::NOT_FOUND, .. })
    }

    /// True when nobody listens there, so that nothing can be on.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Error::Http { source, .. } if source.is_connect())
    }

    /// True when the fault proxy said no, so that nothing has changed.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Error::Refused { .. } | Error::NoRules { .. })
    }
}

impl Control {
    /// A client of the fault proxy at `url`, such as `http://127.0.0.1:8474`. Nothing is sent yet.
    ///
    /// # Errors
    /// When the URL is none, or the HTTP client cannot be set up.
    pub fn new(url: &str) -> Result<Self, Error> {
        let base = Url::parse(url).ok().filter(|base| base.has_host());
        let base = base.ok_or_else(|| Error::Url { url: url.to_owned() })?;
        let agent = concat!("tripsage-chaos/", env!("CARGO_PKG_VERSION"));
        let http = Client::builder().timeout(TIMEOUT).no_proxy().user_agent(agent).build().map_err(Error::Client)?;
        Ok(Self { http, base, lease_supported: Arc::new(AtomicBool::new(true)) })
    }

    /// The host of the URL; an IPv6 address without its brackets.
    pub(crate) fn host(&self) -> &str {
        self.base.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
    }

    /// Where the fault proxy is.
    #[must_use]
    pub fn url(&self) -> &str {
        self.base.as_str()
    }

    /// False once the fault proxy was seen to ignore a lease; then a fault stays when the harness dies.
    #[must_use]
    pub fn lease_supported(&self) -> bool {
        self.lease_supported.load(Ordering::Relaxed)
    }

    /// The version that the fault proxy says it has.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn version(&self) -> Result<String, Error> {
        Ok(self.identity().await?.get("version").cloned().unwrap_or_default())
    }

    /// Whether these are our links, with all that a real Toxiproxy lacks.
    ///
    /// # Errors
    /// When the fault proxy does not answer.
    pub async fn is_ours(&self) -> Result<bool, Error> {
        Ok(self.identity().await?.get("server").is_some_and(|server| server.starts_with(SERVER)))
    }

    async fn identity(&self) -> Result<BTreeMap<String, String>, Error> {
        self.read("ask for the version", &["version"]).await
    }

    /// All links, by name.
    ///
    /// # Errors
    /// When the fault proxy does not answer.
    pub async fn links(&self) -> Result<BTreeMap<String, Proxy>, Error> {
        self.read("list the links", &["proxies"]).await
    }

    /// One link.
    ///
    /// # Errors
    /// When there is none of that name, or the fault proxy does not answer.
    pub async fn link(&self, name: &str) -> Result<Proxy, Error> {
        self.read(&format!("read link `{name}`"), &["proxies", name]).await
    }

    /// Makes links, replacing those of the same name that lead elsewhere; answers with where each really listens.
    ///
    /// # Errors
    /// When one cannot be made, or is not as asked for when read back.
    pub async fn populate(&self, links: &[Link]) -> Result<Vec<Proxy>, Error> {
        let attempt = "make the links";
        self.write(attempt, Method::POST, &["populate"], &serde_json::to_value(links).unwrap_or_default()).await?;
        let mut made = self.links().await?;
        links.iter().map(|link| as_asked(attempt, link, made.remove(&link.name))).collect()
    }

    /// Makes one link; answers with where it really listens.
    ///
    /// # Errors
    /// When it cannot be made, is there already, or is not as asked for when read back.
    pub async fn create(&self, link: &Link) -> Result<Proxy, Error> {
        let attempt = format!("make link `{}`", link.name);
        self.write(&attempt, Method::POST, &["proxies"], &serde_json::to_value(link).unwrap_or_default()).await?;
        as_asked(&attempt, link, Some(self.link(&link.name).await?))
    }

    /// Puts a fault on, under its lease.
    ///
    /// # Errors
    /// When the fault proxy refuses or does not answer, or the fault is not on as asked for when read back.
    pub async fn apply(&self, fault: &TimedFault) -> Result<Written, Error> {
        let attempt = format!("put fault `{}` on link `{}`", fault.name, fault.link);
        match &fault.means {
            Means::Part | Means::Clients | Means::Database => Err(mismatch(&attempt, "a fault of a link", "another")),
            Means::Disable => {
                let before = self.link(&fault.link).await?;
                if !before.enabled {
                    return Err(mismatch(&attempt, "an enabled link", "a link that is down already"));
                }
                let body = json!({ "enabled": false, "ttl_ms": lease_ms(fault) });
                let written = self.write(&attempt, Method::POST, &["proxies", &fault.link], &body).await?;
                self.confirm_down(&attempt, fault).await?;
                Ok(written)
            }
            Means::Toxic { kind, attributes } => {
                let mut given: BTreeMap<&str, u64> = attributes.clone();
                given.insert("ttl_ms", lease_ms(fault));
                let body = json!({
                    "name": fault.name,
                    "type": kind,
                    "stream": fault.direction,
                    "toxicity": fault.share,
                    "attributes": given,
                });
                let written = self.write(&attempt, Method::POST, &["proxies", &fault.link, "toxics"], &body).await?;
                let seen: Toxic = self.read(&attempt, &toxic_path(fault)).await?;
                self.compare(&attempt, fault, kind, attributes, &seen)?;
                Ok(written)
            }
            Means::Rule { protocol, kind, attributes } => {
                self.apply_rule(&attempt, fault, *protocol, kind, attributes).await
            }
        }
    }

    /// Renews the lease of a fault that is on; where there are no leases, sees that it is still on.
    ///
    /// # Errors
    /// [`Error::is_not_found`] when the fault is no longer on, because its lease ran out or somebody lifted it;
    /// others when the fault proxy does not answer.
    pub async fn renew(&self, fault: &TimedFault) -> Result<(), Error> {
        let attempt = format!("renew the lease of fault `{}` on link `{}`", fault.name, fault.link);
        match &fault.means {
            Means::Part | Means::Clients | Means::Database => {
                return Err(mismatch(&attempt, "a fault of a link", "another"));
            }
            Means::Disable => {
                if self.link(&fault.link).await?.enabled {
                    let said = "the link is up".to_owned();
                    return Err(Error::Refused { attempt, status: StatusCode::NOT_FOUND, said });
                }
                if self.lease_supported() {
                    let body = json!({ "enabled": false, "ttl_ms": lease_ms(fault) });
                    self.write(&attempt, Method::POST, &["proxies", &fault.link], &body).await?;
                }
            }
            Means::Toxic { .. } if self.lease_supported() => {
                let body = json!({ "attributes": { "ttl_ms": lease_ms(fault) } });
                self.write(&attempt, Method::POST, &toxic_path(fault), &body).await?;
            }
            Means::Rule { .. } => self.renew_rule(&attempt, fault).await?,
            // A real Toxiproxy draws the toxicity anew on every update, so it is only asked.
            Means::Toxic { .. } => drop(self.read::<Toxic>(&attempt, &toxic_path(fault)).await?),
        }
        Ok(())
    }

    /// Lifts a fault and sees that it is gone; one that is gone already is no error.
    ///
    /// # Errors
    /// When the fault proxy does not answer, or the fault is still on when read back.
    pub async fn lift(&self, fault: &TimedFault) -> Result<Written, Error> {
        let attempt = format!("lift fault `{}` from link `{}`", fault.name, fault.link);
        match &fault.means {
            Means::Part | Means::Clients | Means::Database => Err(mismatch(&attempt, "a fault of a link", "another")),
            Means::Disable => {
                let body = json!({ "enabled": true });
                let written = self.write(&attempt, Method::POST, &["proxies", &fault.link], &body).await?;
                let seen = self.link(&fault.link).await?;
                if seen.enabled { Ok(written) } else { Err(mismatch(&attempt, "enabled", "disabled")) }
            }
            Means::Toxic { .. } => {
                let before = Instant::now();
                match self.write(&attempt, Method::DELETE, &toxic_path(fault), &Value::Null).await {
                    Err(error) if !error.is_not_found() => return Err(error),
                    _ => {}
                }
                let after = Instant::now();
                let is_on = self.link(&fault.link).await?.toxics.iter().any(|toxic| toxic.name == fault.name);
                if is_on { Err(mismatch(&attempt, "no fault", "the fault")) } else { Ok(Written { before, after }) }
            }
            Means::Rule { .. } => self.lift_rule(&attempt, fault).await,
        }
    }

    /// What the links have done so far; `None` when the fault proxy cannot say (a real Toxiproxy).
    ///
    /// # Errors
    /// When the fault proxy does not answer.
    pub async fn effects(&self) -> Result<Option<Effects>, Error> {
        match self.read("read the effects", &["effects"]).await {
            Ok(effects) => Ok(Some(effects)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn confirm_down(&self, attempt: &str, fault: &TimedFault) -> Result<(), Error> {
        let seen = self.link(&fault.link).await?;
        if seen.enabled {
            return Err(mismatch(attempt, "disabled", "enabled"));
        }
        self.see_lease(attempt, fault, seen.ttl_ms)
    }

    fn compare(
        &self,
        attempt: &str,
        fault: &TimedFault,
        kind: &str,
        attributes: &BTreeMap<&'static str, u64>,
        seen: &Toxic,
    ) -> Result<(), Error> {
        let differs = |(name, value): (&&str, &u64)| seen.attributes.get(*name).and_then(Value::as_u64) != Some(*value);
        let stream = fault.direction.to_string();
        if seen.kind != kind || seen.stream != stream || seen.toxicity != fault.share || attributes.iter().any(differs)
        {
            return Err(mismatch(attempt, &fault.description(), &format!("{seen:?}")));
        }
        self.see_lease(attempt, fault, seen.attributes.get("ttl_ms").and_then(Value::as_u64))
    }

    fn see_lease(&self, attempt: &str, fault: &TimedFault, ttl_ms: Option<u64>) -> Result<(), Error> {
        match ttl_ms {
            None => self.lease_supported.store(false, Ordering::Relaxed),
            Some(seen) if seen == lease_ms(fault) => {}
            Some(seen) => return Err(mismatch(attempt, &format!("{} ms", lease_ms(fault)), &format!("{seen} ms"))),
        }
        Ok(())
    }

    pub(crate) async fn read<T: DeserializeOwned>(&self, attempt: &str, path: &[&str]) -> Result<T, Error> {
        let http = |source| Error::Http { attempt: attempt.to_owned(), source };
        let answer = self.http.get(self.at(path)).send().await.map_err(http)?;
        let answer = accepted(attempt, answer).await?;
        answer.json().await.map_err(http)
    }

    pub(crate) async fn write(
        &self,
        attempt: &str,
        method: Method,
        path: &[&str],
        body: &Value,
    ) -> Result<Written, Error> {
        let mut request = self.http.request(method, self.at(path));
        if !body.is_null() {
            request = request.json(body);
        }
        let before = Instant::now();
        let answer = request.send().await;
        let after = Instant::now();
        let answer = answer.map_err(|source| Error::Http { attempt: attempt.to_owned(), source })?;
        accepted(attempt, answer).await?;
        Ok(Written { before, after })
    }

    fn at(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }
}

fn toxic_path(fault: &TimedFault) -> [&str; 4] {
    ["proxies", &fault.link, "toxics", &fault.name]
}

pub(crate) fn lease_ms(fault: &TimedFault) -> u64 {
    u64::try_from(fault.lease.as_millis()).unwrap_or(u64::MAX)
}

/// The link as made, if it leads where it should and listens where it should (port 0 aside).
fn as_asked(attempt: &str, asked: &Link, seen: Option<Proxy>) -> Result<Proxy, Error> {
    let seen = seen.ok_or_else(|| mismatch(attempt, &asked.name, "no such link"))?;
    if let Some(protocol) = asked.protocol.filter(|protocol| seen.protocol != Some(*protocol)) {
        return Err(Error::NoRules { attempt: attempt.to_owned(), link: asked.name.clone(), protocol });
    }
    let port = |address: &str| address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    let is_free_port = port(&asked.listen).is_none_or(|port| port == 0);
    if seen.upstream == asked.upstream && seen.enabled && (is_free_port || port(&seen.listen) == port(&asked.listen)) {
        return Ok(seen);
    }
    Err(mismatch(attempt, &format!("{asked:?}"), &format!("{seen:?}")))
}

pub(crate) fn mismatch(attempt: &str, expected: &str, seen: &str) -> Error {
    Error::Mismatch { attempt: attempt.to_owned(), expected: expected.to_owned(), seen: seen.to_owned() }
}

/// The answer if it is a success; else what it says, be it JSON or plain text.
async fn accepted(attempt: &str, answer: reqwest::Response) -> Result<reqwest::Response, Error> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let text = answer.text().await.unwrap_or_default();
    let parsed: Option<Value> = serde_json::from_str(&text).ok();
    let said = parsed.as_ref().and_then(|body| body["error"].as_str()).unwrap_or(text.trim()).to_owned();
    Err(Error::Refused { attempt: attempt.to_owned(), status, said })
}
