//! `summary.json`: the verdict and every figure, for programs. Latencies are whole nanoseconds, shares are between 0 and 1.
use crate::{
    alerts::Detection,
    record::{Counts, FaultRecord, Measure, Oracle, Outcome, Run, RunEnd},
    report::Report,
    resilience::{self, Band, Impact},
    summary::{Latency, Quantile, Scope, Summary, Window},
    verdict::Verdict,
};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde::Serialize;
use std::collections::BTreeMap;

/// Version of this document.
const FORMAT: u32 = 1;

/// A run of the TripSage harness: its verdict and every figure. Latencies are whole nanoseconds, shares are between 0 and 1.
#[derive(Serialize, JsonSchema)]
struct Document<'a> {
    /// Version of this document; a reader should refuse a higher one.
    format: u32,
    run: RunHead<'a>,
    verdict: &'a Verdict,
    /// What happened, in sentences.
    story: &'a [String],
    /// What became of the planned arrivals.
    counts: Counts,
    faults: &'a [FaultRecord],
    /// What the faults did to users.
    resilience: Resilience<'a>,
    /// What is known of the meter, in words.
    meter: String,
    /// What reading the acknowledged writes back has shown; `null` when that was not done.
    oracle: Option<&'a Oracle>,
    /// What the target's alerts told of the faults, in seconds; `null` when it was not watched by them, or they could not be evaluated.
    alerts: Option<&'a Detection>,
    /// Every scope in every window that has requests.
    figures: Vec<Figures>,
}

/// What was run.
#[derive(Serialize, JsonSchema)]
struct RunHead<'a> {
    id: &'a str,
    scenario: &'a str,
    scenario_digest: &'a str,
    overrides: &'a [String],
    seed: u64,
    harness_version: &'a str,
    /// RFC 3339, UTC.
    clock_zero: &'a str,
    planned_ns: u64,
    finished_ns: u64,
    end: &'a RunEnd,
}

/// What the faults did to users, by journey.
#[derive(Serialize, JsonSchema)]
struct Resilience<'a> {
    /// What each journey is like without a fault.
    bands: Vec<JourneyBand<'a>>,
    /// Faults that were on together, and what they did.
    experiments: Vec<Experiment<'a>>,
}

/// A journey with its band, or why it has none.
#[derive(Serialize, JsonSchema)]
struct JourneyBand<'a> {
    journey: &'a str,
    band: Option<&'a Band>,
    why_none: Option<String>,
}

/// Faults that were on together.
#[derive(Serialize, JsonSchema)]
struct Experiment<'a> {
    faults: &'a [String],
    from_ns: u64,
    to_ns: u64,
    /// What is seen later may be the work of another fault, or was not seen.
    watched_to_ns: u64,
    /// Arrivals that were never sent, which are in none of the figures.
    unsent: u64,
    journeys: Vec<JourneyImpact<'a>>,
}

/// What they did to a journey, or why that is not known.
#[derive(Serialize, JsonSchema)]
struct JourneyImpact<'a> {
    journey: &'a str,
    figures: Option<&'a resilience::Figures>,
    why_none: Option<String>,
}

/// The figures of some requests in some part of the run.
#[derive(Serialize, JsonSchema)]
struct Figures {
    /// `all`, `journey` or `step`.
    scope: &'static str,
    /// The journey or step; absent for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// `run` (all but the warm-up), a kind of phase, or the label of one phase.
    window: String,
    length_ns: u64,
    /// Requests per class; classes without any are left out.
    outcomes: BTreeMap<&'static str, u64>,
    /// By measure; those without values are left out.
    latencies: BTreeMap<&'static str, LatencyFigures>,
}

/// One measure. A quantile that is `null` is infinite: it falls among the `failed`.
#[derive(Serialize, JsonSchema)]
struct LatencyFigures {
    /// Values and failed requests.
    count: u64,
    /// Requests that got no good answer.
    failed: u64,
    p50_ns: Option<u64>,
    p90_ns: Option<u64>,
    p95_ns: Option<u64>,
    p99_ns: Option<u64>,
    p999_ns: Option<u64>,
    max_ns: Option<u64>,
    /// 95 % interval by binomial order statistics; a side that is `null` is infinite or beyond the sample.
    p95_interval_ns: [Option<u64>; 2],
    /// As `p95_interval_ns`.
    p99_interval_ns: [Option<u64>; 2],
}

