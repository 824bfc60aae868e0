//! Whether a gate speaks of things that the run will have: checked before the first request.
use super::{Gate, ImpactFigure, ParseError, Problem, Rule, Word, impact, parse::did_you_mean};
use crate::{
    record::{Phase, SECOND_NS, StepInfo},
    summary::{Scope, Window, needs_stream},
    units::format_duration,
};
use std::time::Duration;

/// Checks the name, the window and the measure of a gate against the steps and phases of a plan.
///
/// # Errors
/// When the run has no such step or journey, no such phase, or the measure exists only for streams and nothing named is one.
pub fn check_names(gate: &Gate, steps: &[StepInfo], phases: &[Phase]) -> Result<(), ParseError> {
    check_recorded(gate, steps, phases)?;
    check_delay(gate, phases)
}

/// The same for a run that is recorded: its phases may have become shorter than a delay, when the end of the warm-up was found.
pub(super) fn check_recorded(gate: &Gate, steps: &[StepInfo], phases: &[Phase]) -> Result<(), ParseError> {
    if matches!(gate.rule, Rule::Impact { .. }) {
        return check_impact(gate, steps, phases);
    }
    check_scope(gate, steps)?;
    check_window(&gate.window, phases)
}

fn check_scope(gate: &Gate, steps: &[StepInfo]) -> Result<(), ParseError> {
    let scope = match &gate.name {
        None => Scope::All,
        Some(name) => Scope::named(&name.value, steps).ok_or_else(|| unknown_name(name, steps))?,
    };
    let Some(measure) = gate.rule.measure() else { return Ok(()) };
    if !needs_stream(measure) || steps.iter().any(|step| scope.holds(step) && step.is_streamed) {
        return Ok(());
    }
    let range = gate.name.as_ref().map_or(0..gate.text.len(), |name| name.range.clone());
    let streamed: Vec<&str> = steps.iter().filter(|step| step.is_streamed).map(|step| step.name.as_str()).collect();
    let hint = (!streamed.is_empty()).then(|| format!("streamed steps are {}", streamed.join(", ")));
    Err(ParseError { range, problem: Problem::NotStreamed { name: scope.to_string(), measure }, hint })
}

/// A gate on what faults did names a journey or a fault, and a phase in which one is on.
fn check_impact(gate: &Gate, steps: &[StepInfo], phases: &[Phase]) -> Result<(), ParseError> {
    let faults: Vec<String> = phases.iter().flat_map(|phase| &phase.faults).map(|name| impact::word_of(name)).collect();
    if faults.is_empty() {
        let hint = Some("it is on what faults do, so the scenario needs `[[faults]]`".to_owned());
        return Err(ParseError { range: 0..gate.text.len(), problem: Problem::NoFault, hint });
    }
    check_window(&gate.window, phases)?;
    if !phases.iter().any(|phase| gate.window.value.holds(phase) && !phase.faults.is_empty()) || is_span(gate) {
        let problem =
            Problem::NotA { found: gate.window.value.to_string(), expected: "a phase in which a fault is on" };
        let hint = Some("leave the window out, or write `during` or the label of one such phase".to_owned());
        return Err(ParseError { range: gate.window.range.clone(), problem, hint });
    }
    let Some(name) = &gate.name else { return Ok(()) };
    let is_of_faults = matches!(gate.rule, Rule::Impact { figure: ImpactFigure::Detection, .. });
    let steps = if is_of_faults { &[] } else { steps };
    let journeys: Vec<&str> = steps.iter().map(|step| step.journey.as_str()).collect();
    if journeys.contains(&name.value.as_str()) || faults.contains(&name.value) {
        return Ok(());
    }
    let known = || journeys.iter().copied().chain(faults.iter().map(String::as_str));
    let journey = steps.iter().find(|step| step.name == name.value).map(|step| &step.journey);
    let hint = match journey {
        Some(journey) => Some(format!("it is put on journeys; that of this step is {journey}")),
        None => did_you_mean(&name.value, known()).or_else(|| {
            let mut all: Vec<&str> = known().collect();
            all.sort_unstable();
            all.dedup();
            Some(format!("this run has {}", all.join(", ")))
        }),
    };
    let problem = Problem::Unknown { what: "journey or fault", found: name.value.clone() };
    Err(ParseError { range: name.range.clone(), problem, hint })
}

