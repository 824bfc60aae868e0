//! `harness capacity`: the highest rate that keeps the service levels, and what a planner makes of it.
//!
//! ```text
//! aim ─▶ study's folder ─▶ stack ─▶ search ─▶ beyond the limit ─▶ search under each fault ─▶ study ─▶ pages ─▶ exit code
//! ```
use super::plan::today;
use crate::{
    capacity::{Aim, Flags, Found, Lab, Overloaded, gave_way},
    cli::Format,
    exit::{Exit, Failure, OrExit as _},
    output, record,
    stack::Stack,
};
use anyhow::Context as _;
use loadtest::Stop;
use reports::{
    capacity::{Answer, Level, Settings, Study, UnderFault, worst_checks},
    record::{Machine, RunId, ScenarioText, folder::write_file},
    render,
};
use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// What the trials showed.
struct Examined {
    plain: Found,
    beyond: Overloaded,
    under: Vec<UnderFault>,
    requests_per_arrival: f64,
}

/// Searches, writes the study and its pages, and prints the summary; ends with the code of the study's answer.
///
/// # Errors
/// When the scenario cannot be searched, the stack cannot be started, or something cannot be written.
pub(crate) async fn capacity(flags: Flags, quiet: bool, stop: Stop) -> Result<u8, Failure> {
    let aim = Aim::new(&flags, today())?;
    if flags.dry_run {
        output::line(&aim.head());
        return Ok(Exit::Passed as u8);
    }
    if !quiet {
        output::note(&aim.head());
    }
    let started = SystemTime::now();
    let folder =
        make_folder(&flags.out, started, &aim.scenario.text).or_try_again("choose another folder with --out")?;
    let stack = tokio::select! {
        stack = Stack::start(&aim.scenario, &folder) => stack?,
        () = stop.drain.cancelled() => return Ok(Exit::Interrupted as u8),
    };
    let target = stack.url().to_owned();
    let examined = examine(&aim, Lab::new(&aim, &stack, &folder, today(), &stop, !quiet)).await;
    stack.stop().await;
    let examined = examined?;
    if examined.plain.claim.tried.is_empty() && stop.drain.is_cancelled() {
        return Ok(Exit::Interrupted as u8);
    }
    let study = study(aim, examined, target, record::timestamp(started));
    render::render_capacity(&folder, &study).or_invalid("free some space, and run it again")?;
    print(&study, flags.format, &folder, quiet);
    let interrupted = stop.drain.is_cancelled().then_some(Exit::Interrupted as u8);
    Ok(interrupted.unwrap_or_else(|| Answer::of(&study).standing.exit_code()))
}

/// Makes the study's folder with the scenario in it.
fn make_folder(root: &Path, started: SystemTime, scenario: &str) -> anyhow::Result<PathBuf> {
    let since_epoch = started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let salt = uuid::Uuid::new_v4().as_fields().1;
    let id = RunId::new(i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX), salt);
    let folder = root.join(id.as_str());
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    write_file(&folder.join("scenario.toml"), scenario.as_bytes())?;
    Ok(folder)
}

/// Every search, and a look beyond the limit that the first one found.
async fn examine(aim: &Aim, mut lab: Lab<'_>) -> Result<Examined, Failure> {
    let plain = lab.search(None, aim.settings).await?;
    let can_be_trusted = worst_checks(&plain.checks).iter().all(|check| !check.has_failed());
    let beyond = if aim.looks_beyond && can_be_trusted { lab.overload(&plain).await? } else { Overloaded::default() };
    let mut under = Vec::new();
    for fault in aim.faults.iter().filter(|_| can_be_trusted) {
        lab.announce(fault);
        let start_per_second = plain.claim.sustained_per_second.unwrap_or(aim.settings.start_per_second);
        let found = lab.search(Some(fault), Settings { start_per_second, ..aim.settings }).await?;
        let checks = worst_checks(&found.checks);
        under.push(UnderFault { fault: fault.description.clone(), claim: found.claim, checks });
    }
    Ok(Examined { plain, beyond, under, requests_per_arrival: lab.requests_per_arrival() })
}

fn study(aim: Aim, examined: Examined, target: String, started: String) -> Study {
    let Examined { plain, beyond, under, requests_per_arrival } = examined;
    let with_level = |index: &usize| aim.promises[*index].level.is_some();
    let decided = gave_way(&plain.claim).and_then(|by| aim.promises.iter().position(|promise| promise.text == by));
    let shown = decided.filter(with_level).or_else(|| (0..aim.promises.len()).find(with_level)).unwrap_or(0);
    let promise = &aim.promises[shown];
    let longest = reports::units::nanos(aim.scenario.load.longest_timeout());
    let machine = Machine::this();
    let of_promise = |rungs: &[Vec<_>]| rungs.get(shown).cloned().unwrap_or_default();
    Study {
        scenario: ScenarioText {
            name: aim.scenario.name.clone(),
            title: aim.scenario.title.clone(),
            digest: aim.scenario.digest(),
            overrides: aim.changes.clone(),
            feeders: aim.scenario.written.feeders.clone(),
        },
        started,
        title: aim.scenario.title.clone(),
        target,
        machine: format!("{}, {}, {} CPUs", machine.system, machine.cpu_model, machine.cpu_count),
        promised_for: promise.name.clone().unwrap_or_else(|| "every request".to_owned()),
        // Who promises answers alone promises them within the time that users wait.
        level: promise.level.unwrap_or(Level { quantile: 1.0 - promise.allowed_share, limit_ns: longest }),
        promises: aim.promises.iter().map(|promise| promise.text.clone()).chain(aim.bounds).collect(),
        left_apart: aim.left_apart,
        checks: worst_checks(&plain.checks),
        rungs: [of_promise(&plain.rungs), of_promise(&beyond.rungs)].concat(),
        // Where nothing was proven too much, what was offered beyond the claim was no overload.
        recovery: plain.claim.violated_per_second.and_then(|_| beyond.recovery(shown)),
        claim: plain.claim,
        under,
        expected_per_second: aim.expected_per_second,
        requests_per_arrival,
        policy: aim.policy,
        price: aim.price,
        by_replicas: Vec::new(),
        history: aim.history,
        resources: plain.resources,
    }
}

fn print(study: &Study, format: Format, folder: &Path, quiet: bool) {
    let text = || render::capacity_text(study, output::paint);
    match format {
        Format::Text if quiet => output::line(text().lines().next().unwrap_or_default()),
        Format::Text => {
            output::line(&format!("{}\nFILES  {}", text().trim_end(), folder.join("capacity.html").display()))
        }
        Format::Markdown => output::line(render::capacity_markdown(study).trim_end()),
        Format::Json => output::line(render::capacity_json(study).trim_end()),
    }
}
