//! The steady-state hypothesis of an experiment: as usual before, as degraded as its gates allow while a fault is on, and as usual after.
use super::{Experiment, Figures, NoBand, Recovery, Resilience, Stuck, Unknown};
use crate::{
    gate::{Gate, GateOutcome, GateResult, ImpactFigure, Rule, means},
    number,
    record::{Phase, PhaseKind},
    summary::Window,
};
use schemars::JsonSchema;
use serde::Serialize;

/// Repeats that it takes to pass: how an experiment scatters is not known from fewer. Source: measurement.md E.
pub const REPEATS: u32 = 3;

/// What became of one part of the hypothesis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// In one word.
    pub outcome: GateOutcome,
    /// In one sentence.
    pub text: String,
}

/// What became of the hypothesis of one experiment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Hypothesis {
    /// The names of its faults.
    pub faults: Vec<String>,
    /// All of it. One run cannot make it pass: at best it is inconclusive, and held.
    pub outcome: GateOutcome,
    /// Why, in one sentence.
    pub reason: String,
    /// Each journey was steady before.
    pub before: Finding,
    /// While the faults were on, it was no worse than the gates on that time allow.
    pub during: Finding,
    /// Each journey was back.
    pub after: Finding,
    /// Journeys that stayed away long after the faults were gone.
    pub stuck: Vec<String>,
}

impl Hypothesis {
    /// Judges each experiment by what was seen and by the gates, which come with their results.
    #[must_use]
    pub fn of(resilience: &Resilience, gates: &[(&Gate, &GateResult)], phases: &[Phase]) -> Vec<Self> {
        resilience.experiments.iter().map(|experiment| Self::judge(experiment, gates, phases)).collect()
    }

    fn judge(experiment: &Experiment, gates: &[(&Gate, &GateResult)], phases: &[Phase]) -> Self {
        let of = |is_meant: &dyn Fn(&Gate) -> bool| -> Vec<&GateResult> {
            gates.iter().filter(|(gate, _)| is_meant(gate)).map(|(_, result)| *result).collect()
        };
        let before = before(experiment);
        let during = during(&of(&|gate| is_of_during(gate, experiment, phases)));
        let after = after(experiment, &of(&|gate| is_of_after(gate, experiment, phases)));
        let parts = [(&before, "before"), (&during, "while on"), (&after, "after")];
        let first = |outcome| parts.iter().find(|(finding, _)| finding.outcome == outcome);
        // Without the state before, nothing after it says anything.
        let decided = parts[..1].iter().find(|(finding, _)| finding.outcome == GateOutcome::Invalid);
        let decided = decided
            .or_else(|| first(GateOutcome::Fail))
            .or_else(|| first(GateOutcome::Invalid))
            .or_else(|| first(GateOutcome::Inconclusive));
        let (outcome, reason) = match decided {
            Some((finding, part)) => (finding.outcome, format!("{part}: {}", finding.text)),
            None => {
                let reason = format!("held in this run; it takes {REPEATS} to tell how it scatters");
                (GateOutcome::Inconclusive, reason)
            }
        };
        let stuck = seen(experiment).filter(|(_, figures)| figures.stuck == Stuck::Yes);
        let stuck = stuck.map(|(journey, _)| journey.to_owned()).collect();
        Self { faults: experiment.faults.clone(), outcome, reason, before, during, after, stuck }
    }
}

fn seen(experiment: &Experiment) -> impl Iterator<Item = (&str, &Figures)> {
    experiment.impacts.iter().filter_map(|impact| Some((impact.journey.as_str(), impact.figures.as_ref().ok()?)))
}

fn before(experiment: &Experiment) -> Finding {
    let why = |is_meant: fn(&Unknown) -> bool| {
        let unknown = experiment.impacts.iter().filter_map(|impact| Some((impact, impact.figures.as_ref().err()?)));
        let mut meant = unknown.filter(move |(_, why)| is_meant(why));
        meant.next().map(|(impact, why)| format!("{}: {why}", impact.journey))
    };
    let is_wrong = |why: &Unknown| matches!(why, Unknown::NotBack | Unknown::NoBand(NoBand::Unsteady { .. }));
    let known = seen(experiment).count();
    match (why(is_wrong), why(|_| true)) {
        (Some(text), _) => Finding { outcome: GateOutcome::Invalid, text },
        (None, Some(text)) if known == 0 => Finding { outcome: GateOutcome::Inconclusive, text },
        (None, Some(text)) => Finding { outcome: GateOutcome::Pass, text: format!("steady, but not known of {text}") },
        (None, None) if known == 0 => Finding { outcome: GateOutcome::Inconclusive, text: "no journey".to_owned() },
        (None, None) => Finding { outcome: GateOutcome::Pass, text: "every journey was steady".to_owned() },
    }
}

