//! What is kept of a run for baselines and histories: one small file, which still says what it is worth when the run's folder is gone.
use super::Condition;
use serde::{Deserialize, Serialize};

/// Version of the file that this build writes and reads.
pub(super) const FORMAT: u32 = 1;

/// One run in a store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Version of the file.
    pub format: u32,
    /// The run's name, which is the point's too.
    pub id: String,
    /// The scenario's name.
    pub scenario: String,
    /// When the run began, RFC 3339 in UTC.
    pub at: String,
    /// What somebody calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The baseline that it belongs to; `None` for one that is only history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    /// What was checked out where it was added; `None` outside a repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
    /// The run's verdict, in a word.
    pub verdict: String,
    /// Under which conditions it ran.
    pub conditions: Vec<Condition>,
    /// Its figures, where the target was left alone.
    pub figures: Vec<PointFigure>,
}

/// A state of the code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Its full name, or what was given for it.
    pub hash: String,
    /// The first line of its message; empty when not known.
    #[serde(default)]
    pub subject: String,
    /// Whether files differed from it.
    #[serde(default)]
    pub is_dirty: bool,
}

impl Commit {
    /// As many digits as people write, with a star when files differed from it.
    #[must_use]
    pub fn short(&self) -> String {
        let digits: String = self.hash.chars().take(9).collect();
        if self.is_dirty { format!("{digits}*") } else { digits }
    }
}

/// One number of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PointFigure {
    /// `all`, `journey` or `step`.
    pub scope: String,
    /// The journey or step; `all` for everything.
    pub name: String,
    /// The part of the run, such as `steady`.
    pub window: String,
    /// `p50`, `p95` or `p99` of the response time, or `errors`.
    pub quantity: String,
    /// Nanoseconds, or a share from 0 to 1; `None` where a percentile is infinite or there are too few requests for it.
    pub value: Option<f64>,
    /// The natural logarithm of a latency in nanoseconds, on which runs are compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ln: Option<f64>,
    /// Requests that it is of.
    pub requests: u64,
}

impl PointFigure {
    /// What it is of, such as `flights.search p95`.
    #[must_use]
    pub fn metric(&self) -> String {
        format!("{} {}", self.name, self.quantity)
    }
}

impl Point {
    /// One of its figures, by its metric; a step goes before a journey of the same name.
    #[must_use]
    pub fn figure(&self, metric: &str) -> Option<&PointFigure> {
        let of = |scope: &str| self.figures.iter().find(|figure| figure.scope == scope && figure.metric() == metric);
        of("step").or_else(|| of("journey")).or_else(|| of("all"))
    }

    /// The commit, else the label, else the day: what stands below it on a chart.
    #[must_use]
    pub fn mark(&self) -> String {
        let day = || self.at.get(..10).unwrap_or(&self.at).to_owned();
        self.commit.as_ref().map(Commit::short).or_else(|| self.label.clone()).unwrap_or_else(day)
    }
}
