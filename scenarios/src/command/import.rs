//! `harness scenario import`: a scenario to start from, made of what is there.
use crate::{
    exit::{Failure, OrExit as _},
    output,
    recorded::draft,
};
use clap::Subcommand;
use std::path::PathBuf;

/// What scenarios can be made of.
#[derive(Debug, Subcommand)]
pub enum Import {
    /// The arrivals of an access log (Common or Combined Log Format, or JSON lines), and the journeys that its paths show.
    AccessLog {
        /// The log.
        file: PathBuf,
        /// The field of JSON lines that holds the timestamp.
        #[arg(long, value_name = "NAME")]
        field: Option<String>,
    },
}

/// Prints a scenario made of what is given.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn import(what: Import) -> Result<(), Failure> {
    match what {
        Import::AccessLog { file, field } => {
            let text =
                draft(&file, field.as_deref()).or_usage("an access log, JSON lines, or a list of seconds is read")?;
            output::line(text.trim_end());
        }
    }
    Ok(())
}
