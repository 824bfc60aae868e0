//! One trial: a run at one rate against the stack of the study, with a folder of its own.
use super::{Aim, StandingFault};
use crate::{
    exit::{Failure, OrExit as _},
    plan::Plan,
    record,
    scenario::Scenario,
    stack::Stack,
};
use anyhow::Context as _;
use chaos::Timeline;
use jiff::civil::Date;
use loadtest::{
    LoadPlan, Ready, Recording, Stop, WarmUp,
    arrivals::{Arrivals, Poisson, Rates, Spacing, Spike},
};
use reports::{
    record::{LoadRecord, RunEnd, RunFolder, cut},
    report::Report,
    units,
};
use std::{
    fs::File,
    ops::Range,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

/// Time between the last preparation and clock zero, so that nothing is late from the start.
const LEAD: Duration = Duration::from_millis(100);

/// How much is sent, after settling at the first rate.
#[derive(Debug, Clone, Copy)]
pub(super) enum Course {
    /// One rate, for as long as is measured.
    Steady { per_second: f64, length: Duration },
    /// A rate that is too much for a while, and afterwards one that is kept.
    Overload { base_per_second: f64, peak_per_second: f64, length: Duration, afterwards: Duration },
}

/// What is asked of one trial.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order<'a> {
    pub(super) course: Course,
    /// The fault that stands.
    pub(super) fault: Option<&'a StandingFault>,
    /// Which trial of the study it is, from 1: its seed is the study's plus this.
    pub(super) number: u32,
    /// How many times as many users as usual.
    pub(super) times_users: u32,
}

/// What a trial left.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) report: Report,
    pub(super) folder: PathBuf,
}

impl Course {
    /// The seconds that are measured, from clock zero: of an overload, those in which it is on.
    pub(super) fn span(self, settle: Duration) -> Range<u64> {
        let (Self::Steady { length, .. } | Self::Overload { length, .. }) = self;
        settle.as_secs()..(settle + length).as_secs()
    }

    /// The highest rate, in arrivals per second.
    pub(super) fn highest(self) -> f64 {
        let (Self::Steady { per_second, .. } | Self::Overload { peak_per_second: per_second, .. }) = self;
        per_second
    }

    fn duration(self, settle: Duration) -> Duration {
        match self {
            Self::Steady { length, .. } => settle + length,
            Self::Overload { length, afterwards, .. } => settle + length + afterwards,
        }
    }

    fn arrivals(self, settle: Duration) -> Arrivals {
        match self {
            Self::Steady { per_second, .. } => {
                Arrivals::Poisson(Poisson(Rates { rate: rounded(per_second), ..Rates::default() }))
            }
            Self::Overload { base_per_second, peak_per_second, length, .. } => Arrivals::Spike(Spike {
                base: rounded(base_per_second),
                peak: rounded(peak_per_second),
                at: settle,
                length,
                ramp: Duration::ZERO,
                spacing: Spacing::Poisson,
            }),
        }
    }
}

/// To a thousandth, so that it can be read.
fn rounded(per_second: f64) -> f64 {
    (per_second * 1_000.0).round() / 1_000.0
}

