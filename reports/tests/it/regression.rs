//! The pages of a regression gate that never happened.
use crate::{
    golden::golden,
    noise::{Design, SHARED, cycles},
};
use reports::{
    distribution::Distribution,
    record::{Machine, Variant},
    regression::{
        comparison::{Comparison, Program},
        cycle::{Arm, Cycle},
        judgement::{Overall, judge},
        metric::Test,
        sequential::Plan,
        settings::Settings,
    },
    render::{plain, regression_json, regression_markdown, regression_page, regression_text},
    summary::{Latency, Scope},
};
use std::collections::BTreeMap;

const STEPS: [&str; 3] = ["flights.search", "chat.message", "trips.create"];

/// How much slower a step is, and how many of its requests fail, in a cycle.
struct Fate {
    slowdown: f64,
    failed: u64,
}

/// Cycles of three steps on a shared machine: each with the noise of its own seed.
fn gate(fates: [Fate; 3], plan: Plan) -> Comparison {
    let scopes = STEPS.map(|step| Scope::Step(step.to_owned()));
    let of_steps: Vec<_> =
        fates.iter().zip(1..).map(|(fate, seed)| cycles(SHARED, Design::RECOMMENDED, fate.slowdown, seed)).collect();
    let arm = |cycle: usize, side: usize| {
        let (mut latencies, mut all) = (BTreeMap::new(), Latency::default());
        for (step, scope) in scopes.iter().enumerate() {
            let failed = if side == 1 { fates[step].failed } else { 0 };
            let mut values = BTreeMap::new();
            let good = of_steps[step][cycle][side].iter().skip(failed as usize);
            good.for_each(|log| *values.entry((2e7 * (step + 1) as f64 * log.exp()) as u64).or_default() += 1);
            let good = Distribution::of_values(&values);
            all.good.add(&good);
            all.failed += failed;
            latencies.insert(scope.clone(), Latency { good, failed });
        }
        latencies.insert(Scope::All, all);
        Arm { labels: STEPS.map(|step| (step.to_owned(), 1200)).into(), latencies }
    };
    let cycle = |index| {
        let first = if index * 5 % 7 < 4 { Variant::Baseline } else { Variant::Candidate };
        Cycle { first, baseline: arm(index, 0), candidate: arm(index, 1), conduct: None }
    };
    let cycles: Vec<Cycle> = (0..plan.most_cycles()).map(cycle).collect();
    let tests = Test::usual(&scopes);
    let settings = Settings { alpha: 0.05, plan, timeout_ns: 10_000_000_000, tests };
    settings.check().unwrap();
    let program = |name: &str, version: &str| Program { name: name.to_owned(), version: version.to_owned() };
    Comparison {
        scenario: "peak".to_owned(),
        baseline: program("main@1a2b3c4", "0.3.0"),
        candidate: program("target/release/tripsage", "0.3.1"),
        seed: 42,
        rate_per_second: 600.0,
        cycle_seconds: 12.0,
        at: "2026-11-23T08:00:00Z".to_owned(),
        machine: Machine {
            system: "Linux 6.18.44".to_owned(),
            cpu_model: "Example CPU @ 2.60GHz".to_owned(),
            cpu_count: 2,
            memory_bytes: 25_769_803_776,
        },
        judgement: judge(&cycles, &settings),
        settings,
    }
}

fn fates(slowdowns: [f64; 3], failed: u64) -> [Fate; 3] {
    slowdowns.map(|slowdown| Fate { slowdown, failed })
}

fn slower() -> Comparison {
    gate(
        [Fate { slowdown: 0.12, failed: 0 }, Fate { slowdown: 0.0, failed: 0 }, Fate { slowdown: 0.03, failed: 6 }],
        Plan::Fixed(20),
    )
}

#[test]
fn the_pages_of_a_gate_that_regressed_are_the_golden_ones() {
    let comparison = slower();
    assert_eq!(comparison.judgement.overall, Overall::Regress);
    let text = regression_text(&comparison, plain);
    assert!(text.starts_with("REGRESSED (exit 4)  "), "{text}");
    assert!(text.lines().count() <= 40 && text.lines().all(|line| line.chars().count() <= 100), "{text}");
    golden("regression.txt", &text);
    golden("regression.md", &regression_markdown(&comparison));
    let json: serde_json::Value = serde_json::from_str(&regression_json(&comparison)).unwrap();
    assert_eq!((&json["exit_code"], &json["judgement"]["overall"]), (&4.into(), &"regress".into()));
    let first = &json["judgement"]["findings"][0];
    assert_eq!(
        (&first["metric"], &first["scope"], &first["quantity"]),
        (&serde_json::Value::Null, &"flights.search".into(), &"p50".into())
    );
    assert_eq!(first["state"]["tested"]["effects"].as_array().unwrap().len(), 20);
}

#[test]
fn the_first_line_says_what_happened() {
    let headline = |comparison: Comparison| (comparison.judgement.overall, comparison.headline());
    let (overall, text) = headline(gate(fates([0.0; 3], 0), Plan::Sequential));
    assert_eq!(overall, Overall::Pass, "{text}");
    assert!(text.starts_with("10 metrics within the margins after "), "{text}");
    let (overall, text) = headline(gate(fates([0.05, 0.0, 0.0], 0), Plan::Fixed(20)));
    assert_eq!((overall, text.contains("of 10 metrics open after 20 cycles")), (Overall::Inconclusive, true), "{text}");
    let mut few = gate(fates([0.0; 3], 0), Plan::Sequential);
    few.judgement = judge(&[], &few.settings);
    assert_eq!(headline(few), (Overall::Inconclusive, "nothing could be compared".to_owned()));
}

#[test]
fn the_html_page_needs_nothing_but_itself_and_shows_what_names_say_as_text() {
    let mut comparison = slower();
    comparison.candidate.name = "<script>alert(1)</script>".to_owned();
    let page = regression_page(&comparison).unwrap();
    for forbidden in ["<script", "src=", "href=", "url(", "@import", "<link"] {
        assert!(!page.contains(forbidden), "the page has {forbidden}");
    }
    assert!(!page.replace("http://www.w3.org/2000/svg", "").contains("http"), "the page names an address");
    for part in ["Change", "Metrics", "Cycles", "Self-checks", "How"] {
        assert!(page.contains(&format!("<h2>{part}</h2>")), "{part} is missing");
    }
    let colours = page.split("fill=\"#").count() + page.split("stroke=\"#").count();
    assert_eq!(colours, 2, "a colour of a chart is not a variable of the page");
    if let Some(folder) = std::env::var_os("PAGES") {
        std::fs::write(std::path::Path::new(&folder).join("regression.html"), &page).unwrap();
    }
}

#[test]
fn a_gate_that_compared_nothing_still_has_pages() {
    let mut nothing = gate(fates([0.0; 3], 0), Plan::Fixed(20));
    nothing.judgement = judge(&[], &nothing.settings);
    let page = regression_page(&nothing).unwrap();
    assert!(page.contains("flights.search p50: 0 of") && !page.contains("<svg"), "{page}");
    assert!(regression_text(&nothing, plain).starts_with("INCONCLUSIVE (exit 7)  nothing could be compared\n"));
    let markdown = regression_markdown(&nothing);
    assert!(markdown.contains("| – | all p99 | not tested | – | – | +10.0 % | – |"), "{markdown}");
    assert!(markdown.contains("- all p99: 0 of 1 000 requests in a cycle\n"), "{markdown}");
}
