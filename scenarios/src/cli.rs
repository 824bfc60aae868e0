//! The command line: commands, flags and their help.
use crate::{command::import::Import, exit};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// Load and chaos tests for TripSage, with verdicts that can be trusted.
///
/// A scenario file says what to run: the load, the faults, and the gates that decide. `harness run quickstart` is the place to start.
#[derive(Debug, Parser)]
#[command(name = "harness", version, after_help = exit::HELP, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Colours in the output; `auto` means on a terminal and without NO_COLOR.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// Say less: no progress, only the verdict line.
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more: log milestones (-v) or details (-vv) on standard error.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Load, break and judge: run a scenario and write its report.
    Run(Run),
    /// Run an earlier run again: the same arrivals, data and fault decisions, maybe on another target.
    Replay(Replay),
    /// Print what a scenario would do, second by second, and stop.
    Plan(Plan),
    /// Judge a run again and render its pages, from its folder alone.
    Report(Report),
    /// List, show and check scenarios; print the JSON schema of the file.
    #[command(subcommand)]
    Scenario(ScenarioCommand),
    /// Run the TripSage service (configured by its environment variables) until it is stopped.
    Serve(Serve),
    /// Run the bundled MCP servers and the LLM until they are stopped.
    Providers(Providers),
    /// Run the fault proxy, with Toxiproxy's HTTP API, until it is stopped.
    Links(Links),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Which scenario, and what of it to change.
#[derive(Debug, Args)]
pub struct Which {
    /// A shipped scenario's name (see `harness scenario list`), a name in ./scenarios, or a path to a file.
    pub scenario: String,
    /// Seed of every random decision: arrivals, journeys, payloads, faults.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Arrivals per second (open model), such as 50/s.
    #[arg(short, long, value_parser = reports::units::parse_rate, value_name = "RATE")]
    pub rate: Option<f64>,
    /// Virtual users (closed model: the population; open model: the pool).
    #[arg(short, long, value_name = "N")]
    pub users: Option<u32>,
    /// How long the load lasts, such as 5m, warm-up included.
    #[arg(short, long, value_parser = reports::units::parse_duration, value_name = "TIME")]
    pub duration: Option<Duration>,
    /// The part at the beginning that is not judged, such as 30s.
    #[arg(long = "warmup", value_parser = reports::units::parse_duration, value_name = "TIME")]
    pub warm_up: Option<Duration>,
    /// Journeys with their weights, such as flight-search=3,chat=2,trip-creation=1.
    #[arg(long, value_name = "JOURNEY=WEIGHT,…")]
    pub mix: Option<loadtest::Mix>,
    /// Base URL of a service that runs already, instead of the bundled one.
    #[arg(short, long, value_name = "URL")]
    pub target: Option<String>,
    /// A host beyond loopback that may be loaded and broken (repeat for more).
    #[arg(long = "allow-host", value_name = "HOST")]
    pub allow_hosts: Vec<String>,
    /// One more gate, such as 'p99 < 500ms for flights.search window=steady' (repeat for more).
    #[arg(long = "threshold", value_name = "GATE")]
    pub thresholds: Vec<String>,
}

/// Flags of `run`.
#[derive(Debug, Args)]
pub struct Run {
    /// The scenario.
    #[command(flatten)]
    pub which: Which,
    /// Where to and how.
    #[command(flatten)]
    pub how: How,
    /// Print the plan and stop; the same as `harness plan`.
    #[arg(long)]
    pub dry_run: bool,
}

/// Flags of `replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// A run's folder, its name, or `latest`.
    pub run: String,
    /// Base URL of a service that runs already, instead of the run's target.
    #[arg(short, long, value_name = "URL")]
    pub target: Option<String>,
    /// A host beyond loopback that may be loaded and broken (repeat for more).
    #[arg(long = "allow-host", value_name = "HOST")]
    pub allow_hosts: Vec<String>,
    /// Where to and how.
    #[command(flatten)]
    pub how: How,
}

/// What is done with what a run shows.
#[derive(Debug, Args)]
pub struct How {
    /// Folder that gets the run's folder.
    #[arg(short, long, value_name = "DIR", default_value = "reports/runs")]
    pub out: PathBuf,
    /// What to print on standard output.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    /// How to show progress: a redrawn line, one line per 10 s, or nothing; `auto` looks at the terminal.
    #[arg(long, value_name = "HOW", default_value = "auto")]
    pub progress: ProgressStyle,
}

/// Flags of `plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// The scenario.
    #[command(flatten)]
    pub which: Which,
}

/// Flags of `report`.
#[derive(Debug, Args)]
pub struct Report {
    /// A run's folder, its name, or `latest`.
    pub run: String,
    /// Folder that holds the runs.
    #[arg(short, long, value_name = "DIR", default_value = "reports/runs")]
    pub out: PathBuf,
    /// What to print on standard output.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    /// Also write each chart as a PNG picture.
    #[arg(long)]
    pub png: bool,
}

/// What to print on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The summary, for people.
    Text,
    /// The summary as Markdown, for a pull request.
    Markdown,
    /// One JSON document and nothing else.
    Json,
}

/// How to show progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProgressStyle {
    /// A redrawn line on a terminal, lines elsewhere.
    Auto,
    /// A redrawn line.
    Tty,
    /// One line per 10 s.
    Line,
    /// Nothing.
    None,
}

/// Commands about scenario files.
#[derive(Debug, Subcommand)]
pub enum ScenarioCommand {
    /// List the shipped scenarios and those in ./scenarios.
    List,
    /// Print the text of a scenario, to start your own from.
    Show {
        /// Its name or path.
        scenario: String,
    },
    /// Check a scenario and say every mistake at its place.
    Validate {
        /// Its name or path.
        scenario: String,
    },
    /// Print a scenario to start from, made of what is there.
    #[command(subcommand)]
    Import(Import),
    /// Print the JSON schema of scenario files, for editors.
    Schema,
}

/// Flags of `serve`.
#[derive(Debug, Args)]
#[command(
    after_help = "The service reads TRIPSAGE_* and DATABASE_URL from its environment. A JSON line on standard output says \
when it is ready and where it listens."
)]
pub struct Serve {
    /// Stop when standard input is closed or the parent is gone.
    #[arg(long, hide = true)]
    pub with_parent: bool,
}

/// Flags of `providers`.
#[derive(Debug, Args)]
pub struct Providers {
    /// First of the ports to listen on, one per provider; 0 takes free ones.
    #[arg(long, value_name = "PORT", default_value_t = 9100)]
    pub first_port: u16,
    /// Seed of service times and contents.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Service time of one provider, such as flights=lognormal:120ms:0.3 (repeat for more); flights-2=TIME also starts a
    /// second server of it.
    #[arg(long = "service-time", value_name = "PROVIDER=TIME")]
    pub service_times: Vec<String>,
    /// Time from one token of the LLM to the next.
    #[arg(long, value_name = "TIME", default_value = "lognormal:10ms:0.5")]
    pub llm_gap: String,
    /// Stop when standard input is closed or the parent is gone.
    #[arg(long, hide = true)]
    pub with_parent: bool,
}

/// Flags of `links`.
#[derive(Debug, Args)]
#[command(
    after_help = "Links are made and broken through the HTTP API, by curl, the Toxiproxy command line or any Toxiproxy client."
)]
pub struct Links {
    /// Where the HTTP API listens.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8474")]
    pub api: SocketAddr,
    /// Seed of every random decision.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Stop when standard input is closed or the parent is gone.
    #[arg(long, hide = true)]
    pub with_parent: bool,
}
