//! `harness faults`: faults by hand on links that run, and what a harness that was killed has left.
use crate::{
    cli::{FaultOn, FaultsCommand, Proxy},
    exit::{Exit, Failure, OrExit as _},
    output,
    stack::allowed,
};
use anyhow::{Context as _, anyhow};
use chaos::{Control, Fate, FaultSettings, Injectors, Journal, Leftover, Timeline};
use loadtest::Stop;
use reports::{
    record::{FaultEnd, FaultRecord},
    units::format_duration,
};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::Instant;

/// The journal's name in a run's folder.
pub(crate) const JOURNAL: &str = "faults.ndjson";

/// Carries one of its commands out.
///
/// # Errors
/// When a flag is wrong, the fault proxy cannot be reached or refuses, or a fault cannot be lifted.
pub(crate) async fn faults(command: FaultsCommand, stop: Stop) -> Result<Exit, Failure> {
    match command {
        FaultsCommand::List => list(),
        FaultsCommand::Describe { fault } => describe(&fault),
        FaultsCommand::Status(proxy) => status(&proxy).await,
        FaultsCommand::Apply(fault) => apply(&fault, stop).await,
        FaultsCommand::Clear { link, proxy } => clear(link.as_deref(), &proxy).await,
        FaultsCommand::Sweep { out } => sweep(&out).await,
    }
}

/// One kind of fault, as the schema of scenario files has it.
struct Kind {
    name: String,
    about: String,
    /// Its settings: name, what it is, whether it must be given.
    settings: Vec<(String, String, bool)>,
}

fn list() -> Result<Exit, Failure> {
    let kinds = kinds();
    let widest = kinds.iter().map(|kind| kind.name.len()).max().unwrap_or(0);
    for kind in kinds {
        output::line(&format!("{:widest$}  {}", kind.name, kind.about));
    }
    Ok(Exit::Passed)
}

fn describe(name: &str) -> Result<Exit, Failure> {
    let kinds = kinds();
    let kind = kinds.iter().find(|kind| kind.name == name || kind.name.rsplit('.').next() == Some(name));
    let kind =
        kind.ok_or_else(|| anyhow!("there is no fault `{name}`")).or_usage("`harness faults list` lists them")?;
    output::line(&format!("{}: {}", kind.name, kind.about));
    for (setting, about, is_needed) in &kind.settings {
        let needed = if *is_needed { " (needed)" } else { "" };
        output::line(&format!("  {setting}{needed}: {about}"));
    }
    Ok(Exit::Passed)
}

/// Every fault that a scenario can have, from the schema of scenario files, which is made from the code.
fn kinds() -> Vec<Kind> {
    let schema = serde_json::to_value(crate::scenario::schema()).unwrap_or_default();
    let definitions = &schema["$defs"];
    let mut found = Vec::new();
    walk(&definitions["Fault"], definitions, "", &mut found);
    found
}

fn walk(choice: &Value, definitions: &Value, before: &str, found: &mut Vec<Kind>) {
    for variant in choice["oneOf"].as_array().into_iter().flatten() {
        let about = text(&variant["description"]);
        if let Some(name) = variant["const"].as_str() {
            found.push(Kind { name: format!("{before}{name}"), about: about.clone(), settings: Vec::new() });
        }
        // Variants without settings may share one list.
        for name in variant["enum"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            found.push(Kind { name: format!("{before}{name}"), about: about.clone(), settings: Vec::new() });
        }
        for (name, settings) in variant["properties"].as_object().into_iter().flatten() {
            let settings = resolved(settings, definitions);
            match settings["oneOf"].is_array() {
                true => walk(settings, definitions, &format!("{before}{name}."), found),
                false => {
                    let (name, about) = (format!("{before}{name}"), about.clone());
                    found.push(Kind { name, about, settings: settings_of(settings, definitions) });
                }
            }
        }
    }
}

fn settings_of(settings: &Value, definitions: &Value) -> Vec<(String, String, bool)> {
    let needed: Vec<&str> = settings["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let setting = |(name, about): (&String, &Value)| {
        let own = text(&about["description"]);
        let told = if own.is_empty() { text(&resolved(about, definitions)["description"]) } else { own };
        (name.clone(), told, needed.contains(&name.as_str()))
    };
    settings["properties"].as_object().into_iter().flatten().map(setting).collect()
}

fn resolved<'a>(value: &'a Value, definitions: &'a Value) -> &'a Value {
    let name = value["$ref"].as_str().and_then(|path| path.rsplit('/').next());
    name.map_or(value, |name| &definitions[name])
}

