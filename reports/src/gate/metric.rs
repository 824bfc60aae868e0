//! The words that a gate begins with: what is measured, before its limit is read.
use super::{Group, ImpactFigure, ParseError, Problem, parse::did_you_mean, token::Token};
use crate::record::{Measure, Outcome};

/// A metric word, before its value is read.
pub(super) enum Metric {
    Quantile(Measure, f64),
    Max(Measure),
    Share(Group),
    Count(Group),
    AchievedRate,
    Rate(Group),
    InFlight,
    Stalls,
    Impact(ImpactFigure),
    Dropped,
}

/// Reads a metric word.
///
/// # Errors
/// When no metric is called so.
pub(super) fn metric_of(token: &Token<'_>) -> Result<Metric, ParseError> {
    let unified = token.text.replace('-', "_");
    let (measure, rest) = match unified.split_once('.') {
        Some((prefix, rest)) if !is_quantile_word(prefix) => {
            let unknown = || {
                let problem = Problem::Unknown { what: "measure", found: prefix.to_owned() };
                token.error(problem, did_you_mean(prefix, Measure::ALL.map(Measure::name)))
            };
            (prefix.parse().map_err(|()| unknown())?, rest)
        }
        _ => (Measure::Response, unified.as_str()),
    };
    if rest == "max" {
        return Ok(Metric::Max(measure));
    }
    if is_quantile_word(rest) {
        let percent = rest[1..].parse::<f64>().ok().filter(|percent| *percent > 0.0 && *percent < 100.0);
        let wrong = || token.not_a("a percentile", "write one above p0 and below p100, or `max`");
        return Ok(Metric::Quantile(measure, percent.ok_or_else(wrong)? / 100.0));
    }
    let group = |word: &str| match word {
        "error" | "errors" => Some(Group::Errors),
        "good" => Some(Group::Good),
        class => class.parse().ok().map(Group::Class),
    };
    let impact = ImpactFigure::ALL.into_iter().find(|(_, word)| *word == rest);
    let found = match (rest, rest.strip_suffix("_rate")) {
        _ if measure != Measure::Response => None,
        _ if let Some((figure, _)) = impact => Some(Metric::Impact(figure)),
        ("achieved_rate", _) => Some(Metric::AchievedRate),
        ("rate", _) => Some(Metric::Rate(Group::Requests)),
        ("goodput", _) => Some(Metric::Rate(Group::Good)),
        ("in_flight", _) => Some(Metric::InFlight),
        ("stalls", _) => Some(Metric::Stalls),
        ("dropped", _) => Some(Metric::Dropped),
        ("requests", _) => Some(Metric::Count(Group::Requests)),
        (_, Some(of)) => group(of).map(Metric::Share),
        (of, None) => group(of).map(Metric::Count),
    };
    found.ok_or_else(|| {
        let problem = Problem::Unknown { what: "metric", found: token.text.to_owned() };
        token.error(problem, did_you_mean(token.text, metric_words().iter().map(String::as_str)))
    })
}

/// Words that a metric can be, for hints; quantiles by their usual ones.
fn metric_words() -> Vec<String> {
    let classes = Outcome::ALL.map(|outcome| outcome.name().replace('_', "-"));
    let rates = classes.iter().map(|class| format!("{class}-rate"));
    let plain = [
        "p50",
        "p95",
        "p99",
        "p99.9",
        "max",
        "error-rate",
        "good-rate",
        "achieved-rate",
        "dropped",
        "errors",
        "good",
        "requests",
        "rate",
        "goodput",
        "in-flight",
        "stalls",
    ];
    let impacts = ImpactFigure::ALL.map(|(_, word)| word.to_owned());
    plain.map(str::to_owned).into_iter().chain(impacts).chain(rates).chain(classes.clone()).collect()
}

fn is_quantile_word(word: &str) -> bool {
    word.strip_prefix('p').is_some_and(|digits| digits.starts_with(|c: char| c.is_ascii_digit()))
}
