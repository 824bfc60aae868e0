//! What a link costs: `cargo bench -p chaos --bench link`.
//!
//! In one interleaved run: no proxy, a bare copy loop (tokio, 64 KiB buffers) and our link without a toxic, each a
//! process of its own, so that its CPU time is its own. Then how exact a latency is. Only ratios travel to other machines.
#![expect(clippy::print_stdout, reason = "the table is the result")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use chaos::{
    Control, Link,
    link::{Settings, serve},
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional_with_sizes},
    net::TcpListener,
};

/// Many short rounds rather than few long ones: what else the machine does then hits all routes alike.
const ROUNDS: usize = 21;
const PINGS: usize = 1_000;
const CROWD: usize = 50;
const CROWD_PINGS: usize = 60;
const STREAM_BYTES: u64 = 300_000_000;
const CONNECTS: usize = 600;
const COPY_BYTES: usize = 64 * 1024;
/// Positions of the services of the server in its list of addresses.
const ECHO: usize = 0;
const SINK: usize = 1;
const SOURCE: usize = 2;
/// Where a child with links has its API, after the services.
const API: usize = 3;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let role = arguments.iter().position(|argument| argument == "--role").map(|index| &arguments[index + 1..]);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    match role {
        Some([role, upstreams @ ..]) => runtime.block_on(play(role, upstreams)),
        _ if arguments.iter().any(|argument| argument == "--bench") => runtime.block_on(compare()),
        _ => {
            println!("nothing is measured by `cargo test`; run `cargo bench -p chaos --bench link`");
            Ok(())
        }
    }
}

/// A child process in one of the roles, and where it listens.
struct Player {
    child: Child,
    addresses: Vec<SocketAddr>,
}

impl Player {
    fn start(role: &str, upstreams: &[SocketAddr]) -> Outcome<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--role").arg(role).args(upstreams.iter().map(SocketAddr::to_string));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let addresses = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { child, addresses })
    }

    /// CPU time of all its threads so far.
    fn cpu(&self) -> Outcome<Duration> {
        let mut nanos = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            nanos += text.split_whitespace().next().unwrap_or("0").parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanos))
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a role until the parent is gone.
async fn play(role: &str, upstreams: &[String]) -> Outcome<()> {
    let addresses = match role {
        "server" => server().await?,
        "copy" => copy(upstreams).await?,
        _ => link(upstreams).await?,
    };
    println!("{}", addresses.join(" "));
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}

async fn server() -> Outcome<Vec<String>> {
    let mut addresses = Vec::new();
    for service in [ECHO, SINK, SOURCE] {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        addresses.push(listener.local_addr()?.to_string());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve_one(service, stream));
            }
        });
    }
    Ok(addresses)
}

async fn serve_one(service: usize, mut stream: tokio::net::TcpStream) -> Outcome<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 256 * 1024];
    if service == SOURCE {
        let mut left = STREAM_BYTES;
        while left > 0 {
            let count = left.min(COPY_BYTES as u64) as usize;
            stream.write_all(&buffer[..count]).await?;
            left -= count as u64;
        }
        return Ok(());
    }
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 && service == SINK {
            stream.write_all(b"!").await?;
        }
        if count == 0 {
            return Ok(());
        }
        if service == ECHO {
            stream.write_all(&buffer[..count]).await?;
        }
    }
}

async fn copy(upstreams: &[String]) -> Outcome<Vec<String>> {
    let mut addresses = Vec::new();
    for upstream in upstreams {
        let upstream: SocketAddr = upstream.parse()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        addresses.push(listener.local_addr()?.to_string());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(async move { copy_one(client, upstream).await });
            }
        });
    }
    Ok(addresses)
}

async fn copy_one(mut client: tokio::net::TcpStream, upstream: SocketAddr) -> Outcome<()> {
    let mut server = tokio::net::TcpStream::connect(upstream).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    copy_bidirectional_with_sizes(&mut client, &mut server, COPY_BYTES, COPY_BYTES).await?;
    Ok(())
}

