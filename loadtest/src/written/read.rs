//! From settings to journeys: data files are read, names looked up, and every mistake is kept with its place.
use super::{
    STEPS_MAX,
    expression::{KNOWN, Names},
    feeder::{Feeder, FeederSettings},
    journey::WrittenJourney,
    problem::{Error, Problem},
    reader::{is_name, read_step},
    rows,
    settings::{JourneySettings, StepSettings},
};
use crate::journeys::{self, Journey};
use reports::record::FeederRecord;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};
use toml::Spanned;

/// The journeys of a scenario file, ready to be made.
#[derive(Clone, Default)]
pub struct Written {
    /// The journeys, by name.
    pub journeys: Vec<Arc<dyn Journey>>,
    /// The data files that they take rows from.
    pub feeders: Vec<FeederRecord>,
}

impl std::fmt::Debug for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.journeys.iter().map(|journey| journey.name())).finish()
    }
}

/// Reads journeys and the data files that they use; `folder` is the one that the files' names are relative to.
///
/// # Errors
/// With every mistake, in the order of names and steps.
pub fn read(
    journeys: &BTreeMap<Spanned<String>, JourneySettings>,
    feeders: &BTreeMap<Spanned<String>, FeederSettings>,
    folder: &Path,
) -> Result<Written, Vec<Error>> {
    let mut errors = Vec::new();
    let mut read_feeders = Vec::new();
    let mut records = Vec::new();
    for (name, settings) in feeders {
        match read_feeder(name, settings, folder) {
            Ok(feeder) => {
                records.push(record(&feeder, settings));
                read_feeders.push(Arc::new(feeder));
            }
            Err(error) => errors.push(error),
        }
    }
    if !errors.is_empty() {
        // Journeys would be told that what they name does not exist.
        return Err(errors);
    }
    let read_feeders: Arc<[_]> = read_feeders.into();
    let mut taken = built_in_names();
    let mut read_journeys: Vec<Arc<dyn Journey>> = Vec::new();
    for (name, settings) in journeys {
        match read_journey(name, settings, &read_feeders, &mut taken) {
            Ok(journey) => read_journeys.push(Arc::new(journey)),
            Err(more) => errors.extend(more),
        }
    }
    if errors.is_empty() { Ok(Written { journeys: read_journeys, feeders: records }) } else { Err(errors) }
}

fn read_feeder(name: &Spanned<String>, settings: &FeederSettings, folder: &Path) -> Result<Feeder, Error> {
    let wrong = |problem| Error { span: name.span(), problem };
    let text = name.get_ref();
    if !is_name(text) || text.contains('.') {
        return Err(wrong(Problem::NotAName { name: text.clone() }));
    }
    if KNOWN.contains(&text.as_str()) {
        return Err(wrong(Problem::Taken { name: text.clone() }));
    }
    let file = settings.file.get_ref();
    let rows = rows::read(&folder.join(file), file);
    let rows = rows.map_err(|error| Error { span: settings.file.span(), problem: error.into() })?;
    Ok(Feeder { name: text.clone(), order: settings.order, rows })
}

fn record(feeder: &Feeder, settings: &FeederSettings) -> FeederRecord {
    FeederRecord {
        name: feeder.name.clone(),
        file: settings.file.get_ref().clone(),
        order: feeder.order.name().to_owned(),
        rows: feeder.rows.rows.len() as u64,
        digest: feeder.rows.digest.clone(),
    }
}

/// Names of the program's journeys and their steps: gates and tables tell things apart by them.
fn built_in_names() -> BTreeSet<String> {
    let names = |journey: &&dyn Journey| -> Vec<String> {
        let steps = journey.steps().iter().map(|step| step.name);
        steps.chain([journey.name()]).map(str::to_owned).collect()
    };
    journeys::ALL.iter().flat_map(names).collect()
}

fn read_journey(
    name: &Spanned<String>,
    settings: &JourneySettings,
    feeders: &Arc<[Arc<Feeder>]>,
    taken: &mut BTreeSet<String>,
) -> Result<WrittenJourney, Vec<Error>> {
    let mut errors: Vec<Error> = take_name(name, taken).err().into_iter().collect();
    let list = settings.steps.get_ref();
    if !(1..=STEPS_MAX).contains(&list.len()) {
        errors.push(Error { span: settings.steps.span(), problem: Problem::StepCount { count: list.len() } });
    }
    if let Some(think) = list.first().and_then(|first| first.think.as_ref()) {
        errors.push(Error { span: think.span(), problem: Problem::FirstThinks });
    }
    let mut saved = BTreeSet::new();
    let (mut steps, mut infos) = (Vec::new(), Vec::new());
    for step in list {
        errors.extend(take_name(&step.name, taken).err());
        match read_step(step, &Names { feeders, saved: &saved }, settings.login) {
            Ok(read) => {
                infos.push(info(step));
                steps.push(read);
            }
            Err(more) => errors.extend(more),
        }
        saved.extend(step.save.keys().cloned());
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(WrittenJourney { name: name.get_ref().clone(), login: settings.login, steps, infos, feeders: feeders.clone() })
}

fn take_name(name: &Spanned<String>, taken: &mut BTreeSet<String>) -> Result<(), Error> {
    let text = name.get_ref().clone();
    let problem = match is_name(&text) {
        false => Problem::NotAName { name: text },
        true if taken.insert(text.clone()) => return Ok(()),
        true => Problem::Taken { name: text },
    };
    Err(Error { span: name.span(), problem })
}

fn info(step: &StepSettings) -> journeys::Step {
    journeys::Step { name: lasting(step.name.get_ref()), is_streamed: step.stream }
}

/// A name that lives as long as the program, as those of its own steps do. Each is kept once, however often a file is read.
fn lasting(name: &str) -> &'static str {
    static KEPT: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = kept.get(name) {
        return known;
    }
    let name: &'static str = name.to_owned().leak();
    kept.insert(name);
    name
}
