//! Those who look from outside: they have a thread of their own, so that whoever looks does not hold a sender up.
use super::{
    board::Board,
    listener::{self, Shared},
    otlp::Exporter,
};
use crate::{
    cli,
    exit::{Failure, OrExit as _},
    hosts, output,
    stack::allowed,
};
use anyhow::{Context as _, anyhow};
use axum::Router;
use loadtest::Stop;
use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, PoisonError},
    time::Duration,
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::Notify,
    task::JoinHandle,
    time::timeout,
};

/// A dashboard that asked within this time is still open.
const STILL_OPEN: Duration = Duration::from_secs(3);
/// How long an open dashboard is waited for, so that it shows the verdict.
const LAST_LOOK: Duration = Duration::from_secs(2);
/// How long the last push or answer may take.
const LAST_ANSWER: Duration = Duration::from_secs(4);

/// Places to listen at, taken before anything is started.
#[derive(Debug)]
pub(crate) struct Bound {
    dashboard: Option<TcpListener>,
    metrics: Option<TcpListener>,
    otlp: Option<Exporter>,
    allow_hosts: Vec<String>,
}

/// Everybody who looks.
#[derive(Debug)]
pub(crate) struct Observers {
    runtime: Option<Runtime>,
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
    stop: Stop,
}

impl Bound {
    /// Takes the places.
    ///
    /// # Errors
    /// When an address beyond loopback is not allowed, or cannot be listened at.
    pub(crate) fn new(flags: &cli::Observe, allow_hosts: &[String]) -> Result<Self, Failure> {
        let listen = |flag: &'static str, address: Option<SocketAddr>| {
            address.map(|address| bind(flag, address, allow_hosts)).transpose()
        };
        let exporter = |url: &String| {
            allowed(url, allow_hosts)
                .context("in --otlp")
                .or_usage("name the host with --allow-host if it is yours")?;
            Exporter::new(url)
                .context("in --otlp")
                .or_usage("write the collector's base URL, such as http://127.0.0.1:4318")
        };
        Ok(Self {
            dashboard: listen("--dashboard", flags.dashboard)?,
            metrics: listen("--prometheus-listen", flags.prometheus_listen)?,
            otlp: flags.otlp.as_ref().map(exporter).transpose()?,
            allow_hosts: allow_hosts.to_owned(),
        })
    }

    /// Starts to show the board, and says where.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn show(self, board: Arc<Board>) -> anyhow::Result<Observers> {
        let Self { dashboard, metrics, otlp, allow_hosts } = self;
        let is_needed = dashboard.is_some() || metrics.is_some() || otlp.is_some();
        let build = || Builder::new_multi_thread().worker_threads(1).thread_name("observers").enable_all().build();
        let runtime = is_needed.then(build).transpose().context("starting the observers' thread")?;
        let shared = Shared { board: board.clone(), allow_hosts, asked: None.into(), saw_the_end: Notify::new() };
        let shared = Arc::new(shared);
        let mut observers = Observers { runtime, shared: shared.clone(), tasks: Vec::new(), stop: Stop::default() };
        let address = |listener: &TcpListener| listener.local_addr().context("asking for the address");
        if let Some(listener) = dashboard {
            output::note(&format!("dashboard http://{}/", address(&listener)?));
            observers.serve(listener, listener::dashboard(shared.clone()));
        }
        if let Some(listener) = metrics {
            output::note(&format!("metrics http://{}/metrics", address(&listener)?));
            observers.serve(listener, listener::metrics(shared));
        }
        if let Some(exporter) = otlp {
            let end = observers.stop.drain.clone();
            observers.spawn(async move { exporter.run(board, end.cancelled_owned()).await });
        }
        Ok(observers)
    }
}

impl Observers {
    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.extend(self.runtime.as_ref().map(|runtime| runtime.spawn(task)));
    }

    fn serve(&mut self, listener: TcpListener, router: Router) {
        let end = self.stop.drain.clone();
        self.spawn(async move {
            let served = async {
                listener.set_nonblocking(true)?;
                let listener = tokio::net::TcpListener::from_std(listener)?;
                axum::serve(listener, router).with_graceful_shutdown(end.cancelled_owned()).await
            };
            if let Err(error) = served.await {
                tracing::warn!("a page is not served any more: {error}");
            }
        });
    }

    /// Lets an open dashboard show the verdict, pushes for the last time, and ends.
    pub(crate) async fn finish(mut self) {
        let asked = *self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.is_some_and(|asked| asked.elapsed() < STILL_OPEN)
            && timeout(LAST_LOOK, self.shared.saw_the_end.notified()).await.is_err()
        {
            tracing::debug!("the dashboard was closed before the verdict");
        }
        self.stop.drain.cancel();
        for task in std::mem::take(&mut self.tasks) {
            if timeout(LAST_ANSWER, task).await.is_err() {
                tracing::debug!("an observer did not end in time");
            }
        }
    }
}