/// A description in one line.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn control(proxy: &Proxy) -> Result<Control, Failure> {
    let control = Control::new(&proxy.api).or_usage("write the base URL of a fault proxy's HTTP API")?;
    allowed(&proxy.api, &proxy.allow_hosts).or_usage("name the host with --allow-host if it is yours to break")?;
    Ok(control)
}

const IS_IT_RUNNING: &str = "is the fault proxy running there? `harness links` is one";

async fn status(proxy: &Proxy) -> Result<Exit, Failure> {
    let links = control(proxy)?.links().await.or_try_again(IS_IT_RUNNING)?;
    if links.is_empty() {
        output::line("the fault proxy has no links");
    }
    for link in links.values() {
        let lease = |ttl_ms: Option<u64>| match ttl_ms {
            Some(ttl_ms) => format!("lease {}", format_duration(Duration::from_millis(ttl_ms))),
            None => "no lease".to_owned(),
        };
        let state = if link.enabled { "up".to_owned() } else { format!("down ({})", lease(link.ttl_ms)) };
        output::line(&format!("{}  {} -> {}  {state}", link.name, link.listen, link.upstream));
        for toxic in &link.toxics {
            let settings = toxic.attributes.iter().filter(|(name, _)| *name != "ttl_ms");
            let settings = words(settings.map(|(name, value)| (name.as_str(), value)));
            let lease = lease(toxic.attributes.get("ttl_ms").and_then(Value::as_u64));
            let share = share(toxic.toxicity, "connections");
            output::line(&format!("  {}: {} {}{settings}{share} ({lease})", toxic.name, toxic.kind, toxic.stream));
        }
        for rule in &link.rules {
            let settings = words(rule.attributes.iter().map(|(name, value)| (name.as_str(), value)));
            let (share, lease) = (share(rule.share, "requests"), lease(rule.ttl_ms));
            output::line(&format!("  {}: {}{settings}{share}{} ({lease})", rule.name, rule.kind, rule.selector));
        }
    }
    Ok(Exit::Passed)
}

/// Settings after a space, such as ` latency 250, jitter 0`; nothing when there are none.
fn words<'a>(settings: impl Iterator<Item = (&'a str, &'a Value)>) -> String {
    let settings: Vec<String> = settings.map(|(name, value)| format!("{name} {value}")).collect();
    if settings.is_empty() { String::new() } else { format!(" {}", settings.join(", ")) }
}

fn share(share: f64, of: &str) -> String {
    if share < 1.0 { format!(", {} % of {of}", share * 100.0) } else { String::new() }
}

async fn apply(flags: &FaultOn, stop: Stop) -> Result<Exit, Failure> {
    let timeline = timeline(flags)?;
    let fault = timeline.faults().first().context("one fault was asked for")?;
    let length = format_duration(flags.lasts);
    if flags.dry_run {
        output::line(&format!(
            "would put on for {length}: {} on {} of {}",
            fault.description(),
            flags.link,
            flags.proxy.api
        ));
        return Ok(Exit::Passed);
    }
    let control = control(&flags.proxy)?;
    control.link(&flags.link).await.or_try_again(IS_IT_RUNNING)?;
    output::note(&format!("{} on {} for {length}; Ctrl-C lifts it", fault.description(), flags.link));
    let folder = std::env::temp_dir().join("harness-faults");
    fs::create_dir_all(&folder).context("making a folder for the journal").or_try_again("free some space")?;
    let path = folder.join(format!("{}.ndjson", uuid::Uuid::new_v4().simple()));
    let journal = Journal::create(&path).or_try_again("free some space")?;
    let injectors = Injectors::from(control).with_journal(journal);
    let records = chaos::drive(&timeline, injectors, Instant::now(), stop.drain).await;
    let record = records.into_iter().next().context("a fault has a record")?;
    if record.end != FaultEnd::LeftBehind {
        let _ = fs::remove_file(&path);
    }
    told(&record)
}

fn told(record: &FaultRecord) -> Result<Exit, Failure> {
    let on = record.window.map_or(Duration::ZERO, |window| Duration::from_nanos(window.to_ns - window.from_ns));
    let touched = record.effect.map_or_else(
        || "what it touched was not counted".to_owned(),
        |effect| {
            format!("{} connections, {} chunks, {} bytes touched", effect.connections, effect.chunks, effect.bytes)
        },
    );
    let why = record.error.clone().unwrap_or_default();
    match record.end {
        FaultEnd::Lifted | FaultEnd::LiftedEarly | FaultEnd::LeaseExpired => {
            let seconds = on.as_secs_f64();
            let end =
                if record.end == FaultEnd::LeaseExpired { format!("; it ended early: {why}") } else { String::new() };
            output::line(&format!("was on for {seconds:.3} s; {touched}{end}"));
            Ok(Exit::Passed)
        }
        FaultEnd::NeverOn => {
            Err(anyhow!("the fault was never on: {why}")).or_try_again("`harness faults status` shows the links")
        }
        FaultEnd::LeftBehind => Err(left(&[format!("{}: {why}", record.name)])),
    }
}

