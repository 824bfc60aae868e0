//! The conditions of a run: what has to be the same for its figures to be compared with another's, and what is worth a remark.
use super::Run;
use serde::{Deserialize, Serialize};

/// What a condition is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aspect {
    /// What was to be done: the scenario's text, flags and data files.
    Scenario,
    /// How much load, of what, over which connections.
    Load,
    /// What was broken, and when.
    Faults,
    /// What was loaded, and its settings.
    Target,
    /// The machine.
    Machine,
    /// Programs and systems: a newer one is a remark, no obstacle.
    Program,
    /// The seed: another one is another sample of the same.
    Seed,
}

impl Aspect {
    /// Whether runs that differ in it are unlike, so that the difference of their figures says nothing about the target's code.
    #[must_use]
    pub fn must_agree(self) -> bool {
        !matches!(self, Self::Program | Self::Seed)
    }

    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Scenario => "scenario",
            Self::Load => "load",
            Self::Faults => "faults",
            Self::Target => "target",
            Self::Machine => "machine",
            Self::Program => "program",
            Self::Seed => "seed",
        }
    }
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// What it is about.
    pub aspect: Aspect,
    /// Its name, unique within a run.
    pub name: String,
    /// As people read it.
    pub value: String,
}

/// A condition in which runs differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What it is about.
    pub aspect: Aspect,
    /// The condition.
    pub name: String,
    /// Its value in each run; `–` where a run has none.
    pub values: Vec<String>,
}

/// Every condition of a run, in the order in which they are told.
#[must_use]
pub fn conditions(run: &Run) -> Vec<Condition> {
    use Aspect::{Faults, Load, Machine, Program, Scenario, Seed, Target};
    let mut all = Vec::new();
    let mut add = |aspect, name: &str, value: String| all.push(Condition { aspect, name: name.to_owned(), value });
    let (scenario, load, machine) = (&run.scenario, &run.load, &run.machine);
    add(Scenario, "scenario", scenario.name.clone());
    add(Scenario, "text (sha256)", scenario.digest.get(..12).unwrap_or(&scenario.digest).to_owned());
    // Seed and target are conditions of their own.
    let is_own = |flag: &&String| ["--seed", "--target"].iter().any(|own| flag.starts_with(own));
    let flags: Vec<&str> = scenario.overrides.iter().filter(|flag| !is_own(flag)).map(String::as_str).collect();
    add(Scenario, "flags", flags.join(" "));
    for feeder in &scenario.feeders {
        let digest = feeder.digest.get(..12).unwrap_or(&feeder.digest);
        add(
            Scenario,
            &format!("feeder {}", feeder.name),
            format!("{} rows, {}, sha256 {digest}", feeder.rows, feeder.order),
        );
    }
    add(Load, "load", load.description.clone());
    add(Load, "length", crate::number::seconds(run.planned_ns));
    add(Load, "users", load.users.to_string());
    let mix: Vec<String> = load.mix.iter().map(|entry| format!("{} {}", entry.journey, entry.weight)).collect();
    add(Load, "mix", mix.join(", "));
    add(Load, "connections", load.connection.clone());
    if let Some(recorded) = &load.origin.recorded {
        add(
            Load,
            "recorded arrivals",
            format!("{} (sha256 {})", recorded.count, recorded.digest.get(..12).unwrap_or("")),
        );
    }
    for fault in &run.faults {
        let seconds = |nanos: u64| crate::number::seconds(nanos);
        let planned = format!(
            "{} from {} to {}",
            fault.description,
            seconds(fault.planned.from_ns),
            seconds(fault.planned.to_ns)
        );
        add(Faults, &fault.name, planned);
    }
    add(Target, "target", target(run));
    for (name, value) in &run.target.settings {
        add(Target, &format!("setting {name}"), value.clone());
    }
    add(Machine, "processor", machine.cpu_model.clone());
    add(Machine, "processors", machine.cpu_count.to_string());
    add(Machine, "memory", crate::number::bytes(machine.memory_bytes));
    add(Program, "system", machine.system.clone());
    add(Program, "harness", run.harness_version.clone());
    add(Seed, "seed", run.seed.to_string());
    all
}

/// Ports change from run to run: what counts is whose target it is.
fn target(run: &Run) -> String {
    if run.target.is_bundled {
        return "started by the harness".to_owned();
    }
    let rest = run.target.url.split_once("://").map_or(run.target.url.as_str(), |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    let is_port = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    authority.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(authority, |(host, _)| host).to_owned()
}

/// Those of the differences between two that make them unlike.
#[must_use]
pub fn obstacles(one: &[Condition], other: &[Condition]) -> Vec<Difference> {
    let mut found = differences(&[one, other]);
    found.retain(|difference| difference.aspect.must_agree());
    found
}

/// The conditions that are not the same in all, in the order of the first that has them.
#[must_use]
pub fn differences(all: &[&[Condition]]) -> Vec<Difference> {
    let mut told: Vec<Difference> = Vec::new();
    for condition in all.iter().flat_map(|one| one.iter()) {
        if told.iter().any(|difference| difference.name == condition.name) {
            continue;
        }
        let value = |one: &&[Condition]| {
            let found = one.iter().find(|other| other.name == condition.name).filter(|found| !found.value.is_empty());
            found.map_or_else(|| "–".to_owned(), |found| found.value.clone())
        };
        let values = all.iter().map(value).collect();
        told.push(Difference { aspect: condition.aspect, name: condition.name.clone(), values });
    }
    told.retain(|difference| difference.values.windows(2).any(|pair| pair[0] != pair[1]));
    told.sort_by_key(|difference| difference.aspect);
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(aspect: Aspect, name: &str, value: &str) -> Condition {
        Condition { aspect, name: name.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn what_differs_is_told_once_with_what_each_has() {
        let a = [one(Aspect::Load, "users", "8"), one(Aspect::Scenario, "flags", ""), one(Aspect::Seed, "seed", "1")];
        let b =
            [one(Aspect::Load, "users", "8"), one(Aspect::Target, "setting POOL", "5"), one(Aspect::Seed, "seed", "2")];
        let found = differences(&[&a, &b]);
        let text: Vec<String> = found.iter().map(|d| format!("{}: {}", d.name, d.values.join(" | "))).collect();
        assert_eq!(text, ["setting POOL: – | 5", "seed: 1 | 2"]);
        let obstacles: Vec<bool> = found.iter().map(|difference| difference.aspect.must_agree()).collect();
        assert_eq!(obstacles, [true, false]);
        assert_eq!(differences(&[&a, &a, &a]), []);
    }
}
