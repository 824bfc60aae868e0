//! `harness report`: a run judged and rendered again, from its folder alone.
use super::outputs;
use crate::{
    cli::{self, Format},
    exit::{Exit, Failure, OrExit as _},
    output,
};
use anyhow::{Context as _, bail};
use clap::ValueEnum as _;
use reports::{record::regression::is_gate, render};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Judges a run again, writes its pages, and prints the summary; ends with the verdict's exit code. Or prints the schema of the JSON form.
///
/// # Errors
/// When the run cannot be found or read, or its pages cannot be written.
pub(crate) fn report(flags: &cli::Report, quiet: bool) -> Result<u8, Failure> {
    let Some(run) = flags.run.as_deref().filter(|_| !flags.schema) else {
        output::line(render::json_schema().trim_end());
        return Ok(Exit::Passed as u8);
    };
    let folder = find(run, &flags.out).or_usage("give a run's folder, its name, or `latest`")?;
    if is_gate(&folder) {
        let comparison = render::render_gate(&folder).or_usage("is it the folder of a gate?")?;
        super::gate::print(&comparison, plain_format(&flags.outputs)?, &folder, quiet);
        return Ok(comparison.judgement.overall.exit_code());
    }
    let written = render::render_all(&folder).or_usage("is it the folder of a run?")?;
    if flags.png {
        render::render_pngs(&folder).or_usage("free some space and try again")?;
    }
    outputs::give(&written.report, &flags.outputs, &folder, quiet)?;
    Ok(written.report.verdict.exit_code)
}

/// The form in which a gate is printed, which has fewer of them than a run.
fn plain_format(outputs: &cli::Outputs) -> Result<Format, Failure> {
    let name = outputs.format.first().map_or("text", |format| format.name);
    let known = Format::value_variants().iter().copied();
    let found =
        known.into_iter().find(|format| format.to_possible_value().is_some_and(|value| value.matches(name, false)));
    found
        .with_context(|| format!("a gate has no form `{name}`"))
        .or_usage("text, markdown or json; its page is in its folder")
}

pub(crate) fn find(run: &str, root: &Path) -> anyhow::Result<PathBuf> {
    if run == "latest" {
        return latest(root);
    }
    let choices = [PathBuf::from(run), root.join(run), root.join(format!("{run}.partial"))];
    let found = choices.into_iter().find(|path| path.is_dir());
    found.with_context(|| format!("there is no run `{run}`, neither here nor in {}", root.display()))
}

/// Names begin with the time of the start, so the last name is the latest run.
fn latest(root: &Path) -> anyhow::Result<PathBuf> {
    let entries = fs::read_dir(root).with_context(|| format!("cannot read {}", root.display()))?;
    let names = entries.flatten().map(|entry| entry.path()).filter(|path| path.join("run.json").is_file());
    match names.max() {
        Some(path) => Ok(path),
        None => bail!("there is no run in {}", root.display()),
    }
}
