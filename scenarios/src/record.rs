//! What the program knows of a run before its first request: the head of its record.
use crate::{calibration, plan::Plan, scenario::Scenario};
use reports::{
    record::{
        Counts, FORMAT, GeneratorHealth, LoadRecord, Machine, Meter, Origin, ProcessUsage, Run, RunEnd, RunId,
        ScenarioText, Target,
    },
    units,
};
use std::{collections::BTreeMap, path::Path, time::SystemTime};

/// The head of a run that is about to start. It says that the run broke off, which stays true should the program be killed.
#[must_use]
pub(crate) fn head(scenario: &Scenario, plan: &Plan) -> Run {
    let now = SystemTime::now();
    let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let salt = uuid::Uuid::new_v4().as_fields().1;
    let settings = plan.load.settings();
    let machine = Machine::this();
    Run {
        format: FORMAT,
        id: RunId::new(i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX), salt),
        harness_version: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: ScenarioText {
            name: scenario.name.clone(),
            title: scenario.title.clone(),
            digest: scenario.digest(),
            overrides: scenario.overrides.clone(),
            feeders: scenario.written.feeders.clone(),
        },
        seed: scenario.seed,
        target: Target { url: String::new(), is_bundled: false, processes: Vec::new(), settings: BTreeMap::new() },
        calibration: calibration::load(Path::new(calibration::FOLDER), &machine),
        machine,
        clock_zero: timestamp(now),
        planned_ns: units::nanos(settings.duration),
        finished_ns: 0,
        end: RunEnd::Broken("the harness ended before the run did".to_owned()),
        load: LoadRecord {
            description: plan.load.description(),
            connection: settings.connection.description(scenario.is_tls()),
            users: settings.users,
            mix: Vec::new(),
            counts: Counts { planned: plan.load.arrival_count(), ..Counts::default() },
            origin: Origin {
                day: plan.load.day().to_string(),
                plan: plan.digest(),
                folder: absolute(&scenario.folder),
                recorded: scenario.recorded.clone(),
            },
        },
        phases: plan.phases.clone(),
        steps: plan.load.steps().to_vec(),
        faults: Vec::new(),
        gates: scenario.gates.iter().map(|gate| gate.get_ref().clone()).collect(),
        generator: GeneratorHealth::default(),
        meter: Meter::default(),
        oracle: None,
        monitoring: None,
    }
}

/// A folder as it is found from anywhere.
fn absolute(folder: &Path) -> String {
    // An empty path is no path to the system, but here it is where the program was started.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()).display().to_string()
}

/// A wall-clock instant as RFC 3339 in UTC, to the millisecond.
#[must_use]
pub(crate) fn timestamp(at: SystemTime) -> String {
    let rounded = jiff::Timestamp::try_from(at).and_then(|at| at.round(jiff::Unit::Millisecond));
    rounded.map_or_else(|_| String::new(), |at| at.to_string())
}

/// What processes used between two looks.
#[must_use]
pub(crate) fn used_between(before: &[ProcessUsage], after: Vec<ProcessUsage>) -> Vec<ProcessUsage> {
    let earlier = |name: &str| before.iter().find(|usage| usage.name == name).map_or(0.0, |usage| usage.cpu_seconds);
    let used = |usage: ProcessUsage| ProcessUsage {
        cpu_seconds: (usage.cpu_seconds - earlier(&usage.name)).max(0.0),
        ..usage
    };
    after.into_iter().map(used).collect()
}
