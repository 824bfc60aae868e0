//! The pages of a capacity that was never measured: of a target that sheds load, slows down past its peak, and is watched for a quarter.
use crate::golden::golden;
use jiff::{ToSpan as _, civil::date};
use reports::{
    capacity::{
        Answer, Claim, DayPeak, Level, Observed, Point, Policy, Price, Reading, Recovery, Rung, Search, Settings,
        Standing, Study, Trial, UnderFault,
    },
    proportion::Tally,
    record::ScenarioText,
    render::{capacity_json, capacity_markdown, capacity_page, capacity_text, plain},
    validity::{Check, CheckOutcome},
};
use std::time::Duration;

/// Requests in flight and the target's answer to them: λ 90/s, σ 0.03, κ 0.0004, and a little noise that is always the same.
const IN_FLIGHT: [(f64, f64); 12] = [
    (1.0, 1.01),
    (2.0, 0.99),
    (4.0, 1.005),
    (8.0, 0.985),
    (12.0, 1.012),
    (16.0, 0.995),
    (24.0, 1.008),
    (32.0, 0.99),
    (40.0, 1.01),
    (56.0, 0.993),
    (80.0, 1.004),
    (110.0, 0.99),
];

fn answered(in_flight: f64) -> f64 {
    90.0 * in_flight / (1.0 + 0.03 * (in_flight - 1.0) + 0.000_4 * in_flight * (in_flight - 1.0))
}

/// Up to 40 in flight all is answered; beyond, a third of what is too much is refused and the rest is late.
fn rung((in_flight, noise): (f64, f64)) -> Rung {
    let answered_per_second = answered(in_flight) * noise;
    let is_too_much = in_flight > 40.0;
    let offered_per_second =
        if is_too_much { answered(40.0) * (in_flight / 40.0).powf(0.6) } else { answered_per_second };
    let mean_s = in_flight / answered_per_second;
    let nanos = |seconds: f64| Some((seconds * 1e9) as u64);
    Rung {
        offered_per_second,
        answered_per_second,
        good_per_second: answered_per_second * if is_too_much { (40.0 / in_flight).powf(0.7) } else { 1.0 },
        p50_ns: nanos(mean_s * 0.69),
        p99_ns: if is_too_much { None } else { nanos(mean_s * 4.6) },
        shed_share: if is_too_much { (1.0 - answered_per_second / offered_per_second) / 3.0 } else { 0.0 },
        in_flight,
    }
}

/// Violations double every 28/s, and are 1 % at 1260/s.
fn target(trial: &Trial) -> Observed {
    let share = 0.01 * 2.0_f64.powf((trial.rate_per_second - 1_260.0) / 28.0);
    let total = (trial.rate_per_second * trial.length.as_secs_f64() / trial.windows as f64) as u64;
    let hits = |index: usize| {
        let scatter = [0.7, 1.2, 0.9, 1.4, 0.8, 1.1, 1.0, 0.6, 1.3, 1.0][index % 10];
        ((total as f64 * share * scatter).round() as u64).min(total)
    };
    let windows = (0..trial.windows).map(|index| Tally { hits: hits(index), total }).collect();
    Observed::Measured { windows, is_growing: trial.rate_per_second > 1_500.0 }
}

/// With slow flights, it sustains half as much.
fn under(claim: &Claim) -> UnderFault {
    let half = |rate: Option<f64>| rate.map(|rate| rate / 2.0);
    let claim = Claim {
        sustained_per_second: half(claim.sustained_per_second),
        violated_per_second: half(claim.violated_per_second),
        ..claim.clone()
    };
    UnderFault { fault: "mcp.flights latency: 1s downstream, every connection".to_owned(), claim, checks: Vec::new() }
}

