//! The same question for `promtool`: a rule test that says which alerts fire when, so that Prometheus' own code answers it.
use super::{Rules, Semantics, Span, firing, promql::Error, rules::RuleKind};
use crate::record::{MetricSeries, Metrics};
use serde_json::{Value, json};
use std::time::Duration;

/// The files of one rule test, in JSON, which is YAML.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleTest {
    /// The rules without their texts for people; the test expects it as `rules.yaml` beside it.
    pub rules: String,
    /// The test.
    pub test: String,
    /// How many instants it asks about.
    pub instants: usize,
}

/// Makes a test of what [`firing`] says for each given first look.
///
/// # Errors
/// When an expression has no value.
pub fn rule_test(
    rules: &Rules,
    metrics: &Metrics,
    interval: Duration,
    firsts: &[usize],
    semantics: Semantics,
) -> Result<RuleTest, Error> {
    let step = metrics.looks_per(interval);
    let every = format!("{}ms", interval.as_millis());
    let mut tests = Vec::new();
    let mut instants = 0;
    for first in firsts {
        let spans = firing(rules, metrics, *first, step, semantics)?;
        let looks = (*first..metrics.look_count()).step_by(step);
        let asked: Vec<Value> = looks.flat_map(|look| expected(rules, &spans, metrics, *first, look)).collect();
        instants += asked.len();
        let series = metrics.series.iter().map(|series| sampled(series, *first, step)).collect::<Vec<_>>();
        tests.push(json!({ "interval": every, "input_series": series, "alert_rule_test": asked }));
    }
    let test = json!({ "rule_files": ["rules.yaml"], "evaluation_interval": every, "tests": tests });
    Ok(RuleTest { rules: plain(rules).to_string(), test: test.to_string(), instants })
}

/// The rules as Prometheus reads them.
fn plain(rules: &Rules) -> Value {
    let duration = |duration: Duration| format!("{}ms", duration.as_millis());
    let rule = |rule: &super::rules::Rule| match rule.kind {
        RuleKind::Record => json!({ "record": rule.name, "expr": rule.text, "labels": rule.labels }),
        RuleKind::Alert { hold, keep } if keep.is_zero() => {
            json!({ "alert": rule.name, "expr": rule.text, "for": duration(hold), "labels": rule.labels })
        }
        RuleKind::Alert { hold, keep } => json!({
            "alert": rule.name, "expr": rule.text, "for": duration(hold), "keep_firing_for": duration(keep), "labels": rule.labels
        }),
    };
    let rules: Vec<Value> = rules.rules.iter().map(rule).collect();
    json!({ "groups": [{ "name": "run", "rules": rules }] })
}

/// The samples that a Prometheus sees which begins with that look.
fn sampled(series: &MetricSeries, first: usize, step: usize) -> Value {
    let values = series.values.iter().skip(first).step_by(step).copied().collect();
    let seen = MetricSeries { name: series.name.clone(), labels: series.labels.clone(), values };
    json!({ "series": seen.selector(), "values": seen.notation() })
}

/// What fires at a look, alert by alert.
fn expected(rules: &Rules, spans: &[Span], metrics: &Metrics, first: usize, look: usize) -> Vec<Value> {
    let at_ms = metrics.at_ms(look);
    let fires = |span: &&Span| {
        span.fired_ms.is_some_and(|fired_ms| fired_ms <= at_ms) && span.ended_ms.is_none_or(|ended_ms| at_ms < ended_ms)
    };
    let alerts = rules.rules.iter().filter(|rule| rule.kind != RuleKind::Record);
    let mut names: Vec<&String> = alerts.map(|rule| &rule.name).collect();
    names.dedup();
    let of_alert = |name: &&String| {
        let firing = spans.iter().filter(|span| span.alert == ***name).filter(fires);
        let alerts: Vec<Value> = firing.map(|span| json!({ "exp_labels": span.labels })).collect();
        json!({ "eval_time": format!("{}ms", metrics.at_ms(look - first)), "alertname": name, "exp_alerts": alerts })
    };
    names.iter().map(of_alert).collect()
}
