//! What faults did to users, as tables for every page and lines for the terminal.
use super::{
    table::Table,
    tables::{gate_mark, gate_word},
};
use crate::{
    number,
    proportion::{Tally, wilson},
    report::Report,
    resilience::{Experiment, Figures, Impact, Recovery},
};

/// The hypothesis of each experiment, and what became of its parts.
pub(crate) fn hypotheses(report: &Report) -> Table {
    let mut table = Table::new(["", "faults", "before", "while on", "after", "so"], [] as [&str; 0]);
    for hypothesis in &report.verdict.experiments {
        let part = |finding: &crate::resilience::Finding| format!("{} {}", gate_mark(finding.outcome), finding.text);
        table.row([
            format!("{} {}", gate_mark(hypothesis.outcome), gate_word(hypothesis.outcome)),
            hypothesis.faults.join(" + "),
            part(&hypothesis.before),
            part(&hypothesis.during),
            part(&hypothesis.after),
            hypothesis.reason.clone(),
        ]);
    }
    table
}

/// What each experiment did to each journey of which that is known.
pub(crate) fn impacts(report: &Report) -> Table {
    let mut table = Table::new(
        ["faults", "journey"],
        [
            "noticed after",
            "fell by",
            "absorbed after",
            "back after",
            "answers lost",
            "of requests",
            "degraded [95 % CI]",
            "wrong",
            "budget",
        ],
    );
    for experiment in &report.resilience.experiments {
        for impact in &experiment.impacts {
            let Ok(figures) = &impact.figures else { continue };
            table.row([experiment.name(), impact.journey.clone()].into_iter().chain(cells(figures)));
        }
    }
    table.without_empty("absorbed after").without_empty("wrong").without_empty("budget")
}

fn cells(figures: &Figures) -> [String; 9] {
    let none = || "–".to_owned();
    let loss = &figures.loss;
    let answered = Tally { hits: loss.degraded, total: loss.good + loss.wrong };
    let degraded = match answered {
        Tally { hits: 0, .. } => "0".to_owned(),
        answered => {
            let interval = wilson(answered);
            let ends = [interval.lower, interval.upper].map(|share| format!("{:.1}", share * 100.0)).join("–");
            format!("{} [{ends}]", number::percent(answered.share()))
        }
    };
    let seen = |text: String| if figures.was_noticed() { text } else { none() };
    [
        figures.onset_ns.map_or_else(|| "not noticed".to_owned(), number::seconds),
        seen(loss.depth.map_or_else(none, number::percent)),
        figures.absorbed_ns.map_or_else(none, number::seconds),
        back(figures.recovery),
        seen(number::count(loss.lost.round() as u64)),
        number::count(loss.total),
        degraded,
        if loss.wrong == 0 { none() } else { number::count(loss.wrong) },
        seen(figures.burn.map_or_else(none, |burn| {
            format!("{}× ({} of 30 d)", number::significant(burn.rate), number::percent(burn.budget_share))
        })),
    ]
}

fn back(recovery: Recovery) -> String {
    match recovery {
        Recovery::NotNeeded => "–".to_owned(),
        Recovery::After { after_ns } => number::seconds(after_ns),
        Recovery::NotWithin { at_least_ns } => format!("> {}", number::seconds(at_least_ns)),
    }
}

/// Why there are no figures of some journeys, and what the figures do not hold, in sentences.
pub(crate) fn notes(report: &Report) -> Vec<String> {
    let mut notes = Vec::new();
    for experiment in &report.resilience.experiments {
        let name = experiment.name();
        for (why, journeys) in unknown(experiment) {
            notes.push(format!("No figures of {} for {name}: {why}.", journeys.join(", ")));
        }
        if experiment.unsent > 0 {
            let unsent = number::counted(experiment.unsent, "arrival");
            notes.push(format!("Around {name}, {unsent} never got sent; of which journeys is not recorded, so the figures are without them."));
        }
    }
    notes.dedup();
    notes
}

/// Journeys without figures, by the reason.
fn unknown(experiment: &Experiment) -> Vec<(String, Vec<&str>)> {
    let mut reasons: Vec<(String, Vec<&str>)> = Vec::new();
    for Impact { journey, figures } in &experiment.impacts {
        let Err(why) = figures else { continue };
        match reasons.iter_mut().find(|(known, _)| *known == why.to_string()) {
            Some((_, journeys)) => journeys.push(journey),
            None => reasons.push((why.to_string(), vec![journey])),
        }
    }
    reasons
}

/// What one fault did to the journeys that noticed, a line each, or why that is not known.
pub(crate) fn lines_of(fault: &str, report: &Report) -> Vec<String> {
    let Some(experiment) = report.resilience.experiments.iter().find(|one| one.faults.iter().any(|name| name == fault))
    else {
        return Vec::new();
    };
    let line = |impact: &Impact| {
        let figures = impact.figures.ok().filter(Figures::was_noticed)?;
        let [noticed, depth, _, back, lost, of, ..] = cells(&figures);
        Some(format!(
            "{}: noticed after {noticed}, fell by {depth}, lost {lost} of {of}, back after {back}",
            impact.journey
        ))
    };
    let mut lines: Vec<String> = experiment.impacts.iter().filter_map(line).collect();
    if lines.is_empty() && experiment.impacts.iter().all(|impact| impact.figures.is_ok()) {
        lines.push("no journey noticed".to_owned());
    }
    let of = |journeys: &[&str]| match journeys.len() == experiment.impacts.len() {
        true => "any journey".to_owned(),
        false => journeys.join(", "),
    };
    lines.extend(
        unknown(experiment).into_iter().map(|(why, journeys)| format!("not known of {}: {why}", of(&journeys))),
    );
    lines
}