pub(crate) fn study() -> Study {
    let level = Level { quantile: 0.99, limit_ns: 150_000_000 };
    let mut search = Search::new(Settings {
        start_per_second: 200.0,
        lowest_per_second: 20.0,
        highest_per_second: 5_000.0,
        allowed_share: level.allowed_share(),
        trial: Duration::from_secs(60),
        most_trials: 30,
        most_load: Duration::from_secs(3_600),
    })
    .unwrap();
    while let Some(trial) = search.next() {
        search.observe(target(&trial));
    }
    let check = |name, figure: &str, threshold: &str| Check {
        name,
        outcome: CheckOutcome::Pass,
        figure: figure.to_owned(),
        threshold: threshold.to_owned(),
    };
    let reading = |resource: &str, used, limit, unit: &str| Reading {
        resource: resource.to_owned(),
        used,
        limit,
        unit: unit.to_owned(),
    };
    let week = |index: i32| DayPeak {
        day: date(2026, 8, 24).saturating_add((7 * index).days()),
        per_second: 190.0 * 1.021_f64.powi(index) * if index % 2 == 0 { 1.03 } else { 0.97 },
    };
    Study {
        scenario: ScenarioText {
            name: "two-cpus".to_owned(),
            title: "TripSage on two CPUs".to_owned(),
            digest: "ab".repeat(32),
            overrides: vec!["--expected 240/s".to_owned()],
            feeders: Vec::new(),
        },
        started: "2026-11-24T04:00:00Z".to_owned(),
        title: "TripSage on two CPUs".to_owned(),
        target: "http://127.0.0.1:38411".to_owned(),
        machine: "Linux 6.18.44, 2 CPUs".to_owned(),
        promised_for: "flights.search".to_owned(),
        level,
        promises: vec!["p99 < 150ms for flights.search".to_owned(), "error-rate < 0.1%".to_owned()],
        left_apart: vec!["dropped = 0 (it is about the generator)".to_owned()],
        requests_per_arrival: 1.0,
        under: vec![under(&search.clone().finish())],
        checks: vec![
            check("schedule kept", "p99 lag 0.4 ms, 100 % sent", "p99 lag ≤ 1.50 ms, ≥ 99.5 % sent"),
            check("generator headroom", "38 % of its CPUs, 3.1 times the rate", "< 70 %, ≥ 2 times"),
            check("conservation", "all of 1 031 882 requests accounted for", "every request"),
        ],
        claim: search.finish(),
        rungs: IN_FLIGHT.into_iter().map(rung).collect(),
        recovery: Some(Recovery::After(Duration::from_secs(7))),
        expected_per_second: 240.0,
        policy: Policy { use_share: 0.75, spares: 1, growth: 0.5 },
        price: Some(Price { per_hour: 0.12, currency: "EUR".to_owned() }),
        by_replicas: Vec::new(),
        history: (0..13).map(week).collect(),
        resources: vec![
            reading("CPU of service", 1.78, 2.0, "CPUs"),
            reading("CPU of providers", 0.14, 2.0, "CPUs"),
            reading("connections to the database", 5.2, 10.0, "connections"),
        ],
    }
}

