//! A run folder, read and judged: what every page is made from.
use crate::{
    record::{
        Run,
        folder::{Error, read_run},
    },
    resilience::{Resilience, assess},
    story,
    summary::Summary,
    verdict::{Verdict, judge},
};
use std::path::Path;

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
        let verdict = judge(&run, &summary, &resilience);
        let story = story::tell(&run, &summary, &resilience);
        Ok(Self { run, summary, resilience, verdict, story })
    }
}
