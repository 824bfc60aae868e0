//! A child process that runs one part of the stack and never outlives the program.
//!
//! Three things end it: its standard input is closed (it stops by itself, in order), the parent dies (the kernel kills it), or the
//! guard is dropped (it is killed). It has its own process group, so Ctrl-C in a terminal reaches the program alone.
use super::deaths::Deaths;
use anyhow::{Context as _, bail};
use nix::{
    errno::Errno,
    sys::{
        prctl,
        signal::{Signal, kill},
    },
    unistd::Pid,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::File,
    net::SocketAddr,
    path::PathBuf,
    process::Stdio,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    net::TcpStream,
    process::{Child, ChildStdin, Command},
    sync::watch,
    time::{interval, timeout},
};

/// The flag by which a child knows that it belongs to a parent.
const WITH_PARENT: &str = "--with-parent";

/// How long a part may take to start.
const START_WITHIN: Duration = Duration::from_secs(20);

/// Time between two questions whether a program that is not ours takes connections.
const ASK_EVERY: Duration = Duration::from_millis(10);

/// The line that a part prints on its standard output once it can be used.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ready {
    /// Its part in the stack.
    pub(crate) ready: String,
    /// Where it listens, by name.
    pub(crate) addresses: BTreeMap<String, SocketAddr>,
}

/// How a part is started, and started again.
#[derive(Debug, Clone)]
pub(crate) struct Recipe {
    /// Its part in the stack, and the name of its log: `service`, `providers`, `links`.
    pub(crate) name: &'static str,
    /// The sub-command of this program, with its flags.
    pub(crate) arguments: Vec<OsString>,
    /// Its environment, beside a few variables of ours.
    pub(crate) environment: BTreeMap<String, String>,
    /// Folder of its log.
    pub(crate) logs: PathBuf,
    /// Where a program that is not ours will listen: it says nothing when it is ready, and stops when it is told by a signal.
    pub(crate) foreign: Option<SocketAddr>,
}

impl Recipe {
    fn log(&self) -> PathBuf {
        self.logs.join(format!("{}.log", self.name))
    }
}

/// A process that runs a part. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    pid: Pid,
    /// Kept here, because waiting for a child closes the standard input that it still holds.
    input: Mutex<Option<ChildStdin>>,
    addresses: BTreeMap<String, SocketAddr>,
    /// Whether its end was asked for.
    is_dismissed: Arc<AtomicBool>,
    has_ended: watch::Receiver<bool>,
    is_foreign: bool,
}

