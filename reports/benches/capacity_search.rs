//! How often a search for a capacity claims too much, and how far below the truth it stays: against M/M/1 with a known limit.
//!
//! ```text
//! cargo bench -p reports --bench capacity_search [-- --searches 1000]
//! ```
//! Rules that believe single trials stand beside it. Everything is simulated, from the seeds 0 to the number of searches: the figures are
//! the same on every machine. Source of the server and of the rules: measurement.md D2.
#![expect(clippy::print_stdout, reason = "a program of its own, for developers")]

#[path = "../tests/it/mm1.rs"]
mod mm1;

use mm1::Server;
use reports::{
    capacity::{Finding, Observed, Purpose, Search, Settings, Trial, judge},
    proportion::Tally,
};
use std::time::Duration;

/// What one search came to.
struct Found {
    /// The claim as a share of the truth; `None` when nothing was claimed.
    claim: Option<f64>,
    encloses: bool,
    load: Duration,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let after =
        |flag: &str| arguments.iter().position(|argument| argument == flag).and_then(|at| arguments.get(at + 1));
    let searches = after("--searches").map_or(1_000, |text| text.parse().expect("--searches takes a number"));
    println!("{searches} searches each; M/M/1 of 1000/s, p99 ≤ 50 ms, 2 % from trial to trial: truth 907.9/s\n");
    println!(
        "{:44} {:>7} {:>15} {:>6} {:>6} {:>9} {:>7}",
        "rule", "median", "p5–p95", "over", ">2 %", "encloses", "load s"
    );
    for seconds in [10, 30] {
        let name = format!("bisection, one {seconds} s trial, share seen");
        row(&name, searches, |seed| bisection(seed, Duration::from_secs(seconds), |seen| seen.share <= 0.01));
    }
    let name = "bisection, one 30 s trial, 95 % bound";
    row(name, searches, |seed| bisection(seed, Duration::from_secs(30), |seen| seen.finding == Finding::Kept));
    for seconds in [30, 60] {
        let name = format!("search, {seconds} s trials, confirmed");
        row(&name, searches, |seed| search(seed, Duration::from_secs(seconds)));
    }
}

fn row(name: &str, searches: u64, of: impl Fn(u64) -> Found) {
    let found: Vec<Found> = (0..searches).map(of).collect();
    let mut claims: Vec<f64> = found.iter().filter_map(|found| found.claim).collect();
    claims.sort_by(f64::total_cmp);
    let at = |share: f64| claims[((claims.len() - 1) as f64 * share) as usize];
    let percent = |count: usize| format!("{:.1} %", count as f64 / found.len() as f64 * 100.0);
    let over = |limit: f64| percent(claims.iter().filter(|claim| **claim > limit).count());
    let encloses = percent(found.iter().filter(|found| found.encloses).count());
    let load_s = found.iter().map(|found| found.load.as_secs_f64()).sum::<f64>() / found.len() as f64;
    let spread = format!("{:.3}–{:.3}", at(0.05), at(0.95));
    println!("{name:44} {:7.3} {spread:>15} {:>6} {:>6} {encloses:>9} {load_s:7.0}", at(0.5), over(1.0), over(1.02));
}

/// What most tools do: halve the distance until it is 2 %, and believe each trial.
fn bisection(seed: u64, length: Duration, is_kept: impl Fn(&reports::capacity::Judgement) -> bool) -> Found {
    let mut server = Server::new(seed);
    let (mut low, mut high) = (server.start(), 2.0 * server.capacity());
    let (mut load, truth) = (Duration::ZERO, server.capacity());
    while high / low > 1.02 {
        let rate_per_second = f64::sqrt(low * high);
        let trial = Trial { rate_per_second, length, windows: 10, purpose: Purpose::Bisect };
        load += length;
        let kept = is_kept(&judge(&windows(server.run(&trial)), 0.01));
        if kept { low = rate_per_second } else { high = rate_per_second }
    }
    Found { claim: Some(low / truth), encloses: low <= truth && truth <= high, load }
}

fn windows(observed: Observed) -> Vec<Tally> {
    match observed {
        Observed::Measured { windows, .. } => windows,
        Observed::Judged { .. } | Observed::Invalid(_) => Vec::new(),
    }
}

fn search(seed: u64, trial: Duration) -> Found {
    let mut server = Server::new(seed);
    let mut search = Search::new(Settings {
        start_per_second: server.start(),
        lowest_per_second: 10.0,
        highest_per_second: 5_000.0,
        allowed_share: server.level.allowed_share(),
        trial,
        most_trials: 60,
        most_load: trial * 90,
    })
    .expect("these settings work");
    while let Some(trial) = search.next() {
        search.observe(server.run(&trial));
    }
    let (claim, truth) = (search.finish(), server.capacity());
    let encloses = claim.sustained_per_second.is_some_and(|low| low <= truth)
        && claim.violated_per_second.is_some_and(|high| truth <= high);
    Found { claim: claim.sustained_per_second.map(|rate| rate / truth), encloses, load: claim.load() }
}
