//! Starts the bundled stack in the order in which its parts need one another: providers, links, service.
use super::{
    child::{Part, Running},
    target::Stack,
};
use crate::scenario::Scenario;
use anyhow::Context as _;
use chaos::{Control, Link, Protocol};
use std::{collections::BTreeMap, ffi::OsString, net::SocketAddr, path::Path};

/// The hops from the service to its providers: link, provider, variable of the service, path.
const HOPS: [(&str, &str, &str, &str); 8] = [
    ("mcp.flights", "flights", "TRIPSAGE_MCP_FLIGHTS_URL", "/mcp"),
    ("mcp.airbnb", "airbnb", "TRIPSAGE_MCP_AIRBNB_URL", "/mcp"),
    ("mcp.google_maps", "google_maps", "TRIPSAGE_MCP_GOOGLE_MAPS_URL", "/mcp"),
    ("mcp.weather", "weather", "TRIPSAGE_MCP_WEATHER_URL", "/mcp"),
    ("mcp.time", "time", "TRIPSAGE_MCP_TIME_URL", "/mcp"),
    ("mcp.memory", "memory", "TRIPSAGE_MCP_MEMORY_URL", "/mcp"),
    ("mcp.webcrawl", "webcrawl", "TRIPSAGE_MCP_WEBCRAWL_URL", "/mcp"),
    ("llm", "llm", "TRIPSAGE_LLM_URL", "/v1"),
];

/// The link between the generator and the service.
const CLIENT: &str = "client";

/// Starts every part. `folder` gets their logs and the database.
///
/// # Errors
/// When a part cannot be started, or the links cannot be made.
pub(crate) async fn start(scenario: &Scenario, folder: &Path) -> anyhow::Result<Stack> {
    let providers = Running::start(Part {
        name: "providers",
        arguments: provider_arguments(scenario),
        environment: Vec::new(),
        logs: folder,
    });
    let providers = providers.await?;
    let (links, control) = links(scenario, folder).await?;
    let address = |provider: &str| providers.addresses().get(provider).copied();
    let mut environment = settings(scenario, folder);
    for (link, provider, variable, path) in HOPS {
        let upstream = address(provider).with_context(|| format!("the providers do not serve `{provider}`"))?;
        let listen = make_link(&control, link, upstream, protocol(scenario, link)).await?;
        environment.insert(variable.to_owned(), format!("http://{listen}{path}"));
    }
    let service = Running::start(Part {
        name: "service",
        arguments: vec!["serve".into()],
        environment: environment.into_iter().collect(),
        logs: folder,
    });
    let service = service.await?;
    let upstream = *service.addresses().get("service").context("the service does not say where it listens")?;
    let listen = make_link(&control, CLIENT, upstream, None).await?;
    // The order in which they are stopped: whoever asks before whoever answers.
    let parts = [Some(service), links, Some(providers)].into_iter().flatten().collect();
    Ok(Stack::new(format!("http://{listen}"), Some(control), parts))
}

async fn links(scenario: &Scenario, folder: &Path) -> anyhow::Result<(Option<Running>, Control)> {
    if let Some(api) = &scenario.links.api {
        return Ok((None, Control::new(api.get_ref())?));
    }
    let arguments: [OsString; 5] =
        ["links".into(), "--api".into(), "127.0.0.1:0".into(), "--seed".into(), scenario.seed.to_string().into()];
    let part = Part { name: "links", arguments: arguments.into(), environment: Vec::new(), logs: folder };
    let running = Running::start(part).await?;
    let api = running.addresses().get("api").context("the links do not say where they listen")?;
    let control = Control::new(&format!("http://{api}"))?;
    Ok((Some(running), control))
}

/// Makes a link, in place of one that an earlier run may have left, and says where it listens.
async fn make_link(
    control: &Control,
    name: &str,
    upstream: SocketAddr,
    protocol: Option<Protocol>,
) -> anyhow::Result<String> {
    let (name, listen) = (name.to_owned(), "127.0.0.1:0".to_owned());
    let link = Link { name, listen, upstream: upstream.to_string(), protocol };
    let made = control.populate(std::slice::from_ref(&link)).await;
    let made = made.with_context(|| format!("making link {}", link.name))?;
    let made = made.into_iter().next().with_context(|| format!("link {} was not made", link.name))?;
    Ok(made.listen)
}

/// What the link must speak for the scenario's faults; without one that acts on single requests it stays a link of bytes.
fn protocol(scenario: &Scenario, link: &str) -> Option<Protocol> {
    let mut faults = scenario.faults.iter().filter(|fault| fault.link.get_ref() == link);
    faults.find_map(|fault| fault.fault.get_ref().protocol())
}

fn provider_arguments(scenario: &Scenario) -> Vec<OsString> {
    let mut arguments = ["providers".to_owned(), "--first-port".to_owned(), "0".to_owned()].to_vec();
    arguments.extend(["--seed".to_owned(), scenario.seed.to_string()]);
    for (provider, time) in &scenario.target.providers {
        arguments.extend(["--service-time".to_owned(), format!("{provider}={}", time.get_ref())]);
    }
    arguments.into_iter().map(OsString::from).collect()
}

fn settings(scenario: &Scenario, folder: &Path) -> BTreeMap<String, String> {
    let database = folder.join("tripsage.db");
    let own = scenario.target.service.iter();
    let own = own.map(|(name, value)| (format!("TRIPSAGE_{}", name.to_uppercase()), value.get_ref().clone()));
    // A run measures what the service can do, not what a user may; a scenario of the limits turns them on.
    let defaults = [("TRIPSAGE_RATE_LIMITS".to_owned(), "off".to_owned())];
    let fixed = [
        ("DATABASE_URL", format!("sqlite://{}", database.display())),
        ("TRIPSAGE_LISTEN", "127.0.0.1:0".to_owned()),
        // Only this run's service uses them, and only on this machine's loopback.
        ("TRIPSAGE_JWT_KEY", random_secret()),
        ("TRIPSAGE_MASTER_KEYS", format!("run:{}", random_secret())),
    ];
    let fixed = fixed.into_iter().map(|(name, value)| (name.to_owned(), value));
    defaults.into_iter().chain(own).chain(fixed).collect()
}

/// 32 bytes in hex, nearly all of them random.
fn random_secret() -> String {
    format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple())
}
