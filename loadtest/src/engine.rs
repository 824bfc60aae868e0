//! The engine: makes everything ready, then carries a plan out.
//!
//! ```text
//! prepare: file descriptors ─▶ accounts, logins, connections ─▶ users wait
//! drive:   schedule ─▶ pacer ─▶ queue (bounded) ─▶ users ─▶ target
//!                                                    └─▶ recording
//! ```
//! Preparing takes as long as it takes; only then does the caller choose clock zero, so that the first request is not late.
use crate::{
    client::Failure,
    connection::{self, Connections, ports, ports::Ports},
    directory::Directory,
    executor::{self, Executor},
    health::{self, ClockWatch, Usage},
    host::HostTime,
    live::{Home, Live},
    mailboxes::{Mailboxes, WAITING_MAX},
    oracle::{Journaled, Journaling, Witness},
    pacer::{self, Released},
    plan::LoadPlan,
    progress::Progress,
    recording::{Recorded, Recording, Running},
    session::{self, Account, Session},
    stop::Stop,
    target::Target,
    timer::Timer,
    user,
    visit::User,
};
use async_channel::{Receiver, Sender};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reports::{
    record::{Counts, GeneratorHealth, LoadRecord, Meter, MixEntry, Origin, SecondCounts, Watcher},
    units,
};
use std::{
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{sync::watch, task::JoinHandle, time::Instant};

/// Accounts that are registered at once before the load starts.
const PREPARING_AT_ONCE: usize = 8;

/// Why a load could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The machine cannot carry so many users.
    #[error(transparent)]
    Machine(#[from] health::Error),
    /// The machine has too few local ports for so many connections.
    #[error(transparent)]
    Ports(#[from] ports::Error),
    /// Connections cannot be opened as the scenario says.
    #[error(transparent)]
    Connection(#[from] connection::Error),
    /// The target cannot be reached.
    #[error("cannot connect user {user} to {url}")]
    Connect {
        /// The user's number.
        user: u32,
        /// The target.
        url: String,
        /// Why.
        source: Failure,
    },
    /// The target does not take as many connections as the pool has.
    #[error("cannot open every connection of the pool")]
    Fill(#[source] Failure),
    /// A user has no session.
    #[error("cannot prepare user {user} at {url}")]
    Session {
        /// The user's number.
        user: u32,
        /// The target.
        url: String,
        /// Why.
        source: session::Error,
    },
    /// The run was stopped before its load started.
    #[error("stopped before the load started")]
    Stopped,
    /// Timers or the recording could not be set up.
    #[error("cannot {attempt}")]
    SetUp {
        /// What was attempted.
        attempt: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The users could not be run.
    #[error("cannot run the users")]
    Users(#[from] executor::Error),
    /// The users ended before the load started.
    #[error("the users ended before the load started")]
    UsersGone,
}

/// What a load left, beside the measures on disk.
#[derive(Debug)]
pub struct LoadResult {
    /// The load, as planned and as it went.
    pub load: LoadRecord,
    /// What happened in each second.
    pub seconds: Vec<SecondCounts>,
    /// What the generator itself used.
    pub generator: GeneratorHealth,
    /// What it noted beside the samples.
    pub meter: Meter,
    /// When the last answer was in, in nanoseconds since clock zero.
    pub finished_ns: u64,
    /// Whether it was stopped before its plan was carried out.
    pub is_interrupted: bool,
    /// Whether the measures are on disk; why not. What was measured before stays readable.
    pub measures_written: io::Result<()>,
    /// Who can tell what became of the writes; `None` when they were not journaled.
    pub witness: Option<Witness>,
}

/// Users that are logged in, connected, and wait for clock zero. Dropped, they go home.
pub struct Ready {
    plan: Arc<LoadPlan>,
    connection: String,
    run: String,
    directory: Arc<Directory>,
    progress: Arc<Progress>,
    start: watch::Sender<Option<Arc<Live>>>,
    journal: Option<PathBuf>,
    queue: Sender<Released>,
    waiting: Receiver<Released>,
    users: JoinHandle<Result<(), executor::Error>>,
    watcher: Option<Box<dyn Watcher>>,
}

/// Makes the users ready: accounts, logins, connections. `run` is the run's name; it tells its accounts from those of other runs.
///
/// # Errors
/// When the machine has too few file descriptors, the target cannot be reached or refuses an account, or the run is stopped.
pub async fn prepare(
    plan: LoadPlan,
    target: Target,
    run: &str,
    executor: impl Executor,
    stop: &Stop,
) -> Result<Ready, Error> {
    let (plan, target) = (Arc::new(plan), Arc::new(target));
    let (count, settings) = (plan.settings().users, &plan.settings().connection);
    health::ensure_file_descriptors(count, settings.open_at_most(count))?;
    ensure_ports(&plan, &target)?;
    let connections = Connections::new(target, settings)?;
    let directory = Arc::new(Directory::new(run, count));
    let users = tokio::select! {
        biased;
        () = stop.stopping() => return Err(Error::Stopped),
        users = make_users(&plan, &connections, &directory) => users?,
    };
    let (start, started) = watch::channel(None);
    let (queue, waiting) = async_channel::bounded(plan.settings().queue_limit);
    let body = body(users, started.clone(), waiting.clone());
    drop(started);
    let users = tokio::spawn(executor.run(count, body));
    let mut ready = Ready {
        plan,
        connection: connections.description(),
        run: run.to_owned(),
        directory,
        progress: Arc::default(),
        start,
        journal: None,
        queue,
        waiting,
        users,
        watcher: None,
    };
    ready.all_users_wait(count).await?;
    Ok(ready)
}

/// Makes sure that a load that opens a connection for each request has the ports for it.
fn ensure_ports(plan: &LoadPlan, target: &Target) -> Result<(), ports::Error> {
    let Some(ports) = Ports::of_this_machine().filter(|_| !plan.settings().connection.keep_alive) else {
        return Ok(());
    };
    let within = ports.held_for(target.addresses());
    let addresses = match plan.settings().connection.resolve {
        connection::Resolve::Once => 1,
        connection::Resolve::PerConnection => target.addresses().len(),
    };
    ports.ensure(plan.most_requests_within(within), addresses, within)
}

async fn make_users(
    plan: &Arc<LoadPlan>,
    connections: &Connections,
    directory: &Arc<Directory>,
) -> Result<Vec<User>, Error> {
    let users = (0..plan.settings().users).map(|index| make_user(plan, connections, directory, index));
    let made = stream::iter(users).buffer_unordered(PREPARING_AT_ONCE).try_collect().await?;
    connections.fill(plan.settings().users, PREPARING_AT_ONCE).await.map_err(Error::Fill)?;
    Ok(made)
}

async fn make_user(
    plan: &LoadPlan,
    connections: &Connections,
    directory: &Arc<Directory>,
    index: u32,
) -> Result<User, Error> {
    let mut client = connections.client(index);
    let url = client.target().url().to_owned();
    let mut open = async |account| match plan.needs(account) {
        true => Session::open(&mut client, directory, plan.seed(), index, account).await.map(Some),
        false => Ok(None),
    };
    let opened = async { Ok((open(Account::Own).await?, open(Account::Apart).await?)) }.await;
    let (session, apart) = opened.map_err(|source| Error::Session { user: index, url: url.clone(), source })?;
    // A connection that is not kept is opened once, to see that it can be.
    if session.is_none() && apart.is_none() && (index == 0 || plan.settings().connection.keep_alive) {
        let connected = client.connect().await;
        connected.map_err(|source| Error::Connect { user: index, url, source })?;
    }
    let timer = Timer::new().map_err(|source| Error::SetUp { attempt: "make a timer", source })?;
    Ok(User { index, client, session, apart, timer, open: None })
}

/// What each user does: it waits for the start, then lives.
fn body(users: Vec<User>, started: watch::Receiver<Option<Arc<Live>>>, waiting: Receiver<Released>) -> executor::Body {
    let users = Mutex::new(users);
    // The receivers live in the users alone, so that the number of receivers is the number of users who wait.
    Arc::new(move |_| {
        let user = users.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let (mut started, waiting) = (started.clone(), waiting.clone());
        Box::pin(async move {
            let Some(user) = user else { return };
            let begun = started.wait_for(Option::is_some).await.ok().and_then(|live| live.clone());
            drop(started);
            if let Some(live) = begun {
                user::live(user, live, waiting).await;
            }
        })
    })
}

impl Ready {
    /// The live counters, to be read at any time.
    #[must_use]
    pub fn progress(&self) -> Arc<Progress> {
        self.progress.clone()
    }

    /// Lets somebody watch the run from the thread that records it.
    #[must_use]
    pub fn watched_by(self, watcher: Box<dyn Watcher>) -> Self {
        Self { watcher: Some(watcher), ..self }
    }

    /// Journals every write there, so that it can be read back after the load, if the plan asks for that.
    #[must_use]
    pub fn journaled(self, path: PathBuf) -> Self {
        Self { journal: Some(path).filter(|_| self.plan.is_journaled()), ..self }
    }

    /// Returns when every user waits for the start. The executor's closure holds one receiver more.
    async fn all_users_wait(&mut self, users: u32) -> Result<(), Error> {
        let mut tick = tokio::time::interval(Duration::from_millis(2));
        while self.start.receiver_count() < users as usize + 1 {
            if self.users.is_finished() {
                (&mut self.users).await.map_err(|_| executor::Error::Panicked(1))??;
                return Err(Error::UsersGone);
            }
            tick.tick().await;
        }
        Ok(())
    }

    /// Carries the plan out from `clock_zero` on, and returns when the last answer is in.
    ///
    /// With `stop.drain`, nothing new is sent and answers are waited for; with `stop.now`, nothing is waited for. After the last
    /// arrival, waiting arrivals are taken for as long as the longest time-out; those left then are counted as unfinished.
    ///
    /// # Errors
    /// When the recording cannot start, or the users cannot be run. What a slow or failing target does is no error.
    pub async fn drive(self, clock_zero: Instant, recording: Recording, stop: &Stop) -> Result<LoadResult, Error> {
        let Self { plan, connection, run, directory, progress, start, journal, queue, waiting, users, watcher } = self;
        let stop = stop.child();
        // If this future is dropped, users and pacer stop at once.
        let _guard = (stop.now.clone().drop_guard(), stop.drain.clone().drop_guard());
        let mailboxes = Arc::new(Mailboxes::new(plan.settings().users, WAITING_MAX, progress.clone()));
        let recorder = Running::start(recording, plan.steps(), mailboxes.clone(), clock_zero, watcher)
            .map_err(|source| Error::SetUp { attempt: "start recording", source })?;
        let journaling = journal.map(|path| Journaling::start(&path)).transpose();
        let journaling = journaling.map_err(|source| Error::SetUp { attempt: "start the journal", source })?;
        let journey_counts = plan.routes().iter().map(|_| AtomicU64::new(0)).collect();
        let live = Arc::new(Live {
            plan: plan.clone(),
            clock_zero,
            stop: stop.clone(),
            run,
            directory,
            progress,
            mailboxes,
            journey_counts,
            journal: journaling.as_ref().map(Journaling::journal),
            home: Home::default(),
            ended_ns: AtomicU64::new(0),
        });
        let (before, host_before) = (Usage::now(), HostTime::now());
        start.send_replace(Some(live.clone()));
        drop(start);
        let pacing = match plan.schedule() {
            // The queue closes when the pacer drops its end: then users end, and goose with them.
            Some(schedule) => pacer::release_apart(schedule, plan.law(), queue, live.clone()).await,
            None => {
                drop(queue);
                Ok(None)
            }
        };
        let ended = users.await;
        while let Ok(left) = waiting.try_recv() {
            live.left(left.arrival.due_ns);
        }
        let (after, host_after) = (Usage::now(), HostTime::now());
        let closed = tokio::task::spawn_blocking(|| (recorder.finish(), journaling.map(Journaling::finish))).await;
        let arrivals = pacing.map_err(|source| Error::SetUp { attempt: "pace the arrivals", source })?;
        ended.map_err(|_| executor::Error::Panicked(1))??;
        let (recorded, journaled) =
            closed.map_err(|error| Error::SetUp { attempt: "end recording", source: error.into() })?;
        let meter = Meter {
            cut_off: Some(recorded.cut_off),
            arrivals,
            clock_resolution_ns: Some(ClockWatch::resolution_ns()),
            host: host_after.zip(host_before).and_then(|(after, before)| after.since(before)),
            ..plan.meter()
        };
        let mut result = result(&live, recorded, meter, (before, after));
        result.load.connection = connection;
        result.witness = journaled.map(|journaled| witness(&live, journaled));
        Ok(result)
    }
}

fn result(live: &Live, recorded: Recorded, meter: Meter, (before, after): (Usage, Usage)) -> LoadResult {
    let figures = live.progress.figures();
    let entry = |(route, count): (&crate::plan::Route, &AtomicU64)| MixEntry {
        journey: route.journey.name().to_owned(),
        weight: route.weight,
        arrivals: count.load(Relaxed),
    };
    let load = LoadRecord {
        description: live.plan.description(),
        connection: String::new(),
        users: live.plan.settings().users,
        mix: live.plan.routes().iter().zip(&live.journey_counts).map(entry).collect(),
        counts: Counts {
            planned: live.plan.arrival_count(),
            lost: figures.lost + recorded.late_count,
            ..figures.counts()
        },
        origin: Origin::default(),
    };
    LoadResult {
        load,
        seconds: recorded.seconds,
        generator: GeneratorHealth {
            cpu_seconds: after.cpu_seconds - before.cpu_seconds,
            rss_max_bytes: after.rss_max_bytes,
            clock_jump_ns: units::nanos(recorded.clock_jump),
            unopened: live.progress.unopened.load(Relaxed),
        },
        meter,
        finished_ns: finished_ns(live),
        is_interrupted: live.stop.is_stopping(),
        measures_written: recorded.written,
        witness: None,
    }
}

/// When the last user ended, in nanoseconds since clock zero; a load that was carried out lasted to the end of its plan at least.
fn finished_ns(live: &Live) -> u64 {
    let ended_ns = live.ended_ns.load(Relaxed);
    if live.stop.is_stopping() { ended_ns } else { ended_ns.max(live.plan.end_ns()) }
}

fn witness(live: &Live, journaled: Journaled) -> Witness {
    let users = std::mem::take(&mut *live.home.0.lock().unwrap_or_else(PoisonError::into_inner));
    let settings = live.plan.settings();
    Witness::new(journaled, users, settings.oracle.bounds.clone(), settings.request_timeout)
}
