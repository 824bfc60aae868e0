//! A Toxiproxy, driven by the crate `toxiproxy_rust` (feature `toxiproxy`, off by default: the crate brings OpenSSL).
//!
//! ```text
//!  caller ──job──▶ thread "toxiproxy", which owns the crate's blocking client ──HTTP──▶ Toxiproxy
//!         ◀─reply─
//! ```
//!
//! The crate blocks, panics when the server is gone, and does not say when the server refused. So it lives on a thread of its own, where a
//! panic becomes an error, and every write is read back and compared. Names, leases, single deletes and `reset_peer` it does not have:
//! [`Control`](crate::Control) does.
use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use tokio::sync::{mpsc, oneshot};
use toxiproxy_rust::{
    client::Client,
    proxy::{Proxy, ProxyPack},
};

use crate::{Direction, Link};

/// Why a Toxiproxy was not brought to do something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system gave no thread.
    #[error("cannot start a thread for the client of Toxiproxy")]
    Thread(#[source] io::Error),
    /// The client said so.
    #[error("cannot {attempt}: {said}")]
    Client {
        /// What was attempted.
        attempt: String,
        /// What the client said.
        said: String,
    },
    /// The client panicked, as it does when nobody answers.
    #[error("cannot {attempt}: the client gave up; is a Toxiproxy running at {address}?")]
    GaveUp {
        /// What was attempted.
        attempt: String,
        /// Where it was attempted.
        address: SocketAddr,
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

/// The faults that the crate can put on a link, in the units of Toxiproxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toxic {
    /// Milliseconds.
    Latency {
        /// How much later.
        latency: u32,
        /// Spread around it.
        jitter: u32,
    },
    /// KB/s.
    Bandwidth {
        /// How much at most.
        rate: u32,
    },
    /// Milliseconds.
    SlowClose {
        /// How much later the end comes.
        delay: u32,
    },
    /// Milliseconds, 0 for never.
    Timeout {
        /// When the connection closes.
        timeout: u32,
    },
    /// Bytes and microseconds.
    Slicer {
        /// Bytes of a slice.
        average_size: u32,
        /// Spread around it.
        size_variation: u32,
        /// Between two slices.
        delay: u32,
    },
    /// Bytes.
    LimitData {
        /// How many a connection may carry.
        bytes: u32,
    },
}

type Job = Box<dyn FnOnce(&Client) + Send>;

/// Jobs that may wait for the one before them; who has more waits too.
const JOBS_MAX: usize = 16;

/// A Toxiproxy at an address. When it is dropped, every fault of the server is lifted, because a real one has no leases.
#[derive(Debug)]
pub struct Toxiproxy {
    address: SocketAddr,
    jobs: mpsc::Sender<Job>,
}

impl Toxiproxy {
    /// A client of the Toxiproxy at `address`; nothing is sent yet.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn new(address: SocketAddr) -> Result<Self, Error> {
        let (jobs, mut queue) = mpsc::channel(JOBS_MAX);
        let work = move || work(address, &mut queue);
        thread::Builder::new().name("toxiproxy".to_owned()).spawn(work).map_err(Error::Thread)?;
        Ok(Self { address, jobs })
    }

    /// The version that it says it has.
    ///
    /// # Errors
    /// When nobody answers, or not with a version.
    pub async fn version(&self) -> Result<String, Error> {
        let attempt = "ask for the version";
        let said = self.call(attempt, Client::version).await?;
        // The client hands the whole answer over.
        let answer: BTreeMap<String, String> =
            serde_json::from_str(&said).map_err(|error| client(attempt, &error.to_string()))?;
        answer.get("version").cloned().ok_or_else(|| client(attempt, &said))
    }

    /// Makes links, replacing those that lead elsewhere; answers with where each listens, in order.
    ///
    /// # Errors
    /// When one is not as asked for when read back.
    pub async fn populate(&self, links: &[Link]) -> Result<Vec<String>, Error> {
        let attempt = "make the links";
        let asked = links.to_vec();
        let made = self.call(attempt, move |client| {
            let pack = |link: &Link| ProxyPack::new(link.name.clone(), link.listen.clone(), link.upstream.clone());
            client.populate(asked.iter().map(pack).collect())?;
            asked.iter().map(|link| client.find_proxy(&link.name).map(|proxy| proxy.proxy_pack)).collect()
        });
        let made: Vec<ProxyPack> = made.await?;
        for (asked, seen) in links.iter().zip(&made) {
            if (&seen.name, &seen.upstream, seen.enabled) != (&asked.name, &asked.upstream, true) {
                return Err(mismatch(attempt, asked, seen));
            }
        }
        Ok(made.into_iter().map(|seen| seen.listen).collect())
    }

    /// Takes a link down, or brings it up again.
    ///
    /// # Errors
    /// When there is no such link, or it is not so when read back.
    pub async fn enable(&self, link: &str, is_enabled: bool) -> Result<(), Error> {
        let attempt = format!("take link `{link}` {}", if is_enabled { "up" } else { "down" });
        let change = move |proxy: &Proxy| if is_enabled { proxy.enable() } else { proxy.disable() };
        let seen = self.change(&attempt, link, change).await?.proxy_pack.enabled;
        if seen == is_enabled { Ok(()) } else { Err(mismatch(&attempt, is_enabled, seen)) }
    }

    /// Puts a toxic on a link, for a share of connections in [0, 1]. Its name is its type and direction, so there can be one of each.
    ///
    /// # Errors
    /// When there is no such link, or the toxic is not there as asked for when read back: the client keeps a refusal to itself.
    pub async fn add(&self, link: &str, toxic: Toxic, direction: Direction, share: f32) -> Result<(), Error> {
        let attempt = format!("put {toxic:?} on link `{link}`");
        let expected = (toxic.kind().to_owned(), direction.to_string(), share, toxic.attributes());
        let seen = self.change(&attempt, link, move |proxy| {
            toxic.put_on(proxy, direction.to_string(), share);
            Ok(())
        });
        let packs = seen.await?.proxy_pack.toxics.into_iter();
        let shapes = packs.map(|pack| (pack.r#type, pack.stream, pack.toxicity, pack.attributes.into_iter().collect()));
        let seen: Vec<(String, String, f32, BTreeMap<String, u32>)> = shapes.collect();
        if seen.contains(&expected) { Ok(()) } else { Err(mismatch(&attempt, expected, seen)) }
    }

    /// Takes every toxic off a link.
    ///
    /// # Errors
    /// When there is no such link, or a toxic is left when read back.
    pub async fn clear(&self, link: &str) -> Result<(), Error> {
        let attempt = format!("clear link `{link}`");
        let left = self.change(&attempt, link, Proxy::delete_all_toxics).await?.proxy_pack.toxics;
        if left.is_empty() { Ok(()) } else { Err(mismatch(&attempt, "no toxic", left)) }
    }

    /// Lifts every fault of every link.
    ///
    /// # Errors
    /// When nobody answers, or a fault is left when read back.
    pub async fn reset(&self) -> Result<(), Error> {
        let attempt = "lift every fault";
        let links = self.call(attempt, |client| client.reset().and_then(|()| client.all())).await?;
        let is_broken = |link: &Proxy| !link.proxy_pack.enabled || !link.proxy_pack.toxics.is_empty();
        let left: Vec<String> = links.into_iter().filter(|(_, link)| is_broken(link)).map(|(name, _)| name).collect();
        if left.is_empty() { Ok(()) } else { Err(mismatch(attempt, "no fault", left)) }
    }

    /// Changes a link and reads it back.
    async fn change(
        &self,
        attempt: &str,
        link: &str,
        change: impl FnOnce(&Proxy) -> Result<(), String> + Send + 'static,
    ) -> Result<Proxy, Error> {
        let link = link.to_owned();
        self.call(attempt, move |client| {
            change(&client.find_proxy(&link)?)?;
            client.find_proxy(&link)
        })
        .await
    }

    /// Runs a job on the client's thread.
    async fn call<T: Send + 'static>(
        &self,
        attempt: &str,
        job: impl FnOnce(&Client) -> Result<T, String> + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |client| {
            // Nobody waits for the answer any more when this fails.
            let _ = reply.send(job(client));
        });
        let gave_up = || Error::GaveUp { attempt: attempt.to_owned(), address: self.address };
        self.jobs.send(job).await.map_err(|_| gave_up())?;
        // A job that panicked drops its end.
        answer.await.map_err(|_| gave_up())?.map_err(|said| client(attempt, &said))
    }
}

