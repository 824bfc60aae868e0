//! What generators say about a server that is frozen 1 s in every 10 s, at 1 000 requests/s: the truth, ours and our peers, one after
//! the other.
//!
//! ```text
//! cargo bench -p loadtest --bench fidelity [-- --rounds 1]
//! ```
//! The truth for requests that arrive whatever the server does: p50 and p90 are nothing, p99 is 900 ms, p99.9 is 990 ms.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program of its own, for developers")]

mod peers;
#[expect(dead_code, reason = "shared with the tests, which use all of it")]
#[path = "../tests/it/scene.rs"]
mod scene;

use axum::{Router, routing::get};
use goose::metrics::GooseCoordinatedOmissionMitigation;
use loadtest::{Stop, calibration::truth::Stall, executor, timer::Timer};
use peers::{Server, block_on, end_with_parent, finish, is_there, locust, number, ourselves, pinned, read_locust};
use reports::record::Measure;
use std::{
    env,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::Instant;

const STALL: Stall = Stall { base_s: 0.0, frozen_s: 1.0, period_s: 10.0 };
/// The first stall begins so long after the first request.
const FIRST_STALL: Duration = Duration::from_secs(5);
/// A generator is over when nothing was asked for so long; the next one has its own first request.
const SILENCE: Duration = Duration::from_millis(1_500);
const RATE: u32 = 1_000;
const SECONDS: u32 = 20;
const USERS: u32 = 100;
const QUANTILES: [f64; 4] = [0.5, 0.9, 0.99, 0.999];
/// Generators, with what they need to be there.
const GENERATORS: [(&str, &str); 8] = [
    ("ours", ""),
    ("oha --latency-correction", "oha"),
    ("oha -q", "oha"),
    ("wrk (closed)", "wrk"),
    ("hey -q", "hey"),
    ("goose, throttled", ""),
    ("goose, average mitigation", ""),
    ("locust", "locust"),
];

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.first().map_or("", String::as_str) {
        "serve" => block_on(serve()),
        "ours" => block_on(ours(&arguments[1])),
        "goose" => block_on(plain_goose(&arguments[1], arguments.get(2).is_some())),
        _ if !arguments.iter().any(|argument| argument == "--bench") => println!("run with `cargo bench`"),
        _ => compare(number(&arguments, "--rounds", 1)),
    }
}

/// Answers at once, except while it is frozen.
async fn serve() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    end_with_parent();
    let asked: Arc<Mutex<(Instant, Instant)>> = Arc::new(Mutex::new((Instant::now(), Instant::now())));
    let answer = async move || {
        let now = Instant::now();
        let first = {
            let mut asked = asked.lock().unwrap();
            let (first, last) = *asked;
            // While frozen nothing new comes from those who wait.
            let is_new = now - last > SILENCE + Duration::from_secs_f64(STALL.frozen_s);
            *asked = (if is_new { now } else { first }, now);
            asked.0
        };
        let at_s = (now - first).as_secs_f64() - FIRST_STALL.as_secs_f64();
        let frozen = Duration::from_secs_f64(STALL.frozen_for_s(at_s));
        if !frozen.is_zero() {
            Timer::new().unwrap().until(now + frozen).await.unwrap();
        }
        [b'x'; 200]
    };
    let router = Router::new().route("/", get(answer));
    axum::serve(axum::serve::ListenerExt::tap_io(listener, |stream| drop(stream.set_nodelay(true))), router)
        .await
        .unwrap();
}

async fn ours(url: &str) {
    let text =
        format!("duration = \"{SECONDS}s\"\nusers = {USERS}\narrivals = {{ constant = {{ rate = \"{RATE}/s\" }} }}");
    let plan = scene::plan(scene::settings(&text));
    let done = scene::drive_with(executor::Goose, plan, url, &Stop::default(), |_| Box::pin(async {})).await;
    let response = done.histogram(Measure::Response);
    print_figures(done.counts().completed, |p| response.value_at_quantile(p) as f64 / 1e6);
}

async fn plain_goose(url: &str, is_mitigated: bool) {
    let metrics = peers::plain_goose(url, USERS, SECONDS, |configuration| {
        configuration.throttle_requests = Some(RATE as usize);
        configuration.co_mitigation = is_mitigated.then_some(GooseCoordinatedOmissionMitigation::Average);
    })
    .await;
    let request = metrics.requests.values().next().unwrap();
    let corrected = request.coordinated_omission_data.as_ref().filter(|_| is_mitigated);
    let times = corrected.unwrap_or(&request.raw_data);
    print_figures(request.success_count as u64, |p| times.percentile_us(p as f32) as f64 / 1e3);
}

/// Requests, then milliseconds: the line that a child of ours hands over.
fn print_figures(count: u64, quantile_ms: impl Fn(f64) -> f64) {
    let values = QUANTILES.map(|p| quantile_ms(p).to_string());
    println!("{count} {}", values.join(" "));
}

/// Requests that were answered, and the quantiles in milliseconds that the generator knows.
type Figures = (u64, [Option<f64>; 4]);

