//! Reads a gate from its line, and says where and why it cannot.
use super::{
    Comparison, Gate, Group, ImpactFigure, Rule, Word, abort,
    metric::{Metric, metric_of},
    span,
    token::{Token, Tokens},
};
use crate::{
    record::{Measure, Outcome},
    summary::Window,
    units,
};
use std::ops::Range;

/// A line that is not a gate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct ParseError {
    /// The bytes of the line that are wrong; empty at its end when something is missing there.
    pub range: Range<usize>,
    /// What is wrong with them.
    pub problem: Problem,
    /// What would do.
    pub hint: Option<String>,
}

/// What is wrong with a gate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The line ends too early.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A word is none of those that could stand there.
    #[error("unknown {what} `{found}`")]
    Unknown {
        /// What was expected.
        what: &'static str,
        /// What was found.
        found: String,
    },
    /// A value is not of the metric's kind, or out of its range.
    #[error("`{found}` is not {expected}")]
    NotA {
        /// What was found.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
    /// A clause is there twice.
    #[error("`{0}` is given twice")]
    Twice(String),
    /// A clause or sign that this metric does not take.
    #[error("`{word}` does not go with `{metric}`")]
    Misplaced {
        /// The clause or sign.
        word: String,
        /// The metric.
        metric: String,
    },
    /// A window or a delay reaches beyond what it is to lie in.
    #[error("`{found}` reaches beyond the {what}, which {ends}")]
    Beyond {
        /// What was found.
        found: String,
        /// What it is to lie in.
        what: &'static str,
        /// Where that ends.
        ends: String,
    },
    /// The gate is put on what faults do, and there is none.
    #[error("the run has no fault")]
    NoFault,
    /// The gate is put on something that does not have this measure.
    #[error("`{name}` has no {measure}: its answers are not streams")]
    NotStreamed {
        /// The step or journey.
        name: String,
        /// The measure.
        measure: Measure,
    },
}

/// Reads one gate; see the [module](super) for its grammar.
///
/// # Errors
/// When the line is not a gate, with the place and, where there is one, a hint. Names are checked by [`check_names`](super::check_names).
pub fn parse(text: &str) -> Result<Gate, ParseError> {
    let mut tokens = Tokens::of(text);
    let metric = tokens.next("a metric such as `p95`, `error-rate` or `undeclared`")?;
    let comparison = tokens.next("a comparison such as `<`")?;
    let value = tokens.next("a value such as `500ms`, `0.1%` or `0`")?;
    let rule = rule(&metric, &comparison, &value)?;
    let (mut name, mut class, mut window, mut abort) = (None, None, None, None);
    while let Some(key) = tokens.peek() {
        let known = ["for", "class", "window", "abort"];
        if !known.contains(&key.text) {
            let problem = Problem::Unknown { what: "clause", found: key.text.to_owned() };
            return Err(key.error(problem, did_you_mean(key.text, known)));
        }
        tokens.skip();
        if key.text == "abort" {
            let clause = abort::clause(&mut tokens)?;
            if abort.replace(clause).is_some() {
                return Err(key.error(Problem::Twice(key.text.to_owned()), None));
            }
            continue;
        }
        tokens.skip_equals();
        let slot = match key.text {
            "for" => &mut name,
            "class" => &mut class,
            _ => &mut window,
        };
        if slot.is_some() {
            return Err(key.error(Problem::Twice(key.text.to_owned()), None));
        }
        *slot = Some(tokens.next(match key.text {
            "for" => "the name of a step or journey",
            "class" => "an outcome class",
            _ => "a window such as `steady`",
        })?);
    }
    let end = text.trim_end().len();
    let gate = Gate {
        text: text.trim().to_owned(),
        name: name.map(|token| Word { value: token.text.to_owned(), range: token.range }),
        class: class.as_ref().map(outcome).transpose()?,
        window: window.as_ref().map_or(Ok(Word { value: Window::Run, range: end..end }), span::window)?,
        abort,
        rule,
    };
    let misplaced = match &gate.rule {
        Rule::Quantile { .. } | Rule::Max { .. } => None,
        Rule::Share { .. } | Rule::Count { .. } | Rule::Rate { .. } | Rule::Stalls { .. } => {
            class.map(|token| (token, "class"))
        }
        Rule::Impact { .. } => {
            let abort =
                gate.abort.as_ref().map(|abort| (Token { text: "abort", range: abort.after.range.clone() }, "abort"));
            class.map(|token| (token, "class")).or(abort)
        }
        Rule::AchievedRate { .. } | Rule::InFlight { .. } => {
            class.map(|token| (token, "class")).or(name_token(&gate, text).map(|t| (t, "for")))
        }
        Rule::Dropped { .. } => class
            .map(|token| (token, "class"))
            .or(name_token(&gate, text).map(|token| (token, "for")))
            .or(window.map(|token| (token, "window"))),
    };
    match misplaced {
        None => Ok(gate),
        Some((token, word)) => {
            Err(token.error(Problem::Misplaced { word: word.to_owned(), metric: metric.text.to_owned() }, None))
        }
    }
}

