//! The command line: commands, flags and their help.
mod faults;
mod gate;
mod parts;

pub use crate::capacity::Flags as Capacity;
pub use faults::{FaultOn, FaultsCommand, Proxy};
pub use gate::{Gate, Inconclusive};
pub use parts::{Links, Providers, Serve, StandIn};

use crate::{
    exit,
    stored::{BaselineCommand, HistoryCommand},
};
use clap::{
    Args, Parser, Subcommand, ValueEnum,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use reports::render;
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
    /// Find the highest rate that a target sustains under its service levels, with a fault or without, and what to buy for a demand.
    Capacity(Box<Capacity>),
    /// Print what a scenario would do, second by second, and stop.
    Plan(Plan),
    /// Say whether a candidate is slower than a baseline: both run at once, each request goes to either by a coin.
    Gate(Gate),
    /// Judge a run again and render its pages, from its folder alone.
    Report(Report),
    /// Show how runs differ, whatever they are; no verdict.
    Compare(Compare),
    /// Keep runs as baselines: the ones that later runs are compared with.
    #[command(subcommand)]
    Baseline(BaselineCommand),
    /// Keep runs as a history, and see where their figures changed.
    #[command(subcommand)]
    History(HistoryCommand),
    /// Run several scenarios in turn, and show what each of their faults did to each journey.
    Matrix(Matrix),
    /// Judge the launch checklist: each row by the latest runs and studies, or by who has signed it.
    Readiness(Readiness),
    /// Prove the meter on this machine, in half a minute; every report then says what is known of it.
    Calibrate(Calibrate),
    /// List, show and check scenarios; print the JSON schema of the file.
    #[command(subcommand)]
    Scenario(ScenarioCommand),
    /// Put faults on by hand, see what is on, and undo what was left.
    #[command(subcommand)]
    Faults(FaultsCommand),
    /// Run the TripSage service (configured by its environment variables) until it is stopped.
    Serve(Serve),
    /// Become another program that ends with its parent.
    #[command(hide = true)]
    StandIn(StandIn),
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
    /// The part at the beginning that is not judged, such as 30s; auto: until the run is steady.
    #[arg(long = "warmup", value_name = "TIME")]
    pub warm_up: Option<loadtest::WarmUp>,
    /// Journeys with their weights, such as flight-search=3,chat=2,trip-creation=1.
    #[arg(long, value_name = "JOURNEY=WEIGHT,…")]
    pub mix: Option<loadtest::Mix>,
    /// Do not read acknowledged writes back after the load; the report then says that they were not checked.
    #[arg(long)]
    pub no_oracle: bool,
    /// Base URL of a service that runs already, instead of the bundled one.
    #[arg(short, long, value_name = "URL")]
    pub target: Option<String>,
    /// A host beyond loopback that may be loaded and broken (repeat for more).
    #[arg(long = "allow-host", value_name = "HOST")]
    pub allow_hosts: Vec<String>,
    /// One more gate, such as 'p99 < 500ms for flights.search window=steady' (repeat for more).
    #[arg(long = "threshold", value_name = "GATE")]
    pub thresholds: Vec<String>,
    /// One more gate, which ends the run as soon as it is sure not to hold, such as 'error-rate < 20% abort after 10s' (repeat
    /// for more).
    #[arg(long = "abort-on", value_name = "GATE")]
    pub abort_on: Vec<String>,
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
#[derive(Debug, Clone, Args)]
pub struct How {
    /// Where it is kept, and how it is shown.
    #[command(flatten)]
    pub course: Course,
    /// In which forms.
    #[command(flatten)]
    pub outputs: Outputs,
}

/// Where a run is kept, and how it is shown while it goes on.
#[derive(Debug, Clone, Args)]
pub struct Course {
    /// Folder that gets the run's folder.
    #[arg(short, long, value_name = "DIR", default_value = "reports/runs")]
    pub out: PathBuf,
    /// How to show progress on standard error: redrawn lines, one line per 10 s, JSON every second, or nothing; `auto` looks at the
    /// terminal.
    #[arg(long, value_name = "HOW", default_value = "auto")]
    pub progress: ProgressStyle,
    /// Who else may look while it runs.
    #[command(flatten)]
    pub observe: Observe,
}

/// Who may look at a run from outside while it goes on. Addresses beyond loopback need `--allow-host`.
#[derive(Debug, Clone, Args)]
pub struct Observe {
    /// Show a live page in the browser, at this address or at a free port of 127.0.0.1.
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, require_equals = true, default_missing_value = "127.0.0.1:0")]
    pub dashboard: Option<SocketAddr>,
    /// Serve the figures to Prometheus at http://ADDRESS/metrics.
    #[arg(long, value_name = "ADDRESS")]
    pub prometheus_listen: Option<SocketAddr>,
    /// Push the figures to an OpenTelemetry collector every 10 s, by OTLP over HTTP, such as http://127.0.0.1:4318.
    #[arg(long, value_name = "URL")]
    pub otlp: Option<String>,
}

