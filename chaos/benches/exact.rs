//! How exact the faults of a link are, and how many connections it takes: `cargo bench -p chaos --bench exact`.
//!
//! Each figure stands beside its limit. The links are a process of their own, as in a run; where `toxiproxy-server` is on the path, it is
//! measured the same way, for comparison. On a machine that is busy with something else the figures are those of that machine.
#![expect(clippy::print_stdout, reason = "the table is the result")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener as StdListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use chaos::{
    Control, Link,
    link::{Settings, serve},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional_with_sizes},
    net::TcpListener,
};

/// Delays in milliseconds, and how many round trips are made with each.
const DELAYS: [(u64, usize); 7] = [(1, 1_000), (2, 1_000), (5, 400), (10, 300), (50, 100), (100, 60), (500, 12)];
const DELAY_LIMIT_P50_MS: f64 = 1.0;
const DELAY_LIMIT_P99_MS: f64 = 2.0;
/// Rates in KB/s.
const RATES: [u64; 4] = [100, 1_000, 10_000, 100_000];
const RATE_LIMIT_PERCENT: f64 = 2.0;
/// How long a stream at a rate lasts, in seconds.
const STREAM_S: u64 = 3;
const CONNECTION_ROUNDS: usize = 7;
const CONNECTION_THREADS: usize = 4;
const CONNECTIONS_EACH: usize = 500;
/// A server that does not come up in this time has failed.
const PATIENCE: Duration = Duration::from_secs(10);

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let role = arguments.iter().position(|argument| argument == "--role").map(|index| &arguments[index + 1..]);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    match role {
        Some([role, address]) if role == "links" => runtime.block_on(links(address.parse()?)),
        Some([role, upstream]) if role == "copy" => runtime.block_on(copy(upstream.parse()?)),
        Some(other) => Err(format!("there is no role {other:?}").into()),
        None if arguments.iter().any(|argument| argument == "--bench") => runtime.block_on(measure_all()),
        None => {
            println!("nothing is measured by `cargo test`; run `cargo bench -p chaos --bench exact`");
            Ok(())
        }
    }
}

/// A child process; it ends with its handle.
struct Player(Child);

impl Player {
    /// Starts this program in a role; it says where it listens.
    fn start(role: &str, address: SocketAddr) -> Outcome<(Self, SocketAddr)> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--role", role, &address.to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        Ok((Self(child), line.trim().parse()?))
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn links(api: SocketAddr) -> Outcome<()> {
    let links = serve(Settings { api, seed: 1 }).await?;
    println!("{}", links.api_address());
    stdin_closes().await
}

async fn copy(upstream: SocketAddr) -> Outcome<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut server = tokio::net::TcpStream::connect(upstream).await?;
                client.set_nodelay(true)?;
                server.set_nodelay(true)?;
                copy_bidirectional_with_sizes(&mut client, &mut server, 64 * 1024, 64 * 1024).await
            });
        }
    });
    stdin_closes().await
}

async fn stdin_closes() -> Outcome<()> {
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}

async fn measure_all() -> Outcome<()> {
    let (echo, source) = (serve_echo().await?, serve_source().await?);
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let (_links, api) = Player::start("links", any)?;
    let ours = Subject::new("our link", api, echo, source).await?;
    let (_copy, copied) = Player::start("copy", echo)?;
    let toxiproxy = toxiproxy().await?;
    let mut subjects = vec![ours];
    match &toxiproxy {
        Some((_, api)) => subjects.push(Subject::new("Toxiproxy", *api, echo, source).await?),
        None => println!("no `toxiproxy-server` on the path: not compared with\n"),
    }
    for subject in &subjects {
        subject.print_delays().await?;
        subject.print_rates().await?;
    }
    print_connections(&subjects, echo, copied)
}

/// A server of links whose faults are measured.
struct Subject {
    name: &'static str,
    api: SocketAddr,
    http: reqwest::Client,
    /// Leads to a server that sends back what it gets.
    echo: SocketAddr,
    /// Leads to a server that sends as many bytes as it is asked for.
    source: SocketAddr,
}

impl Subject {
    async fn new(name: &'static str, api: SocketAddr, echo: SocketAddr, source: SocketAddr) -> Outcome<Self> {
        let control = Control::new(&format!("http://{api}"))?;
        let link = |name: &str, upstream: SocketAddr| Link {
            name: name.to_owned(),
            listen: "127.0.0.1:0".to_owned(),
            upstream: upstream.to_string(),
            protocol: None,
        };
        let made = control.populate(&[link("echo", echo), link("source", source)]).await?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { name, api, http, echo: made[0].listen.parse()?, source: made[1].listen.parse()? })
    }

    async fn put_on(&self, link: &str, toxic: Value) -> Outcome<()> {
        let url = format!("http://{}/proxies/{link}/toxics", self.api);
        self.http.post(url).body(toxic.to_string()).send().await?.error_for_status()?;
        Ok(())
    }

    async fn take_off(&self, link: &str) -> Outcome<()> {
        let url = format!("http://{}/proxies/{link}/toxics/t", self.api);
        self.http.delete(url).send().await?.error_for_status()?;
        Ok(())
    }

    async fn print_delays(&self) -> Outcome<()> {
        let (without, _) = percentiles(pings(self.echo, 1_000)?);
        println!("{}: delay beyond the nominal, ms (round trip without it: {without:.3} ms)", self.name);
        println!("{:>12}{:>12}{:>12}   limits {DELAY_LIMIT_P50_MS} and {DELAY_LIMIT_P99_MS}", "nominal", "p50", "p99");
        for (delay_ms, count) in DELAYS {
            let toxic = json!({ "type": "latency", "name": "t", "attributes": { "latency": delay_ms } });
            self.put_on("echo", toxic).await?;
            let beyond = pings(self.echo, count)?.into_iter().map(|ms| ms - delay_ms as f64 - without);
            let (p50, p99) = percentiles(beyond.collect());
            self.take_off("echo").await?;
            let is_within = p50.abs() <= DELAY_LIMIT_P50_MS && p99.abs() <= DELAY_LIMIT_P99_MS;
            println!("{delay_ms:>12}{p50:>12.3}{p99:>12.3}   {}", verdict(is_within));
        }
        println!();
        Ok(())
    }

    async fn print_rates(&self) -> Outcome<()> {
        println!("{}: bandwidth, error of {STREAM_S} s at the rate", self.name);
        println!("{:>12}{:>12}   limit {RATE_LIMIT_PERCENT} %", "KB/s", "error, %");
        for rate in RATES {
            self.put_on("source", json!({ "type": "bandwidth", "name": "t", "attributes": { "rate": rate } })).await?;
            let bytes = rate * 1_000 * STREAM_S;
            let took = download(self.source, bytes)?;
            self.take_off("source").await?;
            let error = (bytes as f64 / took.as_secs_f64() / (rate as f64 * 1e3) - 1.0) * 100.0;
            println!("{rate:>12}{error:>12.3}   {}", verdict(error.abs() <= RATE_LIMIT_PERCENT));
        }
        println!();
        Ok(())
    }
}

