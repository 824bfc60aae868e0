//! What a run is worth: its gates and its validity, in one word and one exit code.
use crate::{
    alerts::Detection,
    gate::{self, Gate, GateOutcome, GateResult, Rule, judge_detection, judge_impact},
    number, oracle,
    record::{FaultEnd, Oracle, Run, RunEnd},
    resilience::{Hypothesis, Resilience, Stuck},
    summary::Summary,
    validity::{Check, CheckOutcome, check_all},
};
use schemars::JsonSchema;
use serde::Serialize;

/// The word for a run, worst first. Where several apply, the worst counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overall {
    /// A fault could not be lifted: something has to be cleaned up by hand.
    FaultsLeft,
    /// The target broke a promise about data: a record lost, duplicated, invented or changed.
    OracleViolated,
    /// Somebody stopped it.
    Interrupted,
    /// The measurement cannot be trusted, or a gate could not be judged.
    Invalid,
    /// A gate that may abort the run did.
    Aborted,
    /// A fault did more to users than a gate allows, or they were not served as before long after it was gone.
    NotResilient,
    /// A gate does not hold.
    Failed,
    /// No gate fails, but some need more requests.
    Inconclusive,
    /// Every gate holds.
    Passed,
}

impl Overall {
    /// The word in capitals, as on the first line of every page.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::FaultsLeft => "FAULTS LEFT BEHIND",
            Self::OracleViolated => "DATA VIOLATED",
            Self::Interrupted => "INTERRUPTED",
            Self::Invalid => "INVALID",
            Self::Aborted => "ABORTED",
            Self::NotResilient => "NOT RESILIENT",
            Self::Failed => "FAILED",
            Self::Inconclusive => "INCONCLUSIVE",
            Self::Passed => "PASSED",
        }
    }

    /// The exit code of the program. Source: cli-and-reports.md, exit codes.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::FaultsLeft => 9,
            Self::OracleViolated => 11,
            Self::Interrupted => 130,
            Self::Invalid => 8,
            Self::Aborted => 6,
            Self::NotResilient => 5,
            Self::Failed => 3,
            Self::Inconclusive => 7,
            Self::Passed => 0,
        }
    }
}

/// The verdict over a run.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Verdict {
    /// In one word.
    pub overall: Overall,
    /// As the program's exit code.
    pub exit_code: u8,
    /// In one sentence, without the word.
    pub headline: String,
    /// Every gate, in the order of the scenario.
    pub gates: Vec<GateResult>,
    /// Every check of validity.
    pub checks: Vec<Check>,
    /// What became of each experiment: faults that were on together.
    pub experiments: Vec<Hypothesis>,
}

/// Judges a run by what it measured, by what its faults did to users, and by what the alerts told of them.
#[must_use]
pub fn judge(
    run: &Run,
    summary: &Summary,
    resilience: &Resilience,
    told: Option<&Result<Detection, String>>,
) -> Verdict {
    let parsed: Vec<Option<&Gate>> =
        summary.evidence.iter().map(|evidence| evidence.gate.as_ref().ok().map(|(gate, _)| gate)).collect();
    let result = |(evidence, gate): (&gate::Evidence, &Option<&Gate>)| {
        let of_impact =
            gate.and_then(|gate| judge_detection(gate, told).or_else(|| judge_impact(gate, resilience, &run.phases)));
        of_impact.unwrap_or_else(|| gate::judge(evidence, run, &summary.seconds))
    };
    let gates: Vec<GateResult> = summary.evidence.iter().zip(&parsed).map(result).collect();
    let with_results: Vec<(&Gate, &GateResult)> =
        parsed.iter().zip(&gates).filter_map(|(gate, result)| Some(((*gate)?, result))).collect();
    let experiments = Hypothesis::of(resilience, &with_results, &run.phases);
    let checks = check_all(run, summary);
    let is_impact = |gate: &Gate| matches!(gate.rule, Rule::Impact { .. });
    let worst_impact = with_results
        .iter()
        .find(|(gate, result)| is_impact(gate) && result.outcome == GateOutcome::Fail)
        .map(|(_, result)| failed_gate(result))
        .or_else(|| stuck(resilience));
    let overall = overall(run, &gates, &checks, worst_impact.is_some());
    let headline = match (overall, worst_impact) {
        (Overall::NotResilient, Some(impact)) => impact,
        _ => headline(overall, run, &gates, &checks),
    };
    Verdict { overall, exit_code: overall.exit_code(), headline, gates, checks, experiments }
}

