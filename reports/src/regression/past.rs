//! A finished run against those of past jobs, where the baseline can no longer be started: which of them are like it, and what they say.
//!
//! ```text
//! run ─┐
//! past ┴▶ unlike ones left out, with the difference ─▶ one prediction interval per metric ─▶ verdict
//! ```
use super::{
    finding::Verdict,
    judgement::Overall,
    metric::{Quantity, Test},
    stored::{Error, Prediction, predict},
};
use crate::{
    number,
    record::{Measure, Run},
    report::Report,
    summary::{Scope, Window},
    validity::CheckOutcome,
};
use serde::Serialize;

/// A run, as far as it is compared.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its head.
    run: Run,
    /// Why it cannot be trusted, if it cannot.
    invalid: Option<String>,
    /// What is compared, with how many requests stand behind it and its value: nanoseconds, or a share.
    values: Vec<(Test, u64, f64)>,
}

/// A run that was not compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Its name.
    pub run: String,
    /// How it differs, or what is wrong with it.
    pub why: String,
}

/// What became of a metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Foreseen {
    /// What was compared, with its margin.
    #[serde(flatten)]
    pub test: Test,
    /// The run's own value: nanoseconds, or a share.
    pub value: f64,
    /// What the past jobs say of it; `None` when a job has too few requests for it.
    pub prediction: Option<Prediction>,
}

/// A run against past jobs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PastComparison {
    /// In one word.
    pub overall: Overall,
    /// The run that is judged.
    pub run: String,
    /// Its scenario.
    pub scenario: String,
    /// The jobs that it was compared with.
    pub past: Vec<String>,
    /// Those that it was not.
    pub left_out: Vec<LeftOut>,
    /// Chance of error on either side, of all metrics together.
    pub alpha: f64,
    /// Every metric.
    pub metrics: Vec<Foreseen>,
}

impl Job {
    /// What a run says.
    #[must_use]
    pub fn of(report: Report) -> Self {
        let Report { run, summary, verdict, .. } = report;
        let failed = verdict.checks.iter().find(|check| check.outcome == CheckOutcome::Fail);
        let invalid = failed.map(|check| format!("{}: {}", check.name, check.figure));
        let mut steps: Vec<&str> = run.steps.iter().map(|step| step.name.as_str()).collect();
        steps.sort_unstable();
        steps.dedup();
        let scopes: Vec<Scope> = steps.into_iter().map(|step| Scope::Step(step.to_owned())).collect();
        let value = |test: Test| {
            let latency = summary.latency(&test.metric.scope, &Window::Run, Measure::Response);
            let value = match test.metric.quantity {
                Quantity::ErrorShare => latency.failed_share(),
                Quantity::Latency(percentile) => {
                    let quantile = latency.quantile(percentile.share()).and_then(crate::summary::Quantile::finite);
                    quantile.map_or(f64::INFINITY, |ns| ns as f64)
                }
            };
            (test, latency.count(), value)
        };
        let values = Test::usual(&scopes).into_iter().map(value).collect();
        Self { run, invalid, values }
    }

    fn name(&self) -> String {
        self.run.id.to_string()
    }
}

/// How two runs differ in what must be the same for their figures to be compared; `None` when they do not.
///
/// The kernel's version and the seed may differ: jobs of weeks are compared.
#[must_use]
pub fn difference(one: &Run, other: &Run) -> Option<String> {
    let say = |what: &str, one: &str, other: &str| {
        (one != other).then(|| format!("another {what}: {}, not {}", named(other), named(one)))
    };
    let flags = |run: &Run| {
        let kept = run.scenario.overrides.iter().filter(|flag| !flag.starts_with("--seed ")).cloned();
        kept.collect::<Vec<_>>().join(" ")
    };
    let feeders =
        |run: &Run| run.scenario.feeders.iter().map(|feeder| feeder.digest.clone()).collect::<Vec<_>>().join(" ");
    let settings = |run: &Run| format!("{:?}", run.target.settings);
    let gib = |run: &Run| format!("{} GiB", (run.machine.memory_bytes as f64 / f64::from(1 << 30)).round());
    say("scenario", &one.scenario.name, &other.scenario.name)
        .or_else(|| say("text of the scenario", &short(&one.scenario.digest), &short(&other.scenario.digest)))
        .or_else(|| say("set of flags", &flags(one), &flags(other)))
        .or_else(|| say("set of data files", &feeders(one), &feeders(other)))
        .or_else(|| say("kind of target", kind(one), kind(other)))
        .or_else(|| say("set of settings of the target", &settings(one), &settings(other)))
        .or_else(|| say("load", &one.load.description, &other.load.description))
        .or_else(|| say("CPU", &one.machine.cpu_model, &other.machine.cpu_model))
        .or_else(|| say("number of CPUs", &one.machine.cpu_count.to_string(), &other.machine.cpu_count.to_string()))
        .or_else(|| say("amount of memory", &gib(one), &gib(other)))
}

