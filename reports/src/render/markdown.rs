//! `report.md`: the run in Markdown, for tickets and pull requests.
use super::{alerts, calibration, resilience, tables};
use crate::{alerts::note, oracle, report::Report};
use std::fmt::Write as _;

/// The run as a Markdown document.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let (run, verdict) = (&report.run, &report.verdict);
    let mut page = format!("# {}: {}\n\n", run.scenario.name, verdict.overall.word());
    let _ = writeln!(page, "**{}** (exit {}). Run `{}`.\n", verdict.headline, verdict.exit_code, run.id);
    for sentence in &report.story {
        let _ = writeln!(page, "- {sentence}");
    }
    let _ = writeln!(page, "- Data: {}.", oracle::line(run.oracle.as_ref()));
    let mut section = |heading: &str, note: &str, table: &super::table::Table| {
        if table.rows.is_empty() {
            return;
        }
        let _ = write!(page, "\n## {heading}\n\n");
        if !note.is_empty() {
            let _ = write!(page, "{note}\n\n");
        }
        page.push_str(&table.markdown());
    };
    section("Gates", "", &tables::gates(&verdict.gates));
    section("Outcomes", "Everything but the warm-up.", &tables::outcomes(report));
    let latency = "Milliseconds from due; in parentheses from sent. Requests without a good answer count as ∞. \
                   The interval is by binomial order statistics and takes requests as independent.";
    section("Latency", latency, &tables::latencies(report));
    section("Streams", "Milliseconds, everything but the warm-up.", &tables::streams(report));
    section("Connecting", "Milliseconds, everything but the warm-up.", &tables::connecting(report));
    section("Faults", "", &tables::faults(&run.faults));
    let users = "A journey notices after 3 s outside the band of the time before, and is back after 5 s inside. Answers lost are those that \
                 there would have been, had all been as before.";
    section("What users saw of the faults", users, &resilience::impacts(report));
    let notes = resilience::notes(report).join(" ");
    section("Hypothesis", &notes, &resilience::hypotheses(report));
    if let Some(told) = &report.alerts {
        section("Alerts", &note(run, told), &alerts::table(told));
    }
    section("Data violated", "", &tables::violations(report));
    section("Validity", "", &tables::checks(&verdict.checks));
    section("Meter", "", &calibration::of_run(run));
    section("Environment", "", &tables::environment(report));
    page
}
