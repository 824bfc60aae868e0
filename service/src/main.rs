//! The program `tripsage`: reads the environment, serves until SIGTERM or Ctrl-C, drains, ends.

use std::process::ExitCode;

use anyhow::Context as _;
use service::{Config, config, telemetry};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
#[expect(clippy::print_stderr, reason = "the program writes its one error line to the terminal")]
async fn main() -> ExitCode {
    let Err(error) = serve().await else { return ExitCode::SUCCESS };
    eprintln!("error: {error:#}");
    if let Some(hint) = error.downcast_ref::<config::Error>().and_then(config::Error::hint) {
        eprintln!("hint: {hint}");
    }
    ExitCode::FAILURE
}

async fn serve() -> anyhow::Result<()> {
    let config = Config::from_vars(std::env::vars())?;
    telemetry::init(&config.log);
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    let server = service::bind(config).await?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    server.run(stop).await?;
    Ok(())
}
