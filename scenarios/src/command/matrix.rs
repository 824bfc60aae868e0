//! `harness matrix`: several scenarios one after the other, and what each of their faults did to each journey.
use super::{plan::today, report, run};
use crate::{
    cli::{self, Format},
    exit::{Exit, Failure, OrExit as _},
    output,
    plan::Plan,
    scenario::{Overrides, SHIPPED, Scenario},
};
use anyhow::anyhow;
use loadtest::Stop;
use reports::{
    matrix::Matrix,
    render::{matrix_json, matrix_markdown, matrix_page, matrix_png, matrix_text},
    report::Report,
    units::format_duration,
    verdict::Overall,
};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// Runs the scenarios, or reads the runs, and writes the matrix; ends with the code of the worst verdict.
///
/// # Errors
/// When a scenario cannot be run as written, a run cannot be read, or the pages cannot be written.
pub(crate) async fn matrix(flags: cli::Matrix, quiet: bool, stop: Stop) -> Result<u8, Failure> {
    if flags.dry_run {
        return told(&planned(&flags)?);
    }
    let folders = match flags.runs.is_empty() {
        false => found(&flags)?,
        true => match carried_out(&flags, quiet, &stop).await? {
            Some(folders) => folders,
            None => return Ok(Exit::Interrupted as u8),
        },
    };
    let read = |folder: &PathBuf| Report::read(folder).or_usage("is it the folder of a run?");
    let reports: Vec<Report> = folders.iter().map(read).collect::<Result<_, Failure>>()?;
    let matrix = Matrix::of(&reports);
    if matrix.rows.is_empty() {
        return Err(anyhow!("no fault was on in these runs"))
            .or_usage("`harness scenario list` shows which have faults");
    }
    let newest = reports.iter().map(|report| report.run.id.as_str()).max().unwrap_or_default();
    let page = write(&flags.course.out.join(format!("matrix-{newest}")), &matrix)?;
    match flags.format {
        Format::Text if quiet => output::line(&matrix.headline()),
        Format::Text => {
            output::line(&format!("{}\nFILES  {}", matrix_text(&matrix, output::paint).trim_end(), page.display()));
        }
        Format::Markdown => output::line(matrix_markdown(&matrix).trim_end()),
        Format::Json => output::line(matrix_json(&matrix).trim_end()),
    }
    let worst = reports.iter().map(|report| report.verdict.overall).min().unwrap_or(Overall::Passed);
    Ok(worst.exit_code())
}

/// The folders of runs that are named.
fn found(flags: &cli::Matrix) -> Result<Vec<PathBuf>, Failure> {
    let find =
        |run: &String| report::find(run, &flags.course.out).or_usage("give a run's folder, its name, or `latest`");
    flags.runs.iter().map(find).collect()
}

/// Runs every scenario; `None` when it was interrupted.
async fn carried_out(flags: &cli::Matrix, quiet: bool, stop: &Stop) -> Result<Option<Vec<PathBuf>>, Failure> {
    let planned = planned(flags)?;
    let count = planned.len();
    let mut folders = Vec::new();
    for (number, (scenario, plan)) in planned.into_iter().enumerate() {
        if !quiet {
            output::note(&format!("{} of {count}: {}", number + 1, scenario.name));
        }
        // Of each run, only its line on progress; the matrix is what is printed.
        let done = run::carried_out(scenario, plan, flags.course.clone(), quiet, stop.clone()).await?;
        match done.made {
            Some((_, folder)) if !stop.drain.is_cancelled() => folders.push(folder),
            _ => return Ok(None),
        }
    }
    Ok(Some(folders))
}

/// Prints what would be run.
fn told(planned: &[(Scenario, Plan)]) -> Result<u8, Failure> {
    let length = |plan: &Plan| plan.load.settings().duration;
    for (scenario, plan) in planned {
        output::line(&format!("{}, {}\n{}", scenario.name, format_duration(length(plan)), plan.timeline));
    }
    let total: Duration = planned.iter().map(|(_, plan)| length(plan)).sum();
    output::line(&format!("{} of load in all", format_duration(total)));
    Ok(Exit::Passed as u8)
}

/// Every scenario with its plan, so that a mistake in the last one is told before the first is run.
fn planned(flags: &cli::Matrix) -> Result<Vec<(Scenario, Plan)>, Failure> {
    let mut names = flags.scenarios.clone();
    if flags.all {
        names.extend(SHIPPED.iter().map(|(name, _)| (*name).to_owned()));
    }
    if names.is_empty() {
        return Err(anyhow!("there is nothing to run")).or_usage("name scenarios, or give --all or --runs");
    }
    let mut planned = Vec::new();
    for name in names {
        let scenario = Scenario::load(&name, &Overrides::default())?;
        if !scenario.faults.is_empty() {
            let plan = Plan::new(&scenario, today())?;
            planned.push((scenario, plan));
        } else if !flags.all {
            return Err(anyhow!("scenario `{name}` has no faults"))
                .or_usage("a matrix is made of faults: leave it out");
        }
    }
    Ok(planned)
}

/// Writes every page; says where the one for browsers is.
fn write(folder: &Path, matrix: &Matrix) -> Result<PathBuf, Failure> {
    const ROOM: &str = "free some space, and give the runs with --runs";
    fs::create_dir_all(folder).or_invalid(ROOM)?;
    let page = matrix_page(matrix).or_invalid("this is a bug")?;
    let png = matrix_png(matrix).or_invalid("this is a bug")?;
    let texts = [("matrix.html", page), ("matrix.md", matrix_markdown(matrix)), ("matrix.json", matrix_json(matrix))];
    for (name, text) in texts {
        fs::write(folder.join(name), text).or_invalid(ROOM)?;
    }
    if let Some(png) = png {
        fs::write(folder.join("matrix.png"), png).or_invalid(ROOM)?;
    }
    Ok(folder.join("matrix.html"))
}
