//! The server that a calibration asks: on a thread of its own in this process, so that its CPU time can be told from the generator's.
//!
//! What loopback costs in the kernel is counted to whoever makes the call: the sender pays for the receiver's side of a packet.
use super::truth::Stall;
use crate::timer::Timer;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use nix::time::{ClockId, clock_gettime};
use std::{
    convert::Infallible,
    io,
    net::TcpListener,
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

/// The answer to a search, as the service gives it: four offers there and back, 5 kB.
const FLIGHT_SEARCH: &str = include_str!("flight_search.json");

/// What the server does with a request.
#[derive(Debug, Clone)]
pub(super) enum Manner {
    /// Answers as a flight search is answered, at once.
    Null,
    /// Answers with nothing, and stalls from the instant that is set on.
    Stalling(Stall, Arc<OnceLock<Instant>>),
}

/// A server that runs until it is dropped.
#[derive(Debug)]
pub(super) struct Server {
    url: String,
    cpu: mpsc::Sender<oneshot::Sender<Duration>>,
}

impl Server {
    /// Starts it on a port of its own.
    ///
    /// # Errors
    /// When no port or thread is left.
    pub(super) fn start(manner: Manner) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        let (cpu, asked) = mpsc::channel(1);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let work = move || {
            if let Err(error) = runtime.block_on(serve(listener, manner, asked)) {
                tracing::error!("the calibration's server ended: {error}");
            }
        };
        thread::Builder::new().name("calibration".into()).spawn(work)?;
        Ok(Self { url, cpu })
    }

    /// Its base URL.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The CPU time that its thread has used.
    ///
    /// # Errors
    /// When the thread is gone or the system has no such clock.
    pub(super) async fn cpu(&self) -> io::Result<Duration> {
        let (reply, time) = oneshot::channel();
        self.cpu.send(reply).await.map_err(|_| io::ErrorKind::NotConnected)?;
        time.await.map_err(|_| io::Error::from(io::ErrorKind::NotConnected))
    }
}

/// Serves until nobody can ask for its CPU time any more.
async fn serve(
    listener: TcpListener,
    manner: Manner,
    mut asked: mpsc::Receiver<oneshot::Sender<Duration>>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                stream.set_nodelay(true)?;
                tokio::spawn(converse(stream, manner.clone()));
            }
            reply = asked.recv() => match reply {
                // A reply that nobody waits for any more is no loss.
                Some(reply) => drop(reply.send(thread_cpu()?)),
                None => return Ok(()),
            },
        }
    }
}

fn thread_cpu() -> io::Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}

async fn converse(stream: tokio::net::TcpStream, manner: Manner) {
    let answer = service_fn(|request| answer(request, manner.clone()));
    if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await {
        tracing::debug!("a connection of the calibration's server ended: {error}");
    }
}

async fn answer(request: Request<Incoming>, manner: Manner) -> Result<Response<Full<Bytes>>, Infallible> {
    // A body that breaks off ends the connection, which the other side sees.
    let _ = request.into_body().collect().await;
    match manner {
        Manner::Null => {
            let mut response = Response::new(Full::new(Bytes::from_static(FLIGHT_SEARCH.as_bytes())));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Ok(response)
        }
        Manner::Stalling(stall, zero) => {
            let now = Instant::now();
            let at_s = zero.get().map_or(stall.frozen_s, |zero| since(now, *zero));
            let wait_s = stall.frozen_for_s(at_s) + stall.base_s;
            let until = now + Duration::from_secs_f64(wait_s);
            if let Err(error) = wait(until).await {
                tracing::error!("the calibration's server cannot wait: {error}");
            }
            Ok(Response::new(Full::default()))
        }
    }
}

async fn wait(until: Instant) -> io::Result<()> {
    Timer::new()?.until(until).await
}

/// Seconds from `zero` to `now`; negative before it.
fn since(now: Instant, zero: Instant) -> f64 {
    now.saturating_duration_since(zero).as_secs_f64() - zero.saturating_duration_since(now).as_secs_f64()
}
