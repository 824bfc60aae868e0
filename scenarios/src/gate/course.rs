//! The course of a gate: cycle after cycle, until the cycles tell, their number or the time is up, or somebody stops it.
use super::{
    GatePlan, Sides,
    cycle::{Setting, make},
};
use crate::{exit::Failure, exit::OrExit as _, record::timestamp, scenario::Stand};
use loadtest::Stop;
use reports::{
    record::{
        GateEnd, GateFolder, GateHead, Machine, RunId, ScenarioText,
        regression::{GATE_FORMAT, cycle_folder},
    },
    regression::{
        comparison::Comparison,
        cycle::Cycle,
        judgement::{Judgement, judge},
        read::read_cycle,
    },
    render, units,
};
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

/// A gate that is to be made.
pub(crate) struct Course<'a> {
    /// How.
    pub(crate) plan: &'a GatePlan,
    /// Of what.
    pub(crate) sides: &'a Sides,
    /// What the candidate's stack has that the baseline's has not.
    pub(crate) candidate_stand: Stand,
    /// When the first cycle of the whole command was begun.
    pub(crate) begun: Instant,
    /// Told after each cycle: how many there are, how long the last one took, and what is known.
    pub(crate) tell: &'a (dyn Fn(usize, Duration, &Judgement) + Sync),
}

/// A gate that was made.
pub(crate) struct Ended {
    /// What it found.
    pub(crate) comparison: Comparison,
    /// Where everything about it is.
    pub(crate) folder: PathBuf,
    /// How it ended.
    pub(crate) end: GateEnd,
}

impl Course<'_> {
    /// Makes the gate in a folder below `out`.
    ///
    /// # Errors
    /// When what was measured cannot be written or read.
    pub(crate) async fn run(&self, out: &Path, stop: &Stop) -> Result<Ended, Failure> {
        let mut head = self.head();
        let folder = GateFolder::create(out, &head, &self.plan.scenario.text);
        let folder = folder.or_try_again("choose another folder with --out")?;
        let mut cycles = Vec::new();
        head.end = loop {
            if let Some(end) = self.cycle(&mut head, &mut cycles, &folder, stop).await? {
                break end;
            }
        };
        let folder = folder.finish(&head).or_invalid("what was measured is in the folder that ends in .partial")?;
        let comparison =
            render::render_gate(&folder).or_invalid("free some space, then `harness report` on its folder")?;
        Ok(Ended { comparison, folder, end: head.end })
    }

    /// Makes one more cycle; how the gate ends, if it does.
    async fn cycle(
        &self,
        head: &mut GateHead,
        cycles: &mut Vec<Cycle>,
        folder: &GateFolder,
        stop: &Stop,
    ) -> Result<Option<GateEnd>, Failure> {
        let (index, begun) = (cycles.len(), Instant::now());
        let path = folder.path();
        let setting = Setting {
            plan: self.plan,
            sides: self.sides,
            candidate_stand: &self.candidate_stand,
            gate: head.id.as_str(),
            folder: path,
        };
        let made =
            make(&setting, index, stop).await.or_invalid("what was measured is in the folder that ends in .partial")?;
        let Some(made) = made else {
            // A cycle that was not carried out counts for nothing.
            let _ = fs::remove_dir_all(cycle_folder(path, index));
            return Ok(Some(GateEnd::Interrupted));
        };
        head.cycles.push(made.clone());
        folder.write_head(head).or_invalid("free some space, and run it again")?;
        cycles.push(read_cycle(path, head, index, &made).or_invalid("the cycle's folder holds what was measured")?);
        let judgement = judge(cycles, &self.plan.settings());
        let took = begun.elapsed();
        (self.tell)(cycles.len(), took, &judgement);
        let Some(next) = judgement.next_look else { return Ok(Some(GateEnd::Completed)) };
        let left = u32::try_from(next - cycles.len()).unwrap_or(u32::MAX);
        let is_late = self.begun.elapsed() + took * left > self.plan.within;
        Ok(is_late.then_some(GateEnd::OutOfTime))
    }

    fn head(&self) -> GateHead {
        let (plan, scenario, now) = (self.plan, &self.plan.scenario, SystemTime::now());
        let seconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        GateHead {
            format: GATE_FORMAT,
            id: RunId::new(i64::try_from(seconds).unwrap_or(i64::MAX), uuid::Uuid::new_v4().as_fields().1),
            harness_version: env!("CARGO_PKG_VERSION").to_owned(),
            scenario: ScenarioText {
                name: scenario.name.clone(),
                title: scenario.title.clone(),
                digest: scenario.digest(),
                overrides: scenario.overrides.clone(),
                feeders: scenario.written.feeders.clone(),
            },
            seed: plan.seed,
            baseline: self.sides.baseline.program.clone(),
            candidate: self.sides.candidate.program.clone(),
            rate_per_second: plan.rate,
            warm_up_ns: units::nanos(plan.warm_up),
            cycle_ns: units::nanos(plan.cycle),
            rules: plan.rules.clone(),
            machine: Machine::this(),
            at: timestamp(now),
            cycles: Vec::new(),
            end: GateEnd::Interrupted,
        }
    }
}
