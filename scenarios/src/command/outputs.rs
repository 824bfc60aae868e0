//! A run in the forms that were asked for: printed, written into its folder, and written where a CI system looks for them.
use crate::{
    cli,
    exit::{Failure, OrExit as _},
    output,
};
use anyhow::Context as _;
use reports::{
    record::folder::write_file,
    render::{self, Format},
    report::Report,
};
use std::{
    env,
    fs::{self, OpenOptions},
    io::Write as _,
    path::Path,
};

/// The file that a GitHub runner shows as the summary of a step.
const STEP_SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// Prints the first form, and writes the others; of the text only the first line when little is wanted.
///
/// # Errors
/// When a file cannot be written.
pub(super) fn give(report: &Report, wanted: &cli::Outputs, folder: &Path, quiet: bool) -> Result<(), Failure> {
    let hint = "free some space, or name a file that can be written; the run itself is kept";
    for (index, format) in wanted.format.iter().enumerate() {
        match (index, format.name) {
            (_, "github") => github(report, *format).or_invalid(hint)?,
            (0, "text") => text(report, folder, quiet),
            (0, _) => print(report, *format, folder).or_invalid(hint)?,
            // The folder has these already.
            _ if format.is_always => {}
            _ => {
                for path in render::write_format(report, *format, folder).or_invalid(hint)? {
                    output::note(&format!("wrote {}", path.display()));
                }
            }
        }
    }
    for (format, file) in [("junit", &wanted.junit), ("html", &wanted.html)] {
        if let (Some(file), Some(format)) = (file, Format::named(format)) {
            write_to(report, format, file).or_invalid(hint)?;
        }
    }
    Ok(())
}

fn text(report: &Report, folder: &Path, quiet: bool) {
    let text = render::terminal(report, output::paint);
    match quiet {
        true => output::line(text.lines().next().unwrap_or_default()),
        false => output::line(&format!("{}\nFILES  {}", text.trim_end(), folder.join("report.html").display())),
    }
}

/// Prints a form that is one document; one of several is written into the run's folder, and their places are printed.
fn print(report: &Report, format: Format, folder: &Path) -> anyhow::Result<()> {
    match format.documents(report)?.as_slice() {
        [document] => output::line(document.text.trim_end()),
        _ => {
            for path in render::write_format(report, format, folder)? {
                output::line(&path.display().to_string());
            }
        }
    }
    Ok(())
}

fn write_to(report: &Report, format: Format, file: &Path) -> anyhow::Result<()> {
    for document in format.documents(report)? {
        write_with_folder(file, &document.text)?;
    }
    Ok(())
}

/// Writes a file that was named on the command line, and the folder that it is to be in.
pub(super) fn write_with_folder(file: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(parent) = file.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent).with_context(|| format!("cannot make the folder {}", parent.display()))?;
    }
    Ok(write_file(file, text.as_bytes())?)
}

/// Prints the annotations, which a runner reads from there, and adds to the summary of its step where there is one.
fn github(report: &Report, format: Format) -> anyhow::Result<()> {
    output::line(render::annotations(report).trim_end());
    let Some(path) = env::var_os(STEP_SUMMARY).filter(|path| !path.is_empty()) else { return Ok(()) };
    let path = Path::new(&path);
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| format!("cannot open {}, which {STEP_SUMMARY} names", path.display()))?;
    for document in format.documents(report)? {
        file.write_all(document.text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
