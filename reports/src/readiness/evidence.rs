//! What is there: runs and studies, each with its date and what it shows.
use crate::{gate::GateOutcome, record::ScenarioText, report::Report, verdict::Overall};
use jiff::Timestamp;
use serde::Serialize;

/// What a piece of evidence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The verdict of a run.
    Run,
    /// What the alerts told of the faults of a run.
    Alerts,
    /// The answer of a study of capacity.
    Capacity,
}

/// What it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// What was asked.
    Holds,
    /// The opposite.
    Fails,
    /// Nothing: it was inconclusive, invalid, interrupted, or is not of the scenario as it is.
    Unclear,
}

/// A piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// What it is.
    pub kind: Kind,
    /// Of which scenario.
    pub scenario: String,
    /// When it began.
    pub at: Timestamp,
    /// Where it is.
    pub folder: String,
    /// What it shows.
    pub outcome: Outcome,
    /// The same in words.
    pub figure: String,
    /// Gates that passed, as written.
    pub passed: Vec<String>,
}

impl Kind {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Alerts => "alerts",
            Self::Capacity => "capacity",
        }
    }
}

/// What a run shows: its verdict, and what the alerts told where it was watched. `digest` is that of the scenario as it is now; a run of
/// another text, or with settings changed by flags, shows nothing of it. Nothing for a run whose start is not known.
#[must_use]
pub fn of_run(report: &Report, folder: &str, digest: Option<&str>) -> Vec<Evidence> {
    let run = &report.run;
    let Ok(at) = run.clock_zero.parse::<Timestamp>() else { return Vec::new() };
    let alien = alien(&run.scenario, digest);
    let evidence = |kind, outcome, figure: String| {
        let (outcome, figure) = match &alien {
            Some(why) => (Outcome::Unclear, why.clone()),
            None => (outcome, figure),
        };
        let passed = report.verdict.gates.iter().filter(|gate| gate.outcome == GateOutcome::Pass);
        let passed = passed.map(|gate| gate.gate.clone()).collect();
        Evidence { kind, scenario: run.scenario.name.clone(), at, folder: folder.to_owned(), outcome, figure, passed }
    };
    let overall = report.verdict.overall;
    let outcome = match overall {
        Overall::Passed => Outcome::Holds,
        Overall::Failed | Overall::Aborted | Overall::NotResilient | Overall::OracleViolated | Overall::FaultsLeft => {
            Outcome::Fails
        }
        Overall::Invalid | Overall::Inconclusive | Overall::Interrupted => Outcome::Unclear,
    };
    let mut found = vec![evidence(Kind::Run, outcome, format!("{}: {}", overall.word(), report.verdict.headline))];
    if let Some(Ok(detection)) = &report.alerts
        && outcome != Outcome::Unclear
    {
        let missed: Vec<&str> = detection
            .faults
            .iter()
            .filter(|fault| fault.detected_after.is_none())
            .map(|fault| fault.fault.as_str())
            .collect();
        let (outcome, figure) = match (missed.as_slice(), detection.false_alerts.len()) {
            _ if detection.faults.is_empty() => (Outcome::Unclear, "the run had no fault to tell of".to_owned()),
            ([], 0) => (
                Outcome::Holds,
                format!("{} of {} faults told, no false alert", detection.faults.len(), detection.faults.len()),
            ),
            ([], count) => (Outcome::Fails, format!("every fault told, and {count} false alerts")),
            (missed, _) => (Outcome::Fails, format!("not told: {}", missed.join(", "))),
        };
        found.push(evidence(Kind::Alerts, outcome, figure));
    }
    found
}

/// Why a run or a study is not one of the scenario as it is now.
fn alien(scenario: &ScenarioText, digest: Option<&str>) -> Option<String> {
    // Another seed or another place is the same promise.
    let is_same = |text: &&String| text.starts_with("--seed ") || text.starts_with("--target ");
    let changed: Vec<&str> = scenario.overrides.iter().filter(|text| !is_same(text)).map(String::as_str).collect();
    match digest {
        None => Some("there is no such scenario any more".to_owned()),
        Some(digest) if digest != scenario.digest => Some("of another text of the scenario".to_owned()),
        Some(_) if !changed.is_empty() => Some(format!("of a changed scenario: {}", changed.join(" "))),
        Some(_) => None,
    }
}

/// What a study shows, from its `study.json`; `None` when that is none. `digest_of` gives that of a scenario as it is now.
pub fn of_study(
    document: &serde_json::Value,
    folder: &str,
    digest_of: impl FnOnce(&str) -> Option<String>,
) -> Option<Evidence> {
    let text = |key: &str| document.get(key)?.as_str();
    let scenario: ScenarioText = serde_json::from_value(document.get("scenario")?.clone()).ok()?;
    let outcome = match text("standing")? {
        "enough" => Outcome::Holds,
        "too_little" => Outcome::Fails,
        _ => Outcome::Unclear,
    };
    let (outcome, figure) = match alien(&scenario, digest_of(&scenario.name).as_deref()) {
        Some(why) => (Outcome::Unclear, why),
        None => (outcome, text("headline")?.to_owned()),
    };
    let at = text("started")?.parse().ok()?;
    Some(Evidence {
        kind: Kind::Capacity,
        scenario: scenario.name,
        at,
        folder: folder.to_owned(),
        outcome,
        figure,
        passed: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn study(standing: &str, overrides: &[&str]) -> serde_json::Value {
        serde_json::json!({
            "format": 1, "standing": standing, "headline": "sustains at least 120/s (confirmed)", "started": "2026-11-24T04:00:00Z",
            "scenario": { "name": "baseline", "title": "L", "digest": "ab", "overrides": overrides },
        })
    }

    #[test]
    fn a_study_counts_for_the_scenario_as_it_is() {
        let look = |document: &serde_json::Value, digest: Option<&str>| {
            of_study(document, "there", |_| digest.map(str::to_owned)).unwrap()
        };
        let found = look(&study("enough", &["--seed 5"]), Some("ab"));
        assert_eq!((found.outcome, found.scenario.as_str()), (Outcome::Holds, "baseline"));
        assert_eq!(look(&study("too_little", &[]), Some("ab")).outcome, Outcome::Fails);
        assert_eq!(look(&study("undecided", &[]), Some("ab")).outcome, Outcome::Unclear);
        for (overrides, digest, said) in [
            (&["--slo 'p95 < 1h'"][..], Some("ab"), "of a changed scenario: --slo 'p95 < 1h'"),
            (&[], Some("cd"), "of another text of the scenario"),
            (&[], None, "there is no such scenario any more"),
        ] {
            let found = look(&study("enough", overrides), digest);
            assert_eq!((found.outcome, found.figure.as_str()), (Outcome::Unclear, said));
        }
        assert_eq!(of_study(&serde_json::json!({"standing": "enough"}), "there", |_| None), None);
    }
}
