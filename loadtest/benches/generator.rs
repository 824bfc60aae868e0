//! The generator beside its peers, in one interleaved run against one null server: requests per second and CPU per request, and how
//! late requests are released.
//!
//! ```text
//! cargo bench -p loadtest --bench generator [-- --seconds 3 --rounds 3]
//! ```
//! Peers are used when they are on the PATH: `apt-get install wrk hey`, `cargo install oha`. With `taskset` and two CPUs, the server is
//! pinned to one and each generator to the other. Only the ratios travel to another machine.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program of its own, for developers")]

#[expect(dead_code, reason = "shared with the tests, which use all of it")]
#[path = "../tests/it/scene.rs"]
mod scene;

use axum::{Router, routing::get};
use goose::prelude::*;
use loadtest::{
    Stop,
    executor::{Executor, Goose, Tasks},
};
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeVal,
};
use reports::record::{Measure, Outcome};
use std::{
    collections::BTreeMap,
    env,
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command, Stdio},
};

const CONNECTIONS: [u32; 2] = [10, 50];
const LAG_RATES: [u32; 2] = [1_000, 10_000];
/// Generators of ours, by the argument that makes this program one of them.
const OURS: [&str; 3] = ["ours", "ours-without-goose", "goose"];
const PEERS: [&str; 3] = ["oha", "wrk", "hey"];

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let argument = |position: usize| arguments.get(position).map_or("", String::as_str);
    match argument(0) {
        "serve" => block_on(serve()),
        "lag" => block_on(lag(argument(1), argument(2))),
        name if OURS.contains(&name) => {
            block_on(generate(name, argument(1), argument(2).parse().unwrap(), argument(3).parse().unwrap()));
        }
        _ if !arguments.iter().any(|argument| argument == "--bench") => println!("run with `cargo bench`"),
        _ => compare(number(&arguments, "--seconds", 3), number(&arguments, "--rounds", 3)),
    }
}

fn number(arguments: &[String], flag: &str, default: u32) -> u32 {
    let position = arguments.iter().position(|argument| argument == flag);
    position.map_or(default, |position| arguments[position + 1].parse().unwrap())
}

fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(future);
}

/// The null server: 200 bytes for GET /. Ends when its parent does.
async fn serve() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let router = Router::new().route("/", get(async || [b'x'; 200]));
    axum::serve(axum::serve::ListenerExt::tap_io(listener, |stream| drop(stream.set_nodelay(true))), router)
        .await
        .unwrap();
}

/// One of our generators, flat out. Prints the number of answers.
async fn generate(name: &str, url: &str, connections: u32, seconds: u32) {
    let count = match name {
        "goose" => plain_goose(url, connections, seconds).await,
        "ours" => closed(Goose, url, connections, seconds).await,
        _ => closed(Tasks, url, connections, seconds).await,
    };
    println!("{count}");
}

async fn closed(executor: impl Executor, url: &str, connections: u32, seconds: u32) -> u64 {
    let settings = scene::settings(&format!(
        "duration = \"{seconds}s\"\nusers = {connections}\narrivals = {{ closed = {{ pacing = \"1us\", ramp = \"1us\" }} }}"
    ));
    let done = scene::drive_with(executor, scene::plan(settings), url, &Stop::default(), |_| Box::pin(async {})).await;
    assert_eq!((done.counts().lost, done.outcome(Outcome::Full)), (0, done.counts().completed));
    done.counts().completed
}

async fn plain_goose(url: &str, connections: u32, seconds: u32) -> u64 {
    async fn root(user: &mut GooseUser) -> TransactionResult {
        user.get("/").await?;
        Ok(())
    }
    let mut configuration = goose::config::GooseConfiguration::default();
    configuration.host = Some(url.to_owned());
    configuration.users = Some(connections as usize);
    configuration.increase_rate = Some("1000000".to_owned());
    configuration.run_time = Some(seconds.to_string());
    configuration.no_telnet = true;
    configuration.no_print_metrics = true;
    configuration.quiet = 2;
    let scenario = scenario!("root").register_transaction(transaction!(root));
    let attack = GooseAttack::initialize_with_config(configuration).unwrap().register_scenario(scenario);
    let metrics = attack.execute().await.unwrap();
    metrics.requests.values().map(|request| request.success_count as u64).sum()
}

