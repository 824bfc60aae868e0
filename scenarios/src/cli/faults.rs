//! Flags of faults by hand.
use clap::{Args, Subcommand};
use std::{path::PathBuf, time::Duration};

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
