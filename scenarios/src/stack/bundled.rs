//! Starts the bundled stack in the order in which its parts need one another: providers, links, service.
use super::{bundle::Bundle, child::Recipe, deaths::Deaths, part::Part, target::Stack};
use crate::scenario::Scenario;
use anyhow::Context as _;
use chaos::{Control, Link, Protocol, fault::database::Database};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};
use tokio::net::TcpSocket;

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
/// The link between the service and a database that is a server.
const DATABASE: &str = "database";

/// The service's variable with the key that it signs sessions with, and the one with several, which comes before it.
const SIGNING_KEYS: [&str; 2] = ["TRIPSAGE_JWT_KEY", "TRIPSAGE_JWT_KEYS"];

/// Starts every part around a database. `folder` gets their logs.
///
/// # Errors
/// When a part cannot be started, or the links cannot be made.
pub(crate) async fn start(scenario: &Scenario, folder: &Path, database: Database) -> anyhow::Result<Stack> {
    let deaths = Deaths::default();
    let recipe =
        |name, arguments, environment| Recipe { name, arguments, environment, logs: folder.to_owned(), foreign: None };
    let providers = recipe("providers", provider_arguments(scenario), BTreeMap::new());
    let providers = Part::start(providers, &deaths).await?;
    let (links, control) = match &scenario.links.api {
        Some(api) => (None, Control::new(api.get_ref())?),
        None => {
            let links = recipe("links", link_arguments(scenario), BTreeMap::new());
            let links = Part::start(links, &deaths).await?;
            let api = links.address("api").context("the links do not say where they listen")?;
            (Some(links), Control::new(&format!("http://{api}"))?)
        }
    };
    let (port, listen) = reserve_port().context("cannot reserve a port for the service")?;
    let mut environment = settings(scenario, database_url(&control, &database).await?, listen);
    for (link, provider, variable, path) in HOPS {
        let upstream =
            providers.address(provider).with_context(|| format!("the providers do not serve `{provider}`"))?;
        let listen = make_link(&control, link, upstream, protocol(scenario, link)).await?;
        environment.insert(variable.to_owned(), format!("http://{listen}{path}"));
    }
    let recipe = match &scenario.stand.program {
        None => recipe("service", vec!["serve".into()], environment),
        Some(program) => Recipe { foreign: Some(listen), ..recipe("service", program.arguments(), environment) },
    };
    let service = Part::start(recipe, &deaths).await?;
    let upstream = service.address("service").context("the service does not say where it listens")?;
    let listen = make_link(&control, CLIENT, upstream, None).await?;
    let parts = [Some(service), links, Some(providers)].into_iter().flatten().collect();
    // With an address for operators, the metrics are there only.
    let internal = scenario.target.service.get("internal_listen").map(|address| address.get_ref().clone());
    let metrics = format!("http://{}/metrics", internal.unwrap_or_else(|| upstream.to_string()));
    let bundle = Bundle::new(parts, deaths, port);
    Ok(Stack::new(format!("http://{listen}"), Some(control)).with_bundle(bundle, database).with_metrics(metrics))
}

/// Where the service finds its database: a file, or a server behind a link.
async fn database_url(control: &Control, database: &Database) -> anyhow::Result<String> {
    match database {
        Database::Sqlite { file } => Ok(format!("sqlite://{}", file.display())),
        Database::Postgres(cluster) => {
            let upstream = cluster.address();
            let listen = make_link(control, DATABASE, upstream, None).await?;
            let upstream = upstream.to_string();
            let link = Link { name: DATABASE.to_owned(), listen: listen.clone(), upstream, protocol: None };
            cluster.behind(control.clone(), link);
            Ok(cluster.url(&listen))
        }
    }
}

/// Changes what the service is started with, so that it refuses every session that was signed before.
pub(super) fn rotate_signing_key(environment: &mut BTreeMap<String, String>) {
    for variable in SIGNING_KEYS {
        environment.remove(variable);
    }
    environment.insert(SIGNING_KEYS[0].to_owned(), random_secret());
}

