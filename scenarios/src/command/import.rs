//! `harness scenario import`: a scenario to start from.
use crate::{
    cli::Import,
    exit::{Failure, OrExit as _},
    import, output,
};
use anyhow::Context as _;
use std::{fs, io::Write as _, path::Path};

/// Prints a scenario made of a recording or a description, or writes it to a file.
///
/// # Errors
/// When the file cannot be read or is not what it should be, or the scenario cannot be written.
pub(super) fn import(what: &Import) -> Result<(), Failure> {
    let (file, out) = match what {
        Import::Har { file, out, .. } | Import::Openapi { file, out } => (file, out.as_deref()),
    };
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display())).or_usage("")?;
    let (made, hint) = match what {
        Import::Har { host, .. } => (
            import::har(&text, host.as_deref()),
            "save a recording from the network tab of a browser's developer tools",
        ),
        Import::Openapi { .. } => (import::openapi(&text), "give a document of OpenAPI 3.0 or 3.1, in JSON or YAML"),
    };
    let made = made.with_context(|| format!("cannot import {}", file.display())).or_usage(hint)?;
    match out {
        None => output::line(made.trim_end()),
        Some(path) => {
            write(path, &made).or_usage("choose another file with --out")?;
            output::line(&format!("written to {0}; check it with `harness scenario validate {0}`", path.display()));
        }
    }
    Ok(())
}

/// Writes a new file; one that is there already may hold somebody's work.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let opened = fs::OpenOptions::new().write(true).create_new(true).open(path);
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("cannot write {}", path.display()))
}
