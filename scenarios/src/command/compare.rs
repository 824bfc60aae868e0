//! `harness compare`: how runs differ, whatever they are; no verdict.
use super::{outputs::write_with_folder, report};
use crate::{
    cli::{self, Format},
    exit::{Exit, Failure, OrExit as _},
    output,
};
use anyhow::Context as _;
use reports::{
    delta::{Compared, Deltas},
    record::folder::read_metrics,
    render,
    report::Report,
};
use std::path::Path;

/// Compares runs with the first of them; ends with 0, whatever the difference.
///
/// # Errors
/// When a run cannot be found or read, or the page cannot be written.
pub(crate) fn compare(flags: &cli::Compare, quiet: bool) -> Result<Exit, Failure> {
    let mut compared = Vec::new();
    for run in &flags.runs {
        let folder = report::find(run, &flags.out).or_usage("give runs' folders, their names, or `latest`")?;
        compared.push(read(&folder).or_usage("is it the folder of a run?")?);
    }
    let deltas = Deltas::of(&compared).context("fewer than two runs").or_usage("name at least two runs")?;
    let text = || render::delta_text(&deltas, output::paint);
    match flags.format {
        Format::Text if quiet => output::line(text().lines().next().unwrap_or_default()),
        Format::Text => output::line(text().trim_end()),
        Format::Markdown => output::line(render::delta_markdown(&deltas).trim_end()),
        Format::Json => output::line(render::delta_json(&deltas).trim_end()),
    }
    if let Some(path) = &flags.html {
        let page = render::delta_page(&compared, &deltas).context("drawing the page")?;
        write_with_folder(path, &page).or_usage("name a file that can be written")?;
        output::note(&format!("wrote {}", path.display()));
    }
    Ok(Exit::Passed)
}

fn read(folder: &Path) -> anyhow::Result<Compared> {
    let report = Report::read(folder)?;
    let metrics = report.run.monitoring.as_ref().map(|_| read_metrics(folder)).transpose()?;
    Ok(Compared { report, metrics: metrics.map(|(metrics, _)| metrics) })
}
