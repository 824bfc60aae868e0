//! A child process that runs one part of the stack and never outlives the program.
//!
//! Three things end it: its standard input is closed (it stops by itself, in order), the parent dies (the kernel kills it), or the
//! guard is dropped (it is killed). It has its own process group, so Ctrl-C in a terminal reaches the program alone.
use anyhow::{Context as _, bail};
use nix::sys::{prctl, signal::Signal};
use reports::record::ProcessUsage;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::File,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::{Child, ChildStdin, Command},
    time::timeout,
};

/// The flag by which a child knows that it belongs to a parent.
const WITH_PARENT: &str = "--with-parent";

/// How long a part may take to start.
const START_WITHIN: Duration = Duration::from_secs(20);

/// The line that a part prints on its standard output once it can be used.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ready {
    /// Its part in the stack.
    pub(crate) ready: String,
    /// Where it listens, by name.
    pub(crate) addresses: BTreeMap<String, SocketAddr>,
}

/// What to start.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    /// Its part in the stack, and the name of its log: `service`, `providers`, `links`.
    pub(crate) name: &'static str,
    /// The sub-command of this program, with its flags.
    pub(crate) arguments: Vec<OsString>,
    /// Its environment, beside a few variables of ours.
    pub(crate) environment: Vec<(String, String)>,
    /// Folder of its log.
    pub(crate) logs: &'a Path,
}

/// A part that runs. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    name: &'static str,
    child: Child,
    /// Kept here, because waiting for a child closes the standard input that it still holds.
    input: Option<ChildStdin>,
    log: PathBuf,
    addresses: BTreeMap<String, SocketAddr>,
    died: Option<String>,
}

impl Running {
    /// Starts a part and waits until it says that it is ready.
    ///
    /// # Errors
    /// When the program cannot be started, ends before it is ready (with the last lines of its log), or takes longer than 20 s.
    pub(crate) async fn start(part: Part<'_>) -> anyhow::Result<Self> {
        let log = part.logs.join(format!("{}.log", part.name));
        let sink = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let mut child = Command::new(program)
            .args(&part.arguments)
            .arg(WITH_PARENT)
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| is_inherited(name)))
            .envs(part.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(sink)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start the {}", part.name))?;
        let stdout = child.stdout.take().expect("its standard output is a pipe");
        let input = child.stdin.take();
        let mut line = String::new();
        let mut lines = BufReader::new(stdout);
        let read = timeout(START_WITHIN, lines.read_line(&mut line)).await;
        let ready: Option<Ready> = serde_json::from_str(&line).ok();
        let Some(ready) = ready else {
            let state = match read {
                Err(_) => format!("was not ready within {} s", START_WITHIN.as_secs()),
                Ok(_) => "ended before it was ready".to_owned(),
            };
            bail!("the {} {state}\n{}", part.name, last_lines(&log));
        };
        // The pipe is kept open and drained, so that a part that prints again is neither blocked nor killed by it.
        tokio::spawn(async move { tokio::io::copy(&mut lines, &mut tokio::io::sink()).await });
        Ok(Self { name: part.name, child, input, log, addresses: ready.addresses, died: None })
    }

    /// Where it listens, by name.
    #[must_use]
    pub(crate) fn addresses(&self) -> &BTreeMap<String, SocketAddr> {
        &self.addresses
    }

    /// Its process id, while it lives.
    #[must_use]
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Resolves when it ends, with how: "ended with signal 9 (SIGKILL)".
    pub(crate) async fn died(&mut self) -> String {
        let how = match self.child.wait().await {
            Ok(status) => {
                format!("the {} ended with {status}; its last words are in {}", self.name, self.log.display())
            }
            Err(error) => format!("the {} was lost sight of: {error}", self.name),
        };
        self.died = Some(how.clone());
        how
    }

    /// Whether it is the part of that name, and was seen to end by itself.
    #[must_use]
    pub(crate) fn has_died(&self, name: &str) -> bool {
        self.name == name && self.died.is_some()
    }

    /// What it has used so far.
    #[must_use]
    pub(crate) fn usage(&self) -> ProcessUsage {
        let (cpu_seconds, rss_max_bytes) = self.pid().and_then(read_usage).unwrap_or_default();
        ProcessUsage { name: self.name.to_owned(), cpu_seconds, rss_max_bytes, died: self.died.clone() }
    }

    /// Asks it to stop, waits, and kills it when it takes longer.
    pub(crate) async fn stop(mut self, within: Duration) {
        drop(self.input.take());
        if timeout(within, self.child.wait()).await.is_err() {
            tracing::warn!(part = self.name, "the {} did not stop within {within:?}: killed", self.name);
            if let Err(error) = self.child.kill().await {
                tracing::warn!(part = self.name, "the {} could not be killed: {error}", self.name);
            }
        }
    }
}

/// In a child: resolves when the parent closed our standard input, or is gone.
///
/// # Errors
/// When the kernel refuses to end this process with its parent.
pub(crate) async fn parent_gone() -> anyhow::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL).context("cannot ask the kernel to end this process with its parent")?;
    let mut input = tokio::io::stdin();
    let mut buffer = [0; 64];
    while input.read(&mut buffer).await.unwrap_or(0) > 0 {}
    Ok(())
}

fn is_inherited(name: &std::ffi::OsStr) -> bool {
    let name = name.to_string_lossy();
    !name.starts_with("TRIPSAGE_") && name != "DATABASE_URL"
}

/// CPU seconds (user and system) and largest resident set in bytes of a living process.
fn read_usage(pid: u32) -> Option<(f64, u64)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after_name = stat.rsplit_once(')')?.1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = peak.trim().strip_suffix("kB")?.trim().parse().ok()?;
    // The kernel reports in units of USER_HZ, which is 100 on every architecture that Rust's std supports on Linux.
    Some((ticks as f64 / 100.0, kib * 1024))
}

fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}
