//! The driver: puts each fault of a timeline on at its instant, keeps its lease alive, lifts it, and records what really happened.
//!
//! A fault that cannot be put on does not end the run: its record says so, and the run is judged accordingly.
use std::time::Duration;

use futures_util::future::join_all;
use reports::{
    record::{FaultEffect, FaultEnd, FaultRecord, FaultWindow, PartEffect},
    units,
};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    fault::Means,
    injectors::{Error, Injectors, Off, On},
    link::wire::ProxyEffects,
    probe::Probe,
    timeline::{TimedFault, Timeline},
};

/// A lease is renewed this many times before it would run out.
const RENEWALS_PER_LEASE: u32 = 5;
/// How often lifting is tried before a fault counts as left behind.
const LIFT_ATTEMPTS: u32 = 3;
/// Pause between two attempts to lift.
const LIFT_PAUSE: Duration = Duration::from_millis(200);

/// Drives every fault of the timeline; `origin` is the run's clock zero. Ends when all faults are off.
///
/// When `stop` is cancelled, faults that are on are lifted at once and later ones never go on. When this future is
/// dropped in the middle (a panic of the caller), faults that are on are lifted by a task of the runtime, and should
/// that be gone too, by the end of their lease. Records come in the order of the timeline.
pub async fn drive(
    timeline: &Timeline,
    injectors: impl Into<Injectors>,
    origin: Instant,
    stop: CancellationToken,
) -> Vec<FaultRecord> {
    let injectors = injectors.into();
    join_all(timeline.faults().iter().map(|fault| drive_one(fault, &injectors, origin, &stop))).await
}

async fn drive_one(
    fault: &TimedFault,
    injectors: &Injectors,
    origin: Instant,
    stop: &CancellationToken,
) -> FaultRecord {
    let mut record = planned(fault);
    tokio::select! {
        biased;
        () = stop.cancelled() => {
            record.error = Some("the run was stopped before the fault was due".to_owned());
            return record;
        }
        () = sleep_until(origin + fault.on) => {}
    }
    let cut_before = cut_connections(fault, injectors).await;
    let mut probe = Probe::of(fault, injectors.links.as_ref()).await;
    let guard = Guard { injectors: injectors.clone(), fault: Some(fault.clone()) };
    match injectors.apply(fault).await {
        Ok(on) => {
            info!(fault = %fault.name, place = %fault.place(), "fault on: {}", record.description);
            warn_without_lease(fault, injectors);
            let end = hold(fault, injectors, origin, stop, &on, &mut probe).await;
            let off = lift(fault, injectors).await;
            guard.disarm();
            conclude(&mut record, origin, on, end, off);
            let counted = effect(fault, injectors, cut_before).await;
            record.effect = with_probes(record.effect.or(counted), &probe);
            if probe.let_in > 0 {
                let Probe { refused, let_in, .. } = probe;
                let took = || format!("the link let {let_in} of {} probes in", refused + let_in);
                record.error.get_or_insert_with(took);
            }
            if let Some(part) = &mut record.part {
                part.hits = injectors.hits(fault).await;
            }
        }
        Err(error) => {
            record.error = Some(chain(&error));
            if !error.is_refusal()
                && let Err(error) = lift(fault, injectors).await
            {
                record.end = FaultEnd::LeftBehind;
                record.error = Some(format!("{}; {}", record.error.unwrap_or_default(), chain(&error)));
            }
            guard.disarm();
        }
    }
    log(&record);
    record
}

/// The record of a fault that has not been on.
fn planned(fault: &TimedFault) -> FaultRecord {
    FaultRecord {
        name: fault.name.clone(),
        link: fault.link.clone(),
        part: fault.part.clone().map(|part| PartEffect {
            part,
            proof: String::new(),
            undone_from_ns: None,
            hits: None,
        }),
        kind: fault.fault.kind().to_owned(),
        description: fault.description(),
        planned: FaultWindow { from_ns: units::nanos(fault.on), to_ns: units::nanos(fault.off) },
        window: None,
        end: FaultEnd::NeverOn,
        effect: None,
        error: None,
    }
}

/// Why a fault that was on is to be lifted.
enum Held {
    ToItsEnd,
    Stopped,
    /// It went off by itself at about this instant.
    Lost {
        at: Instant,
        error: Error,
    },
}

/// Renews the lease until the fault is due to go off, the run stops, or the fault is seen to be gone.
async fn hold(
    fault: &TimedFault,
    injectors: &Injectors,
    origin: Instant,
    stop: &CancellationToken,
    on: &On,
    probe: &mut Probe,
) -> Held {
    let interval = fault.lease / RENEWALS_PER_LEASE;
    let mut renewed = on.asked;
    let mut next = renewed + interval;
    loop {
        probe.attempt().await;
        tokio::select! {
            biased;
            () = stop.cancelled() => return Held::Stopped,
            () = sleep_until(origin + fault.off) => return Held::ToItsEnd,
            () = sleep_until(next) => {}
        }
        let before = Instant::now();
        next = before + interval;
        match injectors.renew(fault).await {
            Ok(()) => renewed = before,
            Err(error) if error.is_not_found() => {
                return Held::Lost { at: before.min(renewed + fault.lease), error };
            }
            Err(error) => warn!(fault = %fault.name, "{}", chain(&error)),
        }
    }
}

