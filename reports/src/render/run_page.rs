//! `report.html`: one run, from its verdict down to its environment.
use super::{
    DrawError, alerts, calibration, chart,
    page::{figure, page, records, section, table, unbroken},
    resilience, tables,
};
use crate::{
    alerts::note,
    number, oracle,
    record::{FaultEnd, Measure},
    report::Report,
    summary::{Scope, Window},
    verdict::Overall,
};
use maud::{Markup, html};

/// The run as one self-contained HTML page.
///
/// # Errors
/// When a chart cannot be drawn.
pub fn run_page(report: &Report) -> Result<String, DrawError> {
    let (run, verdict) = (&report.run, &report.verdict);
    let has_requests = report.summary.outcomes(&Scope::All, &Window::Everything).total() > 0;
    let body = html! {
        (banner(report))
        (tiles(report))
        (section("What happened", "", &story(report)))
        @if !verdict.gates.is_empty() { (section("Gates", GATES, &records(&tables::gates(&verdict.gates)))) }
        @if has_requests {
            (section("Load", "", &figure(chart::load(report).as_ref())?))
            (section("Latency", LATENCY, &latencies(report)?))
            @if let Some(spectrum) = chart::spectrum(report) { (section("Percentile spectrum", SPECTRUM, &figure(spectrum.as_ref())?)) }
            (section("Outcomes", "", &outcomes(report)?))
            @if report.summary.has_streams() { (section("Streams", STREAMS, &streams(report)?)) }
            @let connecting = tables::connecting(report);
            @if !connecting.rows.is_empty() { (section("Connecting", CONNECTING, &table(&connecting))) }
        }
        @if !run.faults.is_empty() { (section("Faults", "", &faults(report)?)) }
        @if let Some(told) = &report.alerts { (section("Alerts", &note(run, told), &records(&alerts::table(told)))) }
        (section("Data", if run.oracle.is_some() { DATA } else { "" }, &data(report)))
        (section("Validity", VALIDITY, &records(&tables::checks(&verdict.checks))))
        (section("Meter", METER, &records(&calibration::of_run(run))))
        (section("Environment", "", &html! { div.plain { (records(&tables::environment(report))) } }))
        footer { "run " (run.id) " · rendered from its record by harness " (env!("CARGO_PKG_VERSION")) }
    };
    Ok(page(&format!("{} {}: {}", run.scenario.name, run.id, verdict.overall.word()), &body))
}

const GATES: &str = "A gate on a quantile or a share holds or fails only when that is 95 % sure; otherwise it is open. \
                     Requests without a good answer count as infinitely slow.";
const LATENCY: &str = "Response time counts from the instant a request was due, service time (dashed, and in parentheses) \
                       from when it was sent. Requests without a good answer are at ∞. Where lines meet, the lower percentile lies on top.";
const SPECTRUM: &str = "Each curve rises to the slowest request; where it leaves for ∞, the failed requests begin.";
const STREAMS: &str = "First event and first token count from due; a gap is the time between two pieces of text.";
const USERS: &str = "By the requests due in each second: a journey notices when its share of answers that are good and in time, or their p95, lies \
                     outside the band of the time before for 3 s, and is back when both are inside for 5 s. Answers lost are those that there \
                     would have been, had all been as before.";
const HYPOTHESIS: &str = "As before the faults, as degraded as the gates on that time allow while they are on, as before when they are gone. \
                          It takes 3 repeats to pass.";
const DATA: &str = "After the load, every write that the target acknowledged was read back by its owner.";
const CONNECTING: &str = "Milliseconds, warm-up left out. Waiting for the pool comes before a request is sent, opening a connection after; \
                          both are part of its response time.";
const VALIDITY: &str = "If one of these fails (✗), the measurement is not to be trusted, whatever its gates say. ! is a label, – had nothing to check.";
const METER: &str = "How true and how fast the generator was on this machine, by `harness calibrate`.";

fn banner(report: &Report) -> Markup {
    let (run, verdict) = (&report.run, &report.verdict);
    html! {
        header class=(tone(verdict.overall)) {
            p.what { "TripSage load and chaos · " (run.scenario.name) }
            h1 { span.mark aria-hidden="true" { (mark(verdict.overall)) } " " (verdict.overall.word()) }
            p.headline { (unbroken(&verdict.headline)) }
            p.meta {
                "exit " (verdict.exit_code) " · " (run.scenario.title) " · seed " (run.seed) " · " (run.load.description) " · " (run.clock_zero)
            }
        }
    }
}

