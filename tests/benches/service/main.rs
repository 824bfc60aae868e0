//! The service's hot endpoints beside the least that could do the same, in one interleaved run.
//!
//! ```text
//! cargo bench -p tests --bench service [-- --seconds 2 --rounds 5]
//! ```
//! The cached search is compared with a bare handler that returns the same bytes, trip creation with the same INSERT through
//! the bare driver, on SQLite and, where it is installed, on PostgreSQL. Each is a process of its own, asked by 16
//! connections in a closed loop; CPU is that process's own. Only the ratios travel to another machine.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program of its own, for developers")]

mod insert;
mod part;
#[path = "../../../service/tests/service/postgres.rs"]
#[expect(dead_code, reason = "the service's tests use the rest of it")]
mod postgres;

use std::{
    env,
    io::Write as _,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use axum::{Router, body::Bytes, routing::post as route_post};
use http::Uri;
use loadtest::{
    Target,
    client::{Client, post},
};
use serde_json::json;

use crate::part::Part;

const CONNECTIONS: usize = 16;
const TIMEOUT: Duration = Duration::from_secs(30);
const JSON: &str = "application/json";

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("bare") => return block_on(bare(arguments[1].clone())),
        Some("insert") => return block_on(insert::run(&arguments[1], CONNECTIONS)),
        _ => {}
    }
    if !arguments.iter().any(|argument| argument == "--bench") {
        return println!("run with `cargo bench`");
    }
    let number = |flag: &str, default: u64| {
        let position = arguments.iter().position(|argument| argument == flag);
        position.map_or(default, |position| arguments[position + 1].parse().unwrap())
    };
    block_on(compare(Duration::from_secs(number("--seconds", 2)), number("--rounds", 5)));
}

fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(future);
}