#[test]
fn the_pages_of_a_capacity_are_the_golden_ones() {
    let study = study();
    let text = capacity_text(&study, plain);
    assert!(text.lines().count() <= 82 && text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert!(text.starts_with("ENOUGH (exit 0)  sustains at least"), "{text}");
    golden("capacity.txt", &text);
    golden("capacity.md", &capacity_markdown(&study));
    let mut document: serde_json::Value = serde_json::from_str(&capacity_json(&study)).unwrap();
    assert_eq!(document["study"]["claim"]["tried"].as_array().unwrap().len(), study.claim.tried.len());
    document.as_object_mut().unwrap().remove("study");
    golden("capacity.json", &(serde_json::to_string_pretty(&document).unwrap() + "\n"));
}

#[test]
fn the_html_page_of_a_capacity_needs_nothing_but_itself() {
    let mut study = study();
    study.title = "<script>alert(1)</script>".to_owned();
    let page = capacity_page(&study).unwrap();
    for forbidden in ["<script", "src=", "href=", "url(", "@import", "<link"] {
        assert!(!page.contains(forbidden), "the page has {forbidden}");
    }
    for part in ["What to buy", "Under faults", "At each rate", "Outlook", "Scaling", "Resources", "Search", "Validity"]
    {
        assert!(page.contains(&format!("<h2>{part}</h2>")), "{part} is missing");
    }
    assert_eq!(page.matches("<figure").count(), 3);
    let colours = page.split("fill=\"#").count() + page.split("stroke=\"#").count();
    assert_eq!(colours, 2, "a colour of a chart is not a variable of the page");
    if let Some(path) = std::env::var_os("CAPACITY_PAGE") {
        std::fs::write(path, capacity_page(&self::study()).unwrap()).unwrap();
    }
}

#[test]
fn a_study_that_cannot_be_trusted_states_no_figure() {
    let mut study = study();
    let sustained = study.claim.sustained_per_second.unwrap();
    study.checks[0].outcome = CheckOutcome::Fail;
    let answer = Answer::of(&study);
    assert_eq!((answer.standing, answer.standing.exit_code()), (Standing::Invalid, 8));
    assert!(answer.replica.is_none() && answer.purchases.is_empty() && answer.forecast.is_none());
    let figure = reports::number::rate(sustained);
    let (text, markdown) = (capacity_text(&study, plain), capacity_markdown(&study));
    for page in [capacity_page(&study).unwrap(), text, markdown, capacity_json(&study)] {
        assert!(page.contains("no capacity is stated"), "{page}");
        assert!(!page.contains(&figure) && !page.contains(&format!("{sustained}")), "{figure} is stated: {page}");
    }
}

#[test]
fn a_demand_is_judged_by_what_was_proven() {
    let check = |expected_per_second, standing, code| {
        let answer = Answer::of(&Study { expected_per_second, ..study() });
        assert_eq!((answer.standing, answer.standing.exit_code()), (standing, code), "{expected_per_second}");
    };
    let claim = study().claim;
    let (sustained, violated) = (claim.sustained_per_second.unwrap(), claim.violated_per_second.unwrap());
    check(1.0, Standing::Enough, 0);
    check(sustained, Standing::Enough, 0);
    check(sustained + 0.1, Standing::Undecided, 7);
    check(violated, Standing::TooLittle, 3);
    let unproven = Study { claim: reports::capacity::Claim { sustained_per_second: None, ..claim }, ..study() };
    assert_eq!(Answer::of(&unproven).standing, Standing::Undecided);
    assert!(capacity_text(&unproven, plain).contains("nothing was confirmed"));
}

#[test]
fn what_the_data_do_not_show_is_refused_in_words() {
    let few = Study { rungs: study().rungs[..4].to_vec(), history: study().history[..5].to_vec(), ..study() };
    let text = capacity_text(&few, plain);
    for part in ["4 different loads were measured", "a forecast needs 8 peaks", "not shown: no rate past the best"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let document: serde_json::Value = serde_json::from_str(&capacity_json(&few)).unwrap();
    assert!(document["scaling"].is_null() && document["refusals"].as_array().unwrap().len() == 2, "{document}");
    // Measured scaling replaces the assumption, and does not reach ten times the demand.
    let curve =
        |replicas: f64| 1_200.0 * replicas / (1.0 + 0.12 * (replicas - 1.0) + 0.01 * replicas * (replicas - 1.0));
    let by_replicas = [1.0, 2.0, 3.0, 4.0, 6.0, 10.0].map(|load| Point { load, per_second: curve(load) }).to_vec();
    let measured = Study { by_replicas, expected_per_second: 1_000.0, ..study() };
    let page = capacity_markdown(&measured);
    assert!(
        page.contains("How much R replicas carry was measured") && page.contains("beyond what was measured"),
        "{page}"
    );
}
