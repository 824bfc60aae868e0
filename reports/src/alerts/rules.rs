//! Rule files of Prometheus, read and checked.
use super::promql::Expression;
use crate::record::Labels;
use promql_parser::util::parse_duration;
use serde::Deserialize;
use std::{collections::BTreeSet, time::Duration};

/// Why a rule file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// It is no rule file.
    #[error("this is no rule file of Prometheus")]
    File(#[from] serde_saphyr::Error),
    /// A rule is wrong, or uses what is not known here.
    #[error("rule `{rule}` of group `{group}`: {problem}")]
    Rule {
        /// The group.
        group: String,
        /// The rule's name, or its position from 1.
        rule: String,
        /// What is wrong with it.
        problem: String,
    },
    /// It has no alert.
    #[error("the rule file has no alert")]
    NoAlert,
}

/// The rules of a file, in the order in which they are evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    pub(super) rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rule {
    /// The alert's name, or that of the recorded series.
    pub(super) name: String,
    pub(super) kind: RuleKind,
    pub(super) text: String,
    pub(super) expression: Expression,
    /// Added to the labels of what the expression finds.
    pub(super) labels: Labels,
}

/// What is done with what the expression finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RuleKind {
    /// Kept as a series.
    Record,
    /// An alert, which fires once it has held for `hold`, and goes on firing for `keep` after it no longer holds.
    Alert { hold: Duration, keep: Duration },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    name: String,
    #[serde(default)]
    rules: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    alert: Option<String>,
    record: Option<String>,
    expr: String,
    #[serde(rename = "for")]
    hold: Option<String>,
    keep_firing_for: Option<String>,
    #[serde(default)]
    labels: Labels,
    /// For people; not evaluated.
    #[serde(default, rename = "annotations")]
    _annotations: Labels,
}

impl Rules {
    /// Reads a rule file.
    ///
    /// # Errors
    /// When it is no rule file, has no alert, or a rule is wrong or uses what is not known here.
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        let file: File = serde_saphyr::from_str(text)?;
        let mut rules = Vec::new();
        for group in file.groups {
            for (index, written) in group.rules.into_iter().enumerate() {
                let name = written.alert.as_ref().or(written.record.as_ref()).cloned();
                let rule = name.unwrap_or_else(|| (index + 1).to_string());
                let wrong = |problem| RuleError::Rule { group: group.name.clone(), rule, problem };
                rules.push(read(written).map_err(wrong)?);
            }
        }
        let has_alert = rules.iter().any(|rule| matches!(rule.kind, RuleKind::Alert { .. }));
        has_alert.then_some(Self { rules }).ok_or(RuleError::NoAlert)
    }

    /// The metrics that the rules look at, without those that they record themselves.
    #[must_use]
    pub fn metrics(&self) -> BTreeSet<String> {
        let recorded = self.rules.iter().filter(|rule| rule.kind == RuleKind::Record).map(|rule| &rule.name);
        let recorded: BTreeSet<&String> = recorded.collect();
        let named = self.rules.iter().flat_map(|rule| &rule.expression.metrics);
        named.filter(|name| !recorded.contains(name)).cloned().collect()
    }

    /// How many alerts there are.
    #[must_use]
    pub fn alert_count(&self) -> usize {
        self.rules.iter().filter(|rule| rule.kind != RuleKind::Record).count()
    }

    /// The longest stretch that any rule looks back over.
    pub(super) fn looks_back(&self) -> Duration {
        self.rules.iter().map(|rule| rule.expression.looks_back).max().unwrap_or_default()
    }
}

fn read(written: Written) -> Result<Rule, String> {
    let duration = |name: &str, text: Option<&String>| {
        // The parser refuses a duration of zero, which Prometheus takes.
        let is_some = |text: &&String| !text.starts_with('0') || text.contains(|digit| ('1'..='9').contains(&digit));
        let parsed = text.filter(is_some).map_or(Ok(Duration::ZERO), |text| parse_duration(text));
        parsed.map_err(|problem| format!("`{name}`: {problem}"))
    };
    let (hold, keep) = (written.hold.as_ref(), written.keep_firing_for.as_ref());
    let (name, kind) = match (written.alert, written.record) {
        (Some(alert), None) => {
            (alert, RuleKind::Alert { hold: duration("for", hold)?, keep: duration("keep_firing_for", keep)? })
        }
        (None, Some(_)) if hold.or(keep).is_some() => return Err("a recorded series does not fire".to_owned()),
        (None, Some(record)) => (record, RuleKind::Record),
        _ => return Err("a rule has either `alert` or `record`".to_owned()),
    };
    if let Some((label, _)) = written.labels.iter().find(|(_, value)| value.contains("{{")) {
        return Err(format!("the template in label `{label}` is not known here"));
    }
    let expression = Expression::parse(&written.expr)?;
    Ok(Rule { name, kind, text: written.expr, expression, labels: written.labels })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(rule: &str) -> String {
        format!("groups:\n  - name: g\n    rules:\n      - {}\n", rule.replace('\n', "\n        "))
    }

    #[test]
    fn a_rule_file_is_read() {
        let text = file("record: job:errors\nexpr: sum(rate(errors_total[1m] offset 1m))")
            + "      - alert: Many\n        expr: job:errors > 1 and up == 1\n        for: 1m30s\n        keep_firing_for: 5m\n        \
               labels: {severity: page}\n        annotations: {summary: '{{ $value }} errors'}\n";
        let rules = Rules::parse(&text).unwrap();
        assert_eq!(rules.metrics().into_iter().collect::<Vec<_>>(), ["errors_total", "up"]);
        assert_eq!((rules.alert_count(), rules.looks_back()), (1, Duration::from_secs(120)));
        let (hold, keep) = (Duration::from_secs(90), Duration::from_secs(300));
        assert_eq!(rules.rules[1].kind, RuleKind::Alert { hold, keep });
        assert_eq!(rules.rules[1].labels["severity"], "page");
    }

    #[test]
    fn what_cannot_be_evaluated_is_refused_with_its_name() {
        for (rule, problem) in [
            ("alert: A\nexpr: topk(3, up) > 0", "the aggregation `topk` is not known here"),
            ("alert: A\nexpr: predict_linear(up[5m], 60) < 0", "the function `predict_linear` is not known here"),
            ("alert: A\nexpr: max_over_time(rate(x[1m])[5m:]) > 1", "subqueries are not known here"),
            ("alert: A\nexpr: a / on(b) group_left c > 1", "`group_left`, `group_right` and `fill` are not known here"),
            ("alert: A\nexpr: '{job=\"x\"} > 1'", "a selector without a metric's name is not known here"),
            (
                "alert: A\nexpr: up == 0\nlabels: {who: '{{ $labels.job }}'}",
                "the template in label `who` is not known here",
            ),
            ("alert: A\nexpr: up == 0\nfor: soon", "`for`:"),
            ("record: r\nexpr: up\nfor: 1m", "a recorded series does not fire"),
            ("alert: A\nrecord: r\nexpr: up", "a rule has either `alert` or `record`"),
            ("alert: A\nexpr: up ==", "A` of group `g`"),
        ] {
            let error = Rules::parse(&file(rule)).unwrap_err().to_string();
            assert!(error.contains(problem), "{rule}: {error}");
        }
        assert!(matches!(Rules::parse(&file("record: r\nexpr: up")), Err(RuleError::NoAlert)));
        for text in ["", "groups: 3", "group: []", &file("alert: A\nexpr: up\nfro: 1m")] {
            assert!(matches!(Rules::parse(text), Err(RuleError::File(_))), "{text}");
        }
    }
}