fn during(gates: &[&GateResult]) -> Finding {
    match gates.is_empty() {
        true => Finding {
            outcome: GateOutcome::Pass,
            text: "no gate says how far it may fall while a fault is on".to_owned(),
        },
        false => of_gates(gates),
    }
}

fn after(experiment: &Experiment, gates: &[&GateResult]) -> Finding {
    let stuck = seen(experiment).find(|(_, figures)| figures.stuck == Stuck::Yes);
    if let Some((journey, figures)) = stuck {
        return Finding { outcome: GateOutcome::Fail, text: format!("{journey} was {}", figures.away()) };
    }
    let of_gates = of_gates(gates);
    if !gates.is_empty() && of_gates.outcome == GateOutcome::Fail {
        return of_gates;
    }
    let is_away = |figures: &Figures| matches!(figures.recovery, Recovery::NotWithin { .. });
    if let Some((journey, figures)) = seen(experiment).find(|(_, figures)| is_away(figures)) {
        let text = format!("{journey} was {}, and was not watched any longer", figures.away());
        return Finding { outcome: GateOutcome::Inconclusive, text };
    }
    if !gates.is_empty() && of_gates.outcome != GateOutcome::Pass {
        return of_gates;
    }
    let last = seen(experiment).filter_map(|(_, figures)| match figures.recovery {
        Recovery::After { after_ns } => Some(after_ns),
        _ => None,
    });
    match (last.max(), seen(experiment).count()) {
        (_, 0) => Finding { outcome: GateOutcome::Inconclusive, text: "not known of any journey".to_owned() },
        (None, _) => Finding { outcome: GateOutcome::Pass, text: "no journey was ever away".to_owned() },
        (Some(last_ns), _) => Finding {
            outcome: GateOutcome::Pass,
            text: format!("every journey was back {} after", number::seconds(last_ns)),
        },
    }
}

fn of_gates(gates: &[&GateResult]) -> Finding {
    let holding = gates.iter().filter(|gate| gate.outcome == GateOutcome::Pass).count();
    let first = [GateOutcome::Fail, GateOutcome::Invalid, GateOutcome::Inconclusive]
        .into_iter()
        .find_map(|outcome| gates.iter().find(|gate| gate.outcome == outcome));
    let count = format!("{holding} of {}", number::counted(gates.len() as u64, "gate"));
    match first {
        Some(gate) => Finding { outcome: gate.outcome, text: format!("{count} hold, not `{}`", gate.gate) },
        None => Finding { outcome: GateOutcome::Pass, text: format!("{count} hold") },
    }
}

/// Whether a gate says what is allowed while the experiment's faults are on.
fn is_of_during(gate: &Gate, experiment: &Experiment, phases: &[Phase]) -> bool {
    match gate.rule {
        Rule::Impact { figure, .. } => figure != ImpactFigure::Recovery && means(gate, experiment, phases),
        _ => {
            is_in(gate, PhaseKind::During, phases)
                && phases.iter().any(|phase| {
                    gate.window.value.holds(phase) && phase.faults.iter().any(|fault| experiment.faults.contains(fault))
                })
        }
    }
}

/// Whether a gate says what is to be when they are gone: in a phase that follows one of them.
fn is_of_after(gate: &Gate, experiment: &Experiment, phases: &[Phase]) -> bool {
    let was_on = |phase: &Phase| phase.faults.iter().any(|fault| experiment.faults.contains(fault));
    let follows = |position: usize| position.checked_sub(1).is_some_and(|before| was_on(&phases[before]));
    match gate.rule {
        Rule::Impact { figure, .. } => figure == ImpactFigure::Recovery && means(gate, experiment, phases),
        _ => {
            is_in(gate, PhaseKind::After, phases)
                && phases
                    .iter()
                    .enumerate()
                    .any(|(position, phase)| gate.window.value.holds(phase) && follows(position))
        }
    }
}

/// Whether a gate is put on a kind of phase, or on one phase of it: not on the whole run.
fn is_in(gate: &Gate, kind: PhaseKind, phases: &[Phase]) -> bool {
    match &gate.window.value {
        Window::Kind(found) => *found == kind,
        Window::Label(label) => phases.iter().any(|phase| phase.label == *label && phase.kind == kind),
        _ => false,
    }
}
