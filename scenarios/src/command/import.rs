//! `harness scenario import`: a scenario to start from.
use crate::{
    cli::Import,
    exit::{Failure, OrExit as _},
    import, output,
    recorded::draft,
};
use anyhow::Context as _;
use std::{fs, io::Write as _, path::Path};

/// Prints a scenario made of a recording or a description, or writes it to a file.
///
/// # Errors
/// When the file cannot be read or is not what it should be, or the scenario cannot be written.
pub(super) fn import(what: &Import) -> Result<(), Failure> {
    let text = |file: &Path| fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()));
    let (file, out, hint, made) = match what {
        Import::AccessLog { file, field, out } => {
            let hint = "an access log, JSON lines, or a list of seconds is read";
            (file, out, hint, draft(file, field.as_deref()))
        }
        Import::Chaostoolkit { file, out } => {
            let hint = "give an experiment of Chaos Toolkit whose actions are those of its extension for Toxiproxy";
            let made = import::chaostoolkit(&text(file).or_usage("")?).map(|made| {
                made.left_out.iter().for_each(|left_out| output::note(&format!("left out: {left_out}")));
                made.text
            });
            (file, out, hint, made)
        }
        Import::Har { file, host, out } => {
            let hint = "save a recording from the network tab of a browser's developer tools";
            let made = import::har(&text(file).or_usage("")?, host.as_deref());
            (file, out, hint, made)
        }
        Import::Openapi { file, out } => {
            let hint = "give a document of OpenAPI 3.0 or 3.1, in JSON or YAML";
            (file, out, hint, import::openapi(&text(file).or_usage("")?))
        }
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
