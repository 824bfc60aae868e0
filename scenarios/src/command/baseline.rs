//! `harness baseline`: the runs that later ones are compared with, where the old program is not there any more.
use super::history::{list, one_scenario, taken};
use crate::{
    cli::Format,
    exit::{Exit, Failure, OrExit as _},
    output,
    stored::{BaselineCommand, Where},
};
use anyhow::{Context as _, bail};
use reports::{
    history::{stored_metrics, what_it_is_worth},
    record::{Point, obstacles, store::Store},
    render,
};

const NAME_A_RUN: &str = "`harness history list` shows the runs of the store";
const UNLIKE: &str = "runs of other conditions are another baseline: choose its --name";

/// Carries out a command about baselines.
///
/// # Errors
/// When the store cannot be read or written, has no such run or baseline, or a run is unlike those of its baseline.
pub(crate) fn baseline(command: &BaselineCommand) -> Result<Exit, Failure> {
    match command {
        BaselineCommand::Add { added, name } => {
            let store = Store::at(&added.place.store);
            let point = Point { baseline: Some(name.clone()), ..taken(added)? };
            ensure_like(&store, &point, name)?;
            let path = store.add(&point).or_usage("`harness baseline promote` takes a run that is there already")?;
            told(&store, &point, name, &path.display().to_string())?;
        }
        BaselineCommand::Promote { run, name, place } => {
            let store = Store::at(&place.store);
            let point = Point { baseline: Some(name.clone()), ..store.find(run).or_usage(NAME_A_RUN)? };
            ensure_like(&store, &point, name)?;
            let path = store.put(&point).or_usage("name a store that can be written")?;
            told(&store, &point, name, &path.display().to_string())?;
        }
        BaselineCommand::Rm { run, place } => {
            let store = Store::at(&place.store);
            let point = store.find(run).or_usage(NAME_A_RUN)?;
            store.remove(&point).or_usage("name a store that can be written")?;
            output::line(&format!("removed {}", point.id));
        }
        BaselineCommand::List { place } => {
            let mut points = Store::at(&place.store).points().or_usage("is it the folder of a store?")?;
            points.retain(|point| point.baseline.is_some());
            points.sort_by(|a, b| (&a.baseline, &a.scenario, &a.at).cmp(&(&b.baseline, &b.scenario, &b.at)));
            list(&points, place)?;
        }
        BaselineCommand::Show { name, scenario, place } => show(name, scenario.as_deref(), place)?,
    }
    Ok(Exit::Passed)
}

/// The runs of a baseline and scenario, oldest first.
fn members(store: &Store, name: &str, scenario: &str) -> Result<Vec<Point>, Failure> {
    let mut points = store.points().or_usage("is it the folder of a store?")?;
    points.retain(|point| point.baseline.as_deref() == Some(name) && point.scenario == scenario);
    Ok(points)
}

/// A run is compared with the last of its baseline: what is like that one is like all of them.
fn ensure_like(store: &Store, point: &Point, name: &str) -> Result<(), Failure> {
    let members = members(store, name, &point.scenario)?;
    let Some(last) = members.iter().rfind(|member| member.id != point.id) else { return Ok(()) };
    let found = obstacles(&last.conditions, &point.conditions);
    let text: Vec<String> = found
        .iter()
        .map(|difference| format!("{} is {}, was {}", difference.name, difference.values[1], difference.values[0]))
        .collect();
    let alike = if found.is_empty() { Ok(()) } else { Err(text.join("; ")) };
    alike
        .map_err(|text| anyhow::anyhow!("run {} is unlike {} of baseline {name}: {text}", point.id, last.id))
        .map_err(|error| Failure { exit: Exit::NoBaseline, hint: Some(UNLIKE.to_owned()), error })
}

fn told(store: &Store, point: &Point, name: &str, path: &str) -> Result<(), Failure> {
    let count = members(store, name, &point.scenario)?.len();
    output::line(&format!("{} is run {count} of baseline {name}, scenario {}: {path}", point.id, point.scenario));
    Ok(())
}

fn show(name: &str, scenario: Option<&str>, place: &Where) -> Result<(), Failure> {
    let store = Store::at(&place.store);
    let mut points = store.points().or_usage("is it the folder of a store?")?;
    points.retain(|point| point.baseline.as_deref() == Some(name));
    let known = if points.is_empty() { no_baseline(name) } else { one_scenario(&points, scenario) };
    let scenario = known.map_err(|error| Failure {
        exit: Exit::NoBaseline,
        hint: Some("`harness baseline list` shows what there is".to_owned()),
        error,
    })?;
    points.retain(|point| point.scenario == scenario);
    let metrics = stored_metrics(&points);
    match place.format {
        Format::Text => output::line(render::stored_text(name, &scenario, points.len(), &metrics).trim_end()),
        Format::Markdown => output::line(render::stored_markdown(name, &scenario, points.len(), &metrics).trim_end()),
        Format::Json => output::line(&serde_json::to_string_pretty(&metrics).context("metrics have only text keys")?),
    }
    if place.format == Format::Text {
        output::line(&what_it_is_worth(points.len()));
    }
    Ok(())
}

fn no_baseline(name: &str) -> anyhow::Result<String> {
    bail!("there is no baseline `{name}`")
}
