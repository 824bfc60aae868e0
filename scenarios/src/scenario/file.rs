//! The scenario file itself: found, read, changed by flags and checked as a whole.
use crate::{
    cli::Which,
    exit::{Failure, OrExit as _},
    recorded,
    scenario::{BUNDLED_LINKS, Links, Mistake, Mistakes, Target, shipped},
};
use anyhow::{Context as _, anyhow};
use loadtest::{arrivals::Arrivals, connection::Http};
use reports::{gate, record::RecordedArrivals, units};
use schemars::JsonSchema;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::{
    fs,
    ops::{Deref, Range},
    path::{Path, PathBuf},
    time::Duration,
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
    /// Folder to which the files that it names are relative.
    pub folder: PathBuf,
    /// Where its recorded arrivals came from, if it has any.
    pub recorded: Option<RecordedArrivals>,
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
    /// Folder to which the files that it names are relative.
    pub folder: PathBuf,
    /// Recorded arrivals that are at hand, to be taken instead of those that the text names.
    pub recorded: Option<(RecordedArrivals, Vec<u64>)>,
}

/// What flags change.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Another seed.
    pub seed: Option<u64>,
    /// Another load.
    pub load: loadtest::Overrides,
    /// Another warm-up.
    pub warm_up: Option<Duration>,
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

impl Found {
    fn new(name: &str, path: String, text: String, folder: &Path) -> Self {
        Self { name: name.to_owned(), path, text, folder: folder.to_owned(), recorded: None }
    }
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
            return Ok(Found::new(name_or_path, path, text.to_owned(), Path::new("")));
        }
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read scenario {}", path.display()));
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let folder = path.parent().unwrap_or(Path::new(""));
        Ok(Found::new(&stem, path.display().to_string(), text.or_usage("")?, folder))
    }

    /// Reads a scenario, changes what the flags say, and checks it as a whole.
    ///
    /// # Errors
    /// When it cannot be found, or with every mistake in it, each at its place.
    pub fn load(name_or_path: &str, overrides: &Overrides) -> Result<Self, Failure> {
        Self::read(Self::find(name_or_path)?, overrides)
    }

    /// Reads the text of a scenario, changes what the flags say, and checks it as a whole.
    ///
    /// # Errors
    /// With every mistake in it, each at its place.
    pub fn read(found: Found, overrides: &Overrides) -> Result<Self, Failure> {
        let Found { name, path, text, folder, recorded } = found;
        let wrong = |list| Mistakes { path: path.clone(), source: text.clone(), list };
        let file: File = toml::from_str(&text).map_err(|error| wrong(vec![Mistake::of_toml(&error)])).or_usage("")?;
        let mut scenario = Self {
            file,
            name,
            path: path.clone(),
            text: text.clone(),
            overrides: Vec::new(),
            allow_hosts: overrides.allow_hosts.clone(),
            folder,
            recorded: None,
        };
        scenario.change(overrides)?;
        scenario.find_files(recorded).map_err(|mistake| wrong(vec![mistake])).or_usage("")?;
        let mistakes = scenario.mistakes();
        if mistakes.is_empty() { Ok(scenario) } else { Err(wrong(mistakes)).or_usage("") }
    }

    /// The names of the links that faults can act on; `None` when only a running proxy knows them.
    #[must_use]
    pub fn links(&self) -> Option<&'static [&'static str]> {
        self.file.target.url.is_none().then_some(&BUNDLED_LINKS)
    }

    /// Whether the load goes over TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.file.target.url.as_ref().is_some_and(|url| url.get_ref().starts_with("https://"))
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
            said("warmup", units::format_duration(warm_up));
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

    /// Finds the files that the scenario names, and reads recorded arrivals, unless they are at hand.
    fn find_files(&mut self, at_hand: Option<(RecordedArrivals, Vec<u64>)>) -> Result<(), Mistake> {
        let load = &mut self.file.load;
        if let Some(file) = &mut load.connection.ca_file {
            *file = self.folder.join(&*file);
        }
        let Arrivals::Recorded(settings) = &mut load.arrivals else { return Ok(()) };
        let mistake = |error: anyhow::Error| Mistake {
            text: format!("{error:#}"),
            range: place_in_load(&self.text, "arrivals"),
            hint: Some("files are relative to the scenario file, runs are below reports/runs".to_owned()),
        };
        let found =
            at_hand.map_or_else(|| recorded::read(settings, &self.folder, self.file.seed), |found| Ok(Some(found)));
        if let Some((told, due_ns)) = found.map_err(mistake)? {
            settings.due_ns = due_ns.into();
            self.recorded = Some(told);
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
        let connection = self.connection_mistake();
        self.target.mistakes().into_iter().chain(load).chain(connection).chain(unreachable).chain(gates).collect()
    }

    /// What the connections and the target cannot be together.
    fn connection_mistake(&self) -> Option<Mistake> {
        let connection = &self.load.connection;
        let is_bundled = self.target.url.is_none();
        let mistake = |key: &str, text: String, hint: &str| {
            Some(Mistake { text, range: place_in_load(&self.text, key), hint: Some(hint.to_owned()) })
        };
        let for_https =
            [("connection.ca_file", connection.ca_file.is_some()), ("connection.insecure", connection.insecure)];
        if let Some((key, _)) = for_https.into_iter().find(|(_, is_given)| *is_given && !self.is_tls()) {
            let text = format!("`{key}` is for targets whose URL starts with https://");
            return mistake(key, text, "remove it, or name such a target");
        }
        if is_bundled && connection.http == Http::Two {
            let text = "the bundled service speaks HTTP/1.1".to_owned();
            return mistake("connection.http", text, "remove the setting, or name a target with a `url`");
        }
        let allowed = self.target.service.get("max_connections").and_then(|value| value.get_ref().parse().ok());
        let (allowed, opened) = (allowed.unwrap_or(BUNDLED_CONNECTIONS_MAX), connection.open_at_most(self.load.users));
        if is_bundled && opened > allowed {
            let text = format!("the bundled service takes {allowed} connections, this load opens {opened}");
            return mistake("users", text, "ask for a `pool`, or set `max_connections` of [target.service]");
        }
        let error = connection.check_ca_file().err()?;
        let text = format!("{:#}", anyhow::Error::new(error));
        mistake("connection.ca_file", text, "write the path of a PEM file, relative to the scenario file")
    }
}

/// Where the value of a key below `[load]` is; `None` when it is not written there (it was given by a flag, or is a default).
fn place_in_load(text: &str, key: &str) -> Option<Range<usize>> {
    let file = DeTable::parse(text).ok()?;
    let mut value = file.get_ref().get("load")?;
    let mut span = None;
    for part in key.split('.') {
        match value.get_ref().as_table().and_then(|table| table.get(part)) {
            Some(below) => (value, span) = (below, Some(below.span())),
            None => break,
        }
    }
    span
}

fn gate_mistake(gate: &Spanned<String>) -> Option<Mistake> {
    gate::parse(gate.get_ref()).err().map(|error| Mistake::in_gate(gate, &error))
}

/// Connections that the service takes unless `TRIPSAGE_MAX_CONNECTIONS` says otherwise; more have to wait.
const BUNDLED_CONNECTIONS_MAX: u32 = 8_192;

fn first_seed() -> u64 {
    1
}
