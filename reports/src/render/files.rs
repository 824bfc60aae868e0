//! Writes the pages of a run into its folder.
use super::{
    DrawError, capacity_json, capacity_markdown, capacity_page, capacity_text, chart, json, markdown, plain, run_page,
};
use crate::{
    capacity::{Answer, Standing, Study},
    record::folder::{self, write_file},
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
    /// The folder for charts cannot be made.
    #[error("cannot make the folder {path}")]
    Charts {
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
    /// The pages that were written: `report.html`, `report.md`, `summary.json`.
    pub files: Vec<PathBuf>,
}

/// Makes every page of a run from its folder alone, and writes them into it.
///
/// # Errors
/// When the record cannot be read, a chart cannot be drawn, or a page cannot be written.
pub fn render_all(folder: &Path) -> Result<Written, Error> {
    let report = Report::read(folder)?;
    let pages =
        [("report.html", run_page(&report)?), ("report.md", markdown(&report)), ("summary.json", json(&report))];
    let mut files = Vec::new();
    for (name, content) in pages {
        let path = folder.join(name);
        write_file(&path, content.as_bytes())?;
        files.push(path);
    }
    Ok(Written { report, files })
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
    std::fs::create_dir_all(&charts).map_err(|source| Error::Charts { path: charts.clone(), source })?;
    let mut files = Vec::new();
    for picture in pictures {
        let path = charts.join(format!("{}.png", picture.name()));
        write_file(&path, &picture.png()?)?;
        files.push(path);
    }
    Ok(files)
}