/// The run as a JSON document.
#[must_use]
pub fn json(report: &Report) -> String {
    let document = Document {
        format: FORMAT,
        run: head(&report.run),
        verdict: &report.verdict,
        story: &report.story,
        counts: report.run.load.counts,
        faults: &report.run.faults,
        resilience: resilience(report),
        meter: crate::calibration::standing(&report.run).sentence(),
        oracle: report.run.oracle.as_ref(),
        alerts: report.alerts.as_ref().and_then(|told| told.as_ref().ok()),
        figures: figures(&report.summary),
    };
    let mut text = serde_json::to_string_pretty(&document).expect("the document has only text keys and finite numbers");
    text.push('\n');
    text
}

/// The JSON schema (2020-12) of the document, made from the types that it is written from.
#[must_use]
pub fn json_schema() -> String {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let schema = generator.into_root_schema_for::<Document<'static>>();
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is a JSON value");
    text.push('\n');
    text
}

fn head(run: &Run) -> RunHead<'_> {
    RunHead {
        id: run.id.as_str(),
        scenario: &run.scenario.name,
        scenario_digest: &run.scenario.digest,
        overrides: &run.scenario.overrides,
        seed: run.seed,
        harness_version: &run.harness_version,
        clock_zero: &run.clock_zero,
        planned_ns: run.planned_ns,
        finished_ns: run.finished_ns,
        end: &run.end,
    }
}

fn resilience(report: &Report) -> Resilience<'_> {
    let bands = report.resilience.bands.iter().map(|(journey, band)| JourneyBand {
        journey,
        band: band.as_ref().ok(),
        why_none: band.as_ref().err().map(ToString::to_string),
    });
    let experiments = report.resilience.experiments.iter().map(|experiment| Experiment {
        faults: &experiment.faults,
        from_ns: experiment.episode.window.from_ns,
        to_ns: experiment.episode.window.to_ns,
        watched_to_ns: experiment.episode.watched_to_ns,
        unsent: experiment.unsent,
        journeys: experiment.impacts.iter().map(journey_impact).collect(),
    });
    Resilience { bands: bands.collect(), experiments: experiments.collect() }
}

fn journey_impact(impact: &Impact) -> JourneyImpact<'_> {
    JourneyImpact {
        journey: &impact.journey,
        figures: impact.figures.as_ref().ok(),
        why_none: impact.figures.as_ref().err().map(ToString::to_string),
    }
}

fn figures(summary: &Summary) -> Vec<Figures> {
    let (scopes, windows) = (summary.scopes(), summary.windows());
    let pairs = scopes.iter().flat_map(|scope| windows.iter().map(move |window| (scope, window)));
    pairs.filter_map(|(scope, window)| figures_of(summary, scope, window)).collect()
}

fn figures_of(summary: &Summary, scope: &Scope, window: &Window) -> Option<Figures> {
    let outcomes = summary.outcomes(scope, window);
    let name = (*scope != Scope::All).then(|| scope.to_string());
    let latency = |measure: Measure| {
        let latency = summary.latency(scope, window, measure);
        (latency.count() > 0).then(|| (measure.name(), latency_figures(&latency)))
    };
    (outcomes.total() > 0).then(|| Figures {
        scope: scope.kind(),
        name,
        window: window.to_string(),
        length_ns: window.length_ns(&summary.phases),
        outcomes: outcomes.seen().map(|(class, count): (Outcome, u64)| (class.name(), count)).collect(),
        latencies: Measure::ALL.into_iter().filter_map(latency).collect(),
    })
}

fn latency_figures(latency: &Latency) -> LatencyFigures {
    let at = |quantile: f64| latency.quantile(quantile).and_then(Quantile::finite);
    let interval = |quantile: f64| {
        let (lower, upper) = latency.interval(quantile);
        [lower, upper].map(|side| side.and_then(Quantile::finite))
    };
    LatencyFigures {
        count: latency.count(),
        failed: latency.failed,
        p50_ns: at(0.5),
        p90_ns: at(0.9),
        p95_ns: at(0.95),
        p99_ns: at(0.99),
        p999_ns: at(0.999),
        max_ns: at(1.0),
        p95_interval_ns: interval(0.95),
        p99_interval_ns: interval(0.99),
    }
}
