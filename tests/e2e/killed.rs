//! The harness is killed at random moments while it breaks a stack that it did not start: within the lease everything works again.
//!
//! Three moments by default; `HARNESS_KILL_TRIALS=100 cargo test -p tests --test e2e killed -- --nocapture` tries as many as asked for, and
//! prints how long the worst took.
use crate::program::{Workplace, wait_until};
use nix::sys::signal::{Signal, kill};
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

/// The lease of every fault here.
const LEASE: Duration = Duration::from_millis(1_500);
/// The faults would be on for a minute; a busy machine may need a while to answer.
const HEALTHY_WITHIN: Duration = Duration::from_secs(20);

/// What is broken, each in its turn.
const FAULTS: [&str; 4] = [
    "\"down\"",
    "{ latency = { delay = \"30s\" } }",
    "{ timeout = { after = \"0s\" } }",
    "{ bandwidth = { rate = \"1KB/s\" } }",
];

/// A part of a stack, started by hand.
struct Part {
    child: Child,
    address: String,
}

impl Part {
    fn start(place: &Workplace, arguments: &[&str], environment: &[(&str, String)], name: &str) -> Self {
        let mut command = place.command(arguments);
        // It ends with its standard input, and so with this test.
        let command = command.arg("--with-parent").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.envs(environment.iter().map(|(name, value)| (name, value))).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
        let address = ready["addresses"][name].as_str().unwrap().to_owned();
        Self { child, address }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One request on a connection of its own; `None` when there is no whole answer within two seconds.
fn asked(address: &str, head: &str, body: &str) -> Option<(u16, String)> {
    let within = Some(Duration::from_secs(2));
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(within).ok()?;
    stream.set_write_timeout(within).ok()?;
    let length = body.len();
    let request =
        format!("{head} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer.split_once("\r\n\r\n")?.1.to_owned()))
}

fn is_healthy(address: &str) -> bool {
    asked(address, "GET /health/live", "").is_some_and(|(status, _)| status == 200)
}

fn scenario(url: &str, api: &str, fault: &str) -> String {
    format!(
        "title = \"Killed\"\n[target]\nurl = \"http://{url}\"\n[links]\napi = \"http://{api}\"\n[load]\nduration = \"90s\"\nusers = 2\n\
         warm_up = \"0s\"\noracle = false\nmix = {{ trip-creation = 1 }}\narrivals = {{ constant = {{ rate = \"5/s\" }} }}\n\
         [[faults]]\nlink = \"client\"\nat = \"1s\"\nfor = \"60s\"\nlease = \"1500ms\"\nfault = {fault}\n"
    )
}

#[test]
#[expect(clippy::print_stderr, reason = "how long it took is for people")]
fn a_killed_harness_leaves_a_stack_that_works_within_the_lease() {
    let trials: u64 = std::env::var("HARNESS_KILL_TRIALS").ok().map_or(3, |text| text.parse().unwrap());
    let place = Workplace::new("");
    let links = Part::start(&place, &["links", "--api", "127.0.0.1:0"], &[], "api");
    let secret = "0123456789abcdef0123456789abcdef".repeat(2);
    let environment = [
        ("DATABASE_URL", format!("sqlite://{}", place.path().join("trips.db").display())),
        ("TRIPSAGE_LISTEN", "127.0.0.1:0".to_owned()),
        ("TRIPSAGE_JWT_KEY", secret),
        ("TRIPSAGE_ARGON2_MEMORY_KIB", "64".to_owned()),
        ("TRIPSAGE_RATE_LIMITS", "off".to_owned()),
    ];
    let service = Part::start(&place, &["serve"], &environment, "service");
    let link = format!("{{\"name\":\"client\",\"listen\":\"127.0.0.1:0\",\"upstream\":\"{}\"}}", service.address);
    let (status, made) = asked(&links.address, "POST /proxies", &link).unwrap();
    assert_eq!(status, 201, "{made}");
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    let url = made["listen"].as_str().unwrap();
    assert!(is_healthy(url));
    let mut worst = Duration::ZERO;
    let mut broken = 0;
    for trial in 0..trials {
        let fault = FAULTS[usize::try_from(trial).unwrap() % FAULTS.len()];
        std::fs::write(place.path().join("scenario.toml"), scenario(url, &links.address, fault)).unwrap();
        // Any moment from the first to the fourth second: before the load, at the very beginning of the fault, and while it is on.
        let moment = Duration::from_millis(500 + trial.wrapping_mul(0x9E37_79B9_7F4A_7C15) % 3_500);
        let begun = Instant::now();
        let mut harness = place
            .command(&["run", "./scenario.toml", "--out", "runs", "--progress", "none"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_until("the moment", || begun.elapsed() >= moment);
        kill(nix::unistd::Pid::from_raw(harness.id().cast_signed()), Signal::SIGKILL).unwrap();
        harness.wait().unwrap();
        let killed = Instant::now();
        broken += u64::from(!is_healthy(url));
        let begun_waiting = Instant::now();
        wait_until("a service that works", || {
            assert!(begun_waiting.elapsed() < HEALTHY_WITHIN, "trial {trial}, {fault}, killed after {moment:?}");
            is_healthy(url)
        });
        worst = worst.max(killed.elapsed());
        let swept = place.harness(&["faults", "sweep", "--out", "runs"]);
        assert!(swept.status.success(), "{}", String::from_utf8_lossy(&swept.stderr));
    }
    eprintln!(
        "{trials} kills, {broken} of them in the middle of a fault; healthy again after {worst:?} at the most, lease {LEASE:?}"
    );
}

#[test]
fn what_a_killed_run_has_left_is_swept_at_once_and_only_once() {
    let place = Workplace::new("");
    let links = Part::start(&place, &["links", "--api", "127.0.0.1:0"], &[], "api");
    let link = "{\"name\":\"client\",\"listen\":\"127.0.0.1:0\",\"upstream\":\"127.0.0.1:9\"}";
    assert_eq!(asked(&links.address, "POST /proxies", link).unwrap().0, 201);
    let api = format!("http://{}", links.address);
    let apply = ["faults", "apply", "client", "down", "--for", "60s", "--lease", "50s", "--api", &api];
    let temporary = place.path().join("temporary");
    std::fs::create_dir(&temporary).unwrap();
    let mut by_hand = place.command(&apply).env("TMPDIR", &temporary).spawn().unwrap();
    let state = || asked(&links.address, "GET /proxies/client", "").unwrap().1;
    wait_until("the fault", || state().contains("\"enabled\":false"));
    by_hand.kill().unwrap();
    by_hand.wait().unwrap();
    let sweep = || {
        let output = place.command(&["faults", "sweep"]).env("TMPDIR", &temporary).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(sweep().contains("client down") && state().contains("\"enabled\":true"));
    assert_eq!(sweep(), "nothing was left\n");
}
