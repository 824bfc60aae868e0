//! `harness history`: runs kept in a store, and how their figures went.
use super::{outputs::write_with_folder, report};
use crate::{
    cli::Format,
    commit,
    exit::{Exit, Failure, OrExit as _},
    output,
    stored::{Added, HistoryCommand, Part, Where},
};
use anyhow::{Context as _, bail, ensure};
use reports::{
    history::{
        critical::Level,
        take,
        trend::{Trend, trend},
    },
    record::{Commit, Point, store::Store},
    render,
    report::Report,
};

const NAME_A_RUN: &str = "`harness history list` shows the runs of the store";

/// Carries out a command about histories; none of them has a verdict.
///
/// # Errors
/// When the store cannot be read or written, or has no such run.
pub(crate) fn history(command: &HistoryCommand, quiet: bool) -> Result<Exit, Failure> {
    match command {
        HistoryCommand::Add { added } => {
            let point = taken(added)?;
            let path = Store::at(&added.place.store).add(&point).or_usage("remove it first, or leave it")?;
            output::line(&format!("kept {} in {}", point.id, path.display()));
        }
        HistoryCommand::List { place } => {
            let points = Store::at(&place.store).points().or_usage("is it the folder of a store?")?;
            list(&points, place)?;
        }
        HistoryCommand::Show { run, place } => {
            let point = Store::at(&place.store).find(run).or_usage(NAME_A_RUN)?;
            show(&point, place)?;
        }
        HistoryCommand::Trend { part, percentile, html } => {
            let found = of_part(part, percentile.as_deref())?;
            match part.place.format {
                Format::Text if quiet => {
                    output::line(render::trend_text(&found, output::paint).lines().next().unwrap_or_default())
                }
                Format::Text => output::line(render::trend_text(&found, output::paint).trim_end()),
                Format::Markdown => output::line(render::trend_markdown(&found).trim_end()),
                Format::Json => output::line(render::trend_json(&found).trim_end()),
            }
            if let Some(path) = html {
                let page = render::trend_page(&found).context("drawing the page")?;
                write_with_folder(path, &page).or_usage("name a file that can be written")?;
                output::note(&format!("wrote {}", path.display()));
            }
        }
        HistoryCommand::Changepoints { part } => {
            let found = of_part(part, None)?;
            match part.place.format {
                Format::Text => output::line(render::changes_text(&found).trim_end()),
                Format::Markdown => output::line(render::trend_markdown(&found).trim_end()),
                Format::Json => output::line(render::trend_json(&found).trim_end()),
            }
        }
    }
    Ok(Exit::Passed)
}

/// What is kept of a run, with its label and commit.
pub(super) fn taken(added: &Added) -> Result<Point, Failure> {
    let folder = report::find(&added.run, &added.out).or_usage("give a run's folder, its name, or `latest`")?;
    let report = Report::read(&folder).or_usage("is it the folder of a run?")?;
    let point = take(&report).or_invalid("run it again; `harness report` says what was wrong")?;
    let given = added.commit.clone().map(|hash| Commit { hash, subject: String::new(), is_dirty: false });
    Ok(Point { label: added.label.clone(), commit: given.or_else(commit::checked_out), ..point })
}

/// Prints a list of points.
pub(super) fn list(points: &[Point], place: &Where) -> Result<(), Failure> {
    match place.format {
        Format::Text if points.is_empty() => output::line(&format!("no run in {}", place.store.display())),
        Format::Text => output::line(render::points_text(points).trim_end()),
        Format::Markdown => output::line(render::points_markdown(points).trim_end()),
        Format::Json => output::line(&serde_json::to_string_pretty(points).context("a point has only text keys")?),
    }
    Ok(())
}

fn show(point: &Point, place: &Where) -> Result<(), Failure> {
    if place.format == Format::Text {
        if let Some(commit) = &point.commit {
            output::line(&format!("commit {} {}", commit.short(), commit.subject));
        }
        for condition in &point.conditions {
            output::line(&format!("{} {}", condition.name, condition.value));
        }
    }
    list(std::slice::from_ref(point), place)
}

fn of_part(part: &Part, quantity: Option<&str>) -> Result<Trend, Failure> {
    let smallest = part.smallest / 100.0;
    let is_share = (0.0..=10.0).contains(&smallest);
    let known = if is_share { Ok(()) } else { Err(anyhow::anyhow!("--smallest {} is no change", part.smallest)) };
    known.or_usage("write percent from 0 to 1000, such as 3")?;
    let mut points = Store::at(&part.place.store).points().or_usage("is it the folder of a store?")?;
    points.retain(|point| part.baseline.is_none() || point.baseline == part.baseline);
    let scenario =
        one_scenario(&points, part.scenario.as_deref()).or_usage("`harness history list` shows what there is")?;
    points.retain(|point| point.scenario == scenario);
    Ok(trend(&scenario, points, quantity, Level::One, smallest))
}

/// The scenario that is meant: the one that was named, or the only one.
pub(super) fn one_scenario(points: &[Point], wanted: Option<&str>) -> anyhow::Result<String> {
    let mut known: Vec<&str> = points.iter().map(|point| point.scenario.as_str()).collect();
    known.sort_unstable();
    known.dedup();
    if let Some(wanted) = wanted {
        ensure!(known.contains(&wanted), "there is no run of scenario `{wanted}`");
        return Ok(wanted.to_owned());
    }
    match known.as_slice() {
        [] => bail!("there is no such run in the store"),
        [only] => Ok((*only).to_owned()),
        several => bail!("there are runs of {}; choose with --scenario", several.join(", ")),
    }
}
