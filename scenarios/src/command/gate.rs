//! `harness gate`: whether a candidate is slower than a baseline, and what such a gate is worth.
use super::plan::today;
use crate::{
    cli::{self, Format, Inconclusive},
    exit::{Exit, Failure},
    gate::{Course, Ended, GatePlan, Sides, self_test},
    output,
};
use loadtest::Stop;
use reports::{
    number,
    record::GateEnd,
    regression::{
        comparison::Comparison,
        judgement::{Judgement, Overall},
        self_test::SelfTest,
    },
    render,
    units::format_duration,
};
use std::{path::Path, time::Duration};
use tokio::time::Instant;

/// How long a self-test may take unless it is told.
const SELF_TEST_WITHIN: Duration = Duration::from_secs(2 * 3600);

/// Makes a gate; ends with the exit code of its verdict.
///
/// # Errors
/// When a variant cannot be found or built, the gate could not decide anything, or what was measured cannot be kept.
pub(crate) async fn gate(flags: cli::Gate, quiet: bool, stop: Stop) -> Result<u8, Failure> {
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
    match (overall, flags.inconclusive) {
        (Overall::Inconclusive, Inconclusive::Pass) => Exit::Passed as u8,
        (Overall::Inconclusive, Inconclusive::Warn) => {
            output::note("warning: the gate is inconclusive, which counts as passed here (--inconclusive warn)");
            Exit::Passed as u8
        }
        _ => overall.exit_code(),
    }
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