/// The fault of the flags, as a scenario would have it.
fn timeline(flags: &FaultOn) -> Result<Timeline, Failure> {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    // `down` is short for `"down"`.
    let is_word = flags.fault.chars().all(|character| character.is_ascii_alphanumeric() || character == '_');
    let fault = if is_word { quoted(&flags.fault) } else { flags.fault.clone() };
    let mut text = format!(
        "link = {}\nat = \"0s\"\nfor = \"{}\"\nlease = \"{}\"\nfault = {fault}\n",
        quoted(&flags.link),
        format_duration(flags.lasts),
        format_duration(flags.lease)
    );
    if let Some(direction) = &flags.direction {
        text += &format!("direction = {}\n", quoted(direction));
    }
    if let Some(share) = flags.share {
        text += &format!("share = {share:?}\n");
    }
    const HINT: &str = "write a fault as a scenario does, such as down or '{ latency = { delay = \"250ms\" } }'";
    let settings: FaultSettings =
        toml::from_str(&text).map_err(|error| anyhow!("{}", error.message().trim_end())).or_usage(HINT)?;
    let timeline = Timeline::new(&[settings], &[&flags.link], flags.lasts);
    let first = timeline.map_err(|mut errors| anyhow::Error::new(errors.remove(0)));
    first.or_usage(HINT)
}

async fn clear(link: Option<&str>, proxy: &Proxy) -> Result<Exit, Failure> {
    let control = control(proxy)?;
    let cleared = match link {
        None => control.reset().await,
        Some(link) => control.clear(link).await,
    };
    cleared.map_err(|error| left(&[format!("{:#}", anyhow::Error::new(error))]))?;
    let what = link.map_or_else(|| "every link".to_owned(), |link| format!("link {link}"));
    output::line(&format!("no fault is left on {what}"));
    Ok(Exit::Passed)
}

async fn sweep(out: &Path) -> Result<Exit, Failure> {
    let leftovers = swept(out).await?;
    if leftovers.is_empty() {
        output::line("nothing was left");
    }
    for leftover in &leftovers {
        output::line(&told_fate(leftover));
    }
    ensure_none_left(&leftovers)?;
    Ok(Exit::Passed)
}

/// Sweeps what killed runs have left, before a new run starts.
///
/// # Errors
/// When a fault is left that cannot be undone: nothing is measured beside it.
pub(crate) async fn sweep_before_a_run(out: &Path) -> Result<(), Failure> {
    let leftovers = swept(out).await?;
    for leftover in leftovers.iter().filter(|leftover| leftover.fate == Fate::Undone) {
        output::note(&format!("left by an earlier run, and now undone: {}", leftover.fault));
    }
    ensure_none_left(&leftovers)
}

async fn swept(out: &Path) -> Result<Vec<Leftover>, Failure> {
    let by_hand = std::env::temp_dir().join("harness-faults");
    let mut journals: Vec<PathBuf> = entries(out).into_iter().map(|run| run.join(JOURNAL)).collect();
    journals.retain(|journal| journal.is_file());
    journals.extend(entries(&by_hand));
    journals.sort();
    chaos::sweep(&journals)
        .await
        .context("reading the journals of faults")
        .or_try_again("see what is wrong with the file")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn told_fate(leftover: &Leftover) -> String {
    let fate = match &leftover.fate {
        Fate::Undone => "undone".to_owned(),
        Fate::Gone => "gone by itself".to_owned(),
        Fate::Running => "its run goes on; not touched".to_owned(),
        Fate::Left(why) => format!("LEFT: {why}"),
    };
    format!("{} ({}): {fate}", leftover.fault, leftover.journal.display())
}

fn ensure_none_left(leftovers: &[Leftover]) -> Result<(), Failure> {
    let left_behind: Vec<String> =
        leftovers.iter().filter(|leftover| matches!(leftover.fate, Fate::Left(_))).map(told_fate).collect();
    if left_behind.is_empty() { Ok(()) } else { Err(left(&left_behind)) }
}

fn left(faults: &[String]) -> Failure {
    let hint = Some("`harness faults sweep` tries again; `harness faults status` shows what is on".to_owned());
    Failure { exit: Exit::FaultsLeft, hint, error: anyhow!("left behind: {}", faults.join("; ")) }
}