fn is_span(gate: &Gate) -> bool {
    matches!(gate.window.value, Window::Span { .. })
}

fn unknown_name(name: &Word<String>, steps: &[StepInfo]) -> ParseError {
    let known = || steps.iter().flat_map(|step| [step.name.as_str(), step.journey.as_str()]);
    let mut all: Vec<&str> = known().collect();
    all.sort_unstable();
    all.dedup();
    let problem = Problem::Unknown { what: "step or journey", found: name.value.clone() };
    let hint = did_you_mean(&name.value, known()).or_else(|| Some(format!("this run has {}", all.join(", "))));
    ParseError { range: name.range.clone(), problem, hint }
}

/// A delay as long as its window would never let the gate abort.
fn check_delay(gate: &Gate, phases: &[Phase]) -> Result<(), ParseError> {
    let Some(abort) = &gate.abort else { return Ok(()) };
    let length = Duration::from_nanos(gate.window.value.length_ns(phases));
    if abort.after.value < length {
        return Ok(());
    }
    let found = gate.text[abort.after.range.clone()].to_owned();
    let problem = Problem::Beyond { found, what: "window", ends: format!("is {} long", format_duration(length)) };
    let hint = Some("give a shorter delay, or none: `abort`".to_owned());
    Err(ParseError { range: abort.after.range.clone(), problem, hint })
}

