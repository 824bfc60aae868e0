//! `harness gate`: whether a candidate is slower than a baseline, and what such a gate is worth.
use super::{find_run, plan::today};
use crate::{
    cli::{self, Format, Inconclusive},
    exit::{Exit, Failure, OrExit as _},
    gate::{Course, Ended, GatePlan, Sides, self_test},
    output,
};
use anyhow::Context as _;
use loadtest::Stop;
use reports::{
    number,
    record::GateEnd,
    regression::{
        comparison::Comparison,
        judgement::{Judgement, Overall},
        past::{Job, compare},
        self_test::SelfTest,
    },
    render,
    report::Report,
    units::format_duration,
};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::Instant;

/// How long a self-test may take unless it is told.
const SELF_TEST_WITHIN: Duration = Duration::from_secs(2 * 3600);

/// Makes a gate; ends with the exit code of its verdict.
///
/// # Errors
/// When a variant cannot be found or built, the gate could not decide anything, or what was measured cannot be kept.
pub(crate) async fn gate(flags: cli::Gate, quiet: bool, stop: Stop) -> Result<u8, Failure> {
    if !flags.stored.is_empty() {
        return against_past(&flags, quiet);
    }
    let plan = GatePlan::new(&flags, today())?;
    if flags.self_test {
        return test_itself(&flags, &plan, quiet, &stop).await;
    }
    if flags.dry_run {
        output::line(&format!("{}\n{}", plan.head(None), plan.finds()));
        return Ok(Exit::Passed as u8);
    }
    let sides = Sides::find(&flags, quiet, &stop).await?;
    if !quiet {
        output::note(&format!("{}\n{}", plan.head(Some(&sides)), plan.finds()));
    }
    let tell = |cycles: usize, took: Duration, judgement: &Judgement| {
        if !quiet {
            output::note(&progress(cycles, took, judgement));
        }
    };
    let candidate_stand = crate::scenario::Stand::default();
    let course = Course { plan: &plan, sides: &sides, candidate_stand, begun: Instant::now(), tell: &tell };
    let ended = course.run(&flags.out, &stop).await?;
    Ok(conclude(&ended, &flags, quiet, &plan))
}

