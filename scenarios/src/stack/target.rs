//! What is loaded and broken: the bundled stack, or a service that runs already.
use super::{bundled, child::Running};
use crate::{
    exit::{Failure, OrExit as _},
    hosts,
    scenario::Scenario,
};
use anyhow::{Context as _, anyhow};
use chaos::Control;
use futures_util::future::select_all;
use loadtest::{
    client::{self, Client},
    connection::Connection,
};
use reports::record::{ProcessUsage, Target};
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

/// How long a part may take to stop in order. The service drains for up to 25 s; nothing is asked of it any more by then.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// A target that can be loaded. Dropping it ends what the harness started.
#[derive(Debug)]
pub(crate) struct Stack {
    url: String,
    control: Option<Control>,
    parts: Vec<Running>,
}

impl Stack {
    pub(super) fn new(url: String, control: Option<Control>, parts: Vec<Running>) -> Self {
        Self { url, control, parts }
    }

    /// Starts the bundled stack, or reaches out to the service that the scenario names.
    ///
    /// # Errors
    /// When a part cannot be started, the target or its links cannot be reached, or a host beyond loopback is not allowed.
    pub(crate) async fn start(scenario: &Scenario, folder: &Path) -> Result<Self, Failure> {
        if let Some(api) = &scenario.links.api {
            allowed(api.get_ref(), &scenario.allow_hosts)
                .or_usage("name the host with --allow-host if it is yours to break")?;
        }
        let Some(url) = &scenario.target.url else {
            return bundled::start(scenario, folder).await.or_try_again("the run's folder holds the logs of its parts");
        };
        allowed(url.get_ref(), &scenario.allow_hosts)
            .or_usage("name the host with --allow-host if it is yours to load")?;
        reachable(url.get_ref(), &scenario.load.connection).await?;
        let control = match &scenario.links.api {
            Some(api) => Some(existing_links(scenario, api.get_ref()).await?),
            None => None,
        };
        Ok(Self::new(url.get_ref().trim_end_matches('/').to_owned(), control, Vec::new()))
    }

    /// Base URL for the load.
    #[must_use]
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The fault proxy that holds the links, if there is one.
    #[must_use]
    pub(crate) fn control(&self) -> Option<&Control> {
        self.control.as_ref()
    }

    /// Resolves when a part of the stack ends by itself, with how; never for a target that the harness did not start.
    pub(crate) async fn died(&mut self) -> String {
        if self.parts.is_empty() {
            return std::future::pending().await;
        }
        select_all(self.parts.iter_mut().map(|part| Box::pin(part.died()))).await.0
    }

    /// Whether the process that holds the harness's own links has ended by itself, and every fault with it.
    #[must_use]
    pub(crate) fn own_links_are_gone(&self) -> bool {
        self.parts.iter().any(|part| part.has_died("links"))
    }

    /// What is known of the target, with what its parts have used so far.
    #[must_use]
    pub(crate) fn record(&self, scenario: &Scenario) -> Target {
        let of = |section: &str, settings: &BTreeMap<String, toml::Spanned<String>>| {
            let named = settings.iter().map(|(name, value)| (format!("{section}.{name}"), value.get_ref().clone()));
            named.collect::<Vec<_>>()
        };
        let service = of("service", &scenario.target.service);
        Target {
            url: self.url.clone(),
            is_bundled: !self.parts.is_empty(),
            processes: self.usage(),
            settings: service.into_iter().chain(of("providers", &scenario.target.providers)).collect(),
        }
    }

    /// What the parts have used so far.
    #[must_use]
    pub(crate) fn usage(&self) -> Vec<ProcessUsage> {
        self.parts.iter().map(Running::usage).collect()
    }

    /// Stops what the harness started, in order.
    pub(crate) async fn stop(self) {
        for part in self.parts {
            part.stop(STOP_WITHIN).await;
        }
    }
}

