//! From the method and the rollbacks of an experiment to faults on a timeline.
//!
//! Actions take no time here; pauses do. A toxic is on from the action that makes it to the one that deletes it, a proxy is down from
//! the action that disables it to the one that enables it.
use super::{
    action::{self, Effect, Key, Toxic},
    experiment::{Activity, Experiment},
};
use anyhow::bail;
use serde_json::Value;
use std::time::Duration;

/// How long a fault is on that the experiment undoes at once.
const SHORT: Duration = Duration::from_secs(10);

/// Nobody waits longer in an experiment.
const PAUSE_MAX: Duration = Duration::from_hours(24);

/// How long the hypothesis is asked again between the method and the rollbacks; Chaos Toolkit asks once.
pub(super) const CHECK: Duration = Duration::from_secs(10);

/// A fault with its time, counted from the start of the method.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) key: Key,
    pub(super) toxic: Toxic,
    pub(super) on: Duration,
    pub(super) off: Duration,
}

/// What the method and the rollbacks come to.
#[derive(Debug, Default)]
pub(super) struct Course {
    /// In the order in which they begin; no two of a kind are on one link and direction at a time.
    pub(super) faults: Vec<Fault>,
    /// What could not be carried over, with its time.
    pub(super) left_out: Vec<(Duration, String)>,
    /// When the method ends.
    pub(super) end: Duration,
}

/// The faults of an experiment.
///
/// # Errors
/// When a pause is not known, or there are actions and none of them is a fault.
pub(super) fn course(experiment: &Experiment) -> anyhow::Result<Course> {
    let mut course = Course::default();
    let mut events = Vec::new();
    let mut clock = Duration::ZERO;
    for activity in &experiment.method {
        let until = course.read(experiment, activity, clock, &mut events)?;
        course.end = course.end.max(until);
        clock = if activity.background { clock } else { until };
    }
    if !experiment.hypothesis.probes.is_empty() {
        clock = clock.saturating_add(CHECK);
    }
    for activity in &experiment.rollbacks {
        let until = course.read(experiment, activity, clock, &mut events)?;
        clock = if activity.background { clock } else { until };
    }
    // Stable: what happens at one instant stays in order.
    events.sort_by_key(|(at, _)| *at);
    course.play(events, clock);
    course.keep_apart();
    if course.faults.is_empty() && !experiment.method.is_empty() {
        let reasons: Vec<String> = course.left_out.iter().map(|(_, reason)| format!("\n  {reason}")).collect();
        bail!("nothing of the method becomes a fault:{}", reasons.concat());
    }
    Ok(course)
}

fn pause(experiment: &Experiment, activity: &Activity, side: &str, value: &Value) -> anyhow::Result<Duration> {
    let what = || format!("the pause {side} {}", activity.label());
    let value = match experiment.filled(value) {
        Ok(value) => value,
        Err(name) => bail!("{} is ${{{name}}}, which the configuration does not say", what()),
    };
    let seconds = match &value {
        Value::Null => return Ok(Duration::ZERO),
        Value::String(text) => text.parse().ok(),
        other => other.as_f64(),
    };
    match seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
        Some(pause) if pause <= PAUSE_MAX => Ok(pause),
        _ => bail!("{} is {value}, which is no number of seconds up to a day", what()),
    }
}

impl Course {
    /// Reads what an activity does after `clock`, and says when it is over.
    fn read(
        &mut self,
        experiment: &Experiment,
        activity: &Activity,
        clock: Duration,
        events: &mut Vec<(Duration, Effect)>,
    ) -> anyhow::Result<Duration> {
        let at = clock.saturating_add(pause(experiment, activity, "before", &activity.pauses.before)?);
        let after = pause(experiment, activity, "after", &activity.pauses.after)?;
        match action::effects(experiment, activity) {
            Ok(effects) => {
                self.left_out.extend(effects.more.map(|more| (at, format!("{}: {more}", activity.label()))));
                events.push((at, effects.effect));
            }
            Err(reason) => self.left_out.push((at, format!("{}: {reason}", activity.label()))),
        }
        Ok(if activity.background { at } else { at.saturating_add(after) })
    }

    /// Opens and closes faults in order; what is never closed ends with the experiment, at `last`.
    fn play(&mut self, events: Vec<(Duration, Effect)>, last: Duration) {
        let mut open: Vec<Fault> = Vec::new();
        for (at, effect) in events {
            let ended: Vec<Fault> = match effect {
                Effect::On(key, toxic) if open.iter().any(|fault| fault.key == key) => {
                    self.left_out.push((at, format!("{key} {}: it is on already", toxic.kind)));
                    Vec::new()
                }
                Effect::On(key, toxic) => {
                    open.push(Fault { key, toxic, on: at, off: at });
                    Vec::new()
                }
                Effect::Off(key) => open.extract_if(.., |fault| fault.key == key).collect(),
                Effect::AllOff => std::mem::take(&mut open),
            };
            ended.into_iter().for_each(|fault| self.close(fault, at));
        }
        for fault in open {
            let note = format!("{} {}: the experiment leaves it behind, here it ends", fault.key, fault.toxic.kind);
            self.left_out.push((fault.on, note));
            self.close(fault, last);
        }
        self.faults.sort_by_key(|fault| fault.on);
    }

    fn close(&mut self, mut fault: Fault, at: Duration) {
        fault.off = at;
        if fault.off <= fault.on {
            fault.off = fault.on.saturating_add(SHORT);
            let note = format!("{} {}: undone at once, here it is on for 10s", fault.key, fault.toxic.kind);
            self.left_out.push((fault.on, note));
        }
        self.faults.push(fault);
    }