/// One line after each cycle.
fn progress(cycles: usize, took: Duration, judgement: &Judgement) -> String {
    let took = number::seconds(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    match judgement.next_look {
        Some(next) => format!("cycle {cycles:>2} done in {took}; the next look is after {next}"),
        None => format!("cycle {cycles:>2} done in {took}"),
    }
}

/// Prints the result, and says how the program ends.
fn conclude(ended: &Ended, flags: &cli::Gate, quiet: bool, plan: &GatePlan) -> u8 {
    let Ended { comparison, folder, end } = ended;
    print(comparison, flags.format, folder, quiet);
    let overall = comparison.judgement.overall;
    match (end, overall, flags.inconclusive) {
        (GateEnd::Interrupted, ..) => {
            output::note("interrupted: what the cycles before it tell is above");
            return Exit::Interrupted as u8;
        }
        (GateEnd::OutOfTime, Overall::Inconclusive, _) => output::note(&format!(
            "ended early: the next look could not be reached within {}; see --within",
            format_duration(plan.within)
        )),
        _ => {}
    }
    exit_code(overall, flags.inconclusive)
}

/// The exit code of a verdict, as the policy has it.
fn exit_code(overall: Overall, policy: Inconclusive) -> u8 {
    match (overall, policy) {
        (Overall::Inconclusive, Inconclusive::Pass) => Exit::Passed as u8,
        (Overall::Inconclusive, Inconclusive::Warn) => {
            output::note("warning: the gate is inconclusive, which counts as passed here (--inconclusive warn)");
            Exit::Passed as u8
        }
        _ => overall.exit_code(),
    }
}

/// Judges a finished run by those of past jobs.
fn against_past(flags: &cli::Gate, quiet: bool) -> Result<u8, Failure> {
    let folder = find_run(&flags.scenario, &flags.out)
        .or_usage("with --stored, the run that is judged is named: its folder, its name, or `latest`")?;
    let read = |folder: &Path| {
        Report::read(folder).map(Job::of).with_context(|| format!("{} is not the folder of a run", folder.display()))
    };
    let new = read(&folder).or_usage("name a run that has ended")?;
    let past = runs_in(&flags.stored).or_usage("name folders of runs, or folders that hold such")?;
    let past = past.iter().map(|folder| read(folder)).collect::<Result<Vec<_>, _>>();
    let past = past.or_usage("name folders of runs, or folders that hold such")?;
    let done = match compare(&new, &past, flags.alpha) {
        Ok(done) => done,
        Err((error, left_out)) => {
            for left_out in left_out {
                output::note(&format!("left out {}: {}", left_out.run, left_out.why));
            }
            let hint = Some("keep more runs of the main branch, or compare programs: --baseline rev:main".to_owned());
            return Err(Failure { exit: Exit::NoBaseline, hint, error: error.into() });
        }
    };
    let text = || render::past_text(&done, output::paint);
    match flags.format {
        Format::Text if quiet => output::line(text().lines().next().unwrap_or_default()),
        Format::Text => output::line(text().trim_end()),
        Format::Markdown => output::line(render::past_markdown(&done).trim_end()),
        Format::Json => output::line(render::past_json(&done).trim_end()),
    }
    Ok(exit_code(done.overall, flags.inconclusive))
}

/// The folders of runs among these and directly in them, by name and so by time.
fn runs_in(folders: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let is_run = |path: &Path| path.join("run.json").is_file();
    let mut runs = Vec::new();
    for folder in folders {
        if is_run(folder) {
            runs.push(folder.clone());
            continue;
        }
        let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
        let before = runs.len();
        let below = entries.flatten().map(|entry| entry.path());
        runs.extend(below.filter(|path| is_run(path) && path.extension().is_none_or(|name| name != "partial")));
        anyhow::ensure!(runs.len() > before, "there is no run in {}", folder.display());
    }
    runs.sort_by(|one, other| one.file_name().cmp(&other.file_name()));
    runs.dedup();
    Ok(runs)
}

/// Prints a gate in the form asked for; of the text only the first line when little is wanted.
pub(super) fn print(comparison: &Comparison, format: Format, folder: &Path, quiet: bool) {
    let text = || render::regression_text(comparison, output::paint);
    match format {
        Format::Text if quiet => output::line(text().lines().next().unwrap_or_default()),
        Format::Text => {
            output::line(&format!("{}\nFILES  {}", text().trim_end(), folder.join("report.html").display()));
        }
        Format::Markdown => output::line(render::regression_markdown(comparison).trim_end()),
        Format::Json => output::line(render::regression_json(comparison).trim_end()),
    }
}

async fn test_itself(flags: &cli::Gate, plan: &GatePlan, quiet: bool, stop: &Stop) -> Result<u8, Failure> {
    let plan = GatePlan { within: flags.within.unwrap_or(SELF_TEST_WITHIN), ..plan.clone() };
    if flags.dry_run || !quiet {
        let text = format!("{}\n{}", plan.head(None), plan.finds());
        if flags.dry_run { output::line(&text) } else { output::note(&text) }
    }
    if flags.dry_run {
        return Ok(Exit::Passed as u8);
    }
    let folder = flags.out.join(format!("self-test-{}", jiff::Timestamp::now().strftime("%Y-%m-%dT%H-%M-%SZ")));
    let made = self_test(&plan, &flags.kinds, flags.trials, &folder, quiet, stop).await?;
    let Some((done, end)) = made else { return Ok(Exit::Interrupted as u8) };
    print_self_test(&done, flags.format, &folder, quiet);
    match end {
        GateEnd::Interrupted => return Ok(Exit::Interrupted as u8),
        GateEnd::OutOfTime => output::note("ended early: the next gate could not be made in the time; see --within"),
        GateEnd::Completed => {}
    }
    Ok(done.overall().exit_code())
}

fn print_self_test(done: &SelfTest, format: Format, folder: &Path, quiet: bool) {
    let text = || render::self_test_text(done, output::paint);
    match format {
        Format::Text if quiet => output::line(text().lines().next().unwrap_or_default()),
        Format::Text => {
            output::line(&format!("{}\nFILES  {}", text().trim_end(), folder.join("self-test.html").display()));
        }
        Format::Markdown => output::line(render::self_test_markdown(done).trim_end()),
        Format::Json => output::line(render::self_test_json(done).trim_end()),
    }
}
