//! The sub-commands that serve: the service, its providers and the links, each in a process of its own.
//!
//! The only file that knows the crates `service` and `providers`.
use crate::{
    cli,
    exit::{Exit, Failure, OrExit as _},
    output,
    stack::{Ready, die_with_parent, parent_gone},
};
use anyhow::Context as _;
use loadtest::Stop;
use nix::sys::resource::{Resource, setrlimit};
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::unix::process::CommandExt as _,
    path::Path,
    process::Command,
};

/// How to write the file of links.
const LINKS_HINT: &str = "write proxies as [{ \"name\": \"mcp.flights\", \"listen\": \"127.0.0.1:9001\", \"upstream\": \"127.0.0.1:8001\" }]";

/// Runs the TripSage service until it is asked to stop.
///
/// # Errors
/// When the environment is not a valid configuration, or the service cannot start or serve.
pub(crate) async fn service(flags: &cli::Serve, stop: Stop) -> Result<Exit, Failure> {
    belong_to_parent(flags.with_parent)?;
    if let Some(limit) = flags.open_files {
        let limited = setrlimit(Resource::RLIMIT_NOFILE, limit, limit);
        limited
            .with_context(|| format!("limiting open files to {limit}"))
            .or_usage("ask for no more than `ulimit -Hn`")?;
    }
    let variables = std::env::vars().filter(|(name, _)| name.starts_with("TRIPSAGE_") || name == "DATABASE_URL");
    let config = service::Config::from_vars(variables)
        .or_usage("the service is configured by TRIPSAGE_* variables; `harness run` sets them itself")?;
    let telemetry = service::telemetry::start(&config.telemetry).or_usage("no traces are sent from here")?;
    let server = service::bind(config).await.or_try_again("is the address in use, or the database locked?")?;
    ready("service", [("service".to_owned(), server.address())])?;
    let with_parent = flags.with_parent;
    let served = server.run(asked_to_stop(with_parent, stop)).await;
    telemetry.close();
    served.context("serving").map_err(Failure::from)?;
    Ok(Exit::Passed)
}

/// Runs the bundled MCP servers and the LLM until asked to stop.
///
/// # Errors
/// When a flag names no provider or service time, or a port is in use.
pub(crate) async fn providers(flags: &cli::Providers, stop: Stop) -> Result<Exit, Failure> {
    belong_to_parent(flags.with_parent)?;
    let gap = flags.llm_gap.parse().or_usage("write a service time, such as constant:5ms")?;
    let mut settings = providers::Settings {
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        first_port: flags.first_port,
        llm: providers::LlmSettings { gap, ..Default::default() },
        ..providers::Settings::new(flags.seed)
    };
    for text in &flags.service_times {
        let (instance, time) = service_time(text).or_usage("write PROVIDER=TIME, such as flights=constant:5ms")?;
        settings.set_service_time(instance, time);
    }
    settings.slow_down(flags.times);
    let running =
        providers::start(settings).await.or_try_again("another process may listen there; choose --first-port")?;
    ready("providers", running.instances().iter().map(|(instance, address)| (instance.to_string(), *address)))?;
    asked_to_stop(flags.with_parent, stop).await;
    running.stop().await;
    Ok(Exit::Passed)
}

/// Runs the fault proxy until asked to stop.
///
/// # Errors
/// When the address of the HTTP API is in use, or the links of the file cannot be made.
pub(crate) async fn links(flags: &cli::Links, stop: Stop) -> Result<Exit, Failure> {
    belong_to_parent(flags.with_parent)?;
    let settings = chaos::link::Settings { api: flags.api, seed: flags.seed };
    let running = chaos::link::serve(settings).await.or_try_again("another process may listen there; choose --api")?;
    if let Some(path) = &flags.config {
        make_links(&running, path).await.or_usage(LINKS_HINT)?;
    }
    ready("links", [("api".to_owned(), running.api_address())])?;
    asked_to_stop(flags.with_parent, stop).await;
    running.stop().await;
    Ok(Exit::Passed)
}

async fn make_links(running: &chaos::link::Links, path: &Path) -> anyhow::Result<()> {
    let json = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    running.populate(&json).await.with_context(|| format!("cannot make the links of {}", path.display()))?;
    Ok(())
}

/// Turns this process into another program, which ends with the parent all the same: the kernel keeps that across execve(2).
///
/// # Errors
/// When the kernel refuses, or the program cannot be started. Otherwise it does not return.
pub(crate) fn stand_in(flags: &cli::StandIn) -> Result<Exit, Failure> {
    belong_to_parent(flags.with_parent)?;
    let error = Command::new(&flags.program).args(&flags.arguments).exec();
    Err(error).with_context(|| format!("cannot start {}", flags.program.display())).or_usage("is it a program?")
}

fn service_time(text: &str) -> anyhow::Result<(providers::Instance, providers::ServiceTime)> {
    let (instance, time) = text.split_once('=').with_context(|| format!("`{text}` has no `=`"))?;
    Ok((
        instance.parse().with_context(|| format!("in `{text}`"))?,
        time.parse().with_context(|| format!("in `{text}`"))?,
    ))
}

fn ready(name: &str, addresses: impl IntoIterator<Item = (String, SocketAddr)>) -> anyhow::Result<()> {
    let addresses: BTreeMap<_, _> = addresses.into_iter().collect();
    let line = serde_json::to_string(&Ready { ready: name.to_owned(), addresses }).context("writing the ready line")?;
    output::line(&line);
    Ok(())
}

/// Before anything else: a child that is stopped or still starting when its parent dies must not be left behind.
fn belong_to_parent(with_parent: bool) -> anyhow::Result<()> {
    if with_parent { die_with_parent() } else { Ok(()) }
}

async fn asked_to_stop(with_parent: bool, stop: Stop) {
    if !with_parent {
        return stop.drain.cancelled().await;
    }
    // Signals are the parent's business: whoever signals the whole process tree must not take the target away from under the load.
    parent_gone().await;
}
