//! What is loaded and broken: the bundled stack, or a service that runs already.
use super::{bundle::Bundle, bundled, database};
use crate::{
    exit::{Failure, OrExit as _},
    hosts,
    scenario::Scenario,
};
use anyhow::{Context as _, anyhow};
use chaos::{
    Control, Injectors, Parts, Timeline,
    fault::database::{Database, Prepared},
};
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
    bundle: Option<Arc<Bundle>>,
    database: Option<Database>,
    metrics_url: Option<String>,
}

impl Stack {
    pub(super) fn new(url: String, control: Option<Control>) -> Self {
        Self { url, control, bundle: None, database: None, metrics_url: None }
    }

    /// With what the harness started for it.
    #[must_use]
    pub(super) fn with_bundle(self, bundle: Bundle, database: Database) -> Self {
        Self { bundle: Some(Arc::new(bundle)), database: Some(database), ..self }
    }

    /// With the place where the service shows its metrics.
    #[must_use]
    pub(super) fn with_metrics(self, url: String) -> Self {
        Self { metrics_url: Some(url), ..self }
    }

    /// Where the metrics of the bundled service are, past all links.
    #[must_use]
    pub(crate) fn metrics_url(&self) -> Option<&str> {
        self.metrics_url.as_deref()
    }

    /// Starts the bundled stack, or reaches out to the service that the scenario names.
    ///
    /// # Errors
    /// When a part cannot be started, the target or its links cannot be reached, or a host beyond loopback is not allowed.
    pub(crate) async fn start(scenario: &Scenario, folder: &Path) -> Result<Self, Failure> {
        if let Some(api) = &scenario.links.api {
            allowed(api.get_ref(), &scenario.allow_hosts)
                .or_usage("name the host with --allow-host if it is yours to break")?;
            has_every_fault(scenario, api.get_ref()).await?;
        }
        let Some(url) = &scenario.target.url else {
            let database = database::start(scenario.target.database(), folder).await?;
            let started = bundled::start(scenario, folder, database).await;
            return started.or_try_again("the run's folder holds the logs of its parts");
        };
        allowed(url.get_ref(), &scenario.allow_hosts)
            .or_usage("name the host with --allow-host if it is yours to load")?;
        reachable(url.get_ref(), &scenario.load.connection).await?;
        let control = match &scenario.links.api {
            Some(api) => Some(existing_links(scenario, api.get_ref()).await?),
            None => None,
        };
        Ok(Self::new(url.get_ref().trim_end_matches('/').to_owned(), control))
    }

    /// Base URL for the load.
    #[must_use]
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What faults can act on: the fault proxy that holds the links, and the parts and the database that the harness started, if there
    /// are any.
    ///
    /// # Errors
    /// When a fault of the timeline cannot be prepared on the database.
    pub(crate) async fn injectors(&self, timeline: &Timeline) -> Result<Injectors, Failure> {
        let parts = self.bundle.clone().map(|bundle| bundle as Arc<dyn Parts>);
        let database = match &self.database {
            Some(database) => Prepared::new(timeline, database).await.or_usage("change the fault, or the target")?,
            None => Prepared::default(),
        };
        Ok(Injectors::new(self.control.clone(), parts).with_database(database))
    }

    /// Resolves when a part of the stack ends by itself, with how; never for a target that the harness did not start.
    pub(crate) async fn died(&self) -> String {
        match &self.bundle {
            Some(bundle) => bundle.deaths().first().await,
            None => std::future::pending().await,
        }
    }

    /// Whether the process that holds the harness's own links has ended by itself, and every fault with it.
    #[must_use]
    pub(crate) fn own_links_are_gone(&self) -> bool {
        self.bundle.as_ref().is_some_and(|bundle| bundle.deaths().of("links").is_some())
    }

    /// What is known of the target, with what its parts have used so far.
    #[must_use]
    pub(crate) fn record(&self, scenario: &Scenario) -> Target {
        let of = |section: &str, settings: &BTreeMap<String, toml::Spanned<String>>| {
            let named = settings.iter().map(|(name, value)| (format!("{section}.{name}"), value.get_ref().clone()));
            named.collect::<Vec<_>>()
        };
        let service = of("service", &scenario.target.service);
        let database = self.database.as_ref().and_then(database::version).map(|it| ("database".to_owned(), it));
        Target {
            url: self.url.clone(),
            is_bundled: self.bundle.is_some(),
            processes: self.usage(),
            settings: database.into_iter().chain(service).chain(of("providers", &scenario.target.providers)).collect(),
        }
    }

    /// What the parts have used so far.
    #[must_use]
    pub(crate) fn usage(&self) -> Vec<ProcessUsage> {
        self.bundle.as_ref().map(|bundle| bundle.usage()).unwrap_or_default()
    }

    /// Stops what the harness started, in order.
    pub(crate) async fn stop(self) {
        if let Some(bundle) = &self.bundle {
            bundle.stop(STOP_WITHIN).await;
        }
        if let Some(Database::Postgres(cluster)) = &self.database {
            cluster.stop().await;
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

/// Whether the fault proxy can bring about what the scenario wants: a real Toxiproxy has less than our links.
async fn has_every_fault(scenario: &Scenario, api: &str) -> Result<(), Failure> {
    let Some(lacked) = scenario.faults.iter().find_map(chaos::FaultSettings::beyond_toxiproxy) else { return Ok(()) };
    let control = Control::new(api).or_usage("write the base URL of a fault proxy's HTTP API")?;
    if control.is_ours().await.or_try_again(IS_IT_A_PROXY)? {
        return Ok(());
    }
    Err(anyhow!("the fault proxy at {api} is a Toxiproxy, which has no {lacked}"))
        .or_usage("run `harness links` in its place, or choose another fault")
}

/// The fault proxy whose proxies are the links of a target that runs already.
async fn existing_links(scenario: &Scenario, api: &str) -> Result<Control, Failure> {
    let control = Control::new(api).or_usage("write the base URL of a fault proxy's HTTP API")?;
    let links = control.links().await.or_try_again(IS_IT_A_PROXY)?;
    let named = scenario.faults.iter().flat_map(|fault| fault.named_links());
    let missing = named.map(toml::Spanned::get_ref).find(|link| !links.contains_key(*link));
    let known: Vec<&str> = links.keys().map(String::as_str).collect();
    if let Some(link) = missing {
        return Err(anyhow!("the fault proxy at {api} has no proxy `{link}`; it has {}", known.join(", ")))
            .or_usage("make the proxy, or name another link");
    }
    let spoken = |link: &str| links.get(link).and_then(|link| link.protocol);
    for fault in &scenario.faults {
        let Some(protocol) = fault.fault.get_ref().protocol() else { continue };
        let mut named = fault.named_links().map(toml::Spanned::get_ref);
        if let Some(link) = named.find(|link| spoken(link) != Some(protocol)) {
            let kind = fault.fault.get_ref().kind();
            return Err(anyhow!(
                "the proxy `{link}` at {api} does not speak {protocol}, so `{kind}` cannot act on its requests"
            ))
            .or_usage("make it in `harness links` with \"protocol\": \"mcp\" or \"llm\"; a real Toxiproxy cannot");
        }
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

const IS_IT_A_PROXY: &str = "is the fault proxy running there? `harness links` is one";
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