impl Toxic {
    fn kind(self) -> &'static str {
        match self {
            Toxic::Latency { .. } => "latency",
            Toxic::Bandwidth { .. } => "bandwidth",
            Toxic::SlowClose { .. } => "slow_close",
            Toxic::Timeout { .. } => "timeout",
            Toxic::Slicer { .. } => "slicer",
            Toxic::LimitData { .. } => "limit_data",
        }
    }

    fn attributes(self) -> BTreeMap<String, u32> {
        let attributes = match self {
            Toxic::Latency { latency, jitter } => vec![("latency", latency), ("jitter", jitter)],
            Toxic::Bandwidth { rate } => vec![("rate", rate)],
            Toxic::SlowClose { delay } => vec![("delay", delay)],
            Toxic::Timeout { timeout } => vec![("timeout", timeout)],
            Toxic::Slicer { average_size, size_variation, delay } => {
                vec![("average_size", average_size), ("size_variation", size_variation), ("delay", delay)]
            }
            Toxic::LimitData { bytes } => vec![("bytes", bytes)],
        };
        attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn put_on(self, proxy: &Proxy, stream: String, share: f32) {
        match self {
            Toxic::Latency { latency, jitter } => proxy.with_latency(stream, latency, jitter, share),
            Toxic::Bandwidth { rate } => proxy.with_bandwidth(stream, rate, share),
            Toxic::SlowClose { delay } => proxy.with_slow_close(stream, delay, share),
            Toxic::Timeout { timeout } => proxy.with_timeout(stream, timeout, share),
            Toxic::Slicer { average_size, size_variation, delay } => {
                proxy.with_slicer(stream, average_size, size_variation, delay, share)
            }
            Toxic::LimitData { bytes } => proxy.with_limit_data(stream, bytes, share),
        };
    }
}

/// Does jobs until nobody can send one any more, then lifts every fault.
fn work(address: SocketAddr, queue: &mut mpsc::Receiver<Job>) {
    let mut client = Client::new(address);
    while let Some(job) = queue.blocking_recv() {
        if catch_unwind(AssertUnwindSafe(|| job(&client))).is_err() {
            // Its lock is poisoned.
            client = Client::new(address);
        }
    }
    if let Err(said) = client.reset() {
        tracing::warn!(%address, "cannot lift the faults of the Toxiproxy at {address}: {said}");
    }
}

fn client(attempt: &str, said: &str) -> Error {
    Error::Client { attempt: attempt.to_owned(), said: said.to_owned() }
}

fn mismatch(attempt: &str, expected: impl std::fmt::Debug, seen: impl std::fmt::Debug) -> Error {
    Error::Mismatch { attempt: attempt.to_owned(), expected: format!("{expected:?}"), seen: format!("{seen:?}") }
}
