//! Whether a gate on what faults did holds: in this run, of the journeys and faults that it means the worst.
use super::{
    Comparison, Gate, GateOutcome, GateResult, ImpactFigure, Observed, Rule,
    judge::{invalid, margin},
};
use crate::{
    number,
    record::Phase,
    resilience::{Experiment, Figures, Impact, NoBand, Recovery, Resilience, Unknown},
    summary::Window,
};

/// What is known of a figure.
enum Known {
    Exactly(Observed),
    /// It would only have grown.
    AtLeast(Observed),
    Not(String),
    /// What it is compared with does not hold.
    Never(String),
}

/// A fault's name as gates write it: `-` for spaces.
pub(super) fn word_of(fault: &str) -> String {
    fault.split_whitespace().collect::<Vec<_>>().join("-")
}

/// Whether a gate on what faults did means an experiment.
#[must_use]
pub fn means(gate: &Gate, experiment: &Experiment, phases: &[Phase]) -> bool {
    let is_named = |name: &str| experiment.faults.iter().any(|fault| word_of(fault) == name);
    let names_fault = |name: &str| phases.iter().flat_map(|phase| &phase.faults).any(|fault| word_of(fault) == name);
    let by_name = gate.name.as_ref().is_none_or(|name| is_named(&name.value) || !names_fault(&name.value));
    let by_window = match &gate.window.value {
        Window::Label(label) => {
            let meant = phases.iter().filter(|phase| phase.label == *label).flat_map(|phase| &phase.faults);
            meant.into_iter().any(|fault| experiment.faults.contains(fault))
        }
        _ => true,
    };
    by_name && by_window
}

/// Judges a gate on what faults did. `None` for other gates.
///
/// It passes or fails by what this run has shown; how the figure scatters from run to run is not known from one. What was not seen to
/// end is known to be at least so much: enough to fail, not to pass.
#[must_use]
pub fn judge_impact(gate: &Gate, resilience: &Resilience, phases: &[Phase]) -> Option<GateResult> {
    let Rule::Impact { figure, comparison, limit } = gate.rule else { return None };
    if figure == ImpactFigure::Detection {
        return None;
    }
    let is_journey = |name: &str| resilience.bands.iter().any(|(journey, _)| journey == name);
    let of_journey = gate.name.as_ref().map(|name| name.value.as_str()).filter(|name| is_journey(name));
    let meant = |impact: &&Impact| of_journey.is_none_or(|name| impact.journey == name);
    let experiments = resilience.experiments.iter().filter(|experiment| means(gate, experiment, phases));
    let results: Vec<GateResult> = experiments
        .flat_map(|experiment| experiment.impacts.iter().filter(meant).map(move |impact| (experiment, impact)))
        .map(|(experiment, impact)| one(gate, (figure, comparison, limit), experiment, impact))
        .collect();
    let count = results.len();
    let worst = results.into_iter().min_by(|a, b| {
        let margin = |result: &GateResult| result.margin.unwrap_or(f64::INFINITY);
        rank(a.outcome).cmp(&rank(b.outcome)).then(margin(a).total_cmp(&margin(b)))
    });
    let Some(mut worst) = worst else {
        return Some(invalid(&gate.text, "no fault that it means was on".to_owned()));
    };
    if count > 1 && worst.observed.is_some() {
        worst.reason = format!("{} (the worst of {count})", worst.reason);
    }
    Some(worst)
}

fn rank(outcome: GateOutcome) -> u8 {
    match outcome {
        GateOutcome::Fail => 0,
        GateOutcome::Invalid => 1,
        GateOutcome::Inconclusive => 2,
        GateOutcome::Pass => 3,
    }
}

