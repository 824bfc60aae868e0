//! What is compared, once it is found and built: where each variant's service comes from, and what it says of itself.
use super::{Named, build};
use crate::{
    exit::{Failure, OrExit as _},
    scenario,
    stack::allowed,
};
use anyhow::{Context as _, anyhow, bail};
use loadtest::Stop;
use reports::{
    number,
    record::{Program, Variant},
};
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{process::Command, time::timeout};

/// How long a program may take to say its version.
const VERSION_WITHIN: Duration = Duration::from_secs(20);

/// Where the service of a variant comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Service {
    /// The service in this program, started for each cycle.
    Own,
    /// Another program, started for each cycle.
    Program(scenario::Program),
    /// It runs already, and is not started again.
    Url(String),
}

/// One variant.
#[derive(Debug, Clone)]
pub(crate) struct Side {
    /// Where it comes from.
    pub(crate) service: Service,
    /// What pages call it.
    pub(crate) program: Program,
}

/// Both variants.
#[derive(Debug, Clone)]
pub(crate) struct Sides {
    /// What is known.
    pub(crate) baseline: Side,
    /// What is judged.
    pub(crate) candidate: Side,
}

impl Sides {
    /// The variant of that name.
    #[must_use]
    pub(crate) fn of(&self, variant: Variant) -> &Side {
        match variant {
            Variant::Baseline => &self.baseline,
            Variant::Candidate => &self.candidate,
        }
    }

    /// Whether both are started for each cycle.
    #[must_use]
    pub(crate) fn are_restarted(&self) -> bool {
        !matches!(self.baseline.service, Service::Url(_))
    }

    /// This program's own service twice.
    #[must_use]
    pub(crate) fn own() -> Self {
        let own = || Side { service: Service::Own, program: program("own", env!("CARGO_PKG_VERSION").to_owned()) };
        Self { baseline: own(), candidate: own() }
    }

    /// Finds both, and builds what has to be built.
    ///
    /// # Errors
    /// When one cannot be found or built, when they are the same, and when they cannot be compared.
    pub(crate) async fn find(flags: &crate::cli::Gate, quiet: bool, stop: &Stop) -> Result<Self, Failure> {
        let (baseline, candidate) = names(flags)?;
        let builds = Builds { folder: &flags.builds, quiet };
        let found = Self {
            baseline: side(&baseline, &flags.allow_hosts, &builds, stop).await?,
            candidate: side(&candidate, &flags.allow_hosts, &builds, stop).await?,
        };
        if found.baseline.service == found.candidate.service && !flags.a_a {
            let same = anyhow!("baseline and candidate are the same: `{baseline}` and `{candidate}`");
            return Err(same).or_usage("name another candidate, or say --a-a to see what the gate says of equal ones");
        }
        Ok(found)
    }
}

/// What the flags name.
fn names(flags: &crate::cli::Gate) -> Result<(Named, Named), Failure> {
    let (baseline, candidate) = match (&flags.baseline, &flags.candidate) {
        (baseline, _) if flags.a_a => {
            let both = baseline.clone().unwrap_or(Named::Own);
            (both.clone(), both)
        }
        (Some(baseline), Some(candidate)) => (baseline.clone(), candidate.clone()),
        (None, _) => {
            return Err(anyhow!("there is no baseline to compare with"))
                .or_usage("--baseline rev:main --candidate target/release/tripsage; or --a-a, or --self-test");
        }
        (_, None) => {
            return Err(anyhow!("there is no candidate to judge"))
                .or_usage("--candidate target/release/tripsage, or own; or --a-a");
        }
    };
    let is_url = |named: &Named| matches!(named, Named::Url(_));
    if is_url(&baseline) == is_url(&candidate) {
        return Ok((baseline, candidate));
    }
    let (url, program) = if is_url(&baseline) { (&baseline, &candidate) } else { (&candidate, &baseline) };
    let unlike = anyhow!(
        "baseline and candidate are unlike: {url} runs already and goes on running, {program} would be started afresh \
         for each cycle, behind links of its own"
    );
    Err(unlike).or_usage("give both as programs or revisions, or both as URLs")
}

struct Builds<'a> {
    folder: &'a Path,
    quiet: bool,
}

async fn side(named: &Named, allow_hosts: &[String], builds: &Builds<'_>, stop: &Stop) -> Result<Side, Failure> {
    let (service, version) = match named {
        Named::Own => return Ok(Sides::own().baseline),
        Named::Url(url) => {
            allowed(url, allow_hosts).or_usage("name the host with --allow-host if it is yours to load")?;
            (Service::Url(url.clone()), version_at(url).await)
        }
        Named::Path(path) => {
            let program = find_program(path).await.or_usage("give the file of `tripsage` or `harness`")?;
            let version = file_version(&program.path).or_usage("give the file of `tripsage` or `harness`")?;
            (Service::Program(program), version)
        }
        Named::Revision(revision) => {
            let built = build::build(revision, builds.folder, builds.quiet, stop).await?;
            let program = scenario::Program { path: built.program, arguments: Vec::new() };
            (Service::Program(program), built.commit)
        }
    };
    Ok(Side { service, program: program(&named.to_string(), version) })
}

fn program(name: &str, version: String) -> Program {
    Program { name: name.to_owned(), version }
}

/// Finds a program, and how it is made to serve: `tripsage` does nothing else, `harness` has a command for it.
async fn find_program(path: &Path) -> anyhow::Result<scenario::Program> {
    let path: PathBuf =
        std::fs::canonicalize(path).with_context(|| format!("there is no program {}", path.display()))?;
    let asked = Command::new(&path).arg("--version").stdin(Stdio::null()).kill_on_drop(true).output();
    let Ok(answer) = timeout(VERSION_WITHIN, asked).await else {
        bail!("{} does not end when it is asked for its --version", path.display());
    };
    let answer = answer.with_context(|| format!("cannot start {}", path.display()))?;
    let is_harness = answer.stdout.starts_with(b"harness ");
    let arguments = if is_harness { vec!["serve".to_owned()] } else { Vec::new() };
    Ok(scenario::Program { path, arguments })
}

/// What tells two builds of one program apart.
fn file_version(path: &Path) -> anyhow::Result<String> {
    let about = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    let modified = about.modified().map(crate::record::timestamp).unwrap_or_default();
    Ok(format!("{}, of {modified}", number::bytes(about.len())))
}

/// What a service says of itself at /health; empty when it says nothing.
async fn version_at(url: &str) -> String {
    let asked = async {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().ok()?;
        let answer = client.get(format!("{url}/health")).send().await.ok()?;
        let health: serde_json::Value = serde_json::from_slice(&answer.bytes().await.ok()?).ok()?;
        health.get("version")?.as_str().map(str::to_owned)
    };
    asked.await.unwrap_or_default()
}
