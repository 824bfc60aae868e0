//! The search for a capacity: its steps against targets that answer as they are told, and its claims against a queue whose truth is known.
use crate::mm1::Server;
use proptest::prelude::*;
use reports::{
    capacity::{Claim, End, Finding, Observed, Purpose, Search, SearchError, Settings, Trial, TrialResult},
    proportion::Tally,
};
use std::time::Duration;

const TRIAL: Duration = Duration::from_secs(60);

fn settings() -> Settings {
    Settings {
        start_per_second: 100.0,
        lowest_per_second: 10.0,
        highest_per_second: 5_000.0,
        allowed_share: 0.01,
        trial: TRIAL,
        most_trials: 40,
        most_load: TRIAL * 60,
    }
}

/// Windows that leave no doubt.
fn windows(trial: &Trial, hits: u64) -> Observed {
    Observed::Measured { windows: vec![Tally { hits, total: 1_000 }; trial.windows], is_growing: false }
}

fn kept(trial: &Trial) -> Observed {
    windows(trial, 0)
}

fn violated(trial: &Trial) -> Observed {
    windows(trial, 500)
}

/// Half of the windows are as bad as the others are good.
fn unknown(trial: &Trial) -> Observed {
    let windows = (0..trial.windows).map(|index| Tally { hits: if index % 2 == 0 { 0 } else { 20 }, total: 1_000 });
    Observed::Measured { windows: windows.collect(), is_growing: false }
}

fn search(settings: Settings, mut target: impl FnMut(&Trial) -> Observed) -> Claim {
    let mut search = Search::new(settings).unwrap();
    while let Some(trial) = search.next() {
        search.observe(target(&trial));
    }
    search.finish()
}

fn upto(limit: f64) -> impl FnMut(&Trial) -> Observed {
    move |trial| if trial.rate_per_second <= limit { kept(trial) } else { violated(trial) }
}

fn purposes(claim: &Claim) -> String {
    let letter = |purpose| match purpose {
        Purpose::Ramp => 'r',
        Purpose::Bisect => 'b',
        Purpose::Confirm => 'c',
        Purpose::Prove => 'p',
    };
    claim.tried.iter().map(|tried| letter(tried.trial.purpose)).collect()
}

#[test]
fn the_limit_of_a_plain_target_is_enclosed_to_two_percent() {
    for limit in [11.0, 100.0, 150.0, 907.9, 4_900.0] {
        let claim = search(settings(), upto(limit));
        let (low, high) = (claim.sustained_per_second.unwrap(), claim.violated_per_second.unwrap());
        assert!(low <= limit && limit < high && high / low <= 1.02, "{limit}: {}", claim.sentence());
        assert_eq!(claim.end, End::Resolved);
        let last = claim.tried.last().unwrap();
        assert_eq!((last.trial.length, last.trial.windows, last.trial.purpose), (TRIAL * 2, 20, Purpose::Confirm));
    }
    let claim = search(settings(), upto(907.9));
    assert_eq!(purposes(&claim), "rrrrrrrbbbbbc", "100 to 1139, then 1.5 in five halves");
    assert_eq!(claim.load(), TRIAL * 14);
    let sentence = "sustains at least 906.8/s (confirmed); proven to violate at 918.3/s; between: not resolved";
    assert_eq!(claim.sentence(), sentence);
}

#[test]
fn a_target_that_keeps_everything_has_a_limit_above_the_generators() {
    let claim = search(settings(), upto(f64::INFINITY));
    assert_eq!((claim.sustained_per_second, claim.violated_per_second), (Some(5_000.0), None));
    assert_eq!(claim.end, End::GeneratorLimit);
    assert!(claim.sentence().contains("no rate was proven to violate"), "{}", claim.sentence());
    assert!(claim.reason().contains("limit of the target is higher"), "{}", claim.reason());
}

#[test]
fn a_target_that_keeps_nothing_has_no_claim() {
    let claim = search(settings(), upto(0.0));
    assert_eq!((claim.sustained_per_second, claim.violated_per_second), (None, Some(10.0)));
    assert_eq!((claim.end.clone(), purposes(&claim).as_str()), (End::NothingKept, "rrrrrrr"));
    assert_eq!(claim.sentence(), "no rate was confirmed; proven to violate at 10.0/s");
}

#[test]
fn a_confirmation_that_fails_takes_three_percent_each_time() {
    let mut failures = 2;
    let claim = search(settings(), |trial| match trial.purpose {
        Purpose::Confirm if failures > 0 => {
            failures -= 1;
            violated(trial)
        }
        _ => upto(907.9)(trial),
    });
    let found = claim.sustained_per_second.unwrap();
    assert!((found / (906.83 * 0.97 * 0.97) - 1.0).abs() < 1e-4, "{found}");
    assert_eq!(claim.failed_confirmations(), 2);
    let too_much = claim.violated_per_second.unwrap();
    assert!((too_much / (906.83 * 0.97) - 1.0).abs() < 1e-4, "the failure itself is proof: {too_much}");
    let never = |trial: &Trial| if trial.purpose == Purpose::Confirm { violated(trial) } else { kept(trial) };
    let low = Settings { lowest_per_second: 90.0, highest_per_second: 100.0, ..settings() };
    let claim = search(low, never);
    assert_eq!((claim.sustained_per_second, claim.end), (None, End::NothingKept));
}

