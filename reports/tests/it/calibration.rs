//! A calibration judged line by line, shown by itself and in the reports of runs, and used for their headroom.
use crate::{golden::golden, synthetic::quickstart_report};
use reports::{
    calibration::{Standing, judge, standing},
    record::{Calibration, ClockFigures, Machine, QuantileError, RateTrial, Run, SceneResult},
    render::{calibration_json, calibration_markdown, calibration_text, plain},
    report::Report,
    validity::{CheckOutcome, check_all},
};

const MS: u64 = 1_000_000;

fn scene(name: &str, rate: f64, users: u32, truth_ms: [u64; 6]) -> SceneResult {
    let error = |(quantile, truth_ms): (f64, u64)| QuantileError {
        quantile,
        truth_ns: truth_ms * MS,
        seen_ns: truth_ms * MS + 180_000,
        tolerance_ns: 4 * MS,
    };
    let errors: Vec<QuantileError> = [0.5, 0.75, 0.9, 0.95, 0.99, 0.999].into_iter().zip(truth_ms).map(error).collect();
    let intended = (rate * 6.0) as u64;
    SceneResult {
        name: name.to_owned(),
        rate,
        users,
        frozen_ns: 150 * MS,
        period_ns: 2_000 * MS,
        intended,
        offered: intended,
        answered: intended,
        response: errors.clone(),
        service: errors,
    }
}

fn trial(rate: f64, lag_p99_ns: u64) -> RateTrial {
    RateTrial { rate, users: 50, lag_p50_ns: 8_000, lag_p99_ns, sent_share: 1.0, answered_share: 1.0, cpu_us: 21.4 }
}

fn machine() -> Machine {
    Machine {
        system: "Linux 6.18.44".to_owned(),
        cpu_model: "Example CPU @ 2.60GHz".to_owned(),
        cpu_count: 2,
        memory_bytes: 25_769_803_776,
    }
}

fn sound() -> Calibration {
    Calibration {
        harness_version: "0.1.0".to_owned(),
        is_optimised: true,
        machine: machine(),
        at: "2026-11-23T08:00:00Z".to_owned(),
        took_ms: 24_300,
        allowance_ns: 160_000,
        clock: ClockFigures { resolution_ns: 30, timer_late_p50_ns: 52_000, timer_late_p99_ns: 80_000 },
        scenes: vec![
            scene("users to spare", 500.0, 120, [2, 2, 2, 52, 132, 150]),
            scene("one user", 100.0, 1, [2, 2, 2, 72, 136, 150]),
        ],
        rates: [(1_000.0, 90_000), (10_000.0, 180_000), (16_000.0, 300_000), (25_600.0, 4 * MS), (20_239.0, 600_000)]
            .map(|(rate, lag)| trial(rate, lag))
            .into(),
    }
}

#[track_caller]
fn check(change: impl FnOnce(&mut Calibration), name: &str, figure: &str) {
    let mut calibration = sound();
    change(&mut calibration);
    let failed: Vec<_> = judge(&calibration).into_iter().filter(|line| !line.holds).collect();
    let failed: Vec<_> = failed.iter().map(|line| (line.name.as_str(), line.figure.as_str())).collect();
    assert_eq!(failed, [(name, figure)]);
}

#[test]
fn each_line_fails_for_what_it_is_there_for() {
    assert!(judge(&sound()).iter().all(|line| line.holds));
    check(|c| c.clock.resolution_ns = 4 * MS, "clock", "counts in 4.00 ms");
    check(|c| c.clock.timer_late_p99_ns = 3 * MS, "timer", "late by 3.00 ms (p99)");
    check(|c| c.scenes[0].offered -= 1, "users to spare: every request", "2 999 due, 3 000 answered");
    check(|c| c.scenes[1].answered -= 1, "one user: every request", "600 due, 599 answered");
    check(|c| c.scenes[0].response[4].seen_ns = 2 * MS, "users to spare: response times", "at worst 130 ms off (p99)");
    check(|c| c.scenes[1].service[5].seen_ns += 9 * MS, "one user: service times", "at worst 9.18 ms off (p99.9)");
    check(|c| c.scenes[1].service.clear(), "one user: service times", "nothing measured");
    check(|c| c.rates.iter_mut().for_each(|t| t.sent_share = 0.9), "schedule kept", "at no rate");
}

#[test]
fn the_highest_rate_is_below_every_rate_that_was_lost() {
    assert_eq!(sound().highest_kept().map(|trial| trial.rate), Some(20_239.0));
    let mut hiccup = sound();
    hiccup.rates[1].lag_p99_ns = 2 * MS;
    assert_eq!(hiccup.highest_kept().map(|trial| trial.rate), Some(1_000.0));
}