async fn link(upstreams: &[String]) -> Outcome<Vec<String>> {
    let links = serve(Settings { api: SocketAddr::from(([127, 0, 0, 1], 0)), seed: 1 }).await?;
    let api = links.api_address();
    let control = Control::new(&format!("http://{api}"))?;
    let mut addresses = Vec::new();
    for (index, upstream) in upstreams.iter().enumerate() {
        let (name, listen) = (format!("link{index}"), "127.0.0.1:0".into());
        let link = Link { name, listen, upstream: upstream.clone(), protocol: None };
        addresses.push(control.create(&link).await?.listen);
    }
    addresses.push(api.to_string());
    // The links live as long as the process.
    std::mem::forget(links);
    Ok(addresses)
}

/// What was measured on one route in one round.
#[derive(Default, Clone)]
struct Round {
    rtt: (f64, f64),
    rtt_crowd: (f64, f64),
    up_gb_per_second: f64,
    down_gb_per_second: f64,
    connects_per_second: f64,
    cpu_s_per_gb: f64,
    cpu_us_per_request: f64,
}

async fn compare() -> Outcome<()> {
    let server = Player::start("server", &[])?;
    let copy = Player::start("copy", &server.addresses)?;
    let link = Player::start("link", &server.addresses)?;
    let routes = [("none", &server), ("copy loop", &copy), ("our link", &link)];
    let mut rounds: [Vec<Round>; 3] = Default::default();
    for round in 0..ROUNDS {
        for turn in 0..routes.len() {
            let route = (round + turn) % routes.len();
            rounds[route].push(measure(routes[route].1).await?);
        }
    }
    print_costs(&routes.map(|(name, _)| name), &rounds);
    print_exactness(&link).await
}

async fn measure(player: &Player) -> Outcome<Round> {
    let mut round = Round::default();
    let echo = player.addresses[ECHO];
    round.rtt = percentiles(pings(echo, PINGS)?);

    let cpu = player.cpu()?;
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        crowd.push(tokio::spawn(async_pings(echo)));
    }
    let mut times = Vec::new();
    for each in crowd {
        times.extend(each.await??);
    }
    round.cpu_us_per_request = (player.cpu()? - cpu).as_secs_f64() * 1e6 / times.len() as f64;
    round.rtt_crowd = percentiles(times);

    let cpu = player.cpu()?;
    round.up_gb_per_second = STREAM_BYTES as f64 / upload(player.addresses[SINK])?.as_secs_f64() / 1e9;
    round.down_gb_per_second = STREAM_BYTES as f64 / download(player.addresses[SOURCE])?.as_secs_f64() / 1e9;
    round.cpu_s_per_gb = (player.cpu()? - cpu).as_secs_f64() / (2.0 * STREAM_BYTES as f64 / 1e9);

    let started = Instant::now();
    for _ in 0..CONNECTS {
        pings(echo, 1)?;
    }
    round.connects_per_second = CONNECTS as f64 / started.elapsed().as_secs_f64();
    Ok(round)
}

fn pings(echo: SocketAddr, count: usize) -> Outcome<Vec<f64>> {
    let mut stream = TcpStream::connect(echo)?;
    stream.set_nodelay(true)?;
    let mut message = [7; 64];
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let started = Instant::now();
        stream.write_all(&message)?;
        stream.read_exact(&mut message)?;
        times.push(started.elapsed().as_secs_f64() * 1e6);
    }
    Ok(times)
}

async fn async_pings(echo: SocketAddr) -> Outcome<Vec<f64>> {
    let mut stream = tokio::net::TcpStream::connect(echo).await?;
    stream.set_nodelay(true)?;
    let mut message = [7; 64];
    let mut times = Vec::with_capacity(CROWD_PINGS);
    for _ in 0..CROWD_PINGS {
        let started = Instant::now();
        stream.write_all(&message).await?;
        stream.read_exact(&mut message).await?;
        times.push(started.elapsed().as_secs_f64() * 1e6);
    }
    Ok(times)
}

