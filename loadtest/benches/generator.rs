//! The generator beside its peers, in one interleaved run against one null server: requests per second and CPU per request, the highest
//! rate that is kept, and how late requests are released.
//!
//! ```text
//! cargo bench -p loadtest --bench generator [-- --seconds 3 --rounds 3]
//! ```
//! Peers are used when they are on the PATH. With `taskset` and two CPUs, the server is pinned to one and each generator to the other.
//! Only the ratios travel to another machine.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program of its own, for developers")]

mod peers;
#[expect(dead_code, reason = "shared with the tests, which use all of it")]
#[path = "../tests/it/scene.rs"]
mod scene;

use axum::{Router, routing::get};
use loadtest::{
    Stop,
    executor::{Executor, Goose, Tasks},
};
use peers::{Server, block_on, end_with_parent, finish, is_there, locust, number, ourselves, pinned, read_locust};
use reports::record::{Measure, Outcome, SecondCounts};
use std::{collections::BTreeMap, env};

const CONNECTIONS: [u32; 2] = [10, 50];
const LAG_RATES: [u32; 2] = [1_000, 10_000];
/// Generators of ours, by the argument that makes this program one of them.
const OURS: [&str; 3] = ["ours", "ours-without-goose", "goose"];
/// Connections of the open loads.
const USERS: u32 = 50;
/// The rate at which the search for the highest begins, and how much faster each step is.
const FIRST_RATE: f64 = 20_000.0;
const STEP: f64 = 1.15;
/// How long each step is held, in seconds.
const STEP_SECONDS: u32 = 2;
/// The share of its rate that a generator must send and have answered.
const KEPT: f64 = 0.995;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let argument = |position: usize| arguments.get(position).map_or("", String::as_str);
    match argument(0) {
        "serve" => block_on(serve()),
        "open" => block_on(open(argument(1), argument(2), argument(3))),
        name if OURS.contains(&name) => {
            block_on(generate(name, argument(1), argument(2).parse().unwrap(), argument(3).parse().unwrap()));
        }
        _ if !arguments.iter().any(|argument| argument == "--bench") => println!("run with `cargo bench`"),
        _ => {
            let (seconds, rounds) = (number(&arguments, "--seconds", 3), number(&arguments, "--rounds", 3));
            let peers = peers::peers();
            let server = Server::start(&["serve"]);
            compare(&server.url, &peers, seconds, rounds);
            highest_rates(&server.url, rounds);
            lags(&server.url, rounds);
        }
    }
}

/// The null server: 200 bytes for GET /. Ends when its parent does.
async fn serve() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    end_with_parent();
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
    let metrics = peers::plain_goose(url, connections, seconds, |_| {}).await;
    metrics.requests.values().map(|request| request.success_count as u64).sum()
}

/// Arrivals at a constant rate. Prints the share that was sent in time, p50 and p99 of the lag in microseconds, CPU microseconds per
/// request, MB at most, and what was dropped.
async fn open(url: &str, rate: &str, seconds: &str) {
    let text =
        format!("duration = \"{seconds}s\"\nusers = {USERS}\narrivals = {{ constant = {{ rate = \"{rate}/s\" }} }}");
    let plan = scene::plan(scene::settings(&text));
    let done = scene::drive_with(Goose, plan, url, &Stop::default(), |_| Box::pin(async {})).await;
    let lag = done.histogram(Measure::ScheduleLag);
    let micros = |quantile| lag.value_at_quantile(quantile) as f64 / 1e3;
    let (result, counts) = (&done.result, done.counts());
    let in_time = result.seconds.iter().take(seconds.parse().unwrap()).map(|second: &SecondCounts| second.sent);
    let sent_share = in_time.sum::<u64>() as f64 / counts.planned as f64;
    let cpu_us = result.generator.cpu_seconds * 1e6 / counts.completed.max(1) as f64;
    let rss_mb = result.generator.rss_max_bytes as f64 / 1e6;
    println!("{sent_share} {} {} {cpu_us} {rss_mb} {}", micros(0.5), micros(0.99), counts.dropped);
}

