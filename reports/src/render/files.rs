//! Writes the pages of a run into its folder.
use super::{
    DrawError, FORMATS, Format, capacity_json, capacity_markdown, capacity_page, capacity_text, chart, plain,
    regression_json, regression_markdown, regression_page,
};
use crate::{
    capacity::{Answer, Standing, Study},
    record::folder::{self, write_file},
    regression::{comparison::Comparison, read},
    report::Report,
};
use std::path::{Path, PathBuf};

/// Why the pages of a run could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The record cannot be read, or a page cannot be written.
    #[error(transparent)]
    Folder(#[from] folder::Error),
    /// A chart cannot be drawn.
    #[error(transparent)]
    Chart(#[from] DrawError),
    /// A folder within the run's cannot be made.
    #[error("cannot make the folder {path}")]
    Folders {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// What was made of a run.
#[derive(Debug, Clone)]
pub struct Written {
    /// The run, judged.
    pub report: Report,
    /// The pages that were written: those of every form that is always made.
    pub files: Vec<PathBuf>,
}

/// Makes every page of a run from its folder alone, and writes them into it.
///
/// # Errors
/// When the record cannot be read, a chart cannot be drawn, or a page cannot be written.
pub fn render_all(folder: &Path) -> Result<Written, Error> {
    let report = Report::read(folder)?;
    let mut files = Vec::new();
    for format in FORMATS.iter().filter(|format| format.is_always) {
        files.extend(write_format(&report, *format, folder)?);
    }
    Ok(Written { report, files })
}

/// Makes every page of a regression gate from its folder alone, and writes them into it.
///
/// # Errors
/// When the record cannot be read, a chart cannot be drawn, or a page cannot be written.
pub fn render_gate(folder: &Path) -> Result<Comparison, Error> {
    let comparison = read::read(folder)?;
    let pages = [
        ("report.html", regression_page(&comparison)?),
        ("report.md", regression_markdown(&comparison)),
        ("summary.json", regression_json(&comparison)),
    ];
    for (name, content) in pages {
        write_file(&folder.join(name), content.as_bytes())?;
    }
    Ok(comparison)
}

/// Writes the files of one form into a run's folder, and says where they are.
///
/// # Errors
/// When a chart cannot be drawn, or a file cannot be written.
pub fn write_format(report: &Report, format: Format, folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for document in format.documents(report)? {
        let path = folder.join(&document.name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|source| Error::Folders { path: parent.to_owned(), source })?;
        }
        write_file(&path, document.text.as_bytes())?;
        files.push(path);
    }
    Ok(files)
}

/// Draws every chart of a run as PNG into `charts/` of its folder.
///
/// # Errors
/// When the record cannot be read, a chart cannot be drawn, or a file cannot be written.
pub fn render_pngs(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let report = Report::read(folder)?;
    write_pngs(folder, chart::all(&report))
}

/// Writes the pages of a study into its folder: `capacity.html`, `capacity.md`, `capacity.txt`, `study.json`, and each chart as PNG.
///
/// # Errors
/// When a chart cannot be drawn, or a file cannot be written.
pub fn render_capacity(folder: &Path, study: &Study) -> Result<Vec<PathBuf>, Error> {
    let pages = [
        ("study.json", capacity_json(study)),
        ("capacity.html", capacity_page(study)?),
        ("capacity.md", capacity_markdown(study)),
        ("capacity.txt", capacity_text(study, plain)),
    ];
    let mut files = Vec::new();
    for (name, content) in pages {
        let path = folder.join(name);
        write_file(&path, content.as_bytes())?;
        files.push(path);
    }
    let answer = Answer::of(study);
    if answer.standing != Standing::Invalid {
        files.extend(write_pngs(folder, chart::capacity(study, &answer))?);
    }
    Ok(files)
}

fn write_pngs(folder: &Path, pictures: Vec<Box<dyn chart::Picture>>) -> Result<Vec<PathBuf>, Error> {
    let charts = folder.join("charts");
    std::fs::create_dir_all(&charts).map_err(|source| Error::Folders { path: charts.clone(), source })?;
    let mut files = Vec::new();
    for picture in pictures {
        let path = charts.join(format!("{}.png", picture.name()));
        write_file(&path, &picture.png()?)?;
        files.push(path);
    }
    Ok(files)
}
