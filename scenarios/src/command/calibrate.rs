//! `harness calibrate`: proves the meter on this machine, and keeps the result for the reports of its runs.
use crate::{
    calibration::{FOLDER, store},
    cli::{self, Format},
    exit::{Exit, Failure, OrExit as _},
    output,
};
use anyhow::Context as _;
use loadtest::{
    Stop,
    calibration::{Error, Stage, calibrate as measure},
    executor::Goose,
};
use reports::{calibration::judge, render};
use std::path::Path;

/// Calibrates, keeps the result, and prints it; ends with 8 when the meter is not proven.
///
/// # Errors
/// When the calibration cannot be carried out or kept.
pub(crate) async fn calibrate(flags: &cli::Calibrate, quiet: bool, stop: Stop) -> Result<u8, Failure> {
    let tell = |stage| {
        if !quiet {
            output::note(step(stage));
        }
    };
    let calibration = match measure(Goose, &stop, tell).await {
        Ok(calibration) => calibration,
        Err(Error::Stopped) => return Ok(Exit::Interrupted as u8),
        Err(error @ Error::Machine(_)) => return Err(error).or_usage("the machine must allow 730 file descriptors"),
        Err(error) => return Err(error).context("calibrating").map_err(Failure::from),
    };
    let path = store(Path::new(FOLDER), &calibration).or_invalid("make room, or start where it can be written")?;
    let text = || render::calibration_text(&calibration, output::paint);
    match flags.format {
        Format::Text if quiet => output::line(text().lines().next().unwrap_or_default()),
        Format::Text => output::line(&format!("{}\nKEPT  {}", text().trim_end(), path.display())),
        Format::Markdown => output::line(render::calibration_markdown(&calibration).trim_end()),
        Format::Json => output::line(render::calibration_json(&calibration).trim_end()),
    }
    let holds = judge(&calibration).iter().all(|line| line.holds);
    Ok(if holds { Exit::Passed } else { Exit::Invalid } as u8)
}

fn step(stage: Stage) -> &'static str {
    match stage {
        Stage::Clock => "1/4  clock and timer",
        Stage::Pool => "2/4  a server that stalls, with users to spare",
        Stage::Queue => "3/4  a server that stalls, with one user",
        Stage::Rates => "4/4  lag and CPU per request, up to the highest rate that is kept",
    }
}
