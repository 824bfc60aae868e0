//! What faults did to users, from the record to the pages, on runs whose course is known.
use crate::{
    course::draft,
    synthetic::{CHAT, Draft, SEARCH, TRIP},
};
use reports::{
    gate::GateOutcome,
    record::SECOND_NS,
    render::{plain, render_all, terminal},
    report::Report,
    resilience::{Figures, NoBand, Recovery, Stuck, Unknown},
    verdict::Overall,
};
use std::path::Path;

fn report(draft: &Draft) -> Report {
    let root = tempfile::tempdir().unwrap();
    let folder = draft.write(root.path());
    let report = render_all(&folder).unwrap().report;
    let text = terminal(&report, plain);
    assert!(text.lines().all(|line| line.chars().count() <= 100) && text.lines().count() <= 61, "{text}");
    let page = std::fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(!page.contains("NaN") && !text.contains("NaN"), "not a number is shown");
    report
}

fn figures(report: &Report, experiment: usize, journey: usize) -> Figures {
    report.resilience.experiments[experiment].impacts[journey].figures.unwrap()
}

const GATES: [&str; 6] = [
    "p95 < 500ms for flights.search window=steady",
    "error-rate < 60% for flights.search window=during",
    "recovery < 10s for flight-search",
    "depth < 60%",
    "lost < 10 for trip",
    "burn < 2 for mcp.flights-down",
];

#[test]
fn an_outage_is_told_from_its_record_and_judged_by_its_gates() {
    // Every second search fails for 34 s from the second in which the fault comes on, four of them after it is gone.
    let report = report(&draft(180, &[("mcp.flights down", 110, Some(140))], &GATES, &[(SEARCH, 110..144, 2)]));
    let search = figures(&report, 0, SEARCH);
    assert_eq!((search.onset_ns, search.recovery), (Some(0), Recovery::After { after_ns: 4 * SECOND_NS - 2_000_000 }));
    let depth = search.loss.depth.unwrap();
    assert!((0.45..0.58).contains(&depth), "half of them: {depth}");
    // 24 searches a second, half of them for 34 s, less the one in a hundred that is too slow anyway.
    assert!((350.0..460.0).contains(&search.loss.lost), "{search:?}");
    for journey in [CHAT, TRIP] {
        assert!(!figures(&report, 0, journey).was_noticed(), "collateral where there was none: {report:?}");
    }
    let outcomes: Vec<GateOutcome> = report.verdict.gates.iter().map(|gate| gate.outcome).collect();
    let pass = GateOutcome::Pass;
    assert_eq!(outcomes, [pass, pass, pass, pass, pass, GateOutcome::Fail], "{:?}", report.verdict.gates);
    assert_eq!((report.verdict.overall, report.verdict.exit_code), (Overall::NotResilient, 5));
    assert!(report.verdict.headline.starts_with("burn < 2 for mcp.flights-down, was "), "{}", report.verdict.headline);
    assert!(report.story[1].contains("(back 4 s after it was lifted)"), "{:?}", report.story);
    let hypothesis = &report.verdict.experiments[0];
    assert_eq!((hypothesis.before.outcome, hypothesis.during.outcome), (pass, GateOutcome::Fail), "{hypothesis:?}");
}

#[test]
fn one_run_that_held_does_not_pass_its_hypothesis_yet() {
    let gates = ["recovery < 10s", "error-rate < 60% window=during"];
    let report = report(&draft(180, &[("mcp.flights down", 110, Some(140))], &gates, &[(SEARCH, 112..141, 2)]));
    assert_eq!((report.verdict.overall, report.verdict.exit_code), (Overall::Passed, 0), "{:?}", report.verdict);
    let hypothesis = &report.verdict.experiments[0];
    assert_eq!(hypothesis.outcome, GateOutcome::Inconclusive);
    assert_eq!(hypothesis.reason, "held in this run; it takes 3 to tell how it scatters");
    assert_eq!(hypothesis.after.text, "every journey was back 1 s after");
}

#[test]
fn a_service_that_stays_away_is_not_resilient_whatever_the_gates() {
    let report = report(&draft(230, &[("mcp.flights down", 110, Some(125))], &[], &[(SEARCH, 110..230, 1)]));
    let search = figures(&report, 0, SEARCH);
    let at_least_ns = 105 * SECOND_NS - 2_000_000;
    assert_eq!((search.recovery, search.stuck), (Recovery::NotWithin { at_least_ns }, Stuck::Yes));
    assert_eq!((report.verdict.overall, report.verdict.exit_code), (Overall::NotResilient, 5));
    assert_eq!(report.verdict.headline, "flight-search was still not back 105 s after mcp.flights down was gone");
}

#[test]
fn a_run_that_ends_too_early_keeps_what_it_saw_as_at_least_that() {
    let gates = ["recovery < 10s for flight-search", "recovery < 90s", "lost < 100000"];
    let report = report(&draft(160, &[("mcp.flights down", 110, Some(140))], &gates, &[(SEARCH, 110..160, 1)]));
    let outcomes: Vec<GateOutcome> = report.verdict.gates.iter().map(|gate| gate.outcome).collect();
    assert_eq!(outcomes, [GateOutcome::Fail, GateOutcome::Inconclusive, GateOutcome::Inconclusive]);
    assert_eq!(report.verdict.gates[0].observed.unwrap().to_string(), "at least 20 s");
    assert!(matches!(figures(&report, 0, SEARCH).stuck, Stuck::NotWatched { .. }));
    let hypothesis = &report.verdict.experiments[0];
    assert_eq!(hypothesis.outcome, GateOutcome::Fail, "twenty seconds are more than ten: {hypothesis:?}");
}

