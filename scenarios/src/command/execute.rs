//! From the command line to an exit code.
use super::{
    baseline, calibrate, capacity, compare, faults, gate, history, matrix, plan, readiness, replay, report, run,
    scenario, serve,
};
use crate::{
    cli::{Cli, Color, Command},
    exit::{Exit, Failure},
    output, signals,
};
use anyhow::Context as _;
use clap::CommandFactory as _;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// Carries out one command, prints what went wrong, and says how the program ends.
#[must_use]
pub fn execute(cli: Cli) -> ExitCode {
    match cli.color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    match carry_out(cli) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            output::note(&format!("error: {:#}", failure.error));
            if let Some(hint) = &failure.hint {
                output::note(&format!("hint: {hint}"));
            }
            failure.exit.into()
        }
    }
}

fn carry_out(cli: Cli) -> Result<u8, Failure> {
    match &cli.command {
        // The service has its own log, and so has what stands in for it.
        Command::Serve(_) | Command::StandIn(_) => {}
        Command::Providers(_) | Command::Links(_) => log_to_standard_error(cli.verbose.max(1)),
        _ => log_to_standard_error(cli.verbose),
    }
    match cli.command {
        Command::Run(flags) if flags.dry_run => plan::plan(&flags.which).map(code),
        Command::Run(flags) => block_on(|stop| run::run(flags, cli.quiet, stop)),
        Command::Replay(flags) => block_on(|stop| replay::replay(flags, cli.quiet, stop)),
        Command::Matrix(flags) => block_on(|stop| matrix::matrix(flags, cli.quiet, stop)),
        Command::Capacity(flags) => block_on(|stop| capacity::capacity(*flags, cli.quiet, stop)),
        Command::Plan(flags) => plan::plan(&flags.which).map(code),
        Command::Gate(flags) => block_on(|stop| gate::gate(flags, cli.quiet, stop)),
        Command::Report(flags) => report::report(&flags, cli.quiet),
        Command::Compare(flags) => compare::compare(&flags, cli.quiet).map(code),
        Command::Baseline(command) => baseline::baseline(&command).map(code),
        Command::History(command) => history::history(&command, cli.quiet).map(code),
        Command::Readiness(flags) => readiness::readiness(&flags, cli.quiet),
        Command::Calibrate(flags) => block_on(async |stop| calibrate::calibrate(&flags, cli.quiet, stop).await),
        Command::Scenario(command) => scenario::scenario(command).map(code),
        Command::Faults(command) => block_on(async |stop| faults::faults(command, stop).await.map(code)),
        Command::Serve(flags) => block_on(async |stop| serve::service(&flags, stop).await.map(code)),
        Command::StandIn(flags) => serve::stand_in(&flags).map(code),
        Command::Providers(flags) => block_on(async |stop| serve::providers(&flags, stop).await.map(code)),
        Command::Links(flags) => block_on(async |stop| serve::links(&flags, stop).await.map(code)),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "harness", &mut script);
            output::line(String::from_utf8_lossy(&script).trim_end());
            Ok(code(Exit::Passed))
        }
    }
}

fn code(exit: Exit) -> u8 {
    exit as u8
}

fn block_on<F>(work: impl FnOnce(loadtest::Stop) -> F) -> Result<u8, Failure>
where
    F: Future<Output = Result<u8, Failure>>,
{
    let stop = signals::take_over()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    let result = runtime.block_on(work(stop));
    runtime.shutdown_background();
    result
}

fn log_to_standard_error(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info,goose=warn",
        _ => "debug,goose=info,hyper=info",
    };
    let filter = EnvFilter::try_from_env("HARNESS_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false)
        .compact()
        .init();
}
