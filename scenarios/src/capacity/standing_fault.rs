//! A fault that stands from the first second of a trial to its last.
use crate::{
    exit::{Failure, OrExit as _},
    scenario::Scenario,
};
use anyhow::anyhow;
use chaos::{FaultSettings, Length, Timeline};
use serde::Deserialize;
use std::time::Duration;
use toml::Spanned;

/// A fault without its time.
#[derive(Debug, Clone)]
pub(crate) struct StandingFault {
    settings: FaultSettings,
    /// What it is called, such as `mcp.flights latency`.
    pub(crate) name: String,
    /// Its name and what it does.
    pub(crate) description: String,
}

#[derive(Deserialize)]
struct Written {
    fault: FaultSettings,
}

impl StandingFault {
    /// Finds the fault of a scenario by its name, or reads one that is written as in a scenario file, without `at` and `for`.
    ///
    /// # Errors
    /// When the scenario has no such fault, or the text is not one.
    pub(super) fn find(text: &str, scenario: &Scenario) -> Result<Self, Failure> {
        let hint = "write it as in a scenario: 'link = \"mcp.flights\", fault = { latency = { delay = \"1s\" } }'";
        if text.contains('=') {
            let line = format!("fault = {{ at = \"0s\", for = \"1s\", {text} }}");
            let written = toml::from_str::<Written>(&line);
            let written = written.map_err(|error| anyhow!("--under `{text}`: {}", error.message().trim_end()));
            return Self::new(written.or_usage(hint)?.fault, scenario).or_usage(hint);
        }
        let known = scenario.faults.iter().map(|fault| Self::new(fault.clone(), scenario));
        let known = known.collect::<anyhow::Result<Vec<Self>>>().or_usage("")?;
        let names: Vec<String> = known.iter().map(|fault| format!("`{}`", fault.name)).collect();
        let missing = || match names.is_empty() {
            true => anyhow!("there is no fault `{text}`: the scenario has none"),
            false => anyhow!("there is no fault `{text}`; the scenario has {}", names.join(", ")),
        };
        known.iter().find(|fault| fault.name == text).cloned().ok_or_else(missing).or_usage(hint)
    }

    fn new(settings: FaultSettings, scenario: &Scenario) -> anyhow::Result<Self> {
        let timeline = timeline(&over(&settings, Duration::from_secs(1)), scenario, Duration::from_secs(1))?;
        let fault = timeline.faults().first().ok_or_else(|| anyhow!("the fault does nothing"))?;
        let (name, description) = (fault.name.clone(), format!("{}: {}", fault.name, fault.description()));
        Ok(Self { settings, name, description })
    }

    /// The timeline of a run in which it stands all the time.
    ///
    /// # Errors
    /// When it cannot be where it is meant to be.
    pub(super) fn timeline(&self, scenario: &Scenario, run: Duration) -> anyhow::Result<Timeline> {
        timeline(&over(&self.settings, run), scenario, run)
    }
}

fn over(settings: &FaultSettings, run: Duration) -> FaultSettings {
    let length = |length| Spanned::new(0..0, Length(length));
    FaultSettings { at: length(Duration::ZERO), lasts: length(run), ..settings.clone() }
}

fn timeline(settings: &FaultSettings, scenario: &Scenario, run: Duration) -> anyhow::Result<Timeline> {
    let named: Vec<&str> = settings.link.iter().map(|link| link.get_ref().as_str()).collect();
    let links = scenario.links().map_or(named, <[&str]>::to_vec);
    Timeline::with_parts(std::slice::from_ref(settings), &links, scenario.parts(), run).map_err(|errors| {
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow!("--under: {}", texts.join("; "))
    })
}