#[test]
fn two_faults_in_one_run_are_told_apart_and_what_is_not_back_is_not_judged_anew() {
    let faults = [("mcp.flights down", 110, Some(120)), ("llm down", 150, Some(160))];
    let gates = ["lost < 5 for llm-down", "lost < 5 window=during"];
    let apart = report(&draft(190, &faults, &gates, &[(SEARCH, 110..122, 1), (CHAT, 150..160, 2)]));
    let noticed = |report: &Report, experiment: usize| -> Vec<bool> {
        (0..3).map(|journey| figures(report, experiment, journey).was_noticed()).collect()
    };
    assert_eq!(noticed(&apart, 0), [true, false, false], "the first hits searches");
    assert_eq!(noticed(&apart, 1), [false, true, false], "the second chats");
    let reasons: Vec<&str> = apart.verdict.gates.iter().map(|gate| gate.reason.as_str()).collect();
    assert!(reasons[0].starts_with("chat, llm down: "), "{reasons:?}");
    assert!(reasons[1].starts_with("flight-search, mcp.flights down: "), "{reasons:?}");

    let away = report(&draft(190, &faults, &gates, &[(SEARCH, 110..190, 1)]));
    let second = &away.resilience.experiments[1].impacts[SEARCH];
    assert_eq!(second.figures, Err(Unknown::NotBack));
    assert_eq!(away.verdict.experiments[1].outcome, GateOutcome::Invalid);
}

#[test]
fn faults_that_are_on_together_are_one_experiment() {
    let faults = [("mcp.flights down", 110, Some(130)), ("llm down", 120, Some(125))];
    let report = report(&draft(150, &faults, &["lost < 5 for llm-down"], &[(SEARCH, 110..130, 1)]));
    assert_eq!(report.resilience.experiments.len(), 1);
    assert_eq!(report.resilience.experiments[0].name(), "mcp.flights down + llm down");
    assert_eq!(report.verdict.gates[0].outcome, GateOutcome::Fail, "nothing tells which of both it was");
}

#[test]
fn what_cannot_be_known_is_not_told() {
    let gates = ["recovery < 10s", "depth < 90% for trip"];
    // The fault comes on in the ramp; before, there is no level load to compare with.
    let mut in_ramp = draft(60, &[("mcp.flights down", 20, Some(30))], &gates, &[(SEARCH, 20..30, 1)]);
    in_ramp.run.meter.level_from_ns = Some(25 * SECOND_NS);
    let in_ramp = report(&in_ramp);
    let unknown = Unknown::NoBand(NoBand::TooShort { second_count: 0 });
    assert!(in_ramp.resilience.experiments[0].impacts.iter().all(|impact| impact.figures == Err(unknown)));
    for gate in &in_ramp.verdict.gates {
        assert_eq!(gate.outcome, GateOutcome::Inconclusive);
        assert!(gate.reason.contains("0 s of steady load before the first fault, and it takes 90 s"), "{gate:?}");
    }
    assert_eq!(in_ramp.verdict.overall, Overall::Inconclusive);
    assert!(!in_ramp.story[1].contains("back"), "{:?}", in_ramp.story);

    let never = report(&draft(60, &[("mcp.flights down", 20, None)], &gates, &[]));
    assert!(never.resilience.experiments.is_empty() && never.verdict.experiments.is_empty());
    assert_eq!(never.verdict.gates[0].reason, "no fault that it means was on");
    assert_eq!(never.verdict.overall, Overall::Invalid, "a fault that was never on");
}

#[test]
fn a_target_that_is_unsteady_without_a_fault_makes_the_experiment_invalid() {
    let faults = [("mcp.flights down", 110, Some(120))];
    let report = report(&draft(150, &faults, &["depth < 99%"], &[(SEARCH, 85..100, 2), (SEARCH, 110..120, 1)]));
    let found = report.resilience.experiments[0].impacts[SEARCH].figures;
    assert!(matches!(found, Err(Unknown::NoBand(NoBand::Unsteady { .. }))), "{found:?}");
    assert_eq!(report.verdict.gates[0].outcome, GateOutcome::Invalid);
    assert_eq!(report.verdict.experiments[0].outcome, GateOutcome::Invalid);
    assert_eq!(report.verdict.overall, Overall::Invalid);
}

#[test]
fn the_pages_tell_what_users_saw() {
    let root = tempfile::tempdir().unwrap();
    let faults = [("mcp.flights down", 110, Some(140))];
    let folder = draft(180, &faults, &GATES, &[(SEARCH, 110..144, 2)]).write(root.path());
    let written = render_all(&folder).unwrap();
    let read = |name: &str| std::fs::read_to_string(Path::new(&folder).join(name)).unwrap();
    let markdown = read("report.md");
    assert!(markdown.contains("## What users saw of the faults") && markdown.contains("## Hypothesis"), "{markdown}");
    let row = markdown.lines().find(|line| line.starts_with("| mcp.flights down | flight-search |")).unwrap();
    assert!(row.contains("| 0 s |") && row.contains("| 4 s |"), "{row}");
    let page = read("report.html");
    assert!(page.contains("<figure id=\"users-1\">") && page.contains("What users saw"));
    let document: serde_json::Value = serde_json::from_str(&read("summary.json")).unwrap();
    let journey = &document["resilience"]["experiments"][0]["journeys"][0];
    assert_eq!(journey["figures"]["recovery"]["after"]["after_ns"], 3_998_000_000_u64);
    assert_eq!(document["verdict"]["experiments"][0]["before"]["outcome"], "pass");
    assert_eq!(document["resilience"]["bands"][2]["band"]["second_count"], 75);
    let text = terminal(&written.report, plain);
    assert!(text.contains("flight-search: noticed after 0 s, fell by 5"), "{text}");
}
