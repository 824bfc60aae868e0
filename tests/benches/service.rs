//! The service's hot endpoints beside a bare handler that returns the same bytes, in one interleaved run.
//!
//! ```text
//! cargo bench -p tests --bench service [-- --seconds 2 --rounds 5]
//! ```
//! Each is a process of its own, asked by 16 connections in a closed loop; CPU is that process's own. The providers answer at once, so
//! that the service's own work is what is left. Only the ratios travel to another machine.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program of its own, for developers")]

use axum::{Router, body::Bytes, routing::post as route_post};
use http::Uri;
use loadtest::{
    Target,
    client::{Client, post},
};
use std::{
    collections::BTreeMap,
    env,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

const CONNECTIONS: usize = 16;
const TIMEOUT: Duration = Duration::from_secs(30);
const JSON: &str = "application/json";
const CASES: [&str; 4] = ["bare handler, same bytes", "flight search, cached", "trip creation", "chat, streamed"];

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "bare") {
        return block_on(bare(arguments[1].clone()));
    }
    if !arguments.iter().any(|argument| argument == "--bench") {
        return println!("run with `cargo bench`");
    }
    let number = |flag: &str, default: u64| {
        let position = arguments.iter().position(|argument| argument == flag);
        position.map_or(default, |position| arguments[position + 1].parse().unwrap())
    };
    block_on(compare(number("--seconds", 2), number("--rounds", 5)));
}

fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(future);
}

