//! What the benchmarks share: this program as a child of itself, its peers where they are installed, and what they used.
use goose::{config::GooseConfiguration, metrics::GooseMetrics, prelude::*};
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeVal,
};
use std::{
    env,
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command, Output, Stdio},
};

/// The program's own allocator: `harness` has it as well.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A peer, and how to get it.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    install: &'static str,
}

pub(crate) const PEERS: [Peer; 4] = [
    Peer { name: "oha", install: "cargo install oha" },
    Peer { name: "wrk", install: "apt-get install wrk" },
    Peer { name: "hey", install: "apt-get install hey" },
    Peer { name: "locust", install: "python3 -m venv VENV && VENV/bin/pip install locust, with VENV/bin on the PATH" },
];

/// The names of the peers that are there; says of the others how to get them.
pub(crate) fn peers() -> Vec<&'static str> {
    let (there, missing): (Vec<_>, Vec<_>) = PEERS.iter().partition(|peer| is_there(peer.name));
    missing.iter().for_each(|peer| println!("{} is not installed and left out: {}", peer.name, peer.install));
    there.iter().map(|peer| peer.name).collect()
}

pub(crate) fn is_there(program: &str) -> bool {
    env::var_os("PATH").is_some_and(|paths| env::split_paths(&paths).any(|folder| folder.join(program).is_file()))
}

/// The value after a flag.
pub(crate) fn number(arguments: &[String], flag: &str, default: u32) -> u32 {
    let position = arguments.iter().position(|argument| argument == flag);
    position.map_or(default, |position| arguments[position + 1].parse().unwrap())
}

/// Loads a URL with goose as it comes; `more` is what its configuration has beside users and time.
pub(crate) async fn plain_goose(
    url: &str,
    users: u32,
    seconds: u32,
    more: impl FnOnce(&mut GooseConfiguration),
) -> GooseMetrics {
    async fn root(user: &mut GooseUser) -> TransactionResult {
        user.get("/").await?;
        Ok(())
    }
    let mut configuration = GooseConfiguration::default();
    configuration.host = Some(url.to_owned());
    configuration.users = Some(users as usize);
    configuration.increase_rate = Some("1000000".to_owned());
    configuration.run_time = Some(seconds.to_string());
    configuration.no_telnet = true;
    configuration.no_print_metrics = true;
    configuration.quiet = 2;
    more(&mut configuration);
    let scenario = scenario!("root").register_transaction(transaction!(root));
    let attack = GooseAttack::initialize_with_config(configuration).unwrap().register_scenario(scenario);
    attack.execute().await.unwrap()
}

pub(crate) fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(future);
}

/// A child that serves, and the line that it printed once it did. Ends when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = ourselves(0, arguments);
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Self { child, url: url.trim().to_owned() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// In a child: ends this process when its parent does.
pub(crate) fn end_with_parent() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
}

pub(crate) fn ourselves(cpu: usize, arguments: &[&str]) -> Child {
    pinned(cpu, env::current_exe().unwrap().to_str().unwrap(), arguments)
}

/// Starts a program on one CPU, where there are two and `taskset` is there.
pub(crate) fn pinned(cpu: usize, program: &str, arguments: &[&str]) -> Child {
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

/// Waits for a generator, and says what it printed and how many CPU seconds it used.
pub(crate) fn finish(name: &str, child: Child) -> (String, f64) {
    let before = children_cpu_seconds();
    let Output { status, stdout, .. } = child.wait_with_output().unwrap();
    assert!(status.success(), "{name}: {status}");
    (String::from_utf8_lossy(&stdout).into_owned(), children_cpu_seconds() - before)
}

fn children_cpu_seconds() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

/// A user of locust that asks as often per second as it is told by its environment; 0 is as often as it can.
pub(crate) const LOCUST: &str = "\
from locust import FastHttpUser, task, constant_throughput, constant
import os
RATE = float(os.environ.get('RATE', '0'))
class Root(FastHttpUser):
    wait_time = constant_throughput(RATE) if RATE else constant(0)
    @task
    def root(self):
        self.client.get('/')
";

/// Starts locust for some seconds, and has it print its statistics as JSON.
pub(crate) fn locust(url: &str, users: u32, rate_per_user: f64, seconds: u32) -> (Child, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("locustfile.py");
    std::fs::write(&file, LOCUST).unwrap();
    let (users, span, rate) = (users.to_string(), format!("{seconds}s"), format!("RATE={rate_per_user}"));
    let file = file.to_str().unwrap();
    let arguments =
        [&rate, "locust", "-f", file, "--headless", "--json", "-H", url, "-u", &users, "-r", &users, "-t", &span];
    (pinned(1, "env", &arguments), folder)
}

/// What locust counted: requests, and response times in milliseconds, each with how often it was seen.
pub(crate) fn read_locust(text: &str) -> (u64, Vec<(f64, u64)>) {
    let json: serde_json::Value = serde_json::from_str(&text[text.find('[').unwrap()..]).unwrap();
    // A locust that took all of its time to start has asked for nothing.
    let Some(root) = json.get(0) else { return (0, Vec::new()) };
    let times = root["response_times"].as_object().unwrap().iter();
    let times = times.map(|(time, count)| (time.parse().unwrap(), count.as_u64().unwrap())).collect();
    (root["num_requests"].as_u64().unwrap(), times)
}