fn upload(sink: SocketAddr) -> Outcome<Duration> {
    let mut stream = TcpStream::connect(sink)?;
    let block = vec![7; COPY_BYTES];
    let started = Instant::now();
    let mut left = STREAM_BYTES as usize;
    while left > 0 {
        let count = left.min(block.len());
        stream.write_all(&block[..count])?;
        left -= count;
    }
    stream.shutdown(std::net::Shutdown::Write)?;
    stream.read_exact(&mut [0])?;
    Ok(started.elapsed())
}

fn download(source: SocketAddr) -> Outcome<Duration> {
    let started = Instant::now();
    let mut stream = TcpStream::connect(source)?;
    let mut block = vec![0; 256 * 1024];
    let mut total = 0;
    loop {
        match stream.read(&mut block)? {
            0 if total == STREAM_BYTES => return Ok(started.elapsed()),
            0 => return Err(format!("{total} bytes of {STREAM_BYTES}").into()),
            count => total += count as u64,
        }
    }
}

fn percentiles(mut times: Vec<f64>) -> (f64, f64) {
    times.sort_unstable_by(f64::total_cmp);
    (times[times.len() / 2], times[times.len() * 99 / 100])
}

fn print_costs(names: &[&str; 3], rounds: &[Vec<Round>; 3]) {
    println!("medians of {ROUNDS} interleaved rounds; the ratio is our link to the copy loop\n");
    println!("{:<28}{:>12}{:>12}{:>12}{:>9}", "", names[0], names[1], names[2], "ratio");
    type Row = (&'static str, fn(&Round) -> f64);
    let rows: [Row; 9] = [
        ("RTT 1 connection p50, us", |round| round.rtt.0),
        ("RTT 1 connection p99, us", |round| round.rtt.1),
        ("RTT 50 connections p50, us", |round| round.rtt_crowd.0),
        ("RTT 50 connections p99, us", |round| round.rtt_crowd.1),
        ("upload, GB/s", |round| round.up_gb_per_second),
        ("download, GB/s", |round| round.down_gb_per_second),
        ("CPU, s/GB", |round| round.cpu_s_per_gb),
        ("CPU, us/request", |round| round.cpu_us_per_request),
        ("connections/s, one by one", |round| round.connects_per_second),
    ];
    for (name, value_of) in rows {
        let [none, copy, link] = [0, 1, 2].map(|route| percentiles(rounds[route].iter().map(value_of).collect()).0);
        println!("{name:<28}{none:>12.2}{copy:>12.2}{link:>12.2}{:>9.2}", link / copy);
    }
    println!("\nThe CPU is that of the proxy process; of the server where there is none.\n");
}

/// The round trip beyond the delay, with the round trip without a delay beside it.
async fn print_exactness(link: &Player) -> Outcome<()> {
    let api = link.addresses[API];
    let http = reqwest::Client::builder().no_proxy().build()?;
    let toxics = format!("http://{api}/proxies/link0/toxics");
    println!("{:<28}{:>12}{:>12}", "latency, RTT beyond it", "p50, us", "p99, us");
    for (delay_ms, count) in [(0, 1000), (1, 1000), (10, 300), (100, 100)] {
        if delay_ms > 0 {
            let toxic = json!({ "type": "latency", "name": "l", "attributes": { "latency": delay_ms } });
            http.post(&toxics).body(toxic.to_string()).send().await?.error_for_status()?;
        }
        let excess = pings(link.addresses[ECHO], count)?.into_iter().map(|us| us - f64::from(delay_ms) * 1e3);
        let (p50, p99) = percentiles(excess.collect());
        println!("{:<28}{p50:>12.0}{p99:>12.0}", format!("{delay_ms} ms"));
        if delay_ms > 0 {
            http.delete(format!("{toxics}/l")).send().await?.error_for_status()?;
        }
    }
    Ok(())
}
