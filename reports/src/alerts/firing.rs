//! When each alert was pending and fired, as one Prometheus would have seen it.
use super::{
    Rules, Semantics,
    promql::{Error, Moment, Store, millis},
    rules::RuleKind,
};
use crate::record::{Labels, Metrics};
use promql_parser::label::METRIC_NAME;
use std::{collections::BTreeMap, time::Duration};

/// One stretch of time in which an alert held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The alert.
    pub alert: String,
    /// What tells it from others of that name, with the labels of its rule.
    pub labels: Labels,
    /// When its expression was first seen to hold, in milliseconds since clock zero.
    pub active_ms: i64,
    /// When it fired; `None` when it did not hold for long enough.
    pub fired_ms: Option<i64>,
    /// When it no longer fired, or was no longer pending; `None` when the run ended before.
    pub ended_ms: Option<i64>,
    /// How long it must hold before it fires.
    pub hold: Duration,
}

/// An alert that is pending or fires.
struct Standing {
    active_ms: i64,
    fired_ms: Option<i64>,
    /// When it was first seen to hold no longer; `None` while it holds.
    gone_ms: Option<i64>,
    /// When it last held.
    held_ms: i64,
}

/// Evaluates all rules as a Prometheus does that looks every `step` looks, first at number `first`, and evaluates right after each.
///
/// # Errors
/// When an expression has no value.
pub fn firing(
    rules: &Rules,
    metrics: &Metrics,
    first: usize,
    step: usize,
    semantics: Semantics,
) -> Result<Vec<Span>, Error> {
    let mut store = Store::of_looks(metrics, first, step);
    let mut standing: BTreeMap<(usize, Labels), Standing> = BTreeMap::new();
    let mut spans = Vec::new();
    for look in (first..metrics.look_count()).step_by(step) {
        let at_ms = metrics.at_ms(look);
        for (position, rule) in rules.rules.iter().enumerate() {
            let points = rule.expression.points(&Moment { store: &store, at_ms, semantics })?;
            let labelled = points.into_iter().map(|point| {
                let mut labels = point.labels;
                labels.remove(METRIC_NAME);
                labels.extend(rule.labels.clone());
                (labels, point.value)
            });
            let RuleKind::Alert { hold, keep } = rule.kind else {
                let found = labelled.collect();
                store.record(&rule.name, at_ms, found);
                continue;
            };
            for (labels, _) in labelled {
                let known = standing.entry((position, labels));
                let known =
                    known.or_insert(Standing { active_ms: at_ms, fired_ms: None, gone_ms: None, held_ms: at_ms });
                (known.held_ms, known.gone_ms) = (at_ms, None);
                let has_held = at_ms - known.active_ms >= millis(hold);
                known.fired_ms = known.fired_ms.or(has_held.then_some(at_ms));
            }
            let is_over = |key: &(usize, Labels), known: &mut Standing| {
                if key.0 != position || known.held_ms == at_ms {
                    return false;
                }
                let gone_ms = *known.gone_ms.get_or_insert(at_ms);
                known.fired_ms.is_none() || at_ms - gone_ms >= millis(keep)
            };
            let ended = standing.extract_if(.., is_over);
            spans.extend(ended.map(|(key, known)| span(rules, key, &known, Some(at_ms))));
        }
    }
    spans.extend(standing.into_iter().map(|(key, known)| span(rules, key, &known, None)));
    spans.sort_by(|one, other| {
        (one.active_ms, &one.alert, &one.labels).cmp(&(other.active_ms, &other.alert, &other.labels))
    });
    Ok(spans)
}

fn span(rules: &Rules, (position, labels): (usize, Labels), known: &Standing, ended_ms: Option<i64>) -> Span {
    let rule = &rules.rules[position];
    let hold = match rule.kind {
        RuleKind::Alert { hold, .. } => hold,
        RuleKind::Record => Duration::ZERO,
    };
    let (active_ms, fired_ms) = (known.active_ms, known.fired_ms);
    Span { alert: rule.name.clone(), labels, active_ms, fired_ms, ended_ms, hold }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::MetricSeries;

    fn spans(rules: &str, series: &[&str], step: usize) -> Vec<String> {
        let rules = Rules::parse(rules).unwrap();
        let series: Vec<MetricSeries> = series.iter().map(|line| MetricSeries::parse(line).unwrap()).collect();
        let metrics = Metrics { every: Duration::from_secs(1), series };
        let spans = firing(&rules, &metrics, 0, step, Semantics::Three).unwrap();
        let seconds = |at_ms: Option<i64>| at_ms.map_or_else(|| "-".to_owned(), |at_ms| (at_ms / 1_000).to_string());
        let shown = |span: &Span| {
            let labels: Vec<_> = span.labels.values().map(String::as_str).collect();
            let times = [Some(span.active_ms), span.fired_ms, span.ended_ms].map(seconds).join(" ");
            format!("{} {} {times}", span.alert, labels.join(","))
        };
        spans.iter().map(shown).collect()
    }

    const DOWN: &str =
        "groups:\n- name: g\n  rules:\n  - alert: Down\n    expr: up == 0\n    for: 3s\n    labels: {severity: page}\n";

    #[test]
    fn an_alert_is_pending_fires_and_ends() {
        let up = "up{job=\"a\"} 1+0x4 0+0x9 1+0x4";
        assert_eq!(spans(DOWN, &[up], 1), ["Down a,page 5 8 15"]);
        // Looked at every other second, from 0 on: seen at 6, held for three seconds at 10.
        assert_eq!(spans(DOWN, &[up], 2), ["Down a,page 6 10 16"]);
    }

    #[test]
    fn what_does_not_hold_long_enough_does_not_fire() {
        assert_eq!(spans(DOWN, &["up{job=\"a\"} 1 0 0 0 1 0 0 0 0"], 1), ["Down a,page 1 - 4", "Down a,page 5 8 -"]);
    }

    #[test]
    fn an_alert_can_be_kept_for_a_while() {
        let rules = DOWN.replace("for: 3s", "for: 1s\n    keep_firing_for: 3s");
        assert_eq!(spans(&rules, &["up{job=\"a\"} 0 0 1 0 1+0x5"], 1), ["Down a,page 0 1 7"]);
    }

    #[test]
    fn each_series_is_an_alert_of_its_own_and_recorded_series_are_seen_by_later_rules() {
        let rules =
            "groups:\n- name: g\n  rules:\n  - record: down\n    expr: 1 - up\n  - alert: Down\n    expr: down > 0\n";
        let series = ["up{job=\"a\"} 1 0 0 1", "up{job=\"b\"} 1 1 0 stale"];
        assert_eq!(spans(rules, &series, 1), ["Down a 1 1 3", "Down b 2 2 3"]);
    }
}