#[test]
fn what_is_neither_kept_nor_violated_is_not_claimed_and_proof_is_looked_for_above() {
    // Certain below 880 and above 940 only.
    let claim = search(settings(), |trial| match trial.rate_per_second {
        rate if rate <= 880.0 => kept(trial),
        rate if rate >= 940.0 => violated(trial),
        _ => unknown(trial),
    });
    let (low, high) = (claim.sustained_per_second.unwrap(), claim.violated_per_second.unwrap());
    assert!(low <= 880.0 && low > 860.0 && high >= 940.0, "{}", claim.sentence());
    // Nothing is certain above 880: three more trials look for proof, and give up.
    let claim = search(settings(), |trial| if trial.rate_per_second <= 880.0 { kept(trial) } else { unknown(trial) });
    assert!(claim.sustained_per_second.unwrap() <= 880.0 && claim.violated_per_second.is_none());
    assert!(purposes(&claim).ends_with("cppp"), "{}", purposes(&claim));
    assert!(claim.reason().contains("longer trials"), "{}", claim.reason());
}

#[test]
fn a_rate_at_which_requests_pile_up_is_not_sustained_however_generous_the_level() {
    let claim = search(settings(), |trial| match kept(trial) {
        Observed::Measured { windows, .. } => Observed::Measured { windows, is_growing: trial.rate_per_second > 600.0 },
        other => other,
    });
    let (low, high) = (claim.sustained_per_second.unwrap(), claim.violated_per_second.unwrap());
    assert!(low <= 600.0 && 600.0 < high && high / low < 1.02, "{}", claim.sentence());
    let grew = |result: &TrialResult| matches!(result, TrialResult::Judged(found) if found.finding == Finding::Growing);
    assert!(claim.tried.iter().any(|tried| grew(&tried.result)));
}

#[test]
fn an_invalid_trial_is_made_again_and_then_ends_the_search_above_what_is_known() {
    let mut first = true;
    let claim = search(settings(), |trial| match std::mem::take(&mut first) {
        true => Observed::Invalid("the clock jumped".to_owned()),
        false => upto(907.9)(trial),
    });
    assert_eq!((claim.end.clone(), purposes(&claim).as_str()), (End::Resolved, "rrrrrrrrbbbbbc"));

    let late = |trial: &Trial| match trial.rate_per_second {
        rate if rate > 400.0 => Observed::Invalid("schedule kept: p99 lag 12 ms".to_owned()),
        _ => kept(trial),
    };
    let claim = search(settings(), late);
    assert_eq!((claim.sustained_per_second, claim.violated_per_second), (Some(337.5), None));
    assert_eq!(purposes(&claim), "rrrrrrc");
    assert_eq!(claim.reason(), "506.2/s could not be measured: schedule kept: p99 lag 12 ms.");

    let claim = search(settings(), |_| Observed::Invalid("no target".to_owned()));
    assert_eq!(purposes(&claim), "rr");
    assert!(claim.sustained_per_second.is_none() && matches!(claim.end, End::Unmeasurable { .. }));
}

#[test]
fn a_search_short_of_time_confirms_what_it_has() {
    for (most_trials, most_load) in [(9, TRIAL * 60), (40, TRIAL * 10)] {
        let claim = search(Settings { most_trials, most_load, ..settings() }, upto(907.9));
        assert!(claim.tried.len() <= most_trials as usize && claim.load() <= most_load, "{}", purposes(&claim));
        assert!(claim.sustained_per_second.is_some_and(|rate| rate <= 907.9), "{}", claim.sentence());
        assert_eq!(claim.end, End::OutOfBudget);
    }
    let claim =
        search(Settings { most_trials: 2, most_load: TRIAL * 3, start_per_second: 3_000.0, ..settings() }, upto(907.9));
    assert_eq!((claim.sustained_per_second, claim.end.clone()), (None, End::OutOfBudget));
    // One that is stopped says so, and what it saw once is no claim.
    let mut stopped = Search::new(settings()).unwrap();
    let trial = stopped.next().unwrap();
    stopped.observe(kept(&trial));
    let claim = stopped.finish();
    assert_eq!((claim.sustained_per_second, claim.end.clone()), (None, End::Stopped));
    assert!(claim.sentence().contains("100.0/s was kept in one trial, which is not proof"), "{}", claim.sentence());
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let check = |settings: Settings, text: &str| {
        let error = Search::new(settings).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    };
    let base = settings();
    for (lowest, start, highest) in
        [(0.0, 1.0, 2.0), (2.0, 1.0, 3.0), (1.0, 3.0, 2.0), (1.0, 2.0, f64::INFINITY), (f64::NAN, 1.0, 2.0)]
    {
        let rates =
            Settings { lowest_per_second: lowest, start_per_second: start, highest_per_second: highest, ..base };
        check(rates, "in order");
    }
    check(Settings { allowed_share: 0.0, ..base }, "between 0 and 1");
    check(Settings { allowed_share: 1.0, ..base }, "between 0 and 1");
    check(Settings { trial: Duration::ZERO, ..base }, "at least 2 trials");
    check(Settings { most_trials: 1, ..base }, "at least 2 trials");
    check(Settings { most_load: TRIAL * 2, ..base }, "at least 2 trials");
    assert_eq!(Search::new(Settings { allowed_share: 2.0, ..base }), Err(SearchError::Share(2.0)));
}