#[test]
fn a_calibration_has_pages_of_its_own() {
    let text = calibration_text(&sound(), plain);
    assert!(text.lines().all(|line| line.chars().count() <= 100), "wider than 100 columns:\n{text}");
    golden("calibration.txt", &text);
    golden("calibration.md", &calibration_markdown(&sound()));
    let json: serde_json::Value = serde_json::from_str(&calibration_json(&sound())).unwrap();
    assert_eq!((&json["holds"], &json["lines"][0]["name"]), (&true.into(), &"clock".into()));
    let mut failing = sound();
    failing.scenes[0].answered = 0;
    let text = calibration_text(&failing, plain);
    assert!(text.starts_with("NOT PROVEN (exit 8)  1 line does not hold"), "{text}");
}

fn run(change: impl FnOnce(&mut Run, &mut Calibration)) -> Run {
    let mut run = quickstart_report().run.clone();
    let mut calibration = sound();
    change(&mut run, &mut calibration);
    run.calibration = Some(calibration);
    run
}

#[test]
fn a_run_says_what_is_known_of_its_meter() {
    let sentence = |run: &Run| (standing(run).mark(), standing(run).sentence());
    let none = &quickstart_report().run;
    assert_eq!(sentence(none), ("–", "not calibrated on this machine: run `harness calibrate`".to_owned()));
    let proven = "calibrated: within 180 µs of the truth up to p99.9, keeps its schedule up to 20 239/s";
    assert_eq!(sentence(&run(|_, _| {})), ("✓", proven.to_owned()));
    let outdated = |what: &str| ("–", format!("calibrated with {what}: run `harness calibrate` again"));
    assert_eq!(sentence(&run(|_, c| c.machine.system = "Linux 5".to_owned())), outdated("Linux 5"));
    assert_eq!(sentence(&run(|_, c| c.harness_version = "0.0.9".to_owned())), outdated("version 0.0.9"));
    assert_eq!(sentence(&run(|r, _| r.machine.cpu_count = 64)), outdated("another machine"));
    let failed = run(|_, c| c.scenes[1].answered = 599);
    assert_eq!(
        sentence(&failed),
        ("✗", "the calibration failed (one user: every request: 600 due, 599 answered)".to_owned())
    );
    assert!(matches!(standing(&failed), Standing::Failed(..)));
}

#[test]
fn every_page_of_a_run_shows_its_meter() {
    let mut report: Report = quickstart_report().clone();
    report.run = run(|_, _| {});
    let sentence = standing(&report.run).sentence();
    let text = reports::render::terminal(&report, plain);
    assert!(text.contains(&format!("  ✓ meter {sentence}\n")), "{text}");
    assert!(text.lines().count() <= 58 && text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let markdown = reports::render::markdown(&report);
    assert!(markdown.contains("| ✓ | schedule kept | up to 20 239/s at 21.4 µs CPU |"), "{markdown}");
    assert!(reports::render::run_page(&report).unwrap().contains("<h2>Meter</h2>"));
    assert!(reports::render::json(&report).contains(&format!("\"meter\": \"{sentence}\"")));
}

#[test]
fn a_run_that_asked_for_more_than_half_of_what_was_kept_is_invalid() {
    let headroom = |run: &Run| {
        let checks = check_all(run, &quickstart_report().summary);
        let check = checks.into_iter().find(|check| check.name == "generator headroom").unwrap();
        (check.outcome, check.figure)
    };
    let (outcome, figure) = headroom(&run(|_, _| {}));
    assert_eq!(outcome, CheckOutcome::Pass);
    let busiest = quickstart_report().summary.seconds.iter().map(|second| second.sent).max().unwrap();
    assert_eq!(figure, format!("9.7 % of 2 cores used, 20 239/s possible, {busiest}.0/s tested"));
    let only = |kept: f64| {
        move |_: &mut Run, calibration: &mut Calibration| {
            calibration.rates = vec![trial(kept, 90_000), trial(kept * 1.1, 9_000_000)];
        }
    };
    assert_eq!(headroom(&run(only(busiest as f64 * 2.0))).0, CheckOutcome::Pass);
    assert_eq!(headroom(&run(only(busiest as f64 * 1.99))).0, CheckOutcome::Fail);
    let none = run(|_, c| c.rates.iter_mut().for_each(|trial| trial.lag_p99_ns = 9_000_000));
    assert_eq!(headroom(&none).0, CheckOutcome::Fail, "a machine on which no rate is kept has no headroom");
    let outdated = run(|_, c| {
        c.rates.clear();
        c.harness_version = "0.0.9".to_owned();
    });
    assert_eq!(headroom(&outdated), (CheckOutcome::Pass, "9.7 % of 2 cores used".to_owned()), "as without one");
}

#[test]
fn a_record_from_before_there_were_calibrations_is_read() {
    let mut head = serde_json::to_value(run(|_, _| {})).unwrap();
    assert_eq!(serde_json::from_value::<Run>(head.clone()).unwrap().calibration, Some(sound()));
    head.as_object_mut().unwrap().remove("calibration");
    assert_eq!(serde_json::from_value::<Run>(head).unwrap().calibration, None);
}
