//! `junit.xml`: every gate, every check of the measurement and what became of the data as test cases, for the test view of a CI system.
//!
//! ```text
//! holds ─▶ passed      fails ─▶ failure      not known from so few requests ─▶ skipped      cannot be trusted ─▶ error
//! ```
//! Source: the schema of JUnit reports that Jenkins publishes (xunit-plugin, junit-10.xsd).
use super::tables::short_digest;
use crate::{
    gate::{GateOutcome, GateResult},
    oracle,
    record::{Oracle, RunEnd},
    report::Report,
    validity::{Check, CheckOutcome},
};
use std::fmt::Write as _;

/// How a test case ended, other than passed.
enum Ending {
    Passed,
    Failure(String),
    Error(String),
    Skipped(String),
}

struct Case {
    name: String,
    ending: Ending,
    /// What was seen, for those who look.
    seen: String,
}

struct Suite {
    name: &'static str,
    cases: Vec<Case>,
}

/// The run as a JUnit report.
pub(super) fn document(report: &Report) -> String {
    let (run, verdict) = (&report.run, &report.verdict);
    let suites = [
        Suite { name: "run", cases: vec![end(report)] },
        Suite { name: "gates", cases: verdict.gates.iter().map(gate).collect() },
        Suite { name: "validity", cases: verdict.checks.iter().map(check).collect() },
        Suite { name: "data", cases: vec![data(run.oracle.as_ref())] },
    ];
    let all = || suites.iter().flat_map(|suite| &suite.cases);
    let seconds = run.finished_ns as f64 / 1e9;
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let name = format!("{} {}", run.scenario.name, run.id);
    let _ = writeln!(text, "<testsuites name=\"{}\" {} time=\"{seconds:.3}\">", escaped(&name), counts(all()));
    for suite in suites.iter().filter(|suite| !suite.cases.is_empty()) {
        let name = format!("{}.{}", run.scenario.name, suite.name);
        let of_suite = if suite.name == "run" { seconds } else { 0.0 };
        let _ = writeln!(
            text,
            "  <testsuite name=\"{}\" {} time=\"{of_suite:.3}\" timestamp=\"{}\">",
            escaped(&name),
            counts(suite.cases.iter()),
            escaped(&run.clock_zero)
        );
        properties(&mut text, report);
        suite.cases.iter().for_each(|one| case(&mut text, &name, one));
        text.push_str("  </testsuite>\n");
    }
    text + "</testsuites>\n"
}

fn properties(text: &mut String, report: &Report) {
    let run = &report.run;
    let (code, digest) = (report.verdict.exit_code.to_string(), short_digest(report).to_owned());
    let pairs = [
        ("run", run.id.to_string()),
        ("verdict", format!("{}: {}", report.verdict.overall.word(), report.verdict.headline)),
        ("exit code", code),
        ("scenario sha256", digest),
        ("seed", run.seed.to_string()),
        ("target", run.target.url.clone()),
        ("harness", run.harness_version.clone()),
    ];
    text.push_str("    <properties>\n");
    for (name, value) in pairs {
        let _ = writeln!(text, "      <property name=\"{name}\" value=\"{}\"/>", escaped(&value));
    }
    text.push_str("    </properties>\n");
}

fn case(text: &mut String, class: &str, case: &Case) {
    let head = format!("    <testcase name=\"{}\" classname=\"{}\" time=\"0\"", escaped(&case.name), escaped(class));
    let inside = match &case.ending {
        Ending::Passed => String::new(),
        Ending::Failure(why) => format!("      <failure message=\"{0}\" type=\"gate\">{0}</failure>\n", escaped(why)),
        Ending::Error(why) => format!("      <error message=\"{0}\" type=\"invalid\">{0}</error>\n", escaped(why)),
        Ending::Skipped(why) => format!("      <skipped message=\"{}\"/>\n", escaped(why)),
    };
    let seen = match case.seen.is_empty() {
        true => String::new(),
        false => format!("      <system-out>{}</system-out>\n", escaped(&case.seen)),
    };
    let _ = match inside.is_empty() && seen.is_empty() {
        true => writeln!(text, "{head}/>"),
        false => writeln!(text, "{head}>\n{inside}{seen}    </testcase>"),
    };
}

