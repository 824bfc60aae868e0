//! A part of the stack: a process that can end and come back, and is counted as one all the same.
use super::{
    child::{Recipe, Running, last_words},
    deaths::Deaths,
};
use anyhow::{Context as _, anyhow};
use chaos::{PartError, SigningKey, Stopped, With};
use nix::sys::{
    resource::{UsageWho, getrusage},
    signal::Signal,
    time::TimeValLike as _,
};
use reports::record::ProcessUsage;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep, timeout};

/// How long a part that is asked to stop during a run may take: the service drains for up to 25 s, and then closes its database.
const DRAIN_WITHIN: Duration = Duration::from_secs(30);
/// How long a process may take to be gone after SIGKILL.
const GONE_WITHIN: Duration = Duration::from_secs(10);
/// How long a part that says it is ready may take to answer that it is alive.
const ALIVE_WITHIN: Duration = Duration::from_secs(10);
/// Time between two questions whether it is alive.
const ASK_EVERY: Duration = Duration::from_millis(5);

/// One part of the stack.
#[derive(Debug)]
pub(crate) struct Part {
    name: &'static str,
    deaths: Deaths,
    state: Mutex<State>,
    /// Held by whoever ends or starts it, so that one is done with it before the next begins.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State {
    recipe: Recipe,
    running: Option<Arc<Running>>,
    /// What the processes that have ended had used.
    spent_seconds: f64,
    rss_max_bytes: u64,
}

impl Part {
    /// Starts a part.
    ///
    /// # Errors
    /// When its process cannot be started or does not get ready.
    pub(crate) async fn start(recipe: Recipe, deaths: &Deaths) -> anyhow::Result<Self> {
        let running = Arc::new(Running::start(&recipe, deaths).await?);
        let name = recipe.name;
        let state = State { recipe, running: Some(running), spent_seconds: 0.0, rss_max_bytes: 0 };
        Ok(Self { name, deaths: deaths.clone(), state: Mutex::new(state), turn: tokio::sync::Mutex::default() })
    }

    /// Its name in the stack.
    #[must_use]
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Where it listens under a name; `None` while it is down.
    #[must_use]
    pub(crate) fn address(&self, name: &str) -> Option<SocketAddr> {
        self.running().and_then(|running| running.addresses().get(name).copied())
    }

    /// Its process id; `None` while it is down.
    #[must_use]
    pub(crate) fn pid(&self) -> Option<u32> {
        self.running().and_then(|running| running.pid())
    }

    /// What all its processes have used so far.
    #[must_use]
    pub(crate) fn usage(&self) -> ProcessUsage {
        let state = self.lock();
        let (seconds, peak) = state.running.as_ref().map(|running| running.usage()).unwrap_or_default();
        ProcessUsage {
            name: self.name.to_owned(),
            cpu_seconds: state.spent_seconds + seconds,
            rss_max_bytes: state.rss_max_bytes.max(peak),
            died: self.deaths.of(self.name),
        }
    }

    /// Sends its process a signal that does not end it.
    pub(crate) fn signal(&self, signal: Signal, attempt: &str) -> Result<(), PartError> {
        let running = self.running().ok_or_else(|| PartError::Down { attempt: attempt.to_owned() })?;
        let refused = |errno| PartError::System { attempt: attempt.to_owned(), source: std::io::Error::from(errno) };
        running.signal(signal).map_err(refused)
    }

    /// Ends its process at once.
    pub(crate) async fn kill(&self) -> Result<(), PartError> {
        let _turn = self.turn.lock().await;
        let running = self.dismissed("kill")?;
        self.end(&running).await
    }

    /// Lets its process stop in order, and kills it when it takes longer than `within`.
    pub(crate) async fn stop(&self, within: Duration) -> Result<Stopped, PartError> {
        let _turn = self.turn.lock().await;
        let running = self.dismissed("stop")?;
        let (peak, reaped_before) = (running.usage().1, reaped_seconds());
        running.ask_to_stop();
        if timeout(within, running.ended()).await.is_ok() {
            self.forget(peak, reaped_before);
            return Ok(Stopped::InOrder);
        }
        tracing::warn!(part = self.name, "the {} did not stop within {within:?}: killed", self.name);
        self.end(&running).await.map(|()| Stopped::Killed)
    }

