//! Whether memory stays flat: 1 000 users for minutes, the resident set minute by minute.
//!
//! ```text
//! cargo bench -p loadtest --bench soak [-- --minutes 10]
//! ```
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program of its own, for developers")]

#[expect(dead_code, reason = "the benchmarks share it, and each uses a part")]
mod peers;
#[expect(dead_code, reason = "shared with the tests, which use all of it")]
#[path = "../tests/it/scene.rs"]
mod scene;

use axum::{Router, routing::get};
use loadtest::{Stop, executor::Goose};
use peers::{Server, block_on, end_with_parent, finish, number, ourselves};
use std::{env, fs, time::Duration};

const USERS: u32 = 1_000;
const RATE: u32 = 1_000;
/// The largest resident set, in MiB.
const RSS_MIB: f64 = 100.0;
/// How much more it may be at the end than after the first minute.
const GROWTH: f64 = 1.05;
/// Looks per minute.
const LOOKS: u32 = 6;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.first().map_or("", String::as_str) {
        "serve" => block_on(serve()),
        "drive" => block_on(drive(&arguments[1], &arguments[2])),
        _ if !arguments.iter().any(|argument| argument == "--bench") => println!("run with `cargo bench`"),
        _ => soak(number(&arguments, "--minutes", 2)),
    }
}

async fn serve() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    end_with_parent();
    axum::serve(listener, Router::new().route("/", get(async || [b'x'; 200]))).await.unwrap();
}

async fn drive(url: &str, minutes: &str) {
    let text =
        format!("duration = \"{minutes}m\"\nusers = {USERS}\narrivals = {{ poisson = {{ rate = \"{RATE}/s\" }} }}");
    let plan = scene::plan(scene::settings(&text));
    let done = scene::drive_with(Goose, plan, url, &Stop::default(), |_| Box::pin(async {})).await;
    let counts = done.counts();
    println!(
        "{} planned, {} answered, {} dropped, {} lost",
        counts.planned, counts.completed, counts.dropped, counts.lost
    );
}

fn soak(minutes: u32) {
    let server = Server::start(&["serve"]);
    let child = ourselves(1, &["drive", &server.url, &minutes.to_string()]);
    let pid = child.id();
    let mut seen = Vec::new();
    println!("{USERS} users, {RATE} requests/s, {minutes} min");
    for look in 1..=minutes * LOOKS {
        std::thread::park_timeout(Duration::from_secs(60) / LOOKS);
        let Some(rss_mib) = rss_mib(pid) else { break };
        seen.push(rss_mib);
        if look.is_multiple_of(LOOKS) {
            println!("minute {:>3}: {rss_mib:>6.1} MiB", look / LOOKS);
        }
    }
    println!("{}", finish("drive", child).0.trim());
    let settled = seen.get(LOOKS as usize - 1).copied().unwrap_or(f64::NAN);
    let (last, most) = (seen.last().copied().unwrap_or(f64::NAN), seen.iter().copied().fold(0.0, f64::max));
    println!("at most {most:.1} MiB, {:.2} times what it was after a minute", last / settled);
    assert!(most < RSS_MIB && last <= settled * GROWTH, "memory is not flat, or more than {RSS_MIB} MiB");
}

/// Resident set of a process, in MiB; `None` when it is gone.
fn rss_mib(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? / 1024.0)
}