/// The known word that was probably meant, if one is near.
pub(super) fn did_you_mean<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let near = known.into_iter().map(|word| (strsim::osa_distance(found, word), word)).min()?;
    (near.0 <= 2.max(found.chars().count() / 3)).then(|| format!("did you mean `{}`?", near.1))
}

fn rule(metric: &Token<'_>, sign: &Token<'_>, value: &Token<'_>) -> Result<Rule, ParseError> {
    let kind = metric_of(metric)?;
    let comparison = comparison_of(sign)?;
    let is_counted = matches!(kind, Metric::Count(_) | Metric::InFlight | Metric::Stalls | Metric::Dropped);
    if comparison == Comparison::Equal && !is_counted {
        let problem = Problem::Misplaced { word: "=".to_owned(), metric: metric.text.to_owned() };
        return Err(sign.error(problem, Some("only counts can be equal; write `<` or `>`".to_owned())));
    }
    Ok(match kind {
        Metric::Quantile(measure, quantile) => {
            Rule::Quantile { measure, quantile, comparison, limit_ns: limit_ns(value)? }
        }
        Metric::Max(measure) => Rule::Max { measure, comparison, limit_ns: limit_ns(value)? },
        Metric::Share(group) => Rule::Share { group, comparison, limit: open_share(value, group)? },
        Metric::Count(group) => Rule::Count { group, comparison, limit: whole(value)? },
        Metric::AchievedRate => Rule::AchievedRate { comparison, limit: share(value)? },
        Metric::Rate(group) => Rule::Rate { group, comparison, limit: rate(value)? },
        Metric::InFlight => Rule::InFlight { comparison, limit: whole(value)? },
        Metric::Impact(figure) => impact(figure, comparison, (metric, sign, value))?,
        Metric::Stalls => Rule::Stalls { comparison, limit: whole(value)? },
        Metric::Dropped => Rule::Dropped { comparison, limit: whole(value)? },
    })
}