/// A port that nobody else is given as long as the socket is there, though nobody may listen on it for a while: the socket is bound and
/// does not listen, and `SO_REUSEADDR`, which the service's listener has too, lets another listen beside it (ip(7), socket(7)).
fn reserve_port() -> std::io::Result<(TcpSocket, SocketAddr)> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let address = socket.local_addr()?;
    Ok((socket, address))
}

fn link_arguments(scenario: &Scenario) -> Vec<OsString> {
    ["links", "--api", "127.0.0.1:0", "--seed", &scenario.seed.to_string()].map(OsString::from).into()
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
    let mut faults = scenario.faults.iter().filter(|fault| fault.named_links().any(|named| named.get_ref() == link));
    faults.find_map(|fault| fault.fault.get_ref().protocol())
}

fn provider_arguments(scenario: &Scenario) -> Vec<OsString> {
    let mut arguments = ["providers".to_owned(), "--first-port".to_owned(), "0".to_owned()].to_vec();
    arguments.extend(["--seed".to_owned(), scenario.seed.to_string()]);
    arguments.extend(["--times".to_owned(), scenario.stand.providers_times.to_string()]);
    for (provider, time) in &scenario.target.providers {
        arguments.extend(["--service-time".to_owned(), format!("{provider}={}", time.get_ref())]);
    }
    arguments.into_iter().map(OsString::from).collect()
}

fn settings(scenario: &Scenario, database_url: String, listen: SocketAddr) -> BTreeMap<String, String> {
    let own = scenario.target.service.iter();
    let own = own.map(|(name, value)| (format!("TRIPSAGE_{}", name.to_uppercase()), value.get_ref().clone()));
    // A run measures what the service can do, not what a user may; a scenario of the limits turns them on.
    let defaults = [("TRIPSAGE_RATE_LIMITS".to_owned(), "off".to_owned())];
    let fixed = [
        ("DATABASE_URL", database_url),
        ("TRIPSAGE_LISTEN", listen.to_string()),
        // Only this run's service uses them, and only on this machine's loopback.
        (SIGNING_KEYS[0], random_secret()),
        ("TRIPSAGE_MASTER_KEYS", format!("run:{}", random_secret())),
    ];
    let fixed = fixed.into_iter().map(|(name, value)| (name.to_owned(), value));
    defaults.into_iter().chain(own).chain(fixed).collect()
}

/// 32 bytes in hex, nearly all of them random.
fn random_secret() -> String {
    format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_reserved_port_is_refused_until_somebody_listens_and_is_kept_for_the_next_one() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _in_runtime = runtime.enter();
        let (reserved, address) = reserve_port().unwrap();
        for _ in 0..3 {
            assert!(TcpStream::connect(address).is_err(), "nobody listens");
            // As the service does: the standard library sets SO_REUSEADDR.
            let listener = TcpListener::bind(address).unwrap();
            let client = TcpStream::connect(address).unwrap();
            // Ended by the server first, so that its port is left in TIME_WAIT.
            drop(listener.accept().unwrap());
            drop((listener, client));
        }
        drop(reserved);
    }

    #[test]
    fn another_signing_key_takes_the_place_of_every_earlier_one() {
        let own = SIGNING_KEYS.map(|name| (name.to_owned(), "before".to_owned()));
        let mut environment: BTreeMap<String, String> =
            own.into_iter().chain([("OTHER".into(), "kept".into())]).collect();
        rotate_signing_key(&mut environment);
        assert_eq!(environment.keys().collect::<Vec<_>>(), ["OTHER", SIGNING_KEYS[0]]);
        assert!(environment[SIGNING_KEYS[0]].len() >= 32 && environment[SIGNING_KEYS[0]] != "before");
    }
}