fn named(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}

fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
}

fn kind(run: &Run) -> &'static str {
    if run.target.is_bundled { "bundled" } else { "a URL" }
}

/// Compares a run with past jobs, oldest first.
///
/// # Errors
/// When fewer than eight past jobs are like it; the comparison then says why each was left out.
pub fn compare(new: &Job, past: &[Job], alpha: f64) -> Result<PastComparison, (Error, Vec<LeftOut>)> {
    let wrong = |job: &Job| {
        let same = (job.run.id == new.run.id).then(|| "it is the run that is judged".to_owned());
        same.or_else(|| difference(&new.run, &job.run)).or_else(|| job.invalid.clone())
    };
    let (mut like, mut left_out) = (Vec::new(), Vec::new());
    for job in past {
        match wrong(job) {
            Some(why) => left_out.push(LeftOut { run: job.name(), why }),
            None => like.push(job),
        }
    }
    let values = |index: usize| -> Vec<f64> { like.iter().map(|job| job.values[index].2).collect() };
    let is_enough = |index: usize| {
        let needed = new.values[index].0.metric.quantity.fewest_requests();
        like.iter().copied().chain([new]).all(|job| job.values[index].1 >= needed && job.values[index].2.is_finite())
    };
    let compared = (0..new.values.len()).filter(|index| is_enough(*index)).count();
    let mut metrics = Vec::new();
    for (index, (test, _, value)) in new.values.iter().enumerate() {
        let prediction = match is_enough(index) {
            true => {
                let share = alpha / compared.max(1) as f64;
                let found = predict(&values(index), &[*value], test.metric.quantity, test.margin, share);
                Some(found.map_err(|error| (error, left_out.clone()))?)
            }
            false => None,
        };
        metrics.push(Foreseen { test: test.clone(), value: *value, prediction });
    }
    Ok(PastComparison {
        overall: overall(new, &metrics),
        run: new.name(),
        scenario: new.run.scenario.name.clone(),
        past: like.iter().map(|job| job.name()).collect(),
        left_out,
        alpha,
        metrics,
    })
}

fn overall(new: &Job, metrics: &[Foreseen]) -> Overall {
    let verdicts = || metrics.iter().filter_map(|metric| Some(metric.prediction.as_ref()?.verdict));
    let any = |verdict| verdicts().any(|found| found == verdict);
    // A percentile of failed requests is no latency, and hides that they failed.
    let is_hidden = metrics.iter().any(|metric| !metric.value.is_finite());
    if new.invalid.is_some() {
        Overall::Invalid
    } else if any(Verdict::Regress) || is_hidden {
        Overall::Regress
    } else if any(Verdict::Inconclusive) || !any(Verdict::Pass) {
        Overall::Inconclusive
    } else {
        Overall::Pass
    }
}

impl PastComparison {
    /// The verdict in one sentence, without its word.
    #[must_use]
    pub fn headline(&self) -> String {
        let of = |verdict| {
            let found = self.metrics.iter().filter(move |metric| {
                metric.prediction.as_ref().is_some_and(|prediction| prediction.verdict == verdict)
            });
            found.map(|metric| metric.test.metric.to_string()).collect::<Vec<_>>()
        };
        let jobs = number::counted(self.past.len() as u64, "past job");
        match self.overall {
            Overall::Invalid => "the run is invalid: see its own report".to_owned(),
            Overall::Regress => {
                let failed = self.metrics.iter().filter(|metric| !metric.value.is_finite());
                let worse: Vec<String> = of(Verdict::Regress)
                    .into_iter()
                    .chain(failed.map(|metric| metric.test.metric.to_string()))
                    .collect();
                format!("{} beyond what {jobs} foresee", worse.join(", "))
            }
            Overall::Inconclusive => {
                format!("{} of {} metrics open against {jobs}", of(Verdict::Inconclusive).len(), self.metrics.len())
            }
            Overall::Pass => {
                format!("{} within the margins by {jobs}", number::counted(of(Verdict::Pass).len() as u64, "metric"))
            }
        }
    }
}
