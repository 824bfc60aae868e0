//! `harness readiness`: the launch checklist, each row with its evidence or the name of who signed it.
use crate::{
    cli::{self, Format},
    exit::{Failure, OrExit as _},
    output,
    scenario::Scenario,
};
use anyhow::Context as _;
use jiff::{Timestamp, tz::TimeZone};
use reports::{
    readiness::{Checklist, Evidence, Signatures, judge, of_run, of_study},
    record::folder::read_run,
    render,
    report::Report,
};
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// The list that is judged unless another is named.
const LAUNCH: &str = include_str!("../../checklists/launch.toml");

/// Judges the checklist by what is in the folders, and prints it; ends with 0 only when every row is met.
///
/// # Errors
/// When the checklist or the signatures cannot be read, or contradict each other.
pub(crate) fn readiness(flags: &cli::Readiness, quiet: bool) -> Result<u8, Failure> {
    if flags.show {
        output::line(LAUNCH.trim_end());
        return Ok(0);
    }
    let checklist: Checklist = match &flags.checklist {
        Some(path) => parse(path).or_usage("`harness readiness --show` prints one to start from")?,
        None => toml::from_str(LAUNCH).context("the shipped checklist is read by a test")?,
    };
    checklist.check().or_usage("every row has a name of its own, and evidence or a person that it needs")?;
    let hint = "write [signed.ROW] with by = \"NAME\" and on = \"2026-11-24\"";
    let signatures: Signatures = flags.signed.as_deref().map_or(Ok(Signatures::default()), parse).or_usage(hint)?;
    let now = Timestamp::now();
    checklist.check_signatures(&signatures, now.to_zoned(TimeZone::UTC).date()).or_usage(hint)?;
    let mut evidence = runs(&flags.out.join("runs"), &checklist);
    evidence.extend(studies(&flags.out.join("capacity")));
    let readiness = judge(&checklist, &evidence, &signatures, now, flags.max_age);
    let text = || render::readiness_text(&readiness, output::paint);
    match flags.format {
        Format::Text if quiet => output::line(text().lines().next().unwrap_or_default()),
        Format::Text => output::line(text().trim_end()),
        Format::Markdown => output::line(render::readiness_markdown(&readiness).trim_end()),
        Format::Json => output::line(render::readiness_json(&readiness).trim_end()),
    }
    Ok(readiness.exit_code())
}

fn parse<T: DeserializeOwned>(path: impl AsRef<Path>) -> anyhow::Result<T> {
    let path = path.as_ref();
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("in {}", path.display()))
}

/// What the finished runs of the scenarios that are asked for show, in a folder. A folder that cannot be read as a run shows nothing, and the log says why.
fn runs(root: &Path, checklist: &Checklist) -> Vec<Evidence> {
    let is_asked_for = |name: &str| checklist.rows.iter().flat_map(|row| &row.needs).any(|need| need.scenario == name);
    let mut digests: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut found = Vec::new();
    for folder in folders_with(root, "run.json") {
        let head = read_run(&folder);
        if head.as_ref().is_ok_and(|run| !is_asked_for(&run.scenario.name)) {
            continue;
        }
        match head.and_then(|_| Report::read(&folder)) {
            Ok(report) => {
                let name = &report.run.scenario.name;
                let digest = digests.entry(name.clone()).or_insert_with(|| digest_of(name));
                found.extend(of_run(&report, &folder.display().to_string(), digest.as_deref()));
            }
            Err(error) => tracing::warn!("{} is no evidence: {:#}", folder.display(), anyhow::Error::new(error)),
        }
    }
    found
}

/// The digest of a scenario as it is now.
fn digest_of(name: &str) -> Option<String> {
    let found = Scenario::find(name).ok()?;
    Some(crate::digest::hex(&Sha256::digest(found.text.as_bytes())))
}

fn studies(root: &Path) -> Vec<Evidence> {
    let study = |folder: PathBuf| {
        let read = fs::read(folder.join("study.json")).map_err(anyhow::Error::new);
        let read = read.and_then(|text| Ok(serde_json::from_slice::<serde_json::Value>(&text)?));
        let found = read.map(|document| of_study(&document, &folder.display().to_string(), digest_of));
        match found {
            Ok(Some(found)) => Some(found),
            Ok(None) => {
                tracing::warn!("{} is no evidence: its study.json is not a study", folder.display());
                None
            }
            Err(error) => {
                tracing::warn!("{} is no evidence: {error:#}", folder.display());
                None
            }
        }
    };
    folders_with(root, "study.json").into_iter().filter_map(study).collect()
}

/// The folders in a folder that hold a file, those of unfinished runs left out; none where there is no such folder.
fn folders_with(root: &Path, file: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_finished = |path: &PathBuf| path.extension().is_none_or(|extension| extension != "partial");
    let mut folders: Vec<PathBuf> = entries.filter(is_finished).filter(|path| path.join(file).is_file()).collect();
    folders.sort();
    folders
}