/// Flags of `matrix`.
#[derive(Debug, Args)]
pub struct Matrix {
    /// Scenarios with faults: names or paths.
    pub scenarios: Vec<String>,
    /// Every shipped scenario that has faults.
    #[arg(long, conflicts_with = "scenarios")]
    pub all: bool,
    /// Runs that were made earlier, in place of scenarios: folders or names (repeat for more).
    #[arg(long = "run", value_name = "RUN", conflicts_with_all = ["scenarios", "all"])]
    pub runs: Vec<String>,
    /// Where they are kept, and how they are shown.
    #[command(flatten)]
    pub course: Course,
    /// What to print on standard output.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    /// Print what would be run, and stop.
    #[arg(long)]
    pub dry_run: bool,
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
    #[arg(required_unless_present = "schema")]
    pub run: Option<String>,
    /// Print the JSON schema of the `json` form, and stop.
    #[arg(long)]
    pub schema: bool,
    /// Folder that holds the runs.
    #[arg(short, long, value_name = "DIR", default_value = "reports/runs")]
    pub out: PathBuf,
    /// In which forms.
    #[command(flatten)]
    pub outputs: Outputs,
    /// Also write each chart as a PNG picture.
    #[arg(long)]
    pub png: bool,
}

/// In which forms a run is given out.
#[derive(Debug, Clone, Args)]
pub struct Outputs {
    /// What to print on standard output; more forms, after commas, are written into the run's folder.
    #[arg(long, value_name = "FORMAT,…", default_value = "text", value_delimiter = ',', value_parser = formats())]
    pub format: Vec<render::Format>,
    /// Also write the JUnit report to this file.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Also write the page to this file.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

fn formats() -> impl TypedValueParser<Value = render::Format> {
    let known = render::FORMATS.map(|format| PossibleValue::new(format.name).help(format.about));
    PossibleValuesParser::new(known)
        .map(|name| render::Format::named(&name).expect("only the names of the list are possible"))
}

/// Flags of `compare`.
#[derive(Debug, Args)]
pub struct Compare {
    /// Runs' folders, their names, or `latest`; the first is what the others are compared with.
    #[arg(required = true, num_args = 2.., value_name = "RUN")]
    pub runs: Vec<String>,
    /// Folder that holds the runs.
    #[arg(short, long, value_name = "DIR", default_value = "reports/runs")]
    pub out: PathBuf,
    /// What to print on standard output.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    /// Write the page, with its charts, to this file.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// Flags of `readiness`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 every row is met, 3 the latest evidence speaks against one, 7 evidence or a signature is missing or \
too old."
)]
pub struct Readiness {
    /// Another checklist than the shipped one.
    #[arg(long, value_name = "FILE")]
    pub checklist: Option<PathBuf>,
    /// Who has signed what: a file with [signed.ROW] by = "NAME", on = "2026-11-24", and maybe until = "…" and note = "…".
    #[arg(long, value_name = "FILE")]
    pub signed: Option<PathBuf>,
    /// How long evidence counts.
    #[arg(long, value_name = "TIME", default_value = "168h", value_parser = reports::units::parse_duration)]
    pub max_age: Duration,
    /// Folder that holds the folders `runs` and `capacity`.
    #[arg(short, long, value_name = "DIR", default_value = "reports")]
    pub out: PathBuf,
    /// What to print on standard output.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    /// Print the shipped checklist, to start your own from, and stop.
    #[arg(long)]
    pub show: bool,
}

/// Flags of `calibrate`.
#[derive(Debug, Args)]
#[command(
    after_help = "It needs a quiet machine: what else runs there shows as an error of the meter. The result is kept in \
reports/calibration, by model and number of CPUs."
)]
pub struct Calibrate {
    /// What to print on standard output.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
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
    /// Redrawn lines on a terminal, one line per 10 s elsewhere.
    Auto,
    /// Five redrawn lines.
    Tty,
    /// One line per 10 s.
    Line,
    /// One JSON object a line, every second.
    Json,
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
    /// Print the JSON schema of scenario files, for editors.
    Schema,
    /// Make a scenario to start from out of a recording, a description of an API, or an experiment of another tool.
    #[command(subcommand)]
    Import(Import),
    /// Make what another tool runs out of a scenario.
    #[command(subcommand)]
    Export(Export),
}

/// What to make of a scenario.
#[derive(Debug, Subcommand)]
pub enum Export {
    /// An experiment of Chaos Toolkit for its Toxiproxy extension, as JSON: the faults on links, without the load.
    Chaostoolkit {
        /// Its name or path.
        scenario: String,
        /// Leave out, and list, faults that a Toxiproxy does not have, in place of refusing.
        #[arg(long)]
        skip_unmapped: bool,
    },
}

/// What to make a scenario of.
#[derive(Debug, Subcommand)]
pub enum Import {
    /// The arrivals of an access log (Common or Combined Log Format, or JSON lines), and the journeys that its paths show.
    AccessLog {
        /// The log.
        file: PathBuf,
        /// The field of JSON lines that holds the timestamp.
        #[arg(long, value_name = "NAME")]
        field: Option<String>,
        /// File to write, instead of standard output; it must not exist.
        #[arg(short, long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// The faults and the HTTP probes of an experiment of Chaos Toolkit with its Toxiproxy extension, in JSON or YAML.
    Chaostoolkit {
        /// The experiment.
        file: PathBuf,
        /// File to write, instead of standard output; it must not exist.
        #[arg(short, long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// A journey from a recording of a browser (HAR): requests in order, pauses, ids carried on; no secrets.
    Har {
        /// The recording.
        file: PathBuf,
        /// Host whose requests are kept, with its port unless the usual one, or with http:// or https:// before it; by default the one that
        /// was asked most.
        #[arg(long, value_name = "HOST")]
        host: Option<String>,
        /// File to write, instead of standard output; it must not exist.
        #[arg(short, long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// A journey per tag from an OpenAPI 3 document, in JSON or YAML.
    Openapi {
        /// The document.
        file: PathBuf,
        /// File to write, instead of standard output; it must not exist.
        #[arg(short, long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}