fn one(
    gate: &Gate,
    (figure, comparison, limit): (ImpactFigure, Comparison, f64),
    experiment: &Experiment,
    impact: &Impact,
) -> GateResult {
    let of = format!("{}, {}", impact.journey, experiment.name());
    let result = |outcome, observed: Observed, reason: String| GateResult {
        outcome,
        observed: Some(observed),
        margin: margin(comparison, observed, limit),
        request_count: impact.figures.as_ref().map_or(0, |figures| figures.loss.total),
        ..invalid(&gate.text, reason)
    };
    let known = match &impact.figures {
        Ok(figures) => value(figure, figures),
        Err(Unknown::NoBand(NoBand::Unsteady { .. })) => Known::Never(why(impact)),
        Err(_) => Known::Not(why(impact)),
    };
    let is_within = |observed: Observed| {
        margin(comparison, observed, limit)
            .is_some_and(|margin| if comparison == Comparison::Below { margin > 0.0 } else { margin >= 0.0 })
    };
    match known {
        Known::Exactly(observed) if is_within(observed) => {
            result(GateOutcome::Pass, observed, format!("{of}: {}, in this run", words(figure, observed)))
        }
        Known::Exactly(observed) | Known::AtLeast(observed) if !is_within(observed) => {
            result(GateOutcome::Fail, observed, format!("{of}: {}", words(figure, observed)))
        }
        Known::Exactly(observed) | Known::AtLeast(observed) => {
            let reason = format!("{of}: {} when the run ended, and still going on", words(figure, observed));
            result(GateOutcome::Inconclusive, observed, reason)
        }
        Known::Not(reason) => {
            GateResult { outcome: GateOutcome::Inconclusive, ..invalid(&gate.text, format!("{of}: {reason}")) }
        }
        Known::Never(reason) => invalid(&gate.text, format!("{of}: {reason}")),
    }
}

fn value(figure: ImpactFigure, figures: &Figures) -> Known {
    let is_over = !matches!(figures.recovery, Recovery::NotWithin { .. });
    let growing = |observed| if is_over { Known::Exactly(observed) } else { Known::AtLeast(observed) };
    match (figure, figures.recovery) {
        (ImpactFigure::Recovery, Recovery::NotNeeded) => Known::Exactly(Observed::Time(0)),
        (ImpactFigure::Recovery, Recovery::After { after_ns }) => Known::Exactly(Observed::Time(after_ns)),
        (ImpactFigure::Recovery, Recovery::NotWithin { at_least_ns }) => Known::AtLeast(Observed::AtLeast(at_least_ns)),
        (ImpactFigure::Depth, _) => match figures.loss.depth {
            Some(depth) => growing(Observed::Share(depth)),
            None => Known::Not("fewer than five seconds with requests".to_owned()),
        },
        (ImpactFigure::Lost, _) => growing(Observed::Count(figures.loss.lost.round() as u64)),
        (ImpactFigure::Burn, _) => match figures.burn {
            Some(burn) if is_over => Known::Exactly(Observed::Times(burn.rate)),
            Some(_) => Known::Not("not back when the run ended, so the budget is not known".to_owned()),
            None => Known::Not("fewer than 100 requests, or no gate that makes a promise".to_owned()),
        },
        (ImpactFigure::Detection, _) => Known::Not("it is of faults, not of journeys".to_owned()),
    }
}

fn words(figure: ImpactFigure, observed: Observed) -> String {
    match (figure, observed) {
        (ImpactFigure::Recovery, Observed::Time(0)) => "back at once, or never away".to_owned(),
        (ImpactFigure::Recovery, _) => format!("back {observed} after the fault"),
        (ImpactFigure::Depth, _) => format!("fell by {observed}"),
        (ImpactFigure::Lost, Observed::Count(count)) => format!("{} lost", number::counted(count, "answer")),
        (ImpactFigure::Lost, _) => format!("{observed} lost"),
        (ImpactFigure::Detection, _) => format!("told after {observed}"),
        (ImpactFigure::Burn, _) => format!("budget spent {observed} as fast as allowed"),
    }
}

fn why(impact: &Impact) -> String {
    impact.figures.as_ref().err().map(ToString::to_string).unwrap_or_default()
}
