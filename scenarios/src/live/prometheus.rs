//! The board as Prometheus reads it: text format 0.0.4.
use super::{
    board::{Board, standing},
    totals::{BOUNDS_S, EXPORTED, StepTotals},
};
use reports::record::Outcome;
use std::{collections::BTreeSet, fmt::Write as _};

/// Media type of the page.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A page in the making.
#[derive(Default)]
struct Text(String);

impl Text {
    fn describe(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let quoted = labels.iter().map(|(key, value)| format!("{key}=\"{}\"", escaped(value)));
        let labels: Vec<String> = quoted.collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl std::fmt::Display) {
        self.describe(name, kind, help);
        self.value(name, &[], value);
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The whole page.
pub(super) fn text(board: &Board) -> String {
    let mut page = Text::default();
    board.read(|state| {
        let counts = &state.counts;
        page.describe("harness_run_info", "gauge", "The run; always 1.");
        page.value("harness_run_info", &[("run", &board.subject.run), ("scenario", &board.subject.scenario)], 1);
        let (elapsed, planned) = (state.now_ns as f64 / 1e9, board.subject.planned_ns as f64 / 1e9);
        page.single("harness_run_elapsed_seconds", "gauge", "Time since the first request was due.", elapsed);
        page.single("harness_run_planned_seconds", "gauge", "How long the load is planned to last.", planned);
        page.single("harness_requests_offered_total", "counter", "Requests that became due.", counts.offered);
        page.single("harness_requests_in_flight", "gauge", "Requests that are out.", state.in_flight);
        let help = "Arrivals that the generator gave up because its queue was full.";
        page.single("harness_arrivals_dropped_total", "counter", help, counts.dropped);
        let help = "Samples that did not reach the recorder.";
        page.single("harness_samples_lost_total", "counter", help, counts.lost);

        let name = "harness_requests_total";
        page.describe(name, "counter", "Requests with an outcome, by step and class of the outcome.");
        for step in &state.totals.steps {
            for outcome in Outcome::ALL {
                let labels = [("journey", &*step.journey), ("step", &*step.name), ("outcome", outcome.name())];
                page.value(name, &labels, step.outcomes[outcome as usize]);
            }
        }
        for (position, (_, measure, help)) in EXPORTED.iter().enumerate() {
            let name = format!("harness_{measure}_seconds");
            page.describe(&name, "histogram", help);
            for step in &state.totals.steps {
                histogram(&mut page, &name, step, &step.histograms[position]);
            }
        }
        let name = "harness_fault_on";
        page.describe(name, "gauge", "Whether the plan has the fault on now.");
        let on = board.phase_at(state.now_ns).map(|phase| phase.faults.as_slice()).unwrap_or_default();
        let faults: BTreeSet<&String> = board.subject.phases.iter().flat_map(|phase| &phase.faults).collect();
        for fault in faults {
            page.value(name, &[("fault", fault)], u8::from(on.contains(fault)));
        }
        let name = "harness_gate";
        page.describe(name, "gauge", "How a gate stands: 1 at holds, fails, open or not yet.");
        let mut seen = BTreeSet::new();
        for gate in state.gates.iter().filter(|gate| seen.insert(&gate.result.gate)) {
            for word in ["holds", "fails", "open", "not yet"] {
                let labels = [("gate", gate.result.gate.as_str()), ("standing", word)];
                page.value(name, &labels, u8::from(standing(gate) == word));
            }
        }
        let name = "harness_phase";
        page.describe(name, "gauge", "The phase of the plan: 1 at the one that is on.");
        for phase in &board.subject.phases {
            let is_on = (phase.from_ns..phase.to_ns).contains(&state.now_ns);
            page.value(name, &[("phase", &phase.label)], u8::from(is_on));
        }
    });
    page.0
}

fn histogram(page: &mut Text, name: &str, step: &StepTotals, buckets: &super::totals::Buckets) {
    let labels = [("journey", step.journey.as_str()), ("step", step.name.as_str())];
    let mut below = 0;
    let bounds = BOUNDS_S.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
    for (bound, count) in bounds.zip(buckets.counts) {
        below += count;
        page.value(&format!("{name}_bucket"), &[labels[0], labels[1], ("le", &bound)], below);
    }
    page.value(&format!("{name}_sum"), &labels, buckets.sum_s);
    page.value(&format!("{name}_count"), &labels, buckets.count());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::scene::Scene;
    use std::{
        io::Write as _,
        process::{Command, Stdio},
        time::Duration,
    };

    fn page() -> String {
        let mut scene = Scene::new(&["p50 < 1s for \"odd\\name\"", "errors = 0"]);
        for _ in 0..12 {
            scene.request(0, Outcome::Full, Duration::from_millis(20));
            scene.request(1, Outcome::Shed, Duration::from_secs(90));
            scene.second_ends();
        }
        text(&scene.board)
    }

    #[test]
    fn no_series_is_there_twice_though_journeys_share_the_name_of_a_step() {
        let page = page();
        let series: Vec<&str> = page
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| Some(line.rsplit_once(' ')?.0))
            .collect();
        let once: BTreeSet<&str> = series.iter().copied().collect();
        assert_eq!(series.len(), once.len());
        assert!(
            once.contains("harness_requests_total{journey=\"traveller\",step=\"flights.search\",outcome=\"full\"}")
        );
    }

    #[test]
    fn counters_and_histograms_say_what_was_measured() {
        let page = page();
        for line in [
            "harness_requests_total{journey=\"flight-search\",step=\"flights.search\",outcome=\"full\"} 12",
            "harness_requests_total{journey=\"trip-creation\",step=\"trips.create\",outcome=\"shed\"} 12",
            "harness_response_seconds_bucket{journey=\"flight-search\",step=\"flights.search\",le=\"0.01\"} 0",
            "harness_response_seconds_bucket{journey=\"flight-search\",step=\"flights.search\",le=\"0.02\"} 12",
            "harness_response_seconds_bucket{journey=\"trip-creation\",step=\"trips.create\",le=\"60\"} 0",
            "harness_response_seconds_bucket{journey=\"trip-creation\",step=\"trips.create\",le=\"+Inf\"} 12",
            "harness_response_seconds_count{journey=\"trip-creation\",step=\"trips.create\"} 12",
            "harness_requests_in_flight 3",
            "harness_requests_offered_total 24",
            "harness_fault_on{fault=\"mcp.flights latency\"} 1",
            "harness_phase{phase=\"during\"} 1",
            "harness_gate{gate=\"errors = 0\",standing=\"fails\"} 1",
            "harness_gate{gate=\"p50 < 1s for \\\"odd\\\\name\\\"\",standing=\"not yet\"} 1",
        ] {
            assert!(page.lines().any(|found| found == line), "no `{line}` in:\n{page}");
        }
    }

    #[test]
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    fn promtool_finds_nothing_wrong() {
        let mut command = Command::new("promtool");
        let command = command.args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) if std::env::var_os("CI").is_none() => {
                eprintln!("skipped: promtool cannot be run (apt install prometheus): {error}");
                return;
            }
            Err(error) => panic!("promtool cannot be run: {error}"),
        };
        child.stdin.take().unwrap().write_all(page().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{said}");
    }
}