/// Answers every request with the bytes of a file.
async fn bare(file: String) {
    let bytes = Bytes::from(std::fs::read(file).unwrap());
    let answer = move || std::future::ready(([("content-type", JSON)], bytes.clone()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{{\"ready\":\"bare\",\"addresses\":{{\"bare\":\"{}\"}}}}", listener.local_addr().unwrap());
    std::io::stdout().flush().unwrap();
    axum::serve(listener, Router::new().route("/", route_post(answer))).await.unwrap();
}

/// A process that says where it listens, and is killed when dropped.
struct Part {
    child: Child,
    addresses: BTreeMap<String, String>,
}

impl Part {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
        let addresses = serde_json::from_value(ready["addresses"].clone()).unwrap();
        Self { child, addresses }
    }

    /// User and system time so far, in seconds.
    fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn harness(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness-under-test"));
    command.args(arguments).arg("--with-parent");
    command
}

fn providers() -> Part {
    let at_once = ["flights", "memory", "weather", "llm"].map(|name| format!("{name}=constant:0s"));
    let times = at_once.iter().flat_map(|time| ["--service-time", time.as_str()]);
    let arguments: Vec<&str> =
        ["providers", "--first-port", "0", "--llm-gap", "constant:0s"].into_iter().chain(times).collect();
    Part::start(harness(&arguments))
}

fn service(providers: &Part, folder: &std::path::Path) -> Part {
    let mut command = harness(&["serve"]);
    let url = |provider: &str, path: &str| format!("http://{}{path}", providers.addresses[provider]);
    command
        .env("TRIPSAGE_LISTEN", "127.0.0.1:0")
        .env("TRIPSAGE_JWT_KEY", "a key for the benchmark, at least 32 bytes")
        .env("TRIPSAGE_LOG", "warn")
        .env("TRIPSAGE_RATE_LIMITS", "off")
        .env("DATABASE_URL", format!("sqlite://{}", folder.join("tripsage.db").display()))
        .env("TRIPSAGE_MCP_FLIGHTS_URL", url("flights", "/mcp"))
        .env("TRIPSAGE_MCP_MEMORY_URL", url("memory", "/mcp"))
        .env("TRIPSAGE_MCP_WEATHER_URL", url("weather", "/mcp"))
        .env("TRIPSAGE_LLM_URL", url("llm", "/v1"));
    Part::start(command)
}

/// One thing to be asked for.
struct Case {
    path: &'static str,
    body: serde_json::Value,
    status: u16,
}

fn cases() -> [Case; 4] {
    let search =
        serde_json::json!({ "origin": "JFK", "destination": "CDG", "departure_date": "2099-05-01", "adults": 1 });
    let trip = serde_json::json!({ "title": "Paris", "start_date": "2099-05-01", "end_date": "2099-05-08",
        "destinations": [{ "name": "Paris", "country": "France" }] });
    let chat = serde_json::json!({ "stream": true, "messages": [{ "role": "user", "content": "What should I pack for the rain?" }] });
    let case = |path, body, status| Case { path, body, status };
    [
        case("/", search.clone(), 200),
        case("/api/v1/flights/search", search, 200),
        case("/api/v1/trips", trip, 201),
        case("/api/v1/chat", chat, 200),
    ]
}

async fn compare(seconds: u64, rounds: u64) {
    let folder = tempfile::tempdir().unwrap();
    let providers = providers();
    let service = service(&providers, folder.path());
    let target = target(&service.addresses["service"]).await;
    let token = log_in(target.clone()).await;
    let cases = cases();
    // What the cached search answers is what the bare handler answers.
    let mut client = Client::new(target.clone());
    client.set_bearer(&token);
    let answer = ask(&mut client, &cases[1]).await;
    let bytes = folder.path().join("answer.json");
    std::fs::write(&bytes, &answer).unwrap();
    let mut command = Command::new(env::current_exe().unwrap());
    command.arg("bare").arg(&bytes);
    let bare = Part::start(command);
    let bare_target = self::target(&bare.addresses["bare"]).await;

    println!(
        "{CONNECTIONS} connections, {rounds} rounds of {seconds} s each, answer of {} bytes; medians",
        answer.len()
    );
    let mut rates = [const { Vec::new() }; 4];
    let mut costs = [const { Vec::new() }; 4];
    for _ in 0..rounds {
        for (index, case) in cases.iter().enumerate() {
            let (part, target) = if index == 0 { (&bare, &bare_target) } else { (&service, &target) };
            let (rate, cost) = measure(part, target.clone(), &token, case, Duration::from_secs(seconds)).await;
            rates[index].push(rate);
            costs[index].push(cost);
        }
    }
    println!("{:<26} {:>10} {:>14} {:>22}", "", "requests/s", "CPU µs/request", "per CPU s, against bare");
    let bare_cost = median(&mut costs[0]);
    for (index, name) in CASES.iter().enumerate() {
        let (rate, cost) = (median(&mut rates[index]), median(&mut costs[index]));
        println!("{name:<26} {rate:>10.0} {cost:>14.1} {:>22.2}", bare_cost / cost);
    }
}

async fn target(address: &str) -> Arc<Target> {
    Arc::new(Target::resolve(&format!("http://{address}")).await.unwrap())
}

async fn log_in(target: Arc<Target>) -> String {
    let mut client = Client::new(target);
    let account = serde_json::json!({ "email": "bench@load.example.com", "password": "Bench-4-all!" });
    ask(&mut client, &Case { path: "/api/v1/auth/register", body: account.clone(), status: 201 }).await;
    let answer = ask(&mut client, &Case { path: "/api/v1/auth/login", body: account, status: 200 }).await;
    let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

/// Asks once; anything but the expected status ends the benchmark.
async fn ask(client: &mut Client, case: &Case) -> Vec<u8> {
    let request = post(Uri::from_static(case.path), serde_json::to_vec(&case.body).unwrap());
    let answer = client.exchange(request, TIMEOUT, None).await.end.unwrap();
    assert_eq!(answer.status.as_u16(), case.status, "{}: {}", case.path, String::from_utf8_lossy(&answer.body));
    answer.body
}

/// Requests per second, and CPU of the process per request in microseconds.
async fn measure(part: &Part, target: Arc<Target>, token: &str, case: &Case, lasts: Duration) -> (f64, f64) {
    let count = Arc::new(AtomicU64::new(0));
    let (begun, cpu) = (Instant::now(), part.cpu_seconds());
    let loops = (0..CONNECTIONS).map(|_| {
        let (count, target) = (count.clone(), target.clone());
        async move {
            let mut client = Client::new(target);
            client.set_bearer(token);
            while begun.elapsed() < lasts {
                ask(&mut client, case).await;
                count.fetch_add(1, Relaxed);
            }
        }
    });
    futures_util::future::join_all(loops).await;
    let count = count.load(Relaxed) as f64;
    (count / begun.elapsed().as_secs_f64(), (part.cpu_seconds() - cpu) * 1e6 / count)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
