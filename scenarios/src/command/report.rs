//! `harness report`: a run judged and rendered again, from its folder alone.
use crate::{
    cli::{self, Format},
    exit::{Failure, OrExit as _},
    output,
};
use anyhow::{Context as _, bail};
use reports::{record::regression::is_gate, render, report::Report};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Judges a run again, writes its pages, and prints the summary; ends with the verdict's exit code.
///
/// # Errors
/// When the run cannot be found or read, or its pages cannot be written.
pub(crate) fn report(flags: &cli::Report, quiet: bool) -> Result<u8, Failure> {
    let folder = find(&flags.run, &flags.out).or_usage("give a run's folder, its name, or `latest`")?;
    if is_gate(&folder) {
        let comparison = render::render_gate(&folder).or_usage("is it the folder of a gate?")?;
        super::gate::print(&comparison, flags.format, &folder, quiet);
        return Ok(comparison.judgement.overall.exit_code());
    }
    let written = render::render_all(&folder).or_usage("is it the folder of a run?")?;
    if flags.png {
        render::render_pngs(&folder).or_usage("free some space and try again")?;
    }
    print(&written.report, flags.format, &folder, quiet);
    Ok(written.report.verdict.exit_code)
}

/// Prints a run's summary in the form asked for; of the text only the first line when little is wanted.
pub(super) fn print(report: &Report, format: Format, folder: &Path, quiet: bool) {
    let text = || render::terminal(report, output::paint);
    match format {
        Format::Text if quiet => output::line(text().lines().next().unwrap_or_default()),
        Format::Text => {
            output::line(&format!("{}\nFILES  {}", text().trim_end(), folder.join("report.html").display()))
        }
        Format::Markdown => output::line(render::markdown(report).trim_end()),
        Format::Json => output::line(render::json(report).trim_end()),
    }
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