    /// Lets its process stop in order while the run goes on.
    pub(crate) async fn drain(&self) -> Result<Stopped, PartError> {
        self.stop(DRAIN_WITHIN).await
    }

    /// Starts it again, and waits until it answers at `/health/live`. One that cannot be started has died.
    pub(crate) async fn start_again(&self, with: With) -> Result<(), PartError> {
        let _turn = self.turn.lock().await;
        let attempt = format!("start the {} again", self.name);
        if self.pid().is_some() {
            return Err(PartError::Up { attempt });
        }
        let recipe = self.recipe(with);
        let started = async {
            let running = Running::start(&recipe, &self.deaths).await?;
            let address = running.addresses().get(self.name).copied();
            let address = address.with_context(|| format!("the {} does not say where it listens", self.name))?;
            alive(address).await.map_err(|error| anyhow!("{error:#}\n{}", last_words(&recipe)))?;
            anyhow::Ok(running)
        };
        match started.await {
            Ok(running) => {
                self.lock().running = Some(Arc::new(running));
                Ok(())
            }
            Err(error) => {
                // In one line, with the last lines of its log.
                self.deaths.tell(self.name, format!("cannot {attempt}: {error:#}").replace('\n', " | "));
                Err(PartError::Start { attempt, source: error.into() })
            }
        }
    }

    /// Its recipe, changed as asked: another key stays, a limit is for this time.
    fn recipe(&self, with: With) -> Recipe {
        let mut state = self.lock();
        if with.signing_key == SigningKey::Another {
            super::bundled::rotate_signing_key(&mut state.recipe.environment);
        }
        let mut recipe = state.recipe.clone();
        if let Some(limit) = with.open_files {
            recipe.arguments.extend(["--open-files".into(), limit.to_string().into()]);
        }
        recipe
    }

    async fn end(&self, running: &Running) -> Result<(), PartError> {
        let (peak, reaped_before) = (running.usage().1, reaped_seconds());
        // It may have ended a moment ago, which is as well.
        let _ = running.signal(Signal::SIGKILL);
        let attempt = format!("kill the {}", self.name);
        let late = |_| PartError::NotSeen { attempt, expected: "its end", within: GONE_WITHIN };
        timeout(GONE_WITHIN, running.ended()).await.map_err(late)?;
        self.forget(peak, reaped_before);
        Ok(())
    }

    /// Adds what its last process had used, which has ended since `reaped_before` was read.
    fn forget(&self, peak: u64, reaped_before: f64) {
        let mut state = self.lock();
        state.running = None;
        state.spent_seconds += (reaped_seconds() - reaped_before).max(0.0);
        state.rss_max_bytes = state.rss_max_bytes.max(peak);
    }

    /// Its process, the end of which is no death from now on.
    fn dismissed(&self, verb: &str) -> Result<Arc<Running>, PartError> {
        let running = self.running().filter(|running| running.pid().is_some());
        let running = running.ok_or_else(|| PartError::Down { attempt: format!("{verb} the {}", self.name) })?;
        running.dismiss();
        Ok(running)
    }

    fn running(&self) -> Option<Arc<Running>> {
        self.lock().running.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// CPU seconds of all children that have ended and were waited for (getrusage(2)): exact, where the last look at a living one is not.
fn reaped_seconds() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN);
    usage.map_or(0.0, |usage| (usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1e6)
}

/// Waits until a service says of itself that it is alive.
async fn alive(address: SocketAddr) -> anyhow::Result<()> {
    let client =
        reqwest::Client::builder().no_proxy().timeout(ALIVE_WITHIN).build().context("asking for its health")?;
    let (url, begun) = (format!("http://{address}/health/live"), Instant::now());
    loop {
        let answer = client.get(&url).send().await.and_then(reqwest::Response::error_for_status);
        match answer {
            Ok(_) => return Ok(()),
            Err(error) if begun.elapsed() > ALIVE_WITHIN => {
                return Err(error).context("it does not say that it is alive");
            }
            Err(_) => sleep(ASK_EVERY).await,
        }
    }
}
