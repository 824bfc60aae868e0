//! The command line: commands, flags and their help.
use crate::exit;
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
    /// Run several scenarios in turn, and show what each of their faults did to each journey.
    Matrix(Matrix),
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
    /// Folder that gets the run's folder.
    #[arg(short, long, value_name = "DIR", default_value = "reports/runs")]
    pub out: PathBuf,
    /// What to print on standard output.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
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
    /// Where to and how.
    #[command(flatten)]
    pub how: How,
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
    /// Open no more than so many files and sockets at a time.
    #[arg(long, hide = true, value_name = "N")]
    pub open_files: Option<u64>,
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
    /// A JSON array of proxies to make at the start, as `POST /populate` and Toxiproxy's -config take it.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Stop when standard input is closed or the parent is gone.
    #[arg(long, hide = true)]
    pub with_parent: bool,
}

/// Sub-commands of `faults`.
#[derive(Debug, Subcommand)]
pub enum FaultsCommand {
    /// Every fault that a scenario can have.
    List,
    /// What a fault does, and its settings.
    Describe {
        /// Its name, such as latency.
        fault: String,
    },
    /// The links of a fault proxy, and the faults that are on.
    Status(Proxy),
    /// Put a fault on, keep its lease, and lift it at the end or on Ctrl-C.
    Apply(FaultOn),
    /// Lift every fault of a link, or of all.
    Clear {
        /// The link; all unless given.
        link: Option<String>,
        /// Where.
        #[command(flatten)]
        proxy: Proxy,
    },
    /// Undo what a harness that was killed has left; every run does so before it starts.
    Sweep {
        /// Folder of the runs.
        #[arg(long, value_name = "DIR", default_value = "reports/runs")]
        out: PathBuf,
    },
}

/// Which fault proxy.
#[derive(Debug, Args)]
pub struct Proxy {
    /// Base URL of its HTTP API: that of `harness links`, or a Toxiproxy.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8474")]
    pub api: String,
    /// A host beyond loopback that may be broken (repeat for more).
    #[arg(long = "allow-host", value_name = "HOST")]
    pub allow_hosts: Vec<String>,
}

/// Flags of `faults apply`.
#[derive(Debug, Args)]
pub struct FaultOn {
    /// The link, such as mcp.flights.
    pub link: String,
    /// The fault, as a scenario has it: down, or '{ latency = { delay = "250ms" } }'.
    pub fault: String,
    /// How long it is on.
    #[arg(long = "for", value_parser = reports::units::parse_duration, value_name = "TIME", default_value = "30s")]
    pub lasts: Duration,
    /// How long it stays when nobody renews it any more.
    #[arg(long, value_parser = reports::units::parse_duration, value_name = "TIME", default_value = "10s")]
    pub lease: Duration,
    /// The direction whose bytes it touches: downstream or upstream.
    #[arg(long)]
    pub direction: Option<String>,
    /// The share of connections that it takes hold of, above 0 and up to 1.
    #[arg(long, value_name = "SHARE")]
    pub share: Option<f64>,
    /// Say what would be done, and stop.
    #[arg(long)]
    pub dry_run: bool,
    /// Where.
    #[command(flatten)]
    pub proxy: Proxy,
}