/// Whether the harness may touch the host of a URL.
pub(crate) fn allowed(url: &str, allow_hosts: &[String]) -> anyhow::Result<()> {
    let parsed: reqwest::Url = url.parse().with_context(|| format!("`{url}` is not a URL"))?;
    let host = parsed.host_str().with_context(|| format!("`{url}` names no host"))?;
    let refused = || anyhow!("{host} is beyond loopback and not on the list of allowed hosts");
    hosts::is_allowed(host, allow_hosts).then_some(()).ok_or_else(refused)
}

/// The fault proxy whose proxies are the links of a target that runs already.
async fn existing_links(scenario: &Scenario, api: &str) -> Result<Control, Failure> {
    let control = Control::new(api).or_usage("write the base URL of a fault proxy's HTTP API")?;
    let links = control.links().await.or_try_again("is the fault proxy running there? `harness links` is one")?;
    let missing = scenario.faults.iter().map(|fault| fault.link.get_ref()).find(|link| !links.contains_key(*link));
    let known: Vec<&str> = links.keys().map(String::as_str).collect();
    if let Some(link) = missing {
        return Err(anyhow!("the fault proxy at {api} has no proxy `{link}`; it has {}", known.join(", ")))
            .or_usage("make the proxy, or name another link");
    }
    let is_mute = |fault: &&chaos::FaultSettings| {
        let spoken = links.get(fault.link.get_ref()).and_then(|link| link.protocol);
        fault.fault.get_ref().protocol().is_some_and(|protocol| spoken != Some(protocol))
    };
    if let Some(fault) = scenario.faults.iter().find(is_mute) {
        let (link, kind) = (fault.link.get_ref(), fault.fault.get_ref().kind());
        let mute = Err(anyhow!("the proxy `{link}` at {api} carries bytes, so `{kind}` cannot act on its requests"));
        return mute
            .or_usage("make it in `harness links` with \"protocol\": \"mcp\" or \"llm\"; a real Toxiproxy cannot");
    }
    Ok(control)
}

/// Whether anything answers there, over connections as the load will have them.
async fn reachable(url: &str, connection: &Connection) -> Result<(), Failure> {
    let reaching = || format!("cannot reach {url}");
    let target = loadtest::Target::resolve(url).await.with_context(reaching).or_try_again(IS_IT_RUNNING)?;
    let mut client = Client::with(Arc::new(target), connection.clone()).or_usage("see `[load.connection]`")?;
    let health = client::get("/health/live".parse().expect("it is a path"));
    let end = client.exchange(health, Duration::from_secs(5), None).await.end;
    let is_distrusted = matches!(end, Err(client::Failure::Tls { .. } | client::Failure::NotHttp2));
    let answer = end.with_context(reaching);
    let answer = if is_distrusted { answer.or_usage(TRUST)? } else { answer.or_try_again(IS_IT_RUNNING)? };
    let status = answer.status;
    let refused = || anyhow!("{url} does not say that it is alive: it answered {status}");
    status.is_success().then_some(()).ok_or_else(refused).or_try_again(IS_IT_RUNNING)
}

const IS_IT_RUNNING: &str = "is the service running there?";
const TRUST: &str =
    "its own authority is believed with `[load.connection] ca_file = \"ca.pem\"`; HTTP/2 is asked for with `http`";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_and_listed_hosts_are_touched() {
        let listed = ["staging.example".to_owned()];
        for url in [
            "http://127.0.0.1:8000",
            "http://127.9.9.9",
            "http://[::1]:80",
            "http://localhost:1",
            "http://staging.example",
        ] {
            assert!(allowed(url, &listed).is_ok(), "{url}");
        }
        for url in [
            "http://10.0.0.1",
            "http://example.org",
            "http://0.0.0.0:80",
            "http://localhost.example",
            "nonsense",
            "http:///x",
        ] {
            assert!(allowed(url, &listed).is_err(), "{url}");
        }
    }
}
