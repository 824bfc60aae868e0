//! `harness plan`: what a scenario would do.
use crate::{
    cli::Which,
    exit::{Exit, Failure},
    output,
    plan::Plan,
    scenario::{Overrides, Scenario},
};

/// Prints the plan of a scenario; nothing is started.
///
/// # Errors
/// When the scenario cannot be found or cannot be run as written.
pub(crate) fn plan(flags: &Which) -> Result<Exit, Failure> {
    let scenario = Scenario::load(&flags.scenario, &Overrides::from(flags))?;
    let plan = Plan::new(&scenario, today())?;
    output::line(&plan.describe(&scenario));
    Ok(Exit::Passed)
}

/// The day to which the dates that users ask for are relative, in UTC so that it is the same everywhere.
pub(super) fn today() -> jiff::civil::Date {
    jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date()
}
