//! `harness scenario export`: what another tool runs, out of a scenario.
use crate::{
    cli::Export,
    exit::{Failure, OrExit as _},
    export, output,
    plan::Plan,
    scenario::{Overrides, Scenario},
};
use anyhow::anyhow;

/// Prints an experiment made of a scenario, and beside it what is left out.
///
/// # Errors
/// When the scenario cannot be read, or has faults that do not map and must not be left out, or none that does.
pub(super) fn export(what: &Export) -> Result<(), Failure> {
    let Export::Chaostoolkit { scenario, skip_unmapped } = what;
    let scenario = Scenario::load(scenario, &Overrides::default())?;
    let plan = Plan::new(&scenario, super::plan::today())?;
    let export::Exported { text, unmapped, notes } = export::chaostoolkit(&scenario, &plan);
    if !unmapped.is_empty() && !skip_unmapped {
        let list: String = unmapped.iter().map(|fault| format!("\n  {fault}")).collect();
        let error = anyhow!("of the faults of {} these are not a Toxiproxy's:{list}", scenario.path);
        return Err(error).or_usage("--skip-unmapped exports the others");
    }
    for fault in &unmapped {
        output::note(&format!("left out: {fault}"));
    }
    let nothing = || anyhow!("{} has no fault that a Toxiproxy could bring about", scenario.path);
    let text = text.ok_or_else(nothing).or_usage("export a scenario with faults on links, such as slow-flights")?;
    notes.iter().for_each(|note| output::note(&format!("note: {note}")));
    output::line(&text);
    Ok(())
}
