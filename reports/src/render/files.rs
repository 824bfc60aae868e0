//! Writes the pages of a run into its folder.
use super::{DrawError, chart, json, markdown, regression_json, regression_markdown, regression_page, run_page};
use crate::{
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

/// Draws every chart of a run as PNG into `charts/` of its folder.
///
/// # Errors
/// When the record cannot be read, a chart cannot be drawn, or a file cannot be written.
pub fn render_pngs(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let report = Report::read(folder)?;
    let charts = folder.join("charts");
    std::fs::create_dir_all(&charts).map_err(|source| Error::Charts { path: charts.clone(), source })?;
    let mut files = Vec::new();
    for picture in chart::all(&report) {
        let path = charts.join(format!("{}.png", picture.name()));
        write_file(&path, &picture.png()?)?;
        files.push(path);
    }
    Ok(files)
}