impl Drop for Observers {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn bind(flag: &'static str, address: SocketAddr, allow_hosts: &[String]) -> Result<TcpListener, Failure> {
    let ip = address.ip();
    if !hosts::is_allowed(&ip.to_string(), allow_hosts) {
        let error = anyhow!("{flag}: {ip} is beyond loopback, so others could read along");
        let hint = format!("if that is meant, add --allow-host {ip}");
        return Err(error).or_usage(&hint);
    }
    let bound = TcpListener::bind(address).with_context(|| format!("{flag}: cannot listen at {address}"));
    bound.or_try_again("is the port taken? Port 0 takes a free one")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{exit::Exit, live::scene::Scene};
    use reports::record::Outcome;

    fn flags(dashboard: Option<&str>, metrics: Option<&str>, otlp: Option<&str>) -> cli::Observe {
        let address = |text: &str| text.parse().unwrap();
        cli::Observe {
            dashboard: dashboard.map(address),
            prometheus_listen: metrics.map(address),
            otlp: otlp.map(str::to_owned),
        }
    }

    #[tokio::test]
    async fn the_pages_are_served_read_only_and_end_with_the_run() {
        let mut scene = Scene::new(&["errors = 0"]);
        scene.request(0, Outcome::Full, Duration::from_millis(5));
        scene.second_ends();
        let bound = Bound::new(&flags(Some("127.0.0.1:0"), Some("[::1]:0"), None), &[]).unwrap();
        let place = |listener: &Option<TcpListener>| listener.as_ref().unwrap().local_addr().unwrap();
        let (page, metrics) = (place(&bound.dashboard), place(&bound.metrics));
        let observers = bound.show(scene.board.clone()).unwrap();
        let client = reqwest::Client::new();
        let get = |url: String| client.get(url).send();

        let html = get(format!("http://{page}/")).await.unwrap();
        let policy = html.headers()["content-security-policy"].to_str().unwrap().to_owned();
        let text = html.text().await.unwrap();
        let nonce = text.split("nonce=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        assert!(policy.starts_with("default-src 'none';") && policy.contains(nonce), "{policy}");
        assert!(!text.contains("{{nonce}}") && !text.contains("https://"), "nothing comes from elsewhere");

        let json: serde_json::Value = get(format!("http://{page}/live.json")).await.unwrap().json().await.unwrap();
        assert_eq!((json["counts"]["completed"].as_u64(), json["seconds"][0]["done"].as_u64()), (Some(1), Some(1)));
        let text = get(format!("http://{metrics}/metrics")).await.unwrap().text().await.unwrap();
        assert!(text.contains("harness_requests_offered_total 1\n"), "{text}");

        for (request, status) in [
            (client.post(format!("http://{page}/live.json")), 405),
            (client.delete(format!("http://{page}/")), 405),
            (client.get(format!("http://{page}/run.json")), 404),
            (client.get(format!("http://{page}/live.json?since=x")), 400),
            (client.get(format!("http://{page}/live.json")).header("host", "rebound.example"), 421),
            (client.get(format!("http://{metrics}/metrics")).header("host", "rebound.example"), 421),
        ] {
            assert_eq!(request.send().await.unwrap().status().as_u16(), status);
        }

        scene.board.finish("PASSED", "1 of 1 gate holds");
        let end = tokio::spawn(observers.finish());
        let last: serde_json::Value = get(format!("http://{page}/live.json")).await.unwrap().json().await.unwrap();
        assert_eq!(last["verdict"]["word"], "PASSED", "an open page is waited for");
        drop(client);
        end.await.unwrap();
        assert!(std::net::TcpStream::connect(page).is_err(), "nobody listens any more");
    }

    #[test]
    fn an_address_beyond_loopback_must_be_allowed_and_a_port_be_free() {
        let refused = |flags: &cli::Observe, allow_hosts: &[&str]| {
            let allow_hosts: Vec<String> = allow_hosts.iter().map(|host| (*host).to_owned()).collect();
            Bound::new(flags, &allow_hosts).err().map(|failure| (failure.exit, failure.to_string()))
        };
        let (exit, text) = refused(&flags(Some("0.0.0.0:0"), None, None), &[]).unwrap();
        assert!(exit == Exit::Usage && text.contains("--dashboard: 0.0.0.0 is beyond loopback"), "{text}");
        let (exit, text) = refused(&flags(None, Some("192.0.2.1:1"), None), &[]).unwrap();
        assert!(exit == Exit::Usage && text.contains("--prometheus-listen"), "{text}");
        let (exit, text) = refused(&flags(None, None, Some("http://192.0.2.1:4318")), &[]).unwrap();
        assert!(exit == Exit::Usage && text.contains("in --otlp"), "{text}");
        assert_eq!(refused(&flags(Some("0.0.0.0:0"), None, None), &["0.0.0.0"]), None);
        assert_eq!(refused(&flags(None, None, Some("http://192.0.2.1:4318")), &["192.0.2.1"]), None);
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let (exit, text) = refused(&flags(Some(&address), None, None), &[]).unwrap();
        assert!(exit == Exit::TryAgain && text.contains(&address), "{text}");
    }
}