    /// Leaves out faults that a scenario cannot have at the same time as one before them.
    fn keep_apart(&mut self) {
        let mut kept: Vec<Fault> = Vec::new();
        for fault in std::mem::take(&mut self.faults) {
            let is_same = |other: &&Fault| {
                other.key.proxy == fault.key.proxy
                    && other.toxic.kind == fault.toxic.kind
                    && other.toxic.is_upstream == fault.toxic.is_upstream
                    && other.off > fault.on
            };
            match kept.iter().find(is_same) {
                Some(other) => {
                    let (key, kind) = (&fault.key, fault.toxic.kind);
                    let note = format!(
                        "{key} {kind}: of one kind on one link there can be one at a time, {} is on",
                        other.key
                    );
                    self.left_out.push((fault.on, note));
                }
                None => kept.push(fault),
            }
        }
        self.faults = kept;
        self.left_out.sort_by_key(|(at, _)| *at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn proxy(func: &str, pauses: Value) -> Value {
        json!({ "type": "action", "name": func, "pauses": pauses, "provider": { "type": "python",
            "module": "chaostoxi.proxy.actions", "func": func, "arguments": { "proxy_name": "db" } } })
    }

    fn toxic(func: &str, name: &str, pauses: Value) -> Value {
        json!({ "type": "action", "name": func, "pauses": pauses, "provider": { "type": "python",
            "module": "chaostoxi.toxic.actions", "func": func,
            "arguments": { "for_proxy": "db", "toxic_name": name, "latency": 50 } } })
    }

    fn played(method: Value, rollbacks: Value) -> anyhow::Result<Course> {
        let experiment =
            json!({ "title": "t", "configuration": { "wait": 4 }, "method": method, "rollbacks": rollbacks });
        course(&super::super::experiment::read(&experiment.to_string()).unwrap())
    }

    fn windows(course: &Course) -> Vec<(&'static str, f64, f64)> {
        let window = |fault: &Fault| (fault.toxic.kind, fault.on.as_secs_f64(), fault.off.as_secs_f64());
        course.faults.iter().map(window).collect()
    }

    #[test]
    fn pauses_and_order_make_the_timeline() {
        let method = json!([
            toxic("create_latency_toxic", "slow", json!({ "before": 2, "after": 3.5 })),
            { "type": "probe", "name": "look", "provider": { "type": "http", "url": "http://h/" }, "pauses": { "after": "${wait}" } },
            toxic("delete_toxic", "slow", json!(null)),
            proxy("disable_proxy", json!({ "after": 6 })),
        ]);
        let course =
            played(method, json!([proxy("enable_proxy", json!(null)), toxic("delete_toxic", "slow", json!(null))]))
                .unwrap();
        assert_eq!(windows(&course), [("latency", 2.0, 9.5), ("down", 9.5, 15.5)]);
        assert_eq!(course.end, Duration::from_millis(15_500));
        let [(at, left_out)] = &course.left_out[..] else { panic!("{:?}", course.left_out) };
        assert_eq!(at.as_secs_f64(), 5.5);
        assert!(left_out.starts_with("probe \"look\" (http): probes are asked all the time"), "{left_out}");
    }

    #[test]
    fn background_actions_do_not_delay_the_next() {
        let mut late = proxy("enable_proxy", json!({ "before": 20 }));
        late["background"] = json!(true);
        let method = json!([
            proxy("disable_proxy", json!({ "after": 1 })),
            late,
            toxic("create_latency_toxic", "slow", json!({ "after": 2 })),
            toxic("delete_toxic", "slow", json!(null)),
        ]);
        assert_eq!(windows(&played(method, json!([])).unwrap()), [("down", 0.0, 21.0), ("latency", 1.0, 3.0)]);
    }

    #[test]
    fn what_cannot_be_as_it_was_is_said() {
        let method = json!([
            toxic("create_latency_toxic", "one", json!({ "after": 5 })),
            toxic("create_latency_toxic", "two", json!({ "after": 5 })),
            proxy("disable_proxy", json!(null)),
        ]);
        let course = played(method, json!([proxy("reset", json!(null))])).unwrap();
        assert_eq!(windows(&course), [("latency", 0.0, 10.0), ("down", 10.0, 20.0)]);
        let said: Vec<&str> = course.left_out.iter().map(|(_, text)| text.as_str()).collect();
        assert!(said[0].contains("\"two\" on db latency: of one kind on one link"), "{said:?}");
        assert_eq!(said[1], "db down: undone at once, here it is on for 10s");
        let behind = json!([toxic("create_latency_toxic", "one", json!({ "after": 5 }))]);
        let course = played(behind, json!([])).unwrap();
        assert_eq!(windows(&course), [("latency", 0.0, 5.0)]);
        assert!(course.left_out[0].1.contains("leaves it behind"));
    }

    #[test]
    fn times_that_nobody_knows_and_methods_without_faults_are_refused() {
        let said = |method: Value| format!("{:#}", played(method, json!([])).unwrap_err());
        let unknown = said(json!([proxy("disable_proxy", json!({ "after": "${delay}" }))]));
        assert!(unknown.contains("the pause after action \"disable_proxy\""), "{unknown}");
        assert!(unknown.contains("${delay}, which the configuration does not say"), "{unknown}");
        for pause in [json!(-1), json!(1e19), json!("soon"), json!([1])] {
            let refused = said(json!([proxy("disable_proxy", json!({ "before": pause }))]));
            assert!(refused.contains("which is no number of seconds up to a day"), "{refused}");
        }
        let nothing =
            said(json!([{ "type": "action", "name": "stop", "provider": { "type": "process", "path": "kill" } }]));
        assert!(
            nothing.contains("nothing of the method becomes a fault") && nothing.contains("\"stop\" (process)"),
            "{nothing}"
        );
        assert!(played(json!([]), json!([])).unwrap().faults.is_empty());
    }
}