/// Lifts the fault, trying a few times.
async fn lift(fault: &TimedFault, injectors: &Injectors) -> Result<Off, Error> {
    let mut attempt = 1;
    loop {
        match injectors.lift(fault).await {
            Err(error) if attempt < LIFT_ATTEMPTS && !error.is_final() => {
                warn!(fault = %fault.name, attempt, "{}", chain(&error))
            }
            outcome => return outcome,
        }
        attempt += 1;
        tokio::time::sleep(LIFT_PAUSE).await;
    }
}

/// Writes down when the fault was really on and how it ended.
fn conclude(record: &mut FaultRecord, origin: Instant, on: On, held: Held, off: Result<Off, Error>) {
    let since_origin = |instant: Instant| units::nanos(instant.saturating_duration_since(origin));
    let from_ns = since_origin(on.at);
    record.effect = off.as_ref().ok().and_then(|off| off.effect);
    if let Some(part) = &mut record.part {
        part.undone_from_ns = off.as_ref().ok().map(|off| since_origin(off.asked));
        let undone = off.as_ref().ok().and_then(|off| off.proof.clone());
        part.proof = on.proof.into_iter().chain(undone).collect::<Vec<_>>().join("; ");
    }
    let off_at = |off: Off| on.over.unwrap_or(off.at);
    let (end, to, error) = match (held, off) {
        (_, Err(error)) => (FaultEnd::LeftBehind, Instant::now(), Some(chain(&error))),
        (Held::Lost { at, error }, Ok(_)) => (FaultEnd::LeaseExpired, at, Some(chain(&error))),
        (Held::ToItsEnd, Ok(off)) => (FaultEnd::Lifted, off_at(off), None),
        (Held::Stopped, Ok(off)) => (FaultEnd::LiftedEarly, off_at(off), None),
    };
    record.window = Some(FaultWindow { from_ns, to_ns: since_origin(to).max(from_ns) });
    record.end = end;
    record.error = error;
}

/// What the fault touched, by the counters of its link.
async fn effect(fault: &TimedFault, injectors: &Injectors, cut_before: u64) -> Option<FaultEffect> {
    let link = link_effects(fault, injectors).await?;
    match fault.means {
        Means::Part | Means::Clients | Means::Database => None,
        Means::Disable => {
            // The kernel refuses connections to a disabled proxy without telling it: none cut does not mean none hit.
            let connections = link.cut.saturating_sub(cut_before);
            (connections > 0).then(|| FaultEffect { connections, ..FaultEffect::default() })
        }
        Means::Toxic { .. } => {
            // The last of the name: an earlier run on the same links may have used it too.
            let toxic = link.toxics.iter().rev().find(|toxic| toxic.name == fault.name)?;
            Some(FaultEffect {
                connections: toxic.connections,
                chunks: toxic.chunks,
                bytes: toxic.bytes,
                delayed_us: toxic.delayed_us,
                ..FaultEffect::default()
            })
        }
        Means::Rule { .. } => {
            let rule = link.rules.iter().rev().find(|rule| rule.name == fault.name)?;
            Some(FaultEffect {
                connections: rule.cut,
                bytes: rule.dropped_bytes,
                delayed_us: rule.delayed_us,
                requests: rule.hit,
                ..FaultEffect::default()
            })
        }
    }
}

fn with_probes(effect: Option<FaultEffect>, probe: &Probe) -> Option<FaultEffect> {
    match probe.refused {
        0 => effect,
        probes_refused => Some(FaultEffect { probes_refused, ..effect.unwrap_or_default() }),
    }
}

async fn cut_connections(fault: &TimedFault, injectors: &Injectors) -> u64 {
    match fault.means {
        Means::Disable => link_effects(fault, injectors).await.map_or(0, |link| link.cut),
        Means::Toxic { .. } | Means::Rule { .. } | Means::Part | Means::Clients | Means::Database => 0,
    }
}

async fn link_effects(fault: &TimedFault, injectors: &Injectors) -> Option<ProxyEffects> {
    let control = injectors.links.as_ref().filter(|_| fault.part.is_none())?;
    match control.effects().await {
        Ok(effects) => effects?.proxies.remove(&fault.link),
        Err(error) => {
            warn!(fault = %fault.name, "{}", chain(&error));
            None
        }
    }
}

/// Lifts a fault should the driver be dropped while it is on.
struct Guard {
    injectors: Injectors,
    fault: Option<TimedFault>,
}

impl Guard {
    fn disarm(mut self) {
        self.fault = None;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let (Some(fault), Ok(runtime)) = (self.fault.take(), tokio::runtime::Handle::try_current()) else { return };
        let injectors = self.injectors.clone();
        runtime.spawn(async move {
            if let Err(error) = lift(&fault, &injectors).await {
                error!(fault = %fault.name, "fault left behind: {}", chain(&error));
            }
        });
    }
}

fn warn_without_lease(fault: &TimedFault, injectors: &Injectors) {
    if injectors.lacks_lease(fault) {
        let name = &fault.name;
        warn!(fault = %name, "the fault proxy has no leases: fault `{name}` stays on if the harness is killed");
    }
}

fn log(record: &FaultRecord) {
    let FaultRecord { name, end, error, .. } = record;
    match error {
        None => info!(fault = %name, ?end, "fault off: {name}"),
        Some(error) => error!(fault = %name, ?end, "fault `{name}`: {error}"),
    }
}

/// The error with its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