impl Running {
    /// Starts a part and waits until it says that it is ready. Its end is told to `deaths`, unless it was asked for.
    ///
    /// # Errors
    /// When the program cannot be started, ends before it is ready (with the last lines of its log), or takes longer than 20 s.
    pub(crate) async fn start(recipe: &Recipe, deaths: &Deaths) -> anyhow::Result<Self> {
        let name = recipe.name;
        let log = recipe.log();
        let sink = File::options().create(true).append(true).open(&log);
        let sink = sink.with_context(|| format!("cannot write {}", log.display()))?;
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        // What a program that is not ours prints belongs to its log.
        let stdout = match recipe.foreign {
            Some(_) => sink.try_clone().with_context(|| format!("cannot write {}", log.display()))?.into(),
            None => Stdio::piped(),
        };
        let mut child = Command::new(program)
            .args(&recipe.arguments)
            .arg(WITH_PARENT)
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| is_inherited(name)))
            .envs(&recipe.environment)
            .stdin(Stdio::piped())
            .stdout(stdout)
            .stderr(sink)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start the {name}"))?;
        let pid = child.id().with_context(|| format!("cannot find the process of the {name}"))?;
        let input = Mutex::new(child.stdin.take());
        let becomes_ready = async {
            match recipe.foreign {
                Some(address) => foreign_ready(&mut child, name, address).await,
                None => own_ready(&mut child).await,
            }
        };
        let addresses = match timeout(START_WITHIN, becomes_ready).await {
            Ok(Some(addresses)) => addresses,
            Ok(None) => bail!("the {name} ended before it was ready\n{}", last_words(recipe)),
            Err(_) => {
                bail!("the {name} was not ready within {} s\n{}", START_WITHIN.as_secs(), last_words(recipe))
            }
        };
        let (end, has_ended) = watch::channel(false);
        let (is_dismissed, deaths) = (Arc::new(AtomicBool::new(false)), deaths.clone());
        let (was_dismissed, is_foreign) = (Arc::clone(&is_dismissed), recipe.foreign.is_some());
        tokio::spawn(async move {
            let status = child.wait().await;
            end.send_replace(true);
            if !was_dismissed.load(Ordering::SeqCst) {
                let how = match status {
                    Ok(status) => format!("the {name} ended with {status}; its last words are in {}", log.display()),
                    Err(error) => format!("the {name} was lost sight of: {error}"),
                };
                deaths.tell(name, how);
            }
        });
        Ok(Self { pid: Pid::from_raw(pid.cast_signed()), input, addresses, is_dismissed, has_ended, is_foreign })
    }

    /// Where it listens, by name.
    #[must_use]
    pub(crate) fn addresses(&self) -> &BTreeMap<String, SocketAddr> {
        &self.addresses
    }

    /// Its process id, while it lives.
    #[must_use]
    pub(crate) fn pid(&self) -> Option<u32> {
        (!*self.has_ended.borrow()).then_some(self.pid.as_raw().cast_unsigned())
    }

    /// Says that its end, from now on, is what was asked for.
    pub(crate) fn dismiss(&self) {
        self.is_dismissed.store(true, Ordering::SeqCst);
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// When it has ended, or the system refuses.
    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Errno> {
        // Once it has ended and was waited for, another process may have its number.
        if self.pid().is_none() {
            return Err(Errno::ESRCH);
        }
        kill(self.pid, signal)
    }

    /// Asks it to stop in order.
    pub(crate) fn ask_to_stop(&self) {
        drop(self.input.lock().unwrap_or_else(PoisonError::into_inner).take());
        if self.is_foreign {
            // It may have ended a moment ago, which is as well.
            let _ = self.signal(Signal::SIGTERM);
        }
    }

    /// Resolves when it has ended and the system has forgotten it.
    pub(crate) async fn ended(&self) {
        // The sender is gone only after it has told the end.
        let _ = self.has_ended.clone().wait_for(|has_ended| *has_ended).await;
    }

    /// CPU seconds (user and system) and largest resident set in bytes, so far; zero once it has ended.
    #[must_use]
    pub(crate) fn usage(&self) -> (f64, u64) {
        self.pid().and_then(read_usage).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.dismiss();
        let _ = self.signal(Signal::SIGKILL);
    }
}

/// In a child: has the kernel end this process with its parent, from now on, also while it is stopped.
///
/// # Errors
/// When the kernel refuses.
pub(crate) fn die_with_parent() -> anyhow::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL).context("cannot ask the kernel to end this process with its parent")
}

/// In a child: resolves when the parent closed our standard input, or is gone.
pub(crate) async fn parent_gone() {
    let mut input = tokio::io::stdin();
    let mut buffer = [0; 64];
    while input.read(&mut buffer).await.unwrap_or(0) > 0 {}
}

/// Waits until a part of ours says where it listens; `None` when it ends before.
async fn own_ready(child: &mut Child) -> Option<BTreeMap<String, SocketAddr>> {
    let mut lines = BufReader::new(child.stdout.take().expect("its standard output is a pipe"));
    let mut line = String::new();
    lines.read_line(&mut line).await.ok()?;
    let ready: Ready = serde_json::from_str(&line).ok()?;
    // The pipe is kept open and drained, so that a part that prints again is neither blocked nor killed by it.
    tokio::spawn(async move { tokio::io::copy(&mut lines, &mut tokio::io::sink()).await });
    Some(ready.addresses)
}

/// Waits until a program that is not ours takes connections; `None` when it ends before.
async fn foreign_ready(child: &mut Child, name: &str, address: SocketAddr) -> Option<BTreeMap<String, SocketAddr>> {
    let mut tick = interval(ASK_EVERY);
    loop {
        tokio::select! {
            _ = child.wait() => return None,
            _ = tick.tick() => {}
        }
        if TcpStream::connect(address).await.is_ok() {
            return Some(BTreeMap::from([(name.to_owned(), address)]));
        }
    }
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

/// The last lines of a part's log.
pub(super) fn last_words(recipe: &Recipe) -> String {
    let text = std::fs::read_to_string(recipe.log()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}