fn tone(overall: Overall) -> &'static str {
    match overall {
        Overall::Passed => "good",
        Overall::Inconclusive | Overall::Interrupted => "unsure",
        Overall::FaultsLeft
        | Overall::OracleViolated
        | Overall::Invalid
        | Overall::Aborted
        | Overall::NotResilient
        | Overall::Failed => "bad",
    }
}

fn mark(overall: Overall) -> &'static str {
    match overall {
        Overall::Passed => "✓",
        Overall::Inconclusive => "?",
        Overall::Interrupted => "■",
        Overall::Invalid => "!",
        Overall::FaultsLeft | Overall::OracleViolated | Overall::Aborted | Overall::NotResilient | Overall::Failed => {
            "✗"
        }
    }
}

fn tiles(report: &Report) -> Markup {
    let summary = &report.summary;
    let window = summary.undisturbed();
    let all = summary.outcomes(&Scope::All, &Window::Run);
    let share = |share: Option<f64>| share.map_or_else(|| "–".to_owned(), number::percent);
    let faults = &report.run.faults;
    let on = faults.iter().filter(|fault| fault.window.is_some()).count();
    let left = faults.iter().filter(|fault| fault.end == FaultEnd::LeftBehind).count();
    html! {
        div.tiles {
            @for journey in &summary.journeys {
                @let latency = summary.latency(&Scope::Journey(journey.clone()), &window, Measure::Response);
                @let p95 = latency.quantile(0.95).map_or_else(|| "–".to_owned(), |value| value.to_string());
                (tile(&format!("{journey} p95"), &p95, &format!("{window}, {}", number::counted(latency.count(), "request"))))
            }
            (tile("good answers", &share(all.good_share()), &format!("{} of {}", number::count(all.good()), number::count(all.judged()))))
            (tile("errors", &share(all.error_share()), &format!("{} of {}", number::count(all.errors()), number::count(all.judged()))))
            (tile("faults", &format!("{on} of {}", faults.len()), &if left == 0 { "none left behind".to_owned() } else { format!("{left} left behind") }))
        }
    }
}

fn tile(label: &str, value: &str, note: &str) -> Markup {
    html! { div.tile { p.label { (label) } p.value { (unbroken(value)) } p.small { (unbroken(note)) } } }
}

fn story(report: &Report) -> Markup {
    html! { div.story { @for sentence in &report.story { p { (unbroken(sentence)) } } } }
}

fn data(report: &Report) -> Markup {
    let oracle = report.run.oracle.as_ref();
    html! {
        div.story { p { (oracle::mark(oracle)) " " (unbroken(&oracle::line(oracle))) } }
        @if oracle.is_some_and(|oracle| !oracle.examples.is_empty()) {
            h3 { "The first of each" }
            (records(&tables::violations(report)))
        }
    }
}

fn faults(report: &Report) -> Result<Markup, DrawError> {
    let (impacts, notes) = (resilience::impacts(report), resilience::notes(report));
    Ok(html! {
        (records(&tables::faults(&report.run.faults)))
        @if !report.verdict.experiments.is_empty() {
            h3 { "What users saw" }
            p.note { (USERS) }
            @for picture in chart::impacts(report) { (figure(picture.as_ref())?) }
            @if !impacts.rows.is_empty() { (table(&impacts)) }
            @for note in &notes { p.note.below { (unbroken(note)) } }
            h3 { "Hypothesis" }
            p.note { (HYPOTHESIS) }
            (records(&resilience::hypotheses(report)))
        }
    })
}

fn latencies(report: &Report) -> Result<Markup, DrawError> {
    Ok(html! {
        @for picture in chart::latencies(report) { (figure(picture.as_ref())?) }
        h3 { "Milliseconds by journey and phase" }
        (table(&tables::latencies(report)))
        p.note.below { "Intervals are 95 %, by binomial order statistics, which take requests as independent of each other." }
    })
}

fn outcomes(report: &Report) -> Result<Markup, DrawError> {
    Ok(html! {
        (figure(chart::outcomes(report).as_ref())?)
        h3 { "Share of the requests, warm-up left out" }
        (table(&tables::outcomes(report)))
    })
}

fn streams(report: &Report) -> Result<Markup, DrawError> {
    Ok(html! {
        @for picture in chart::streams(report) { (figure(picture.as_ref())?) }
        h3 { "Milliseconds, warm-up left out" }
        (table(&tables::streams(report)))
    })
}
