//! One cycle of a gate: both variants started anew, their users ready, one clock zero, both halves of one schedule.
use super::{
    GatePlan, Sides,
    arm::{Arm, Driven},
};
use crate::scenario::Stand;
use anyhow::{Context as _, anyhow};
use loadtest::{Ready, Stop, labels::started_first};
use reports::record::{
    CycleHead, Variant,
    regression::{arm_name, cycle_folder},
};
use std::{
    path::Path,
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

/// Time between the last preparation and clock zero, so that nothing is late from the start.
const LEAD: Duration = Duration::from_millis(100);

/// What a gate compares, and how.
#[derive(Debug)]
pub(super) struct Setting<'a> {
    pub(super) plan: &'a GatePlan,
    pub(super) sides: &'a Sides,
    /// What the candidate's stack has that the baseline's has not.
    pub(super) candidate_stand: &'a Stand,
    /// Name of the gate.
    pub(super) gate: &'a str,
    /// Folder of the gate.
    pub(super) folder: &'a Path,
}

/// Makes a cycle, counted from 0; `None` when it was interrupted. A variant that cannot be loaded is what the cycle tells.
///
/// # Errors
/// When what was measured cannot be written.
pub(super) async fn make(setting: &Setting<'_>, index: usize, stop: &Stop) -> anyhow::Result<Option<CycleHead>> {
    let first = started_first(setting.plan.seed, index as u64);
    let other = if first == Variant::Baseline { Variant::Candidate } else { Variant::Baseline };
    let is_restarted = setting.sides.are_restarted();
    let broken = |why: String| Some(CycleHead { first, is_restarted, broken: Some(why) });
    let mut arms = Vec::new();
    for variant in [first, other] {
        let started = tokio::select! {
            started = start(setting, index, variant) => Some(started),
            () = stop.drain.cancelled() => None,
        };
        match started {
            Some(Ok(arm)) => arms.push(arm),
            Some(Err(error)) => {
                end(arms).await;
                return Ok(broken(in_one_line(
                    &error.context(format!("the {} could not be started", arm_name(variant))),
                )));
            }
            None => {
                end(arms).await;
                return Ok(None);
            }
        }
    }
    let mut ready = Vec::new();
    for arm in &arms {
        let run = format!("{}-{index}-{}", setting.gate, arm_name(arm.variant));
        match prepare(arm, &run, stop).await {
            Ok(Some(users)) => ready.push(users),
            Ok(None) => {
                drop(ready);
                end(arms).await;
                return Ok(None);
            }
            Err(error) => {
                let why = error.context(format!("the {} lets no users in", arm_name(arm.variant)));
                drop(ready);
                end(arms).await;
                return Ok(broken(in_one_line(&why)));
            }
        }
    }
    let (clock_zero, wall_zero) = (Instant::now() + LEAD, SystemTime::now() + LEAD);
    let (driven, died) = drive(&arms, ready, (clock_zero, wall_zero), stop).await;
    for (arm, driven) in arms.into_iter().zip(driven) {
        arm.finish(driven?, wall_zero).await?;
    }
    Ok(match died {
        // The folders get their final names when the gate has ended; what is said of them should last.
        Some(how) => {
            let folder = format!("{}/", setting.folder.display());
            broken(how.replace(&folder, "").replace(".partial/", "/"))
        }
        None if stop.drain.is_cancelled() || stop.now.is_cancelled() => None,
        None => Some(CycleHead { first, is_restarted, broken: None }),
    })
}

async fn start(setting: &Setting<'_>, index: usize, variant: Variant) -> anyhow::Result<Arm> {
    let stand = match variant {
        Variant::Baseline => Stand::default(),
        Variant::Candidate => setting.candidate_stand.clone(),
    };
    let folder = cycle_folder(setting.folder, index);
    Arm::start(setting.plan, setting.sides.of(variant), stand, (variant, index), &folder).await
}

/// Logs the users of a variant in; `None` when it was interrupted.
async fn prepare(arm: &Arm, run: &str, stop: &Stop) -> anyhow::Result<Option<Ready>> {
    tokio::select! {
        ready = arm.prepare(run, stop) => match ready {
            Ok(ready) => Ok(Some(ready)),
            Err(_) if stop.drain.is_cancelled() => Ok(None),
            Err(error) => Err(error),
        },
        how = arm.stack.died() => Err(anyhow!(how)),
    }
}

/// Loads both at once. As soon as a part of either dies, both loads end; how it died comes with them.
async fn drive(
    arms: &[Arm],
    ready: Vec<Ready>,
    clock: (Instant, SystemTime),
    stop: &Stop,
) -> (Vec<anyhow::Result<Driven>>, Option<String>) {
    let own = Stop { drain: stop.drain.child_token(), now: stop.now.child_token() };
    let loads = arms.iter().zip(ready).map(|(arm, ready)| {
        let own = own.clone();
        async move {
            let driven = arm.drive(ready, clock, &own).await;
            if driven.is_err() {
                // The other would load its variant alone.
                own.drain.cancel();
            }
            driven.with_context(|| format!("loading the {}", arm_name(arm.variant)))
        }
    });
    let deaths = arms
        .iter()
        .map(|arm| Box::pin(async move { format!("{}: {}", arm_name(arm.variant), arm.stack.died().await) }));
    let deaths = futures_util::future::select_all(deaths);
    let loads = futures_util::future::join_all(loads);
    tokio::pin!(loads, deaths);
    let mut died = None;
    loop {
        tokio::select! {
            driven = &mut loads => return (driven, died),
            (how, _, _) = &mut deaths, if died.is_none() => {
                died = Some(how);
                own.drain.cancel();
                own.now.cancel();
            }
        }
    }
}

async fn end(arms: Vec<Arm>) {
    for arm in arms {
        arm.stop().await;
    }
}

/// An error as the reason of a broken cycle.
fn in_one_line(error: &anyhow::Error) -> String {
    format!("{error:#}").replace('\n', " | ")
}