/// Runs one trial; `None` when it was interrupted.
///
/// # Errors
/// When the users cannot be made ready, or the record cannot be written.
pub(super) async fn run(
    aim: &Aim,
    order: Order<'_>,
    stack: &Stack,
    root: &Path,
    day: Date,
    stop: &Stop,
) -> Result<Option<Left>, Failure> {
    let scenario = scenario(aim, order);
    let plan = plan(aim, order, &scenario, day)?;
    let mut head = record::head(&scenario, &plan);
    head.target = stack.record(&scenario);
    let folder = RunFolder::create(root, &head, &scenario.text).or_try_again("choose another folder with --out")?;
    let ready = tokio::select! {
        ready = prepare(&plan, head.id.as_str(), stack, stop) => match ready? {
            Some(ready) => ready,
            None => return Ok(None),
        },
        how = stack.died() => return Err(anyhow::anyhow!(how)).or_try_again("the study's folder holds the logs of its parts"),
    };
    let injectors = stack.injectors(&plan.timeline).await?;
    let measures = File::create(folder.measures_path()).or_try_again("choose another folder with --out")?;
    let (clock_zero, wall_zero) = (Instant::now() + LEAD, SystemTime::now() + LEAD);
    let recording = Recording { measures: Box::new(measures), phases: plan.phases.clone(), clock_zero: wall_zero };
    // A stop of its own: a dead target ends the trial without the user having asked for it.
    let own = Stop { drain: stop.drain.child_token(), now: stop.now.child_token() };
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
    let both = async { tokio::join!(load, faults) };
    tokio::pin!(both);
    let mut broken = None;
    let (load, faults) = loop {
        tokio::select! {
            done = &mut both => break done,
            how = stack.died(), if broken.is_none() => {
                broken = Some(how);
                own.drain.cancel();
                own.now.cancel();
            }
        }
    };
    let load = load.context("driving the load")?;
    head.end = match (broken, &load.measures_written) {
        (Some(how), _) => RunEnd::Broken(how),
        (None, Err(error)) => RunEnd::Broken(format!("the measures could not be written: {error}")),
        (None, Ok(())) if stop.drain.is_cancelled() => RunEnd::Interrupted,
        (None, Ok(())) => RunEnd::Completed,
    };
    head.clock_zero = record::timestamp(wall_zero);
    head.finished_ns = load.finished_ns;
    head.load = LoadRecord { origin: head.load.origin, ..load.load };
    (head.generator, head.meter, head.faults) = (load.generator, load.meter, faults);
    head.target.processes = record::used_between(&before, stack.usage());
    let was_interrupted = head.end == RunEnd::Interrupted;
    let path = folder.finish(&head, &load.seconds).or_invalid("free some space, and run it again")?;
    let report = Report::read(&path).or_invalid("what was measured is in the study's folder")?;
    Ok((!was_interrupted).then_some(Left { report, folder: path }))
}

fn scenario(aim: &Aim, order: Order<'_>) -> Scenario {
    let span = order.course.span(aim.settle);
    let mut scenario = aim.scenario.with(|file| {
        file.seed = file.seed.wrapping_add(u64::from(order.number));
        file.load.arrivals = order.course.arrivals(aim.settle);
        file.load.duration = order.course.duration(aim.settle);
        file.load.warm_up = WarmUp::Fixed(aim.settle);
        file.load.users = aim.users(order.course.highest(), order.times_users);
        file.gates = aim.gates(&span).into_iter().map(|gate| toml::Spanned::new(0..0, gate)).collect();
    });
    scenario.recorded = None;
    scenario.overrides.push(format!("trial {} of a study of capacity", order.number));
    scenario
}

fn plan(aim: &Aim, order: Order<'_>, scenario: &Scenario, day: Date) -> Result<Plan, Failure> {
    let load = LoadPlan::new(scenario.load.clone(), scenario.seed, day).or_usage("")?;
    let duration = scenario.load.duration;
    let timeline = match order.fault {
        Some(fault) => fault.timeline(scenario, duration).or_usage("")?,
        None => Timeline::new::<&str>(&[], &[], duration).map_err(|_| anyhow::anyhow!("no fault is a timeline"))?,
    };
    // What stands all the time cuts no phase.
    let mut phases = cut(units::nanos(aim.settle), units::nanos(duration), &[]);
    let names: Vec<String> = timeline.faults().iter().map(|fault| fault.name.clone()).collect();
    phases.iter_mut().for_each(|phase| phase.faults.clone_from(&names));
    Ok(Plan { load, timeline, phases, feeders: scenario.written.feeders.clone() })
}

/// Logs the users in and connects them; `None` when it was interrupted meanwhile.
async fn prepare(plan: &Plan, run: &str, stack: &Stack, stop: &Stop) -> Result<Option<Ready>, Failure> {
    let target = loadtest::Target::resolve(stack.url()).await.or_usage("give the service's base URL")?;
    match loadtest::prepare(plan.load.clone(), target, run, loadtest::executor::Goose, stop).await {
        Ok(ready) => Ok(Some(ready)),
        Err(loadtest::engine::Error::Stopped) => Ok(None),
        Err(error @ loadtest::engine::Error::Ports(_)) => Err(error).or_usage("ask for less, or keep the connections"),
        Err(error) => {
            Err(error).or_try_again("the service must accept registrations and logins before a trial can start")
        }
    }
}
