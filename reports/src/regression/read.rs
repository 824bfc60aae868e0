//! A gate read back from its folder: cycles, settings and verdict follow from what is on disk alone.
use super::{
    comparison::Comparison,
    cycle::{Arm, Conduct, Cycle},
    judgement::judge,
    metric::{Quantity, Test},
    sequential::Plan,
    settings::Settings,
};
use crate::{
    record::{
        CycleHead, GateHead, GateRules, Measure, Run, RunEnd, Variant,
        folder::{Error, read_run},
        regression::{arm_name, cycle_folder, read_gate},
    },
    summary::{Scope, Summary, Window},
    validity::{Check, CheckOutcome, check_all},
};
use std::path::Path;

/// Checks of a run without which a cycle is no measurement. Others are about a whole schedule, of which a variant has half, or about
/// figures that stand alone; what disturbs both variants alike does not bias their difference.
const NEEDED: [&str; 6] =
    ["record whole", "samples kept", "requests conserved", "generator headroom", "clock steady", "target lived"];
/// The check of lateness.
const PUNCTUAL: &str = "schedule kept";

/// Reads a gate and judges it.
///
/// # Errors
/// When the head, or a run that it says was made, cannot be read.
pub fn read(folder: &Path) -> Result<Comparison, Error> {
    let head = read_gate(folder)?;
    let cycles = head.cycles.iter().enumerate().map(|(index, cycle)| read_cycle(folder, &head, index, cycle));
    let cycles = cycles.collect::<Result<Vec<_>, _>>()?;
    Ok(compare(head, &cycles))
}

/// Judges the cycles of a gate.
#[must_use]
pub fn compare(head: GateHead, cycles: &[Cycle]) -> Comparison {
    let settings = settings(&head.rules);
    Comparison {
        scenario: head.scenario.name,
        baseline: head.baseline,
        candidate: head.candidate,
        seed: head.seed,
        rate_per_second: head.rate_per_second,
        cycle_seconds: head.cycle_ns as f64 / 1e9,
        at: head.at,
        machine: head.machine,
        judgement: judge(cycles, &settings),
        settings,
    }
}

/// How a gate decides by what it was asked.
#[must_use]
pub fn settings(rules: &GateRules) -> Settings {
    let mut tests = Test::usual(&scopes(&rules.steps));
    let latencies = tests.iter_mut().filter(|test| test.metric.quantity != Quantity::ErrorShare);
    latencies.for_each(|test| test.margin = rules.margin.unwrap_or(test.margin));
    Settings {
        alpha: rules.alpha,
        plan: rules.fixed_cycles.map_or(Plan::Sequential, Plan::Fixed),
        timeout_ns: rules.timeout_ns,
        tests,
    }
}

fn scopes(steps: &[String]) -> Vec<Scope> {
    steps.iter().cloned().map(Scope::Step).collect()
}

/// Reads one cycle, counted from 0, of a gate.
///
/// # Errors
/// When a run that must be there cannot be read.
pub fn read_cycle(folder: &Path, gate: &GateHead, index: usize, head: &CycleHead) -> Result<Cycle, Error> {
    let mut conduct = Conduct { broken: head.broken.clone(), is_restarted: head.is_restarted, ..Conduct::default() };
    if conduct.broken.is_some() {
        let arms = [Arm::default(), Arm::default()];
        return Ok(cycle(head.first, arms, conduct));
    }
    let (mut used, mut generator) = (Some(0.0), 0.0_f64);
    let mut arms = Vec::new();
    for variant in [Variant::Baseline, Variant::Candidate] {
        let path = cycle_folder(folder, index).join(arm_name(variant));
        let run = read_run(&path)?;
        let summary = Summary::read(&path, &run)?;
        look(&run, &check_all(&run, &summary), variant, &mut conduct);
        // The generator's time is that of the process, which has sent to both.
        generator = generator.max(share_of_cores(&run, run.generator.cpu_seconds));
        let processes = run.target.processes.iter().map(|process| process.cpu_seconds).sum();
        used = used.filter(|_| run.target.is_bundled).map(|used| used + share_of_cores(&run, processes));
        arms.push(arm(&run, &summary, &gate.rules));
    }
    conduct.used_share = used.map(|used| used + generator);
    Ok(cycle(head.first, arms.try_into().expect("one arm of each variant"), conduct))
}

fn cycle(first: Variant, [baseline, candidate]: [Arm; 2], conduct: Conduct) -> Cycle {
    Cycle { first, baseline, candidate, conduct: Some(conduct) }
}

/// Notes what speaks against a run.
fn look(run: &Run, checks: &[Check], variant: Variant, conduct: &mut Conduct) {
    let failed = |names: &[&str]| {
        let is_one = |check: &&Check| check.outcome == CheckOutcome::Fail && names.contains(&check.name);
        checks.iter().find(is_one).map(|check| (check.name, check.figure.as_str()))
    };
    let say = |(name, figure): (&str, &str)| format!("{}, {name}: {figure}", arm_name(variant));
    let unfinished =
        (run.end != RunEnd::Completed).then_some(("record whole", "the run was not carried out to its end"));
    // Whoever died is named before what follows from it.
    let broken = failed(&["target lived"]).or_else(|| failed(&NEEDED)).or(unfinished);
    conduct.broken = conduct.broken.take().or(broken.map(say));
    conduct.late = conduct.late.take().or(failed(&[PUNCTUAL]).map(say));
}

fn share_of_cores(run: &Run, cpu_seconds: f64) -> f64 {
    let core_seconds = run.finished_ns as f64 / 1e9 * run.machine.cpu_count as f64;
    if core_seconds > 0.0 { cpu_seconds / core_seconds } else { 0.0 }
}

fn arm(run: &Run, summary: &Summary, rules: &GateRules) -> Arm {
    let scopes = scopes(&rules.steps).into_iter().chain([Scope::All]);
    let latency = |scope: Scope| {
        let latency = summary.latency(&scope, &Window::Run, Measure::Response);
        (scope, latency)
    };
    Arm {
        labels: run.load.mix.iter().map(|entry| (entry.journey.clone(), entry.arrivals)).collect(),
        latencies: scopes.map(latency).collect(),
    }
}