/// A journey that stayed away although nothing held it there.
fn stuck(resilience: &Resilience) -> Option<String> {
    let impacts = resilience.experiments.iter().flat_map(|experiment| {
        experiment.impacts.iter().filter_map(move |impact| Some((experiment, impact, impact.figures.as_ref().ok()?)))
    });
    let (experiment, impact, figures) = impacts.into_iter().find(|(.., figures)| figures.stuck == Stuck::Yes)?;
    Some(format!("{} was {} {} was gone", impact.journey, figures.away(), experiment.name()))
}

fn overall(run: &Run, gates: &[GateResult], checks: &[Check], is_not_resilient: bool) -> Overall {
    let any = |outcome| gates.iter().any(|gate| gate.outcome == outcome);
    let untrusted = checks.iter().any(|check| check.outcome == CheckOutcome::Fail);
    let words = [
        (Overall::FaultsLeft, run.faults.iter().any(|fault| fault.end == FaultEnd::LeftBehind)),
        (Overall::OracleViolated, run.oracle.as_ref().is_some_and(Oracle::is_violated)),
        (Overall::Interrupted, run.end == RunEnd::Interrupted),
        (Overall::Invalid, untrusted || any(GateOutcome::Invalid)),
        (Overall::Aborted, matches!(run.end, RunEnd::Aborted { .. })),
        (Overall::NotResilient, is_not_resilient),
        (Overall::Failed, any(GateOutcome::Fail)),
        (Overall::Inconclusive, any(GateOutcome::Inconclusive)),
    ];
    words.into_iter().find(|(_, applies)| *applies).map_or(Overall::Passed, |(word, _)| word)
}

fn failed_gate(gate: &GateResult) -> String {
    let observed = gate.observed.map_or_else(String::new, |observed| format!(", was {observed}"));
    format!("{}{observed}", gate.gate)
}

fn headline(overall: Overall, run: &Run, gates: &[GateResult], checks: &[Check]) -> String {
    let of = |outcome| gates.iter().filter(move |gate| gate.outcome == outcome);
    let share = |outcome| format!("{} of {}", of(outcome).count(), number::counted(gates.len() as u64, "gate"));
    match overall {
        Overall::FaultsLeft => {
            let left = run.faults.iter().filter(|fault| fault.end == FaultEnd::LeftBehind);
            let names: Vec<&str> = left.map(|fault| fault.name.as_str()).collect();
            format!("{} still on; lift by hand", names.join(", "))
        }
        Overall::OracleViolated => run.oracle.as_ref().map(oracle::sentence).unwrap_or_default(),
        Overall::Interrupted => {
            format!("stopped after {} of {}", number::seconds(run.finished_ns), number::seconds(run.planned_ns))
        }
        Overall::Invalid => {
            let failed = checks.iter().find(|check| check.outcome == CheckOutcome::Fail);
            let unjudged = || of(GateOutcome::Invalid).next().map(|gate| format!("{}: {}", gate.gate, gate.reason));
            failed.map(|check| format!("{}: {}", check.name, check.figure)).or_else(unjudged).unwrap_or_default()
        }
        Overall::Aborted => aborted(run, gates),
        Overall::NotResilient => String::new(),
        Overall::Failed => match of(GateOutcome::Fail).next() {
            Some(first) if of(GateOutcome::Fail).count() == 1 => {
                format!("{} does not hold: {}", share(GateOutcome::Fail), failed_gate(first))
            }
            _ => format!("{} do not hold", share(GateOutcome::Fail)),
        },
        Overall::Inconclusive => {
            format!("{} cannot be decided from this many requests", share(GateOutcome::Inconclusive))
        }
        Overall::Passed if gates.is_empty() => "the measurement is valid; the scenario has no gates".to_owned(),
        Overall::Passed => format!("{} hold", share(GateOutcome::Pass)),
    }
}

fn aborted(run: &Run, gates: &[GateResult]) -> String {
    let RunEnd::Aborted { rule, at_ns } = &run.end else { return String::new() };
    let observed = gates.iter().find(|gate| gate.gate == *rule).and_then(|gate| gate.observed);
    let observed = observed.map_or_else(String::new, |observed| format!(", was {observed}"));
    let (at, planned) = (number::seconds(*at_ns), number::seconds(run.planned_ns));
    format!("by a gate after {at} of {planned}: {rule}{observed}")
}