proptest! {
    /// Whatever a target answers, a search ends within its budget and claims only what a confirmation has shown.
    #[test]
    fn every_search_ends_and_claims_only_what_was_confirmed(answers in prop::collection::vec(0_u8..5, 60), most_trials in 2_u32..30) {
        let settings = Settings { most_trials, most_load: TRIAL * 25, ..settings() };
        let mut answers = answers.into_iter();
        let claim = search(settings, |trial| match answers.next() {
            Some(0 | 1) => kept(trial),
            Some(2) => violated(trial),
            Some(3) => Observed::Invalid("luck".to_owned()),
            _ => unknown(trial),
        });
        prop_assert!(claim.tried.len() <= most_trials as usize && claim.load() <= settings.most_load);
        prop_assert!(claim.end != End::Stopped);
        let rates = settings.lowest_per_second..=settings.highest_per_second;
        prop_assert!(claim.tried.iter().all(|tried| rates.contains(&tried.trial.rate_per_second)));
        let is = |result: &TrialResult, finding| matches!(result, TrialResult::Judged(found) if found.finding == finding);
        let confirmed = claim.tried.iter().find(|tried| tried.trial.purpose == Purpose::Confirm && is(&tried.result, Finding::Kept));
        prop_assert_eq!(claim.sustained_per_second, confirmed.map(|tried| tried.trial.rate_per_second));
        let lowest = claim.tried.iter().filter(|tried| is(&tried.result, Finding::Violated)).map(|tried| tried.trial.rate_per_second);
        prop_assert_eq!(claim.violated_per_second, lowest.min_by(f64::total_cmp));
        if let (Some(low), Some(high)) = (claim.sustained_per_second, claim.violated_per_second) {
            prop_assert!(low < high);
        }
    }
}

/// The claims of searches against the server of measurement.md D2, as shares of its true capacity, and how many enclose it.
fn claims(searches: u64, trial: Duration) -> (Vec<f64>, usize) {
    let mut enclosed = 0;
    let mut shares: Vec<f64> = (0..searches)
        .map(|seed| {
            let mut server = Server::new(seed);
            // From anywhere: the rates that a search can claim are a grid from its start.
            let settings = Settings { start_per_second: server.start(), trial, most_load: trial * 60, ..settings() };
            let truth = server.capacity();
            let claim = search(settings, |trial| server.run(trial));
            let low = claim.sustained_per_second.unwrap();
            enclosed += usize::from(low <= truth && claim.violated_per_second.is_some_and(|high| truth <= high));
            low / truth
        })
        .collect();
    shares.sort_by(f64::total_cmp);
    (shares, enclosed)
}

#[test]
fn claims_of_a_queue_with_a_known_limit_are_seldom_too_high_and_never_far_too_low() {
    // measurement.md D2, 60 s trials: 3 % claim too much, hardly one by more than 2 %; median 0.964, 5th percentile 0.933.
    let (shares, enclosed) = claims(100, TRIAL);
    let over = shares.iter().filter(|share| **share > 1.0).count();
    assert!(over <= 5, "{over} of 100 claim too much: {:?}", &shares[90..]);
    assert!(shares[98] <= 1.02 && shares[99] <= 1.04, "{:?}", &shares[90..]);
    assert!(shares[50] >= 0.95 && shares[5] >= 0.91, "{shares:?}");
    assert!(enclosed >= 80, "{enclosed} of 100 enclose the truth");
}

#[test]
fn a_rule_that_believes_one_short_trial_claims_too_much() {
    // The same server with the rule of most tools: the share that was seen, no bounds, no confirmation. D2: 69 % for 10 s trials.
    let over = (0..100).filter(|seed| {
        let mut server = Server::new(*seed);
        let (mut low, mut high) = (600.0, 1_200.0);
        while high / low > 1.02 {
            let rate = f64::sqrt(low * high);
            let trial =
                Trial { rate_per_second: rate, length: Duration::from_secs(10), windows: 10, purpose: Purpose::Bisect };
            let Observed::Measured { windows, .. } = server.run(&trial) else { unreachable!("it always measures") };
            let seen = windows.into_iter().sum::<Tally>().share();
            if seen <= 0.01 { low = rate } else { high = rate }
        }
        low > server.capacity()
    });
    let over = over.count();
    assert!((45..=90).contains(&over), "{over} of 100");
}
