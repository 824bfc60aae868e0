//! Flags of the parts of the stack, each alone.
use clap::Args;
use std::{net::SocketAddr, path::PathBuf};

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

/// Flags of `stand-in`.
#[derive(Debug, Args)]
pub struct StandIn {
    /// The program that takes this one's place.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// End with the parent.
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
    /// So many times as slow in everything, such as 1.1.
    #[arg(long, hide = true, value_name = "FACTOR", default_value_t = 1.0)]
    pub times: f64,
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
