//! An earlier run, planned again from what its folder holds: its scenario, its flags, its seed and its day.
use crate::{
    cli::Which,
    command::find_run,
    exit::{Failure, OrExit as _},
    plan::Plan,
    scenario::{Found, Overrides, Scenario},
};
use anyhow::{Context as _, ensure};
use clap::Parser;
use reports::record::{RecordedArrivals, Run, folder};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A run whose folder is there.
#[derive(Debug)]
pub(crate) struct Earlier {
    folder: PathBuf,
    run: Run,
}

/// The flags of the run, as its record holds them.
#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
struct Flags {
    #[command(flatten)]
    which: Which,
}

impl Earlier {
    /// Finds a run by its folder, or by its name below reports/runs.
    ///
    /// # Errors
    /// When there is none, or as [`Earlier::read`].
    pub(crate) fn find(run: &Path) -> anyhow::Result<Self> {
        Self::read(find_run(&run.display().to_string(), Path::new("reports/runs"))?)
    }

    /// Reads a run's head.
    ///
    /// # Errors
    /// When it cannot be read, or is older than what is needed to plan it again.
    pub(crate) fn read(folder: PathBuf) -> anyhow::Result<Self> {
        let run = folder::read_run(&folder)?;
        let is_known = !run.load.origin.plan.is_empty();
        ensure!(is_known, "run {} is of an older version, which did not keep what it takes to plan it again", run.id);
        Ok(Self { folder, run })
    }

    /// Its scenario with its flags; another target, and the hosts that may be touched, are given anew.
    ///
    /// # Errors
    /// When it cannot be read, or run against that target.
    pub(crate) fn scenario(&self, target: Option<String>, allow_hosts: Vec<String>) -> Result<Scenario, Failure> {
        let flags = self.flags().or_usage("the run's record names the flags it was made with")?;
        let overrides = Overrides { target: target.or(flags.target.clone()), allow_hosts, ..Overrides::from(&flags) };
        Scenario::read(self.found().or_usage("is it the folder of a run?")?, &overrides)
    }

    /// Its plan: to the last due time, journey and fault what it was.
    ///
    /// # Errors
    /// When this program plans it differently, or it cannot be planned against the scenario's target.
    pub(crate) fn plan(&self, scenario: &Scenario) -> Result<Plan, Failure> {
        let origin = &self.run.load.origin;
        let day = origin.day.parse().with_context(|| format!("`{}` is not the day of a run", origin.day));
        let plan = Plan::new(scenario, day.or_usage("is it the folder of a run?")?)?;
        let (version, id) = (&self.run.harness_version, &self.run.id);
        let is_same = || {
            ensure!(
                plan.digest() == origin.plan,
                "run {id} of version {version} would not be planned the same by this one"
            );
            Ok(())
        };
        is_same().or_usage("replay it with the program that made it, or run its scenario anew")?;
        Ok(plan)
    }

    /// The due times of its plan, in nanoseconds.
    ///
    /// # Errors
    /// When it cannot be planned again, or its load was closed: then they followed from the answers.
    pub(crate) fn due_times(&self) -> anyhow::Result<Vec<u64>> {
        let plain = |failure: Failure| failure.error;
        let scenario = self.scenario(None, Vec::new()).map_err(plain)?;
        let schedule = self.plan(&scenario).map_err(plain)?.load.schedule();
        let closed = || format!("run {} was closed: its due times followed from the answers", self.run.id);
        Ok(schedule.with_context(closed)?.map(|arrival| arrival.due_ns).collect())
    }

    /// What is told of its due times.
    pub(crate) fn told(&self, count: usize) -> RecordedArrivals {
        let (source, digest) = (format!("run {}", self.run.id), self.run.load.origin.plan.clone());
        RecordedArrivals {
            source,
            digest,
            count: count as u64,
            note: format!("planned as {}", self.run.load.description),
        }
    }

    fn flags(&self) -> anyhow::Result<Which> {
        let words = self.run.scenario.overrides.iter().flat_map(|flag| match flag.split_once(' ') {
            Some((name, value)) => vec![name, value.trim_matches('\'')],
            None => vec![flag.as_str()],
        });
        Ok(Flags::try_parse_from(["scenario"].into_iter().chain(words))?.which)
    }

    fn found(&self) -> anyhow::Result<Found> {
        let path = self.folder.join("scenario.toml");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let origin = &self.run.load.origin;
        let recorded = match &origin.recorded {
            Some(told) => Some((told.clone(), folder::read_arrivals(&self.folder)?)),
            None => None,
        };
        Ok(Found {
            name: self.run.scenario.name.clone(),
            path: path.display().to_string(),
            text,
            folder: Path::new(&origin.folder).to_owned(),
            recorded,
        })
    }
}