fn check_window(window: &Word<Window>, phases: &[Phase]) -> Result<(), ParseError> {
    let end_ns = phases.last().map_or(0, |phase| phase.to_ns);
    if let Window::Span { to_s, .. } = window.value
        && to_s.saturating_mul(SECOND_NS) > end_ns
    {
        let ends = format!("ends at {}", format_duration(Duration::from_nanos(end_ns)));
        let problem = Problem::Beyond { found: window.value.to_string(), what: "load", ends };
        return Err(ParseError { range: window.range.clone(), problem, hint: None });
    }
    if phases.iter().any(|phase| window.value.holds(phase)) {
        return Ok(());
    }
    let labels: Vec<&str> = phases.iter().map(|phase| phase.label.as_str()).collect();
    let all = || format!("this run has {}", labels.join(", "));
    let hint = match &window.value {
        Window::Label(label) => did_you_mean(label, labels.iter().copied().chain(["run"])).or_else(|| Some(all())),
        _ => Some(all()),
    };
    let problem = Problem::Unknown { what: "phase", found: window.value.to_string() };
    Err(ParseError { range: window.range.clone(), problem, hint })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        gate::parse,
        record::{FaultWindow, cut},
    };

    fn check(text: &str, expected: Result<(), (&str, &str, &str)>) {
        let step = |name: &str, journey: &str, is_streamed| StepInfo {
            name: name.to_owned(),
            journey: journey.to_owned(),
            is_streamed,
        };
        let steps = [step("flights.search", "flight-search", false), step("chat.message", "chat", true)];
        let found = check_names(&parse(text).unwrap(), &steps, &cut(10 * SECOND_NS, 100 * SECOND_NS, &[]));
        let plain = found.as_ref().map_err(|e| (e.to_string(), e.hint.clone().unwrap_or_default(), e.range.clone()));
        match (plain, expected) {
            (Ok(()), Ok(())) => {}
            (Err((message, hint, range)), Err(expected)) => {
                assert_eq!((message.as_str(), hint.as_str(), &text[range]), expected, "{text}");
            }
            (found, _) => panic!("{text}: {found:?}"),
        }
    }

    #[test]
    fn a_gate_on_what_faults_do_names_a_journey_or_a_fault() {
        let fault = ("mcp.flights down".to_owned(), FaultWindow { from_ns: 40 * SECOND_NS, to_ns: 60 * SECOND_NS });
        let phases = cut(10 * SECOND_NS, 100 * SECOND_NS, &[fault]);
        let step = StepInfo { name: "flights.search".into(), journey: "flight-search".into(), is_streamed: false };
        let of = |text: &str| {
            let found = check_names(&parse(text).unwrap(), std::slice::from_ref(&step), &phases);
            found.map_err(|error| format!("{error} ({})", error.hint.clone().unwrap_or_default()))
        };
        for text in ["recovery < 10s", "depth < 50% for flight-search", "lost < 9 for mcp.flights-down window=during"] {
            assert_eq!(of(text), Ok(()), "{text}");
        }
        let check = |text: &str, expected: &str| assert_eq!(of(text).unwrap_err(), expected, "{text}");
        check(
            "lost < 9 for mcp.flight-down",
            "unknown journey or fault `mcp.flight-down` (did you mean `mcp.flights-down`?)",
        );
        check(
            "lost < 9 for hotels",
            "unknown journey or fault `hotels` (this run has flight-search, mcp.flights-down)",
        );
        let step_hint = "it is put on journeys; that of this step is flight-search";
        check("lost < 9 for flights.search", &format!("unknown journey or fault `flights.search` ({step_hint})"));
        let window = "is not a phase in which a fault is on (leave the window out, or write `during` or the label of one such phase)";
        check("burn < 2 window=steady", &format!("`steady` {window}"));
        check("burn < 2 window=50s..55s", &format!("`50s..55s` {window}"));
        let none = check_names(&parse("burn < 2").unwrap(), std::slice::from_ref(&step), &cut(0, 9 * SECOND_NS, &[]))
            .unwrap_err();
        assert_eq!(none.to_string(), "the run has no fault");
    }

    #[test]
    fn a_gate_on_something_that_the_run_will_not_have_is_refused() {
        check("p95 < 1s for flights.search window=steady", Ok(()));
        check("p95 < 1s for flight-search", Ok(()));
        check("first_event.p95 < 1s for chat", Ok(()));
        check("first_event.p95 < 1s", Ok(()));
        check("errors = 0 window=warm-up", Ok(()));
        check("errors = 0 window=90s..100s abort after 9s", Ok(()));
        let beyond = "`90s..101s` reaches beyond the load, which ends at 100s";
        check("errors = 0 window=90s..101s", Err((beyond, "", "90s..101s")));
        let shorter = "give a shorter delay, or none: `abort`";
        let late = "`after 10s` reaches beyond the window, which is 10s long";
        check("errors = 0 window=90s..100s abort after 10s", Err((late, shorter, "after 10s")));
        let gaps = "`flight-search` has no gap: its answers are not streams";
        check("stalls = 0 for flight-search", Err((gaps, "streamed steps are chat.message", "flight-search")));
        let near = "did you mean `flights.search`?";
        check("p95 < 1s for flights.serch", Err(("unknown step or journey `flights.serch`", near, "flights.serch")));
        let all = "this run has chat, chat.message, flight-search, flights.search";
        check("p95 < 1s for hotels", Err(("unknown step or journey `hotels`", all, "hotels")));
        let phases = "this run has warm-up, steady";
        check("p95 < 1s window=during", Err(("unknown phase `during`", phases, "during")));
        check("p95 < 1s window=stedy", Err(("unknown phase `stedy`", "did you mean `steady`?", "stedy")));
        let streamed = "`flight-search` has no first_event: its answers are not streams";
        check(
            "first_event.p95 < 1s for flight-search",
            Err((streamed, "streamed steps are chat.message", "flight-search")),
        );
    }
}