/// Answers every request with the bytes of a file.
async fn bare(file: String) {
    let bytes = Bytes::from(std::fs::read(file).unwrap());
    let answer = move || std::future::ready(([("content-type", JSON)], bytes.clone()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{{\"ready\":\"bare\",\"addresses\":{{\"service\":\"{}\"}}}}", listener.local_addr().unwrap());
    std::io::stdout().flush().unwrap();
    axum::serve(listener, Router::new().route("/", route_post(answer))).await.unwrap();
}

fn harness(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness-under-test"));
    command.args(arguments).arg("--with-parent");
    command
}

/// Providers that answer at once, and a model that takes 1 ms.
fn providers() -> Part {
    let times = ["flights=constant:0s", "memory=constant:0s", "weather=constant:0s", "llm=constant:1ms"];
    let times = times.iter().flat_map(|time| ["--service-time", time]);
    Part::start(harness(
        &["providers", "--first-port", "0", "--llm-gap", "constant:0s"].into_iter().chain(times).collect::<Vec<_>>(),
    ))
}

fn service(providers: &Part, database_url: &str) -> Part {
    let mut command = harness(&["serve"]);
    let url = |provider: &str, path: &str| format!("http://{}{path}", providers.addresses[provider]);
    command
        .env("TRIPSAGE_LISTEN", "127.0.0.1:0")
        .env("TRIPSAGE_JWT_KEY", "a key for the benchmark, at least 32 bytes")
        .env("TRIPSAGE_LOG", "warn")
        .env("TRIPSAGE_RATE_LIMITS", "off")
        .env("DATABASE_URL", database_url)
        .env("TRIPSAGE_MCP_FLIGHTS_URL", url("flights", "/mcp"))
        .env("TRIPSAGE_MCP_MEMORY_URL", url("memory", "/mcp"))
        .env("TRIPSAGE_MCP_WEATHER_URL", url("weather", "/mcp"))
        .env("TRIPSAGE_LLM_URL", url("llm", "/v1"));
    Part::start(command)
}

/// This program again, as one of its other parts.
fn this_as(arguments: &[&str]) -> Part {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(arguments);
    Part::start(command)
}

/// Rows inserted through the bare driver into a database that the service has made.
async fn bare_insert(providers: &Part, database_url: &str) -> Part {
    let maker = service(providers, database_url);
    log_in(target(&maker).await).await;
    drop(maker);
    this_as(&["insert", database_url])
}

/// What is asked for, and of whom.
struct Case {
    name: &'static str,
    part: usize,
    /// Path, body and expected status; none for a part that inserts by itself.
    request: Option<(&'static str, serde_json::Value, u16)>,
    /// The case that it is compared with.
    reference: usize,
    /// Requests per second, and CPU of the process per request in microseconds, one per round.
    rates: Vec<f64>,
    costs: Vec<f64>,
}

/// A process to ask, and who asks.
struct Asked {
    part: Part,
    target: Option<Arc<Target>>,
    token: String,
}

fn case(
    name: &'static str,
    part: usize,
    reference: usize,
    request: Option<(&'static str, serde_json::Value, u16)>,
) -> Case {
    Case { name, part, request, reference, rates: Vec::new(), costs: Vec::new() }
}

async fn compare(lasts: Duration, rounds: u64) {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = |name: &str| format!("sqlite://{}", folder.path().join(name).display());
    let providers = providers();
    let search = json!({ "origin": "JFK", "destination": "CDG", "departure_date": "2099-05-01", "adults": 1 });
    let trip = json!({ "title": "Paris", "start_date": "2099-05-01", "end_date": "2099-05-08",
        "destinations": [{ "name": "Paris", "country": "France" }] });
    let chat =
        json!({ "stream": true, "messages": [{ "role": "user", "content": "What should I pack for the rain?" }] });
    let search = ("/api/v1/flights/search", search, 200);
    let trip = ("/api/v1/trips", trip, 201);

    let on_sqlite = Asked::service(service(&providers, &sqlite("service.db"))).await;
    // What the cached search answers is what the bare handler answers.
    let answer = ask(&mut on_sqlite.client(), &search).await;
    std::fs::write(folder.path().join("answer.json"), &answer).unwrap();
    let bare = Asked::bare(this_as(&["bare", folder.path().join("answer.json").to_str().unwrap()])).await;
    let insert = Asked::inserter(bare_insert(&providers, &sqlite("insert.db")).await);
    let mut cases = vec![
        case("bare handler, same bytes", 0, 0, Some(("/", search.1.clone(), 200))),
        case("flight search, cached", 1, 0, Some(search)),
        case("bare INSERT, SQLite", 2, 2, None),
        case("trip creation, SQLite", 1, 2, Some(trip.clone())),
        case("chat, streamed, 1 ms model", 1, 4, Some(("/api/v1/chat", chat, 200))),
    ];
    let mut parts = vec![bare, on_sqlite, insert];
    let cluster = postgres::Cluster::start(None);
    if let Some(cluster) = &cluster {
        parts.push(Asked::service(service(&providers, &cluster.database().await)).await);
        parts.push(Asked::inserter(bare_insert(&providers, &cluster.database().await).await));
        cases.push(case("bare INSERT, PostgreSQL", 4, 5, None));
        cases.push(case("trip creation, PostgreSQL", 3, 5, Some(trip)));
    }

    println!("{CONNECTIONS} connections, {rounds} rounds of {lasts:?} each, answer of {} bytes; medians", answer.len());
    for _ in 0..rounds {
        for case in &mut cases {
            let (rate, cost) = measure(&mut parts[case.part], case.request.as_ref(), lasts).await;
            case.rates.push(rate);
            case.costs.push(cost);
        }
    }
    println!(
        "{:<28} {:>10} {:>15} {:>24} {:>13}",
        "", "requests/s", "CPU µs/request", "beside its reference: /s", "per CPU s"
    );
    let of = |case: &Case| (median(&case.rates), median(&case.costs));
    for case in &cases {
        let ((rate, cost), (reference_rate, reference_cost)) = (of(case), of(&cases[case.reference]));
        let (per_second, per_cpu) = (rate / reference_rate, reference_cost / cost);
        println!("{:<28} {rate:>10.0} {cost:>15.1} {per_second:>24.2} {per_cpu:>13.2}", case.name);
    }
    println!("most memory of the service on SQLite: {:.0} MiB", parts[1].part.peak_rss_mib());
}

impl Asked {
    async fn bare(part: Part) -> Self {
        Self { target: Some(target(&part).await), part, token: String::new() }
    }

    async fn service(part: Part) -> Self {
        let target = target(&part).await;
        let token = log_in(Arc::clone(&target)).await;
        Self { part, target: Some(target), token }
    }

    fn inserter(part: Part) -> Self {
        Self { part, target: None, token: String::new() }
    }

    fn client(&self) -> Client {
        let mut client = Client::new(Arc::clone(self.target.as_ref().unwrap()));
        client.set_bearer(&self.token);
        client
    }
}

async fn target(part: &Part) -> Arc<Target> {
    Arc::new(Target::resolve(&format!("http://{}", part.addresses["service"])).await.unwrap())
}

async fn log_in(target: Arc<Target>) -> String {
    let mut client = Client::new(target);
    let account = json!({ "email": "bench@load.example.com", "password": "Bench-4-all!" });
    ask(&mut client, &("/api/v1/auth/register", account.clone(), 201)).await;
    let answer = ask(&mut client, &("/api/v1/auth/login", account, 200)).await;
    let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

/// Asks once; anything but the expected status ends the benchmark.
async fn ask(client: &mut Client, (path, body, status): &(&'static str, serde_json::Value, u16)) -> Vec<u8> {
    let request = post(Uri::from_static(path), serde_json::to_vec(body).unwrap());
    let answer = client.exchange(request, TIMEOUT, None).await.end.unwrap();
    assert_eq!(answer.status.as_u16(), *status, "{path}: {}", String::from_utf8_lossy(&answer.body));
    answer.body
}

/// Requests per second, and CPU of the process per request in microseconds.
async fn measure(
    asked: &mut Asked,
    request: Option<&(&'static str, serde_json::Value, u16)>,
    lasts: Duration,
) -> (f64, f64) {
    let (begun, cpu) = (Instant::now(), asked.part.cpu_seconds());
    let count = match request {
        None => asked.part.tell(&lasts.as_millis().to_string()),
        Some(request) => {
            let count = AtomicU64::new(0);
            let loops = (0..CONNECTIONS).map(|_| async {
                let mut client = asked.client();
                while begun.elapsed() < lasts {
                    ask(&mut client, request).await;
                    count.fetch_add(1, Relaxed);
                }
            });
            futures_util::future::join_all(loops).await;
            count.into_inner() as f64
        }
    };
    (count / begun.elapsed().as_secs_f64(), (asked.part.cpu_seconds() - cpu) * 1e6 / count)
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