/// Every generator flat out, interleaved; prints medians.
fn compare(url: &str, peers: &[&'static str], seconds: u32, rounds: u32) {
    let names: Vec<&str> = OURS.into_iter().chain(peers.iter().copied()).collect();
    let mut seen: BTreeMap<(u32, &str), Vec<[f64; 2]>> = BTreeMap::new();
    for _ in 0..rounds {
        for connections in CONNECTIONS {
            for name in &names {
                seen.entry((connections, name)).or_default().push(one(name, url, connections, seconds));
            }
        }
    }
    for connections in CONNECTIONS {
        let reference = median(&seen[&(connections, OURS[0])]);
        println!("\n{connections} connections           req/s   of ours   CPU us/req   of ours");
        for name in &names {
            let [rate, cpu_us] = median(&seen[&(connections, *name)]);
            println!(
                "{name:<20} {rate:>12.0} {:>9.2} {cpu_us:>12.2} {:>9.2}",
                rate / reference[0],
                cpu_us / reference[1]
            );
        }
    }
}

/// Requests per second and CPU microseconds per request of one generator.
fn one(name: &str, url: &str, connections: u32, seconds: u32) -> [f64; 2] {
    let (users, span) = (connections.to_string(), format!("{seconds}s"));
    let mut folder = None;
    let child = match name {
        "wrk" => pinned(1, "wrk", &["-t1", "-c", &users, "-d", &span, url]),
        "hey" => pinned(1, "hey", &["-cpus", "1", "-c", &users, "-z", &span, url]),
        "oha" => pinned(1, "oha", &["--no-tui", "-c", &users, "-z", &span, url]),
        "locust" => {
            let (child, kept) = locust(url, connections, 0.0, seconds);
            folder = Some(kept);
            child
        }
        ours => ourselves(1, &[ours, url, &users, &seconds.to_string()]),
    };
    let (text, cpu) = finish(name, child);
    drop(folder);
    let rate = match name {
        "locust" => read_locust(&text).0 as f64 / f64::from(seconds),
        ours if OURS.contains(&ours) => text.trim().parse::<f64>().unwrap() / f64::from(seconds),
        _ => requests_per_second(&text),
    };
    [rate, cpu * 1e6 / (rate * f64::from(seconds))]
}

fn requests_per_second(text: &str) -> f64 {
    let line = text.lines().find(|line| line.trim_start().starts_with("Requests/sec:")).unwrap();
    line.rsplit([':', ' ', '\t']).next().unwrap().parse().unwrap()
}

/// The highest rate that ours and oha keep, stepping up together; prints medians of the rounds.
fn highest_rates(url: &str, rounds: u32) {
    let names: Vec<&str> = ["ours", "oha"].into_iter().filter(|name| *name == "ours" || is_there(name)).collect();
    let mut seen: BTreeMap<&str, Vec<[f64; 2]>> = BTreeMap::new();
    for _ in 0..rounds {
        let mut climbing = names.clone();
        let mut kept: BTreeMap<&str, [f64; 2]> = BTreeMap::new();
        let mut rate = FIRST_RATE;
        while !climbing.is_empty() {
            climbing.retain(|name| {
                let mut attempts = (0..2).map(|_| held(name, url, rate));
                let held = attempts.find(|[share, _]| *share >= KEPT);
                held.is_some_and(|[_, cpu_us]| {
                    kept.insert(name, [rate, cpu_us]);
                    true
                })
            });
            rate = (rate * STEP).round();
        }
        kept.into_iter().for_each(|(name, figures)| seen.entry(name).or_default().push(figures));
    }
    println!("\nhighest kept rate        req/s   of ours   CPU us/req");
    let Some(reference) = seen.get("ours").map(|figures| median(figures)) else {
        return println!("ours does not keep {FIRST_RATE}/s here");
    };
    for (name, figures) in &seen {
        let [rate, cpu_us] = median(figures);
        println!("{name:<20} {rate:>9.0} {:>9.2} {cpu_us:>12.2}", rate / reference[0]);
    }
}

/// Share of a rate that a generator sends and has answered, and CPU microseconds per request.
fn held(name: &str, url: &str, rate: f64) -> [f64; 2] {
    let (rate_text, seconds, users) = (rate.to_string(), STEP_SECONDS.to_string(), USERS.to_string());
    if name == "ours" {
        let figures = numbers(&finish(name, ourselves(1, &["open", url, &rate_text, &seconds])).0);
        return [figures[0], figures[3]];
    }
    let span = format!("{STEP_SECONDS}s");
    let arguments = ["--no-tui", "-c", &users, "-z", &span, "-q", &rate_text, "--latency-correction", url];
    let (text, cpu) = finish(name, pinned(1, name, &arguments));
    let achieved = requests_per_second(&text);
    [achieved / rate, cpu * 1e6 / (achieved * f64::from(STEP_SECONDS))]
}

/// How late arrivals are released; prints medians.
fn lags(url: &str, rounds: u32) {
    println!("\nschedule lag          p50 us     p99 us CPU us/req   RSS MB  dropped");
    for rate in LAG_RATES {
        let one = |_| {
            let text = finish("ours", ourselves(1, &["open", url, &rate.to_string(), "5"])).0;
            <[f64; 6]>::try_from(numbers(&text)).unwrap()
        };
        let [_, p50, p99, cpu_us, rss_mb, dropped] = median(&(0..rounds).map(one).collect::<Vec<_>>());
        println!("{:<17}{p50:>10.0} {p99:>10.0} {cpu_us:>10.1} {rss_mb:>8.1} {dropped:>8.0}", format!("{rate}/s"));
    }
}

fn numbers(text: &str) -> Vec<f64> {
    text.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

/// The median of each figure by itself.
fn median<const N: usize>(figures: &[[f64; N]]) -> [f64; N] {
    std::array::from_fn(|position| {
        let mut values: Vec<f64> = figures.iter().map(|figures| figures[position]).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    })
}
