//! The flags of the commands about stored runs: baselines and histories.
use crate::cli::Format;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Where the store is.
#[derive(Debug, Clone, Args)]
pub struct Where {
    /// Folder of the store; it can be committed, cached or copied as it is.
    #[arg(long, value_name = "DIR", default_value = ".harness", env = "HARNESS_STORE")]
    pub store: PathBuf,
    /// What to print on standard output.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
}

/// A run to add.
#[derive(Debug, Args)]
pub struct Added {
    /// A run's folder, its name, or `latest`.
    pub run: String,
    /// Folder that holds the runs.
    #[arg(short, long, value_name = "DIR", default_value = "reports/runs")]
    pub out: PathBuf,
    /// A name for this run, for people.
    #[arg(long, value_name = "TEXT")]
    pub label: Option<String>,
    /// The commit that ran, instead of what is checked out here.
    #[arg(long, value_name = "HASH")]
    pub commit: Option<String>,
    /// Where the store is.
    #[command(flatten)]
    pub place: Where,
}

/// Commands about baselines.
#[derive(Debug, Subcommand)]
pub enum BaselineCommand {
    /// Add a run to a baseline. It must be valid, and like the runs that the baseline has.
    Add {
        /// The run.
        #[command(flatten)]
        added: Added,
        /// The baseline, such as the branch that it stands for.
        #[arg(long, value_name = "NAME", default_value = "main")]
        name: String,
    },
    /// List the baselines and their runs.
    List {
        /// Where the store is.
        #[command(flatten)]
        place: Where,
    },
    /// Show the figures of a baseline, how much they scatter, and what a new run would have to lose to be found.
    Show {
        /// The baseline.
        #[arg(default_value = "main")]
        name: String,
        /// Its scenario; needed where it has several.
        #[arg(long, value_name = "NAME")]
        scenario: Option<String>,
        /// Where the store is.
        #[command(flatten)]
        place: Where,
    },
    /// Make a run of the history a part of a baseline.
    Promote {
        /// The run: its name, the beginning or end of it, or its label.
        run: String,
        /// The baseline.
        #[arg(long, value_name = "NAME", default_value = "main")]
        name: String,
        /// Where the store is.
        #[command(flatten)]
        place: Where,
    },
    /// Remove a run from the store.
    Rm {
        /// The run: its name, the beginning or end of it, or its label.
        run: String,
        /// Where the store is.
        #[command(flatten)]
        place: Where,
    },
}

/// Which part of a history.
#[derive(Debug, Args)]
pub struct Part {
    /// The scenario; needed where the store has several.
    #[arg(long, value_name = "NAME")]
    pub scenario: Option<String>,
    /// Only runs of this baseline.
    #[arg(long, value_name = "NAME")]
    pub baseline: Option<String>,
    /// The smallest change of level that is shown, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 3.0)]
    pub smallest: f64,
    /// Where the store is.
    #[command(flatten)]
    pub place: Where,
}

/// Commands about histories.
#[derive(Debug, Subcommand)]
pub enum HistoryCommand {
    /// Add a run to the history, without making it a part of a baseline.
    Add {
        /// The run.
        #[command(flatten)]
        added: Added,
    },
    /// List the runs of the store, oldest first.
    List {
        /// Where the store is.
        #[command(flatten)]
        place: Where,
    },
    /// Show what is kept of a run.
    Show {
        /// The run: its name, the beginning or end of it, or its label.
        run: String,
        /// Where the store is.
        #[command(flatten)]
        place: Where,
    },
    /// Show how the latency of each step went from run to run: changes of level, commits, new conditions.
    Trend {
        /// Which part of the history.
        #[command(flatten)]
        part: Part,
        /// Only this percentile: p50, p95 or p99.
        #[arg(long, value_name = "PERCENTILE", value_parser = ["p50", "p95", "p99"])]
        percentile: Option<String>,
        /// Write the page, with its charts, to this file.
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
    },
    /// List where the levels changed, for all percentiles.
    Changepoints {
        /// Which part of the history.
        #[command(flatten)]
        part: Part,
    },
}