fn verdict(is_within: bool) -> &'static str {
    if is_within { "within" } else { "BEYOND" }
}

/// Connections per second with one round trip each, by several threads at once, in interleaved rounds.
fn print_connections(subjects: &[Subject], echo: SocketAddr, copied: SocketAddr) -> Outcome<()> {
    let routes: Vec<_> =
        [("none", echo), ("copy loop", copied)].into_iter().chain(subjects.iter().map(|s| (s.name, s.echo))).collect();
    let mut rounds: Vec<Vec<f64>> = vec![Vec::new(); routes.len()];
    for round in 0..CONNECTION_ROUNDS {
        for turn in 0..routes.len() {
            let route = (round + turn) % routes.len();
            rounds[route].push(connections_per_second(routes[route].1)?);
        }
    }
    println!(
        "connections/s with one round trip each, {CONNECTION_THREADS} threads, median of {CONNECTION_ROUNDS} interleaved rounds"
    );
    let medians: Vec<f64> = rounds.into_iter().map(|round| percentiles(round).0).collect();
    for ((name, _), median) in routes.iter().zip(&medians) {
        println!("{name:>12}{median:>12.0}   {:.2} of the copy loop", median / medians[1]);
    }
    Ok(())
}

fn connections_per_second(address: SocketAddr) -> Outcome<f64> {
    let started = Instant::now();
    let connecting = move || -> Outcome<()> {
        for _ in 0..CONNECTIONS_EACH {
            pings(address, 1)?;
        }
        Ok(())
    };
    let threads: Vec<_> = (0..CONNECTION_THREADS).map(|_| thread::spawn(connecting)).collect();
    for thread in threads {
        thread.join().map_err(|_| "a thread panicked")??;
    }
    Ok((CONNECTION_THREADS * CONNECTIONS_EACH) as f64 / started.elapsed().as_secs_f64())
}

/// Round trips of 64 bytes on one connection, in milliseconds.
fn pings(echo: SocketAddr, count: usize) -> Outcome<Vec<f64>> {
    let mut stream = TcpStream::connect(echo)?;
    stream.set_nodelay(true)?;
    let mut message = [7; 64];
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let started = Instant::now();
        stream.write_all(&message)?;
        stream.read_exact(&mut message)?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    Ok(times)
}

fn download(source: SocketAddr, bytes: u64) -> Outcome<Duration> {
    let mut stream = TcpStream::connect(source)?;
    let started = Instant::now();
    stream.write_all(&bytes.to_be_bytes())?;
    let received = std::io::copy(&mut stream, &mut std::io::sink())?;
    if received == bytes { Ok(started.elapsed()) } else { Err(format!("{received} bytes of {bytes}").into()) }
}

fn percentiles(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_unstable_by(f64::total_cmp);
    (values[values.len() / 2], values[values.len() * 99 / 100])
}

async fn serve_echo() -> Outcome<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                stream.set_nodelay(true)?;
                let (mut reader, mut writer) = stream.split();
                tokio::io::copy(&mut reader, &mut writer).await
            });
        }
    });
    Ok(address)
}

/// A server that sends as many bytes as the first eight bytes say.
async fn serve_source() -> Outcome<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut left = stream.read_u64().await?;
                let block = vec![7; 64 * 1024];
                while left > 0 {
                    let count = left.min(block.len() as u64);
                    stream.write_all(&block[..usize::try_from(count).unwrap_or(block.len())]).await?;
                    left -= count;
                }
                stream.shutdown().await
            });
        }
    });
    Ok(address)
}

/// Starts a real Toxiproxy, if there is one.
async fn toxiproxy() -> Outcome<Option<(Player, SocketAddr)>> {
    // The port is free when it is asked for; should somebody take it meanwhile, the server says so and ends.
    let api = StdListener::bind("127.0.0.1:0")?.local_addr()?;
    let mut command = Command::new("toxiproxy-server");
    command.args(["-host", "127.0.0.1", "-port", &api.port().to_string()]).env("LOG_LEVEL", "error");
    let Ok(child) = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn() else { return Ok(None) };
    let player = Player(child);
    let control = Control::new(&format!("http://{api}"))?;
    let started = Instant::now();
    while let Err(error) = control.version().await {
        if started.elapsed() > PATIENCE {
            return Err(error.into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(Some((player, api)))
}
