//! The program `harness`.
use clap::Parser as _;
use scenarios::{cli::Cli, command};
use std::process::ExitCode;

fn main() -> ExitCode {
    command::execute(Cli::parse())
}
