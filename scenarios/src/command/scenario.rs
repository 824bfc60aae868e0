//! `harness scenario`: list, show and check scenario files.
use crate::{
    cli::ScenarioCommand,
    exit::{Exit, Failure, OrExit as _},
    output,
    plan::Plan,
    scenario::{Overrides, SHIPPED, Scenario, schema},
};

/// Carries out one of the commands about scenario files.
///
/// # Errors
/// When a scenario cannot be found, read or run as written.
pub(crate) fn scenario(command: ScenarioCommand) -> Result<Exit, Failure> {
    match command {
        ScenarioCommand::List => list(),
        ScenarioCommand::Show { scenario } => output::line(Scenario::find(&scenario)?.text.trim_end()),
        ScenarioCommand::Validate { scenario } => {
            let found = Scenario::load(&scenario, &Overrides::default())?;
            let plan = Plan::new(&found, super::plan::today())?;
            output::line(&format!(
                "{}: {} planned arrivals, {} gates: ready to run",
                found.name,
                plan.arrival_count(),
                found.gates.len()
            ));
        }
        ScenarioCommand::Import(what) => super::import::import(&what)?,
        ScenarioCommand::Export(what) => super::export::export(&what)?,
        ScenarioCommand::Schema => {
            let text = serde_json::to_string_pretty(&schema()).or_usage("")?;
            output::line(&text);
        }
    }
    Ok(Exit::Passed)
}

fn list() {
    let own = std::fs::read_dir("scenarios").into_iter().flatten().flatten();
    let own = own.filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".toml").map(str::to_owned));
    let shipped = SHIPPED.iter().map(|(name, _)| (*name).to_owned());
    let is_scenario = |name: &String| name != "Cargo" && !SHIPPED.iter().any(|(known, _)| known == name);
    for name in shipped.chain(own.filter(is_scenario)) {
        let title = match Scenario::load(&name, &Overrides::default()) {
            Ok(found) => found.title.clone(),
            Err(_) => format!("cannot be run as written; see `harness scenario validate {name}`"),
        };
        output::line(&format!("{name:<16} {title}"));
    }
}
