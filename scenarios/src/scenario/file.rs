//! The scenario file itself: found, read, changed by flags and checked as a whole.
use crate::{
    cli::Which,
    exit::{Failure, OrExit as _},
    scenario::{BUNDLED_LINKS, Links, Mistake, Mistakes, Target, shipped},
};
use anyhow::{Context as _, anyhow};
use loadtest::warm_up::{SHORTEST_SEARCH, WarmUp};
use reports::{gate, units};
use schemars::JsonSchema;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::{
    fs,
    ops::{Deref, Range},
    path::Path,
};
use toml::{Spanned, de::DeTable};

/// What a scenario file says. Each crate owns its part of it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// One line for people: what is tested.
    pub title: String,
    /// Seed of every random decision.
    #[serde(default = "first_seed")]
    pub seed: u64,
    /// What must hold, one per line: `p95 < 500ms for flights.search window=steady`.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub gates: Vec<Spanned<String>>,
    /// Where the load goes.
    #[serde(default)]
    pub target: Target,
    /// Where the links live.
    #[serde(default)]
    pub links: Links,
    /// The load.
    pub load: loadtest::Settings,
    /// The faults, in any order.
    #[serde(default)]
    pub faults: Vec<chaos::FaultSettings>,
}

/// A scenario: the file, its name and text, and what flags changed.
#[derive(Debug, Clone)]
pub struct Scenario {
    file: File,
    /// Its name: the file's name without `.toml`.
    pub name: String,
    /// Where it was found, for messages.
    pub path: String,
    /// The text as read.
    pub text: String,
    /// What flags changed, as they would be written.
    pub overrides: Vec<String>,
    /// Hosts beyond loopback that may be loaded and broken.
    pub allow_hosts: Vec<String>,
}

/// A scenario's text, not yet read.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its name: the file's name without `.toml`.
    pub name: String,
    /// Where it was found.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// What flags change.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Another seed.
    pub seed: Option<u64>,
    /// Another load.
    pub load: loadtest::Overrides,
    /// Another warm-up.
    pub warm_up: Option<WarmUp>,
    /// Another target.
    pub target: Option<String>,
    /// Hosts beyond loopback that may be loaded and broken.
    pub allow_hosts: Vec<String>,
    /// More gates.
    pub thresholds: Vec<String>,
}

impl From<&Which> for Overrides {
    fn from(flags: &Which) -> Self {
        Self {
            seed: flags.seed,
            load: loadtest::Overrides {
                rate: flags.rate,
                users: flags.users,
                duration: flags.duration,
                mix: flags.mix.clone(),
            },
            warm_up: flags.warm_up,
            target: flags.target.clone(),
            allow_hosts: flags.allow_hosts.clone(),
            thresholds: flags.thresholds.clone(),
        }
    }
}

/// The JSON schema of scenario files.
#[must_use]
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(File)
}

impl Deref for Scenario {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}

impl Scenario {
    /// Finds the text of a scenario: a path, a name in `./scenarios`, or a shipped name.
    ///
    /// # Errors
    /// When there is none, or its file cannot be read.
    pub fn find(name_or_path: &str) -> Result<Found, Failure> {
        let path = Path::new(name_or_path);
        let is_path = path.extension().is_some_and(|extension| extension == "toml") || path.components().count() > 1;
        let own = Path::new("scenarios").join(format!("{name_or_path}.toml"));
        let path = if is_path { path.to_owned() } else { own };
        if !is_path && !path.is_file() {
            let text = shipped(name_or_path).ok_or_else(|| anyhow!("there is no scenario `{name_or_path}`"));
            let text = text.or_usage("`harness scenario list` lists them; a file of your own is given by its path")?;
            let path = format!("{name_or_path}.toml (shipped)");
            return Ok(Found { name: name_or_path.to_owned(), path, text: text.to_owned() });
        }
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read scenario {}", path.display()));
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        Ok(Found { name: stem.into_owned(), path: path.display().to_string(), text: text.or_usage("")? })
    }

