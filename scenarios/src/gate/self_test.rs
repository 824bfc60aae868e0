//! `harness gate --self-test`: gates whose answer is known, on this machine, and how often they found it.
use super::{Course, GatePlan, Injection, Sides};
use crate::{
    exit::{Failure, OrExit as _},
    output,
};
use anyhow::Context as _;
use loadtest::Stop;
use reports::{
    number,
    record::{GateEnd, folder::write_file},
    regression::{
        judgement::Judgement,
        self_test::{SelfTest, Trial},
    },
    render,
    units::format_duration,
};
use std::{fs, path::Path, time::Duration};
use tokio::time::Instant;

/// How far apart the seeds of two trials are: more than any gate has cycles, each of which takes the next seed.
const SEEDS_APART: u64 = 1_000;

/// Makes every trial, as far as the time goes, and writes what came out after each into `folder`; `None` when it was interrupted
/// before the first had ended.
///
/// # Errors
/// When a gate cannot be made, or its folder not be written.
pub(crate) async fn self_test(
    plan: &GatePlan,
    kinds: &[Injection],
    trials: u32,
    folder: &Path,
    quiet: bool,
    stop: &Stop,
) -> Result<Option<(SelfTest, GateEnd)>, Failure> {
    let kinds = if kinds.is_empty() { &Injection::ALL } else { kinds };
    fs::create_dir_all(folder)
        .with_context(|| format!("cannot make {}", folder.display()))
        .or_try_again("choose --out")?;
    let (begun, sides) = (Instant::now(), Sides::own());
    let mut done = SelfTest::new(plan.scenario.name.clone(), plan.rate, plan.cycle.as_secs_f64(), plan.settings());
    let mut end = GateEnd::Completed;
    let all = u64::from(trials) * kinds.len() as u64;
    // Trial after trial of every kind, so that whatever happens to the machine happens to all kinds.
    for number in 0..u64::from(trials) {
        for kind in kinds {
            let seed = plan.seed.wrapping_add((done.trials.len() as u64 + 1) * SEEDS_APART);
            let plan = GatePlan { seed, ..plan.clone() };
            let last = done.trials.last().map_or(Duration::ZERO, |trial| Duration::from_secs_f64(trial.seconds));
            if begun.elapsed() + last > plan.within {
                end = GateEnd::OutOfTime;
                break;
            }
            if !quiet {
                let made = done.trials.len() as u64 + 1;
                output::note(&format!("{made} of {all}: {kind}, trial {} of {trials}", number + 1));
            }
            let tell = |cycles: usize, took: Duration, judgement: &Judgement| {
                if !quiet && judgement.next_look.is_none() {
                    let took = format_duration(Duration::from_secs(took.as_secs()));
                    output::note(&format!("   {} after {cycles} cycles of {took}", judgement.overall.word()));
                }
            };
            let candidate_stand = kind.stand(plan.load.duration)?;
            let started = Instant::now();
            let course = Course { plan: &plan, sides: &sides, candidate_stand, begun: started, tell: &tell };
            let ended = course.run(folder, stop).await?;
            if ended.end == GateEnd::Interrupted {
                end = GateEnd::Interrupted;
                break;
            }
            done.trials.push(Trial {
                injected: kind.to_string(),
                meaning: kind.meaning(),
                seed,
                overall: ended.comparison.judgement.overall,
                headline: ended.comparison.headline(),
                cycles: ended.comparison.judgement.cycles,
                seconds: started.elapsed().as_secs_f64(),
                effects: ended.comparison.effects(),
                gate: ended.folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            });
            write(&done, folder)?;
        }
        if end != GateEnd::Completed {
            break;
        }
    }
    Ok((!done.trials.is_empty()).then_some((done, end)))
}

fn write(done: &SelfTest, folder: &Path) -> Result<(), Failure> {
    let pages = [
        ("self-test.html", render::self_test_page(done)),
        ("self-test.md", render::self_test_markdown(done)),
        ("self-test.json", render::self_test_json(done)),
    ];
    for (name, content) in pages {
        write_file(&folder.join(name), content.as_bytes()).or_invalid("free some space, and run it again")?;
    }
    tracing::info!("{} written", number::counted(done.trials.len() as u64, "trial"));
    Ok(())
}