fn impact(
    figure: ImpactFigure,
    comparison: Comparison,
    (metric, sign, value): (&Token<'_>, &Token<'_>, &Token<'_>),
) -> Result<Rule, ParseError> {
    if !comparison.is_upper() {
        let problem = Problem::Misplaced { word: sign.text.to_owned(), metric: metric.text.to_owned() };
        return Err(sign.error(problem, Some("a fault may do so much and no more: write `<` or `<=`".to_owned())));
    }
    let limit = match figure {
        ImpactFigure::Recovery | ImpactFigure::Detection => {
            let hint = "write a number and a unit without a space, such as 10s";
            let duration = units::parse_duration(value.text).map_err(|_| value.not_a("a time", hint))?;
            units::nanos(duration) as f64
        }
        ImpactFigure::Depth => share(value)?,
        ImpactFigure::Lost => whole(value)? as f64,
        ImpactFigure::Burn => {
            let number = value.text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
            let hint = "write how many times faster than allowed the error budget may be spent, such as 2 or 0.5";
            number.ok_or_else(|| value.not_a("a number of times", hint))?
        }
    };
    Ok(Rule::Impact { figure, comparison, limit })
}

fn comparison_of(token: &Token<'_>) -> Result<Comparison, ParseError> {
    let found = Comparison::ALL.into_iter().find(|(_, sign)| *sign == token.text).map(|(comparison, _)| comparison);
    let hint = || Some("use one of < <= = >= >".to_owned());
    let problem = || Problem::Unknown { what: "comparison", found: token.text.to_owned() };
    found.or((token.text == "==").then_some(Comparison::Equal)).ok_or_else(|| token.error(problem(), hint()))
}

fn limit_ns(token: &Token<'_>) -> Result<u64, ParseError> {
    let hint = "write a number and a unit without a space, such as 500ms or 1.5s";
    let duration = units::parse_duration(token.text).map_err(|_| token.not_a("a time", hint))?;
    let nanos = units::nanos(duration);
    match nanos {
        0 => Err(token.not_a("a time above zero", hint)),
        nanos if nanos > crate::record::LONGEST_NS => Err(token.not_a("a time that is measured", "at most 10 minutes")),
        nanos => Ok(nanos),
    }
}

fn share(token: &Token<'_>) -> Result<f64, ParseError> {
    let number = token.text.strip_suffix('%').and_then(|number| number.parse::<f64>().ok());
    let within = number.filter(|percent| (0.0..=100.0).contains(percent)).map(|percent| percent / 100.0);
    within.ok_or_else(|| token.not_a("a share", "write it in percent, between 0% and 100%, such as 0.1%"))
}

fn open_share(token: &Token<'_>, group: Group) -> Result<f64, ParseError> {
    let limit = share(token)?;
    if limit > 0.0 && limit < 1.0 {
        return Ok(limit);
    }
    let all = if group == Group::Good { "errors".to_owned() } else { group.to_string() };
    Err(token.not_a("a share that can be shown", &format!("no sample proves 0% or 100%; count instead: `{all} = 0`")))
}

fn whole(token: &Token<'_>) -> Result<u64, ParseError> {
    token.text.parse().map_err(|_| token.not_a("a whole number", "this metric is a count; for a share write `…-rate`"))
}

fn outcome(token: &Token<'_>) -> Result<Outcome, ParseError> {
    token.text.replace('-', "_").parse().map_err(|()| {
        let problem = Problem::Unknown { what: "outcome class", found: token.text.to_owned() };
        let near = did_you_mean(token.text, Outcome::ALL.map(Outcome::name));
        let all = || format!("use one of {}", Outcome::ALL.map(Outcome::name).join(", "));
        token.error(problem, near.or_else(|| Some(all())))
    })
}

fn rate(token: &Token<'_>) -> Result<f64, ParseError> {
    units::parse_rate(token.text).map_err(|_| token.not_a("a rate", "write a number and a unit, such as 25/s"))
}

fn name_token<'a>(gate: &Gate, text: &'a str) -> Option<Token<'a>> {
    let range = gate.name.as_ref()?.range.clone();
    Some(Token { text: &text[range.clone()], range })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::PhaseKind;

    fn refused(text: &str, bytes: &str, message: &str, hint: Option<&str>) {
        let error = parse(text).unwrap_err();
        assert_eq!(&text[error.range.clone()], bytes, "place in {text:?}: {error:?}");
        assert_eq!((error.to_string().as_str(), error.hint.as_deref()), (message, hint), "{text:?}");
    }

    #[test]
    fn the_gates_of_the_scenarios_are_read() {
        let gate = parse("p95 < 500ms for flights.search window=steady").unwrap();
        let limit_ns = 500_000_000;
        let expected =
            Rule::Quantile { measure: Measure::Response, quantile: 0.95, comparison: Comparison::Below, limit_ns };
        assert_eq!((gate.rule, gate.window.value), (expected, Window::Kind(PhaseKind::Steady)));
        assert_eq!(gate.name.unwrap().value, "flights.search");

        for (text, rule) in [
            ("first_event.p95<500ms for chat.message", "Quantile { measure: FirstEvent, quantile: 0.95,"),
            ("first-event.p99.9 <= 1.5s", "Quantile { measure: FirstEvent, quantile: 0.99"),
            ("service.p99 < 1s", "Quantile { measure: Service, quantile: 0.99,"),
            ("max < 30s window run", "Max { measure: Response,"),
            ("service.max > 1ms", "Max { measure: Service,"),
            ("error-rate < 0.1% window steady", "Share { group: Errors, comparison: Below, limit: 0.001"),
            ("degraded-rate < 5%", "Share { group: Class(Degraded), comparison: Below, limit: 0.05"),
            ("dependency-error-rate >= 5%", "Share { group: Class(DependencyError), comparison: AtLeast"),
            ("undeclared = 0", "Count { group: Class(Undeclared), comparison: Equal, limit: 0"),
            ("wrong == 0 for flight-search", "Count { group: Class(Wrong), comparison: Equal, limit: 0"),
            ("requests > 1000", "Count { group: Requests, comparison: Above, limit: 1000"),
            ("achieved-rate > 99%", "AchievedRate { comparison: Above, limit: 0.99"),
            ("rate >= 25/s for chat window=10s..30s", "Rate { group: Requests, comparison: AtLeast, limit: 25"),
            ("goodput > 90/m", "Rate { group: Good, comparison: Above, limit: 1.5"),
            ("in-flight < 200 window=during", "InFlight { comparison: Below, limit: 200"),
            ("stalls = 0 for chat.message", "Stalls { comparison: Equal, limit: 0"),
            ("  dropped = 0 ", "Dropped { comparison: Equal, limit: 0"),
            ("p99 < 5s for flights.search class=dependency_error window=during-2", "Quantile { measure: Response"),
            ("p99 < 5s window = during class = dependency-error for flights.search", "Quantile { measure: Response"),
        ] {
            let gate = parse(text).unwrap_or_else(|error| panic!("{text}: {error} at {:?}", error.range));
            assert!(format!("{:?}", gate.rule).starts_with(rule), "{text}: {:?}", gate.rule);
            assert_eq!(gate.text, text.trim());
        }
        let span = |text: &str| parse(text).unwrap().window.value;
        assert_eq!(span("p99 < 5s window=10s..30s"), Window::Span { from_s: 10, to_s: 30 });
        assert_eq!(span("p99 < 5s window 1m..1m30s"), Window::Span { from_s: 60, to_s: 90 });
        let abort = |text: &str| parse(text).unwrap().abort.map(|abort| abort.after.value.as_secs());
        assert_eq!(abort("p99 < 5s"), None);
        assert_eq!(abort("p99 < 5s abort"), Some(0));
        assert_eq!(abort("p99 < 5s abort window=steady"), Some(0));
        assert_eq!(abort("p99 < 5s window=steady abort after 1m30s for chat"), Some(90));
        assert_eq!(parse("p99 < 5s class dependency_error").unwrap().class, Some(Outcome::DependencyError));
    }

    #[test]
    fn a_line_that_is_no_gate_is_refused_with_its_place_and_a_hint() {
        refused("", "", "a metric such as `p95`, `error-rate` or `undeclared` is missing", None);
        refused("p95", "", "a comparison such as `<` is missing", None);
        refused("p95 <", "", "a value such as `500ms`, `0.1%` or `0` is missing", None);
        refused("p95 < 5s for", "", "the name of a step or journey is missing", None);
        refused("eror-rate < 1%", "eror-rate", "unknown metric `eror-rate`", Some("did you mean `error-rate`?"));
        refused("undeclred = 0", "undeclred", "unknown metric `undeclred`", Some("did you mean `undeclared`?"));
        refused("latency < 5s", "latency", "unknown metric `latency`", None);
        let percentile = Some("write one above p0 and below p100, or `max`");
        refused("p100 < 5s", "p100", "`p100` is not a percentile", percentile);
        refused("p0 < 5s", "p0", "`p0` is not a percentile", percentile);
        refused("p9x < 5s", "p9x", "`p9x` is not a percentile", percentile);
        refused("servce.p99 < 1s", "servce.p99", "unknown measure `servce`", Some("did you mean `service`?"));
        refused("service.errors = 0", "service.errors", "unknown metric `service.errors`", None);
        refused("p95 =< 5s", "=<", "unknown comparison `=<`", Some("use one of < <= = >= >"));
        refused("p95 = 5s", "=", "`=` does not go with `p95`", Some("only counts can be equal; write `<` or `>`"));
        let time = Some("write a number and a unit without a space, such as 500ms or 1.5s");
        refused("p95 < 500", "500", "`500` is not a time", time);
        refused("p95 < 0s", "0s", "`0s` is not a time above zero", time);
        refused("p95 < 2h", "2h", "`2h` is not a time that is measured", Some("at most 10 minutes"));
        let share = Some("write it in percent, between 0% and 100%, such as 0.1%");
        refused("error-rate < 0.01", "0.01", "`0.01` is not a share", share);
        refused("error-rate < -1%", "-1%", "`-1%` is not a share", share);
        refused("error-rate < NaN%", "NaN%", "`NaN%` is not a share", share);
        let count = Some("no sample proves 0% or 100%; count instead: `errors = 0`");
        refused("error-rate <= 0%", "0%", "`0%` is not a share that can be shown", count);
        refused("good-rate >= 100%", "100%", "`100%` is not a share that can be shown", count);
        let whole = Some("this metric is a count; for a share write `…-rate`");
        refused("wrong < 1%", "1%", "`1%` is not a whole number", whole);
        refused("p95 < 5s windw=steady", "windw", "unknown clause `windw`", Some("did you mean `window`?"));
        refused("p95 < 5s for a for b", "for", "`for` is given twice", None);
        let class = "unknown outcome class `dependancy_error`";
        refused("p95 < 5s class=dependancy_error", "dependancy_error", class, Some("did you mean `dependency_error`?"));
        refused("error-rate < 1% class=wrong", "wrong", "`class` does not go with `error-rate`", None);
        refused("dropped = 0 for chat", "chat", "`for` does not go with `dropped`", None);
        refused("dropped = 0 window=steady", "steady", "`window` does not go with `dropped`", None);
        refused("achieved-rate > 99% for chat", "chat", "`for` does not go with `achieved-rate`", None);
        refused("p95 < 5s abort abort", "abort", "`abort` is given twice", None);
        refused("p95 < 5s abort after", "", "a time such as `10s` is missing", None);
        let delay = Some("write a number and a unit without a space, such as 10s");
        refused("p95 < 5s abort after 10", "10", "`10` is not a time", delay);
        refused("p95 < 5s after 10s", "after", "unknown clause `after`", None);
        refused("rate > 25", "25", "`25` is not a rate", Some("write a number and a unit, such as 25/s"));
        refused("rate = 25/s", "=", "`=` does not go with `rate`", Some("only counts can be equal; write `<` or `>`"));
        refused("in-flight < 9 for chat", "chat", "`for` does not go with `in-flight`", None);
        refused("stalls = 0 class=full", "full", "`class` does not go with `stalls`", None);
        let span = Some("write whole seconds since the start, the earlier first, such as 10s..30s");
        refused("p95 < 5s window=30s..10s", "30s..10s", "`30s..10s` is not a stretch of time", span);
        let whole_seconds = "`1500ms..9s` is not a stretch of time in whole seconds";
        refused("p95 < 5s window=1500ms..9s", "1500ms..9s", whole_seconds, span);
        refused("p95 < 5s window=10s..", "10s..", "`10s..` is not a stretch of time in whole seconds", span);
        let upper = Some("a fault may do so much and no more: write `<` or `<=`");
        refused("recovery > 10s", ">", "`>` does not go with `recovery`", upper);
        refused(
            "recovery < 10",
            "10",
            "`10` is not a time",
            Some("write a number and a unit without a space, such as 10s"),
        );
        refused("depth < 0.5", "0.5", "`0.5` is not a share", share);
        refused("lost < 10%", "10%", "`10%` is not a whole number", whole);
        let times = "write how many times faster than allowed the error budget may be spent, such as 2 or 0.5";
        refused("burn < 2x", "2x", "`2x` is not a number of times", Some(times));
        refused("lost < 9 abort after 5s", "after 5s", "`abort` does not go with `lost`", None);
        refused("depth < 9% class=full", "full", "`class` does not go with `depth`", None);
        refused("service.depth < 9%", "service.depth", "unknown metric `service.depth`", None);
        refused("recovry < 9s", "recovry", "unknown metric `recovry`", Some("did you mean `recovery`?"));
        refused("p95 < 5µss ∞", "5µss", "`5µss` is not a time", time);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "\\PC{0,40}") {
            if let Err(error) = parse(&text) {
                proptest::prop_assert!(text.get(error.range.clone()).is_some(), "{:?} in {:?}", error.range, text);
            }
        }
    }
}