    /// Reads a scenario, changes what the flags say, and checks it as a whole.
    ///
    /// # Errors
    /// When it cannot be found, or with every mistake in it, each at its place.
    pub fn load(name_or_path: &str, overrides: &Overrides) -> Result<Self, Failure> {
        let Found { name, path, text } = Self::find(name_or_path)?;
        let wrong = |list| Mistakes { path: path.clone(), source: text.clone(), list };
        let file: File = toml::from_str(&text).map_err(|error| wrong(vec![Mistake::of_toml(&error)])).or_usage("")?;
        let mut scenario = Self {
            file,
            name,
            path: path.clone(),
            text: text.clone(),
            overrides: Vec::new(),
            allow_hosts: overrides.allow_hosts.clone(),
        };
        scenario.change(overrides)?;
        let mistakes = scenario.mistakes();
        if mistakes.is_empty() { Ok(scenario) } else { Err(wrong(mistakes)).or_usage("") }
    }

    /// The names of the links that faults can act on; `None` when only a running proxy knows them.
    #[must_use]
    pub fn links(&self) -> Option<&'static [&'static str]> {
        self.file.target.url.is_none().then_some(&BUNDLED_LINKS)
    }

    /// SHA-256 of the text, in hexadecimal digits.
    #[must_use]
    pub fn digest(&self) -> String {
        Sha256::digest(self.text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn change(&mut self, flags: &Overrides) -> Result<(), Failure> {
        let file = &mut self.file;
        let mut said = |flag: &str, value: String| self.overrides.push(format!("--{flag} {value}"));
        if let Some(seed) = flags.seed {
            file.seed = seed;
            said("seed", seed.to_string());
        }
        let load =
            file.load.apply(&flags.load).or_usage("a closed model has users and pacing, not a rate; use --users")?;
        self.overrides.extend(load);
        let mut said = |flag: &str, value: String| self.overrides.push(format!("--{flag} {value}"));
        if let Some(warm_up) = flags.warm_up {
            file.load.warm_up = warm_up;
            said("warmup", warm_up.to_string());
        }
        if let Some(url) = &flags.target {
            // Settings of the bundled stack do not apply to a service that runs already.
            file.target = Target { url: Some(Spanned::new(0..0, url.clone())), ..Target::default() };
            said("target", url.clone());
        }
        for gate in &flags.thresholds {
            gate::parse(gate)
                .with_context(|| format!("in --threshold `{gate}`"))
                .or_usage("write METRIC OP VALUE [for NAME] [class=CLASS] [window=WINDOW]")?;
            file.gates.push(Spanned::new(0..0, gate.clone()));
            said("threshold", format!("'{gate}'"));
        }
        Ok(())
    }

    fn mistakes(&self) -> Vec<Mistake> {
        let load = self.load.check().err().map(|error| Mistake {
            text: error.to_string(),
            range: place_in_load(&self.text, error.key()),
            hint: None,
        });
        let gates = self.gates.iter().filter_map(gate_mistake);
        let needs_links = self.target.url.is_some() && self.links.api.is_none();
        let unreachable = self.faults.iter().filter(|_| needs_links).map(|fault| {
            let hint = "name the fault proxy that the service uses: [links] api = \"http://127.0.0.1:8474\"".to_owned();
            Mistake::at(fault.link.span(), "a target with a `url` has no links of the harness's own", hint)
        });
        let early = self.faults.iter().filter_map(|fault| fault_in_search(fault, self.load.warm_up));
        self.target.mistakes().into_iter().chain(load).chain(unreachable).chain(early).chain(gates).collect()
    }
}

/// Where the value of a key below `[load]` is; `None` when it is not written there (it was given by a flag, or is a default).
fn place_in_load(text: &str, key: &str) -> Option<Range<usize>> {
    let file = DeTable::parse(text).ok()?;
    let load = file.get_ref().get("load")?.get_ref().as_table()?;
    Some(load.get(key.split('.').next()?)?.span())
}

/// A fault before the end of the warm-up can have been found.
fn fault_in_search(fault: &chaos::FaultSettings, warm_up: WarmUp) -> Option<Mistake> {
    if warm_up != WarmUp::Auto || fault.at.get_ref().0 >= SHORTEST_SEARCH {
        return None;
    }
    let least = units::format_duration(SHORTEST_SEARCH);
    let hint = "let the fault begin later, or give `warm_up` a length".to_owned();
    let text = format!("`warm_up = \"auto\"` needs at least {least} without a fault to find the end of the warm-up");
    Some(Mistake::at(fault.at.span(), text, hint))
}

fn gate_mistake(gate: &Spanned<String>) -> Option<Mistake> {
    gate::parse(gate.get_ref()).err().map(|error| Mistake::in_gate(gate, &error))
}

fn first_seed() -> u64 {
    1
}
