//! One variant in one cycle: its stack, its users and its run's folder, from start to end.
use super::{GatePlan, Service, Side};
use crate::{
    plan::Plan,
    record,
    scenario::{Scenario, Stand},
    stack::Stack,
};
use anyhow::Context as _;
use loadtest::{LoadResult, Ready, Recording, Stop, executor::Goose};
use reports::record::{FaultRecord, LoadRecord, ProcessUsage, Run, RunEnd, RunFolder, Variant, regression::arm_name};
use std::{
    fs::{self, File},
    path::Path,
    time::SystemTime,
};
use tokio::time::Instant;

/// Files of the service's database in a run's folder, which nobody looks at after a cycle.
const DATABASE: [&str; 3] = ["tripsage.db", "tripsage.db-wal", "tripsage.db-shm"];

/// A variant that is up.
#[derive(Debug)]
pub(super) struct Arm {
    pub(super) variant: Variant,
    scenario: Scenario,
    plan: Plan,
    head: Run,
    folder: RunFolder,
    pub(super) stack: Stack,
}

/// What the load of a variant left.
pub(super) struct Driven {
    load: LoadResult,
    faults: Vec<FaultRecord>,
    processes: Vec<ProcessUsage>,
}

impl Arm {
    /// Starts a variant, or reaches out to it.
    pub(super) async fn start(
        gate: &GatePlan,
        side: &Side,
        stand: Stand,
        (variant, cycle_index): (Variant, usize),
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let url = match &side.service {
            Service::Url(url) => Some(url.as_str()),
            _ => None,
        };
        let program = match &side.service {
            Service::Program(program) => Some(program.clone()),
            _ => None,
        };
        let (scenario, plan) =
            gate.of_variant(cycle_index, variant, url, Stand { program, ..stand }).map_err(|failure| failure.error)?;
        let mut head = record::head(&scenario, &plan);
        head.id = arm_name(variant).parse().unwrap_or_else(|never| match never {});
        let folder = RunFolder::create(folder, &head, &scenario.text)?;
        let stack = Stack::start(&scenario, folder.path()).await.map_err(|failure| failure.error)?;
        head.target = stack.record(&scenario);
        folder.write_head(&head)?;
        Ok(Self { variant, scenario, plan, head, folder, stack })
    }

    /// Logs its users in. `run` tells its accounts from those of other cycles.
    pub(super) async fn prepare(&self, run: &str, stop: &Stop) -> anyhow::Result<Ready> {
        let load = &self.scenario.load;
        loadtest::health::ensure_file_descriptors(
            load.users,
            load.connection.open_at_most(load.users).saturating_mul(2),
        )?;
        let target = loadtest::Target::resolve(self.stack.url()).await?;
        Ok(loadtest::prepare(self.plan.load.clone(), target, run, Goose, stop).await?)
    }

    /// Loads it, from a clock zero that both variants share.
    pub(super) async fn drive(
        &self,
        ready: Ready,
        (clock_zero, wall_zero): (Instant, SystemTime),
        stop: &Stop,
    ) -> anyhow::Result<Driven> {
        let measures = File::create(self.folder.measures_path()).context("writing the measures")?;
        let recording =
            Recording { measures: Box::new(measures), phases: self.plan.phases.clone(), clock_zero: wall_zero };
        let before = self.stack.usage();
        let injectors = self.stack.injectors(&self.plan.timeline).await.map_err(|failure| failure.error)?;
        let faults = chaos::drive(&self.plan.timeline, injectors, clock_zero, stop.drain.clone());
        let (load, faults) = tokio::join!(ready.drive(clock_zero, recording, stop), faults);
        let processes = record::used_between(&before, self.stack.usage());
        Ok(Driven { load: load.context("driving the load")?, faults, processes })
    }

    /// Stops what was started and closes the run's folder.
    pub(super) async fn finish(self, driven: Driven, wall_zero: SystemTime) -> anyhow::Result<()> {
        let Self { mut head, folder, stack, .. } = self;
        stack.stop().await;
        let Driven { load, faults, processes } = driven;
        head.clock_zero = record::timestamp(wall_zero);
        head.finished_ns = load.finished_ns;
        head.load = LoadRecord { origin: head.load.origin, ..load.load };
        head.generator = load.generator;
        head.meter = load.meter;
        head.faults = faults;
        head.target.processes = processes;
        head.end = match (&load.measures_written, load.is_interrupted) {
            (Err(error), _) => RunEnd::Broken(format!("the measures could not be written: {error}")),
            (Ok(()), true) => RunEnd::Interrupted,
            (Ok(()), false) => RunEnd::Completed,
        };
        let path = folder.finish(&head, &load.seconds)?;
        for file in DATABASE {
            // Not every journal is there.
            let _ = fs::remove_file(path.join(file));
        }
        Ok(())
    }

    /// Stops what was started.
    pub(super) async fn stop(self) {
        self.stack.stop().await;
    }
}
