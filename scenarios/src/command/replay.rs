//! `harness replay`: an earlier run once more, with the same arrivals, data and fault decisions, maybe on another target.
use super::{report, run};
use crate::{
    cli,
    exit::{Failure, OrExit as _},
    recorded::Earlier,
};
use loadtest::Stop;

/// Replays a run; ends with the verdict's exit code.
///
/// # Errors
/// When the run cannot be found, or this program would not do the same again.
pub(crate) async fn replay(flags: cli::Replay, quiet: bool, stop: Stop) -> Result<u8, Failure> {
    let folder =
        report::find(&flags.run, &flags.how.course.out).or_usage("give a run's folder, its name, or `latest`")?;
    let earlier = Earlier::read(folder).or_usage("is it the folder of a run?")?;
    let scenario = earlier.scenario(flags.target, flags.allow_hosts)?;
    let plan = earlier.plan(&scenario)?;
    run::carry_out(scenario, plan, flags.how, quiet, stop).await
}