fn compare(rounds: u32) {
    peers::peers();
    let there = GENERATORS.into_iter().filter(|(_, program)| program.is_empty() || is_there(program));
    let names: Vec<&str> = there.map(|(name, _)| name).collect();
    let server = Server::start(&["serve"]);
    println!(
        "\nserver frozen {} s in every {} s, {RATE} requests/s for {SECONDS} s, {USERS} connections; milliseconds",
        STALL.frozen_s, STALL.period_s
    );
    println!("{:<28} {:>9} {:>9} {:>9} {:>9} {:>10}", "", "p50", "p90", "p99", "p99.9", "requests");
    line("truth", (u64::from(RATE * SECONDS), QUANTILES.map(|p| Some(STALL.response_s(p) * 1e3))));
    for _ in 0..rounds {
        for name in &names {
            line(name, one(name, &server.url));
        }
    }
}

fn line(name: &str, (count, quantiles): Figures) {
    let [p50, p90, p99, p999] = quantiles.map(|value| value.map_or_else(|| "–".to_owned(), |ms| format!("{ms:.1}")));
    println!("{name:<28} {p50:>9} {p90:>9} {p99:>9} {p999:>9} {count:>10}");
}

fn one(name: &str, url: &str) -> Figures {
    let (users, span, rate) = (USERS.to_string(), format!("{SECONDS}s"), RATE.to_string());
    let per_user = (RATE / USERS).to_string();
    let oha = ["--no-tui", "--output-format", "json", "-c", &users, "-z", &span, "-q", &rate];
    let text = |child| finish(name, child).0;
    match name {
        "ours" => read_own(&text(ourselves(1, &["ours", url]))),
        "goose, throttled" => read_own(&text(ourselves(1, &["goose", url]))),
        "goose, average mitigation" => read_own(&text(ourselves(1, &["goose", url, "mitigated"]))),
        "oha -q" => read_oha(&text(pinned(1, "oha", &[&oha[..], &[url]].concat()))),
        "oha --latency-correction" => {
            read_oha(&text(pinned(1, "oha", &[&oha[..], &["--latency-correction", url]].concat())))
        }
        "wrk (closed)" => {
            let folder = tempfile::tempdir().unwrap();
            let script = folder.path().join("done.lua");
            std::fs::write(&script, WRK).unwrap();
            let script = script.to_str().unwrap();
            read_wrk(&text(pinned(1, "wrk", &["-t1", "-c", &users, "-d", &span, "-s", script, url])))
        }
        "hey -q" => {
            let arguments = ["-cpus", "1", "-c", &users, "-q", &per_user, "-z", &span, "-o", "csv", url];
            read_hey(&text(pinned(1, "hey", &arguments)))
        }
        _ => {
            let (child, _folder) = locust(url, USERS, f64::from(RATE / USERS), SECONDS);
            let (count, times) = read_locust(&text(child));
            (count, quantiles(times))
        }
    }
}

const WRK: &str = "done = function(summary, latency, requests)
    io.write(string.format('own %d %f %f %f %f\\n', summary.requests, latency:percentile(50) / 1000,
        latency:percentile(90) / 1000, latency:percentile(99) / 1000, latency:percentile(99.9) / 1000))
end
";

fn read_own(text: &str) -> Figures {
    let numbers: Vec<f64> = text.split_whitespace().map(|number| number.parse().unwrap()).collect();
    (numbers[0] as u64, [1, 2, 3, 4].map(|position| Some(numbers[position])))
}

fn read_wrk(text: &str) -> Figures {
    read_own(text.lines().find_map(|line| line.strip_prefix("own ")).unwrap())
}

fn read_oha(text: &str) -> Figures {
    let json: serde_json::Value = serde_json::from_str(text).unwrap();
    let counts = json["statusCodeDistribution"].as_object().unwrap().values();
    let count = counts.map(|count| count.as_u64().unwrap()).sum();
    let at = |name: &str| json["latencyPercentiles"][name].as_f64().map(|seconds| seconds * 1e3);
    (count, ["p50", "p90", "p99", "p99.9"].map(at))
}

fn read_hey(text: &str) -> Figures {
    let seconds = text.lines().skip(1).filter_map(|line| line.split(',').next()?.parse::<f64>().ok());
    let times: Vec<(f64, u64)> = seconds.map(|seconds| (seconds * 1e3, 1)).collect();
    (times.len() as u64, quantiles(times))
}

fn quantiles(mut times: Vec<(f64, u64)>) -> [Option<f64>; 4] {
    times.sort_by(|a, b| a.0.total_cmp(&b.0));
    let total: u64 = times.iter().map(|(_, count)| count).sum();
    QUANTILES.map(|p| {
        let rank = (p * total as f64 - 1e-9).ceil() as u64;
        let mut seen = 0;
        times
            .iter()
            .find(|(_, count)| {
                seen += count;
                seen >= rank
            })
            .map(|(time, _)| *time)
    })
}