fn counts<'a>(cases: impl Iterator<Item = &'a Case>) -> String {
    let (mut tests, mut failures, mut errors, mut skipped) = (0, 0, 0, 0);
    for case in cases {
        tests += 1;
        match case.ending {
            Ending::Passed => {}
            Ending::Failure(_) => failures += 1,
            Ending::Error(_) => errors += 1,
            Ending::Skipped(_) => skipped += 1,
        }
    }
    format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\"")
}

/// Whether the plan was carried out at all: a run that was stopped must not look as good as one that was not.
fn end(report: &Report) -> Case {
    let ending = match &report.run.end {
        RunEnd::Completed => Ending::Passed,
        RunEnd::Aborted { rule, .. } => Ending::Failure(format!("aborted by the gate {rule}")),
        RunEnd::Interrupted => Ending::Error("interrupted".to_owned()),
        RunEnd::Broken(why) => Ending::Error(format!("broke off: {why}")),
    };
    Case { name: "the whole plan was carried out".to_owned(), ending, seen: String::new() }
}

fn gate(gate: &GateResult) -> Case {
    let observed = gate.observed.map_or_else(|| "nothing".to_owned(), |observed| observed.to_string());
    let ending = match gate.outcome {
        GateOutcome::Pass => Ending::Passed,
        GateOutcome::Fail => Ending::Failure(format!("was {observed}: {}", gate.reason)),
        GateOutcome::Inconclusive => Ending::Skipped(format!("inconclusive, was {observed}: {}", gate.reason)),
        GateOutcome::Invalid => Ending::Error(gate.reason.clone()),
    };
    let seen = format!("observed {observed}, margin {}; {}", gate.margin_text(), gate.reason);
    Case { name: gate.gate.clone(), ending, seen }
}

fn check(check: &Check) -> Case {
    let text = format!("{} (required: {})", check.figure, check.threshold);
    let ending = match check.outcome {
        CheckOutcome::Pass | CheckOutcome::Warn => Ending::Passed,
        CheckOutcome::Fail => Ending::Error(text.clone()),
        CheckOutcome::NotApplicable => Ending::Skipped(check.figure.clone()),
    };
    let label = if check.outcome == CheckOutcome::Warn { "label: " } else { "" };
    Case { name: check.name.to_owned(), ending, seen: format!("{label}{text}") }
}

fn data(found: Option<&Oracle>) -> Case {
    let line = oracle::line(found);
    let ending = match found {
        None => Ending::Skipped(line.clone()),
        Some(found) if found.is_violated() => Ending::Failure(line.clone()),
        Some(found) if found.incomplete.is_some() || found.journal_lost > 0 => Ending::Error(line.clone()),
        Some(_) => Ending::Passed,
    };
    Case { name: "acknowledged writes are kept".to_owned(), ending, seen: line }
}

/// Text as it stands in XML. Characters that XML cannot have at all become U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\r' => out.push_str("&#13;"),
            c if c < ' ' || c == '\u{fffe}' || c == '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_become_markup_and_forbidden_characters_are_replaced() {
        assert_eq!(escaped("p95 < 1s & \"x\"\n\u{1}>"), "p95 &lt; 1s &amp; &quot;x&quot;&#10;\u{fffd}&gt;");
    }

    #[test]
    fn a_check_says_error_skipped_or_passed_and_never_failure() {
        let ends = |outcome| {
            let one = Check { name: "n", outcome, figure: "f".to_owned(), threshold: "t".to_owned() };
            counts([check(&one)].iter())
        };
        let of = |errors, skipped| format!("tests=\"1\" failures=\"0\" errors=\"{errors}\" skipped=\"{skipped}\"");
        assert_eq!(ends(CheckOutcome::Fail), of(1, 0));
        assert_eq!(ends(CheckOutcome::NotApplicable), of(0, 1));
        assert_eq!([CheckOutcome::Pass, CheckOutcome::Warn].map(ends), [of(0, 0), of(0, 0)]);
    }
}
