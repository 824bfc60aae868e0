//! `harness run`: load, break, judge, report.
//!
//! ```text
//! scenario ─▶ plan ─▶ run folder ─▶ stack ─▶ users ready ─▶ clock zero ─▶ load + faults ─▶ record ─▶ verdict
//! ```
use super::{faults, outputs, plan::today};
use crate::{
    cli::{self, ProgressStyle},
    exit::{Exit, Failure, OrExit as _},
    live::{self, Aborted, Board, Bound},
    monitoring::{Seen, Watch},
    output,
    plan::Plan,
    progress::{self, Source},
    record,
    scenario::{Overrides, Scenario},
    stack::{Stack, allowed},
};
use anyhow::Context as _;
use chaos::Journal;
use futures_util::future::OptionFuture;
use loadtest::{LoadResult, Ready, Recording, Stop, arrivals::Arrivals, oracle::Witness};
use reports::{
    record::{FaultEnd, FaultRecord, LoadRecord, Monitoring, Oracle, ProcessUsage, Run, RunEnd, RunFolder, folder},
    render,
    report::Report,
    steady::find_warm_up,
    units::format_duration,
};
use std::{
    fs::File,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Time between the last preparation and clock zero, so that nothing is late from the start.
const LEAD: Duration = Duration::from_millis(100);

/// What limits on a part need of the machine.
const LIMITS_NEED: &str =
    "run as root, or in a control group that is handed on to you: systemd-run --user --scope -p Delegate=yes …";

/// What the load and the faults left behind.
struct Driven {
    load: LoadResult,
    faults: Vec<FaultRecord>,
    processes: Vec<ProcessUsage>,
    oracle: Option<Oracle>,
    seen: Option<(Watch, Seen)>,
    clock_zero: SystemTime,
    end: RunEnd,
}

/// Runs a scenario from its file to its verdict; ends with the verdict's exit code.
///
/// # Errors
/// When the scenario cannot be run as written, the stack cannot be started, or the record cannot be written.
pub(crate) async fn run(flags: cli::Run, quiet: bool, stop: Stop) -> Result<u8, Failure> {
    let scenario = Scenario::load(&flags.which.scenario, &Overrides::from(&flags.which))?;
    let plan = Plan::new(&scenario, today())?;
    carry_out(scenario, plan, flags.how, quiet, stop).await
}

/// A run that has ended.
pub(super) struct Done {
    /// What the program ends with.
    pub(super) exit_code: u8,
    /// Its report and folder; `None` when it was interrupted before there was anything to judge.
    pub(super) made: Option<(Report, PathBuf)>,
}

impl Done {
    const NOTHING: Self = Self { exit_code: Exit::Interrupted as u8, made: None };
}

/// Carries a plan out, from its head to its verdict, and prints it.
pub(super) async fn carry_out(
    scenario: Scenario,
    plan: Plan,
    how: cli::How,
    quiet: bool,
    stop: Stop,
) -> Result<u8, Failure> {
    let cli::How { course, outputs } = how;
    let done = carried_out(scenario, plan, course, quiet, stop).await?;
    if let Some((report, folder)) = &done.made {
        outputs::give(report, &outputs, folder, quiet)?;
    }
    Ok(done.exit_code)
}

/// Carries a plan out, from its head to its verdict, and writes its pages.
pub(super) async fn carried_out(
    scenario: Scenario,
    plan: Plan,
    course: cli::Course,
    quiet: bool,
    stop: Stop,
) -> Result<Done, Failure> {
    if !quiet {
        output::note(&plan.head(&scenario));
    }
    ensure_file_descriptors(&scenario, &plan)?;
    chaos::ensure_possible(&plan.timeline).or_usage(LIMITS_NEED)?;
    let observers = Bound::new(&course.observe, &scenario.allow_hosts)?;
    faults::sweep_before_a_run(&course.out).await?;
    let mut head = record::head(&scenario, &plan);
    let folder =
        RunFolder::create(&course.out, &head, &scenario.text).or_try_again("choose another folder with --out")?;
    if let Arrivals::Recorded(recorded) = &scenario.load.arrivals {
        folder.write_arrivals(&recorded.due_ns).or_try_again("choose another folder with --out")?;
    }
    let stack = tokio::select! {
        stack = Stack::start(&scenario, folder.path()) => stack?,
        () = stop.drain.cancelled() => return Ok(Done::NOTHING),
    };
    head.target = stack.record(&scenario);
    folder.write_head(&head).or_try_again("choose another folder with --out")?;
    let style = if quiet { ProgressStyle::None } else { course.progress };
    let board = Arc::new(Board::new(&head));
    let observers = observers.show(board.clone())?;
    let watch = watch(&scenario, &stack)?;
    let watching = Shown { style, board: board.clone(), watch };
    let driven = drive(&plan, &head, &folder, &stack, watching, &stop).await;
    stack.stop().await;
    let Some(mut driven) = driven? else { return Ok(Done::NOTHING) };
    let monitoring = keep(driven.seen.take(), &folder).await.or_invalid("free some space, and run it again")?;
    let (mut run, seconds) = finished(head, driven);
    run.monitoring = monitoring;
    find_warm_up(folder.path(), &mut run).or_invalid("what was measured is in the folder that ends in .partial")?;
    let path = folder.finish(&run, &seconds).or_invalid("what was measured is in the folder that ends in .partial")?;
    let report = render::render_all(&path).or_invalid("free some space, then `harness report latest`")?.report;
    board.finish(report.verdict.overall.word(), &report.verdict.headline);
    progress::finish(style, &board);
    observers.finish().await;
    Ok(Done { exit_code: report.verdict.exit_code, made: Some((report, path)) })
}

/// How the run is shown, and the target watched, while it goes on.
struct Shown {
    style: ProgressStyle,
    board: Arc<Board>,
    watch: Option<Watch>,
}

/// What watches the target by its own metrics, if the scenario has it watched.
fn watch(scenario: &Scenario, stack: &Stack) -> Result<Option<Watch>, Failure> {
    let Some(watched) = &scenario.watched else { return Ok(None) };
    let url = watched.url.as_deref().or(stack.metrics_url()).unwrap_or_default();
    allowed(url, &scenario.allow_hosts).or_usage("name the host with --allow-host if it is yours to watch")?;
    Watch::new(watched.clone(), url).map(Some).or_usage("write the URL of a page of metrics: [monitoring] url")
}

/// Writes down what the watch saw, once `promtool` was asked about it.
async fn keep(seen: Option<(Watch, Seen)>, folder: &RunFolder) -> Result<Option<Monitoring>, folder::Error> {
    let Some((watch, mut seen)) = seen else { return Ok(None) };
    watch.confirm(&mut seen, folder.path()).await;
    folder.write_metrics(&seen.metrics, &seen.rules_text)?;
    Ok(Some(seen.record))
}

/// Loads and breaks the stack; `None` when it was interrupted before the first request.
async fn drive(
    plan: &Plan,
    head: &Run,
    folder: &RunFolder,
    stack: &Stack,
    mut shown: Shown,
    stop: &Stop,
) -> Result<Option<Driven>, Failure> {
    let measures = File::create(folder.measures_path()).or_try_again("choose another folder with --out")?;
    let ready = match prepare(plan, head, stack, stop).await? {
        Some(ready) => ready.journaled(folder.journal_path()),
        None => return Ok(None),
    };
    let journal = Journal::create(&folder.path().join(faults::JOURNAL)).or_try_again("free some space")?;
    let injectors = stack.injectors(&plan.timeline).await?.with_journal(journal);
    let (clock_zero, wall_zero) = (Instant::now() + LEAD, SystemTime::now() + LEAD);
    let source = Source { clock_zero, progress: ready.progress(), board: shown.board.clone() };
    let display = progress::show(shown.style, source);
    let recording = Recording { measures: Box::new(measures), phases: plan.phases.clone(), clock_zero: wall_zero };
    // A stop of its own: a dead target or a gate ends the run without the user having asked for it.
    let own = Stop { drain: stop.drain.child_token(), now: stop.now.child_token() };
    let ready = ready.watched_by(Box::new(live::Watch::new(shown.board.clone(), head, own.clone())));
    let before = stack.usage();
    let faults = chaos::drive(&plan.timeline, injectors, clock_zero, own.drain.clone());
    let load = async {
        let result = ready.drive(clock_zero, recording, &own).await;
        // Whatever ended the load, no fault goes on without it.
        if result.is_err() {
            own.drain.cancel();
        }
        result
    };
    let is_over = CancellationToken::new();
    let both = async {
        let both = tokio::join!(load, faults);
        is_over.cancel();
        both
    };
    let seen = OptionFuture::from(shown.watch.take().map(|watch| watch.run(clock_zero, is_over.clone())));
    let both = async { tokio::join!(both, seen) };
    tokio::pin!(both);
    let mut broken = None;
    let (((load, faults), seen), processes) = loop {
        tokio::select! {
            done = &mut both => break (done, stack.usage()),
            how = stack.died(), if broken.is_none() => {
                broken = Some(how);
                own.drain.cancel();
                own.now.cancel();
            }
        }
    };
    drop(display);
    let faults = faults.into_iter().map(|fault| gone_with_its_process(fault, stack)).collect::<Vec<_>>();
    let mut load = load.context("driving the load").map_err(|error| broken_off(error, &faults))?;
    let aborted = shown.board.read(|state| state.aborted.clone());
    let was_interrupted = stop.drain.is_cancelled();
    if load.witness.is_some() && shown.style != ProgressStyle::None {
        let within = format_duration(plan.load.settings().oracle.bounds.within);
        output::note(&format!("reading the acknowledged writes back, for at most {within}"));
    }
    let oracle = verify(load.witness.take(), stack, &mut broken, &own).await;
    let end = match (&broken, &load.measures_written, was_interrupted || stop.now.is_cancelled()) {
        (Some(how), ..) => RunEnd::Broken(how.clone()),
        (_, Err(error), _) => RunEnd::Broken(format!("the measures could not be written: {error}")),
        _ if let Some(Aborted { rule, at_ns }) = aborted => RunEnd::Aborted { rule, at_ns },
        (_, _, true) => RunEnd::Interrupted,
        _ => RunEnd::Completed,
    };
    let processes = record::used_between(&before, processes);
    Ok(Some(Driven { load, faults, processes, oracle, seen, clock_zero: wall_zero, end }))
}

/// Reads the acknowledged writes back, now that the load is over and the faults are lifted. A target that dies meanwhile ends it.
async fn verify(witness: Option<Witness>, stack: &Stack, broken: &mut Option<String>, stop: &Stop) -> Option<Oracle> {
    let verifying = witness?.verify(&stop.now);
    tokio::pin!(verifying);
    loop {
        tokio::select! {
            found = &mut verifying => return Some(found),
            how = stack.died(), if broken.is_none() => {
                *broken = Some(how);
                stop.now.cancel();
            }
        }
    }
}

/// A fault cannot outlive the process that holds it: that of the links, or the part of the stack that it is on, which ends with the run.
fn gone_with_its_process(fault: FaultRecord, stack: &Stack) -> FaultRecord {
    match fault.end {
        FaultEnd::LeftBehind if fault.part.is_some() || stack.own_links_are_gone() => {
            FaultRecord { end: FaultEnd::LeaseExpired, ..fault }
        }
        _ => fault,
    }
}

/// The load could not be carried out: that is a bug, unless a fault was left behind, which is worse.
fn broken_off(error: anyhow::Error, faults: &[FaultRecord]) -> Failure {
    let left: Vec<&str> =
        faults.iter().filter(|fault| fault.end == FaultEnd::LeftBehind).map(|fault| fault.name.as_str()).collect();
    if left.is_empty() {
        return error.into();
    }
    let hint = Some("lift them by hand: POST /reset on the fault proxy".to_owned());
    Failure { exit: Exit::FaultsLeft, hint, error: error.context(format!("left behind: {}", left.join(", "))) }
}

/// Sees to it that there are file descriptors for all connections, those of the bundled links included, which have two for each: the
/// parts of the stack inherit the limit.
fn ensure_file_descriptors(scenario: &Scenario, plan: &Plan) -> Result<(), Failure> {
    let load = &scenario.load;
    let ends = if scenario.target.url.is_none() { 2 } else { 1 };
    let opened = load.connection.open_at_most(load.users).saturating_add(plan.timeline.crowd_connections());
    let connections = opened.saturating_mul(ends);
    loadtest::health::ensure_file_descriptors(load.users, connections).or_usage("ask for fewer users, or for a pool")
}

/// Logs the users in and connects them; `None` when it was interrupted meanwhile.
async fn prepare(plan: &Plan, head: &Run, stack: &Stack, stop: &Stop) -> Result<Option<Ready>, Failure> {
    let target = loadtest::Target::resolve(stack.url()).await.or_usage("give the service's base URL")?;
    let prepared = loadtest::prepare(plan.load.clone(), target, head.id.as_str(), loadtest::executor::Goose, stop);
    tokio::select! {
        ready = prepared => match ready {
            Ok(ready) => Ok(Some(ready)),
            Err(loadtest::engine::Error::Stopped) => Ok(None),
            Err(error @ loadtest::engine::Error::Ports(_)) => Err(error).or_usage("ask for less, or keep the connections"),
            Err(error) => Err(error).or_try_again("the service must accept registrations and logins before the load can start"),
        },
        how = stack.died() => Err(anyhow::anyhow!(how)).or_try_again("see its log for why"),
    }
}

fn finished(mut run: Run, driven: Driven) -> (Run, Vec<reports::record::SecondCounts>) {
    run.clock_zero = record::timestamp(driven.clock_zero);
    run.finished_ns = driven.load.finished_ns;
    run.load = LoadRecord { origin: run.load.origin, ..driven.load.load };
    run.generator = driven.load.generator;
    run.meter = driven.load.meter;
    run.faults = driven.faults;
    run.oracle = driven.oracle;
    run.target.processes = driven.processes;
    run.end = driven.end;
    (run, driven.load.seconds)
}
