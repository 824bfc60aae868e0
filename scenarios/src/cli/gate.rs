//! Flags of the regression gate.
use super::Format;
use clap::{Args, ValueEnum};
use std::{path::PathBuf, time::Duration};

/// Flags of `gate`.
#[derive(Debug, Args)]
#[command(
    after_help = "A variant is the file of a program (`tripsage` or `harness`), the URL of a service that runs already, \
`rev:REVISION` of git, which is built with cargo, or `own`, the service in this program. Two URLs are not restarted, and the \
result says so."
)]
pub struct Gate {
    /// The scenario whose load both are under; its faults are left out. With `--stored`: the run that is judged.
    pub scenario: String,
    /// What is known, such as rev:main.
    #[arg(long, value_name = "VARIANT")]
    pub baseline: Option<crate::gate::Named>,
    /// What is judged, such as target/release/tripsage.
    #[arg(long, value_name = "VARIANT")]
    pub candidate: Option<crate::gate::Named>,
    /// Compare the baseline (or this program's own service) with itself, to see what the gate says when there is nothing to find.
    #[arg(long, conflicts_with = "candidate")]
    pub a_a: bool,
    /// Say how often gates like this one find known slow-downs of this program's own service on this machine, and raise false alarms.
    #[arg(long, conflicts_with_all = ["baseline", "candidate", "a_a"])]
    pub self_test: bool,
    /// Gates of each kind that the self-test makes.
    #[arg(long, value_name = "N", default_value_t = 3, requires = "self_test", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub trials: u32,
    /// Kinds of the self-test to make, such as equal,+10%; all unless given.
    #[arg(long, value_name = "KIND,…", value_delimiter = ',', requires = "self_test")]
    pub kinds: Vec<crate::gate::Injection>,
    /// Compare a finished run with the stored ones of past jobs instead: folders of runs, or folders that hold such.
    #[arg(long, value_name = "FOLDER", num_args = 1.., conflicts_with_all = ["baseline", "candidate", "a_a", "self_test"])]
    pub stored: Vec<PathBuf>,
    /// Make so many cycles and look once, instead of looking after 8, 12, 16, 24 and 32.
    #[arg(long, value_name = "N")]
    pub cycles: Option<usize>,
    /// Measured part of each cycle.
    #[arg(long, value_parser = reports::units::parse_duration, value_name = "TIME", default_value = "12s")]
    pub cycle_duration: Duration,
    /// Part of each cycle before that; 2 s and 500 visits of either variant at least, unless given.
    #[arg(long = "warmup", value_parser = reports::units::parse_duration, value_name = "TIME")]
    pub warm_up: Option<Duration>,
    /// By how much latencies may be worse, such as 5%; by default 5 % for p50 and p95, and 10 % for p99.
    #[arg(long, value_parser = crate::gate::parse_share, value_name = "SHARE")]
    pub margin: Option<f64>,
    /// Chance of a false alarm, and of a false pass, over all looks.
    #[arg(long, value_name = "CHANCE", default_value_t = 0.05)]
    pub alpha: f64,
    /// Seed of arrivals, journeys, labels and the order of starting.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Arrivals per second of both variants together, such as 100/s; the scenario's, unless given.
    #[arg(short, long, value_parser = reports::units::parse_rate, value_name = "RATE")]
    pub rate: Option<f64>,
    /// Virtual users of each variant; by default two for each visit that arrives in a second, as far as the scenario has so many.
    #[arg(short, long, value_name = "N")]
    pub users: Option<u32>,
    /// Journeys with their weights, such as flight-search=3,chat=2,trip-creation=1.
    #[arg(long, value_name = "JOURNEY=WEIGHT,…")]
    pub mix: Option<loadtest::Mix>,
    /// No cycle is begun that could not lead to a look within this time; for the self-test, all gates together.
    #[arg(long, value_parser = reports::units::parse_duration, value_name = "TIME")]
    pub within: Option<Duration>,
    /// What an inconclusive gate counts as: exit code 0 without or with a warning, or 7.
    #[arg(long, value_name = "POLICY", default_value = "fail")]
    pub inconclusive: Inconclusive,
    /// A host beyond loopback that may be loaded (repeat for more).
    #[arg(long = "allow-host", value_name = "HOST")]
    pub allow_hosts: Vec<String>,
    /// Folder in which revisions are built, and kept.
    #[arg(long, value_name = "DIR", default_value = "target/gate")]
    pub builds: PathBuf,
    /// Folder that gets the gate's folder.
    #[arg(short, long, value_name = "DIR", default_value = "reports/runs")]
    pub out: PathBuf,
    /// What to print on standard output.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    /// Print what would be done, how long it takes and what it can find, and stop.
    #[arg(long)]
    pub dry_run: bool,
}

/// What an inconclusive gate counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Inconclusive {
    /// As passed.
    Pass,
    /// As passed, with a warning.
    Warn,
    /// As not passed.
    Fail,
}
