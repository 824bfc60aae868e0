//! The forms in which a run is given out, by the names that `--format` takes. A new form is a file of its own and a line here.
use super::{DrawError, csv, github, hgrm, json, junit, markdown, plain, run_page, terminal};
use crate::report::Report;

/// A file that a form makes of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its place within the run's folder, such as `junit.xml`.
    pub name: String,
    /// All of it.
    pub text: String,
}

/// A form of a run.
#[derive(Clone, Copy)]
pub struct Format {
    /// As it is asked for.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// Whether its files are in every run's folder.
    pub is_always: bool,
    /// Makes its files.
    make: fn(&Report) -> Result<Vec<Document>, DrawError>,
}

/// Every form, in the order of the help.
pub const FORMATS: [Format; 8] = [
    of("text", "the summary, for people", |report| one("summary.txt", terminal(report, plain))),
    of("markdown", "the summary as Markdown, for a pull request", |report| one("report.md", markdown(report))).always(),
    of("json", "every figure as one JSON document", |report| one("summary.json", json(report))).always(),
    of("html", "the page", |report| one("report.html", run_page(report)?)).always(),
    of("junit", "gates and checks as test cases, for CI", |report| one("junit.xml", junit::document(report))),
    of("github", "annotations for GitHub Actions, and its step summary", |report| {
        one("github.md", github::step_summary(report))
    }),
    of("csv", "percentiles of each journey and step, one per row", |report| one("figures.csv", csv::table(report))),
    of("hgrm", "percentile distributions for HdrHistogram's plotter", |report| Ok(hgrm::documents(report))),
];

const fn of(name: &'static str, about: &'static str, make: fn(&Report) -> Result<Vec<Document>, DrawError>) -> Format {
    Format { name, about, is_always: false, make }
}

fn one(name: &str, text: String) -> Result<Vec<Document>, DrawError> {
    Ok(vec![Document { name: name.to_owned(), text }])
}

impl Format {
    const fn always(self) -> Self {
        Self { is_always: true, ..self }
    }

    /// The form of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        FORMATS.into_iter().find(|format| format.name == name)
    }

    /// The files that it makes of a run.
    ///
    /// # Errors
    /// When a chart cannot be drawn.
    pub fn documents(&self, report: &Report) -> Result<Vec<Document>, DrawError> {
        (self.make)(report)
    }
}

impl std::fmt::Debug for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}