/// How late arrivals at a constant rate are released. Prints p50 and p99 in microseconds.
async fn lag(url: &str, rate: &str) {
    let text = format!("duration = \"5s\"\nusers = 50\narrivals = {{ constant = {{ rate = \"{rate}/s\" }} }}");
    let plan = scene::plan(scene::settings(&text));
    let done = scene::drive_with(Goose, plan, url, &Stop::default(), |_| Box::pin(async {})).await;
    let lag = done.histogram(Measure::ScheduleLag);
    let micros = |quantile| lag.value_at_quantile(quantile) as f64 / 1e3;
    let result = &done.result;
    let cpu_us = result.generator.cpu_seconds * 1e6 / done.counts().completed as f64;
    let rss_mb = result.generator.rss_max_bytes as f64 / 1e6;
    println!(
        "{:>10.0} {:>10.0} {:>10.1} {:>8.1} {:>8}",
        micros(0.5),
        micros(0.99),
        cpu_us,
        rss_mb,
        done.counts().dropped
    );
}

/// Runs everything, interleaved, and prints medians.
fn compare(seconds: u32, rounds: u32) {
    let mut server = ourselves(0, &["serve"]);
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim();
    let peers = PEERS.into_iter().filter(|peer| is_there(peer));
    let names: Vec<&str> = OURS.into_iter().chain(peers).collect();
    let mut seen: BTreeMap<(u32, &str), Vec<(f64, f64)>> = BTreeMap::new();
    for _ in 0..rounds {
        for connections in CONNECTIONS {
            for name in &names {
                let figures = one(name, url, connections, seconds);
                seen.entry((connections, name)).or_default().push(figures);
            }
        }
    }
    for connections in CONNECTIONS {
        let reference = median(&seen[&(connections, OURS[0])]);
        println!("\n{connections} connections           req/s   of ours   CPU us/req   of ours");
        for name in &names {
            let (rate, cpu_us) = median(&seen[&(connections, *name)]);
            println!(
                "{name:<20} {rate:>12.0} {:>9.2} {cpu_us:>12.2} {:>9.2}",
                rate / reference.0,
                cpu_us / reference.1
            );
        }
    }
    println!("\nschedule lag          p50 us     p99 us CPU us/req   RSS MB  dropped");
    for rate in LAG_RATES {
        let output = ourselves(1, &["lag", url, &rate.to_string()]).wait_with_output().unwrap();
        print!("{:<17}{}", format!("{rate}/s"), String::from_utf8_lossy(&output.stdout));
    }
    drop(server.stdin.take());
    server.wait().unwrap();
}

fn median(figures: &[(f64, f64)]) -> (f64, f64) {
    let middle = |part: fn(&(f64, f64)) -> f64| {
        let mut values: Vec<f64> = figures.iter().map(part).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    (middle(|figures| figures.0), middle(|figures| figures.1))
}

/// Requests per second and CPU microseconds per request of one generator.
fn one(name: &str, url: &str, connections: u32, seconds: u32) -> (f64, f64) {
    let before = children_cpu_seconds();
    let (connections, seconds) = (connections.to_string(), seconds.to_string());
    let span = format!("{seconds}s");
    let child = match name {
        "wrk" => pinned(1, "wrk", &["-t1", "-c", &connections, "-d", &span, url]),
        "hey" => pinned(1, "hey", &["-cpus", "1", "-c", &connections, "-z", &span, url]),
        "oha" => pinned(1, "oha", &["--no-tui", "-c", &connections, "-z", &span, url]),
        ours => ourselves(1, &[ours, url, &connections, &seconds]),
    };
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{name}: {}", output.status);
    let text = String::from_utf8_lossy(&output.stdout);
    let rate = if OURS.contains(&name) {
        text.trim().parse::<f64>().unwrap() / seconds.parse::<f64>().unwrap()
    } else {
        let line = text.lines().find(|line| line.trim_start().starts_with("Requests/sec:")).unwrap();
        line.rsplit([':', ' ', '\t']).next().unwrap().parse().unwrap()
    };
    let cpu = children_cpu_seconds() - before;
    (rate, cpu * 1e6 / (rate * seconds.parse::<f64>().unwrap()))
}

fn children_cpu_seconds() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

fn ourselves(cpu: usize, arguments: &[&str]) -> Child {
    pinned(cpu, env::current_exe().unwrap().to_str().unwrap(), arguments)
}

fn pinned(cpu: usize, program: &str, arguments: &[&str]) -> Child {
    let can_pin = is_there("taskset") && std::thread::available_parallelism().is_ok_and(|cpus| cpus.get() > 1);
    let mut command = if can_pin {
        let mut command = Command::new("taskset");
        command.args(["-c", &cpu.to_string(), program]);
        command
    } else {
        Command::new(program)
    };
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

fn is_there(program: &str) -> bool {
    env::var_os("PATH").is_some_and(|paths| env::split_paths(&paths).any(|folder| folder.join(program).is_file()))
}
