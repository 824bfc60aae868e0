//! The scenario file itself: found, read, changed by flags and checked as a whole.
use crate::{
    cli::Which,
    digest::hex,
    exit::{Failure, OrExit as _},
    monitoring::{Monitoring, Watched},
    recorded,
    scenario::{BUNDLED_PARTS, Links, Mistake, Mistakes, Stand, Target, shipped},
};
use anyhow::{Context as _, anyhow};
use loadtest::{
    arrivals::Arrivals,
    connection::Http,
    warm_up::{SHORTEST_SEARCH, WarmUp},
    written::{self, FeederSettings, JourneySettings, Written},
};
use reports::{
    gate,
    record::{PhaseKind, RecordedArrivals},
    summary::Window,
    units,
};
use schemars::JsonSchema;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::{
    collections::BTreeMap,
    fs,
    ops::{Deref, Range},
    path::{Path, PathBuf},
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
    /// How the target is watched by its own metrics and alerts.
    #[serde(default)]
    pub monitoring: Monitoring,
    /// The load.
    pub load: loadtest::Settings,
    /// Journeys beside those of the program, by the name that the mix gives them.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, JourneySettings>")]
    pub journeys: BTreeMap<Spanned<String>, JourneySettings>,
    /// Data files whose rows these journeys use, by the name before the dot in `${NAME.column}`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, FeederSettings>")]
    pub feeders: BTreeMap<Spanned<String>, FeederSettings>,
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
    /// The journeys of the file, with their data.
    pub written: Written,
    /// Folder to which the files that it names are relative.
    pub folder: PathBuf,
    /// Where its recorded arrivals came from, if it has any.
    pub recorded: Option<RecordedArrivals>,
    /// How the target is watched, if it is.
    pub watched: Option<Watched>,
    /// What of the bundled stack is not as usual. No file says that.
    pub stand: Stand,
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
    pub warm_up: Option<WarmUp>,
    /// Another target.
    pub target: Option<String>,
    /// Hosts beyond loopback that may be loaded and broken.
    pub allow_hosts: Vec<String>,
    /// More gates.
    pub thresholds: Vec<String>,
    /// More gates, which end the run.
    pub abort_on: Vec<String>,
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
                no_oracle: flags.no_oracle,
            },
            warm_up: flags.warm_up,
            target: flags.target.clone(),
            allow_hosts: flags.allow_hosts.clone(),
            thresholds: flags.thresholds.clone(),
            abort_on: flags.abort_on.clone(),
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
            written: Written::default(),
            folder,
            recorded: None,
            watched: None,
            stand: Stand::default(),
        };
        scenario.change(overrides)?;
        scenario.find_files(recorded).map_err(|mistake| wrong(vec![mistake])).or_usage("")?;
        let is_bundled = scenario.file.target.url.is_none();
        let watched = scenario.file.monitoring.resolve(is_bundled, &scenario.folder);
        scenario.watched = watched.map_err(|mistake| wrong(vec![mistake])).or_usage("")?;
        let written = written::read(&scenario.file.journeys, &scenario.file.feeders, &scenario.folder);
        scenario.written = written.map_err(|errors| wrong(mistakes_in_journeys(&errors))).or_usage("")?;
        scenario.file.load.mix.adopt(&scenario.written.journeys);
        let mistakes = scenario.mistakes();
        if mistakes.is_empty() { Ok(scenario) } else { Err(wrong(mistakes)).or_usage("") }
    }

    /// The same scenario with something in its file changed, which must stay possible.
    #[must_use]
    pub(crate) fn with(&self, change: impl FnOnce(&mut File)) -> Self {
        let mut changed = self.clone();
        change(&mut changed.file);
        changed
    }

    /// The names of the links that faults can act on; `None` when only a running proxy knows them.
    #[must_use]
    pub fn links(&self) -> Option<&'static [&'static str]> {
        self.file.target.url.is_none().then(|| self.file.target.bundled_links())
    }

    /// The names of the parts of the target that faults can act on: none of a target that runs already.
    #[must_use]
    pub fn parts(&self) -> &'static [&'static str] {
        if self.file.target.url.is_none() { &BUNDLED_PARTS } else { &[] }
    }

    /// Whether the load goes over TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.file.target.url.as_ref().is_some_and(|url| url.get_ref().starts_with("https://"))
    }

    /// As one variant of a regression gate meets it in one cycle: for that long, with no other fault than the injected ones, and with
    /// nothing watched or read back.
    #[must_use]
    pub fn in_cycle(&self, load: loadtest::Settings, seed: u64, url: Option<&str>, stand: Stand) -> Self {
        let mut own = self.clone();
        own.file.faults.clone_from(&stand.faults);
        // They judge nothing here, but the tightest of them says how late a request may go out.
        own.file.gates.retain(|gate| {
            let parsed = gate::parse(gate.get_ref());
            parsed.is_ok_and(|gate| matches!(gate.window.value, Window::Run | Window::Kind(PhaseKind::Steady)))
        });
        own.file.load = load;
        own.file.load.oracle.is_on = false;
        own.file.seed = seed;
        own.watched = None;
        if let Some(url) = url {
            own.file.target = Target { url: Some(Spanned::new(0..0, url.to_owned())), ..Target::default() };
        }
        own.stand = stand;
        own
    }

    /// SHA-256 of the text, in hexadecimal digits.
    #[must_use]
    pub fn digest(&self) -> String {
        hex(&Sha256::digest(self.text.as_bytes()))
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
        let thresholds = flags.thresholds.iter().map(|gate| ("threshold", gate));
        let gates = thresholds.chain(flags.abort_on.iter().map(|gate| ("abort-on", gate)));
        for (flag, gate) in gates {
            let parsed = gate::parse(gate)
                .with_context(|| format!("in --{flag} `{gate}`"))
                .or_usage("write METRIC OP VALUE [for NAME] [class=CLASS] [window=WINDOW] [abort [after TIME]]")?;
            let clause = if flag == "abort-on" && parsed.abort.is_none() { " abort" } else { "" };
            file.gates.push(Spanned::new(0..0, format!("{gate}{clause}")));
            said(flag, format!("'{gate}'"));
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
        let load = self.load.check().err().map(|error| {
            let range = match &error {
                loadtest::settings::Error::UnknownJourney { name, .. } => place_in_mix(&self.text, name),
                _ => place_in_load(&self.text, error.key()),
            };
            Mistake::of_names(range, error)
        });
        let gates = self.gates.iter().filter_map(gate_mistake);
        let needs_links = self.target.url.is_some() && self.links.api.is_none();
        let named = self.faults.iter().filter_map(|fault| fault.named_links().next());
        let without_links = named.filter(|_| needs_links).map(|link| {
            let hint = "name the fault proxy that the service uses: [links] api = \"http://127.0.0.1:8474\"".to_owned();
            Mistake::at(link.span(), "a target with a `url` has no links of the harness's own", hint)
        });
        let is_bundled = self.target.url.is_none();
        let parts = self.faults.iter().filter(|_| !is_bundled).filter_map(|fault| fault.part.as_ref());
        let without_parts = parts.map(|part| {
            let text =
                "a target with a `url` is not started by the harness, so none of its parts is the harness's to break";
            Mistake::at(part.span(), text, "remove the fault, or remove `url`".to_owned())
        });
        let others = self.faults.iter().filter(|_| is_bundled).filter_map(|fault| self.target.database_mistake(fault));
        let unreachable = without_links.chain(without_parts).chain(others);
        let early = self.faults.iter().filter_map(|fault| fault_in_search(fault, self.load.warm_up));
        let load = load.into_iter().chain(self.connection_mistake());
        self.target.mistakes().into_iter().chain(load).chain(unreachable).chain(early).chain(gates).collect()
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

/// Where the name of a journey in the mix is; `None` when it was given by a flag.
fn place_in_mix(text: &str, name: &str) -> Option<Range<usize>> {
    let file = DeTable::parse(text).ok()?;
    let mix = file.get_ref().get("load")?.get_ref().as_table()?.get("mix")?.get_ref().as_table()?;
    mix.keys().find(|key| key.get_ref() == name).map(Spanned::span)
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

fn mistakes_in_journeys(errors: &[written::Error]) -> Vec<Mistake> {
    let mut mistakes: Vec<Mistake> =
        errors.iter().map(|error| Mistake::of_names(Some(error.span.clone()), error)).collect();
    mistakes.sort_by_key(|mistake| mistake.range.as_ref().map(|range| range.start));
    mistakes
}

fn gate_mistake(gate: &Spanned<String>) -> Option<Mistake> {
    gate::parse(gate.get_ref()).err().map(|error| Mistake::in_gate(gate, &error))
}

/// Connections that the service takes unless `TRIPSAGE_MAX_CONNECTIONS` says otherwise; more have to wait.
const BUNDLED_CONNECTIONS_MAX: u32 = 8_192;

fn first_seed() -> u64 {
    1
}
