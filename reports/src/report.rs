//! A run folder, read and judged: what every page is made from.
use crate::{
    alerts::{Detection, Rules, detect},
    record::{
        Run,
        folder::{Error, read_metrics, read_run},
    },
    resilience::{Resilience, assess},
    story,
    summary::Summary,
    verdict::{Verdict, judge},
};
use std::{path::Path, time::Duration};

/// A run, its summary and its verdict.
#[derive(Debug, Clone)]
pub struct Report {
    /// The head of the record.
    pub run: Run,
    /// What its measures add up to.
    pub summary: Summary,
    /// What its faults did to users.
    pub resilience: Resilience,
    /// What it is worth.
    pub verdict: Verdict,
    /// What the target's alerts told of the faults, or why that is not known; `None` when it was not watched by them.
    pub alerts: Option<Result<Detection, String>>,
    /// What happened, in a few sentences.
    pub story: Vec<String>,
}

impl Report {
    /// Reads and judges a run from its folder alone.
    ///
    /// # Errors
    /// When a file of the folder cannot be read or is damaged.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let run = read_run(folder)?;
        let summary = Summary::read(folder, &run)?;
        let resilience = assess(&run, &summary);
        let alerts = alerts_of(folder, &run)?;
        let verdict = judge(&run, &summary, &resilience, alerts.as_ref());
        let story = story::tell(&run, &summary, &resilience, alerts.as_ref());
        Ok(Self { run, summary, resilience, verdict, alerts, story })
    }
}

/// What the alerts told, evaluated anew from the metrics and rules in the folder.
fn alerts_of(folder: &Path, run: &Run) -> Result<Option<Result<Detection, String>>, Error> {
    let Some(monitoring) = &run.monitoring else { return Ok(None) };
    let (metrics, rules) = read_metrics(folder)?;
    let interval = Duration::from_nanos(monitoring.interval_ns);
    let rules = Rules::parse(&rules).map_err(|error| error.to_string());
    Ok(Some(rules.and_then(|rules| detect(&rules, &metrics, &run.faults, interval).map_err(|error| error.to_string()))))
}
