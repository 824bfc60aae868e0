//! Asks `promtool`, where it is installed, whether the alert rules were evaluated as Prometheus does.
use anyhow::{Context as _, anyhow};
use reports::{
    alerts::{Rules, Semantics, rule_test},
    record::{Metrics, PromtoolAnswer},
};
use std::{fs, path::Path, process::Stdio, time::Duration};
use tokio::{process::Command, time::timeout};

/// How long it may take.
const WITHIN: Duration = Duration::from_secs(30);
/// How many of the beginnings of a Prometheus it is asked about.
const ASKED_BEGINNINGS: usize = 3;
/// How much of what it says is kept.
const SAID_CHARS_MAX: usize = 600;

/// Asks it. Its files are put into `promtool` below the folder, which is removed again.
pub(super) async fn confirm(rules: &Rules, metrics: &Metrics, interval: Duration, folder: &Path) -> PromtoolAnswer {
    match version().await {
        Ok(version) => {
            let folder = folder.join("promtool");
            let answer = ask(rules, metrics, interval, &folder, &version).await;
            let _ = fs::remove_dir_all(&folder);
            answer.unwrap_or_else(|error| PromtoolAnswer::Unasked { why: format!("{error:#}") })
        }
        Err(error) => PromtoolAnswer::Unasked { why: format!("{error:#}") },
    }
}

/// The version that is installed, such as `2.42.0`.
async fn version() -> anyhow::Result<String> {
    let output = Command::new("promtool").arg("--version").stdin(Stdio::null()).kill_on_drop(true).output();
    let output = timeout(WITHIN, output).await.context("`promtool --version` does not end")?;
    let output = output.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => anyhow!("it is not installed (package prometheus)"),
        _ => anyhow!("it cannot be run: {error}"),
    })?;
    let said = String::from_utf8_lossy(&output.stdout);
    let version = said.split("version ").nth(1).and_then(|rest| rest.split([' ', '+', '\n']).next());
    version.map(str::to_owned).context("it does not say its version")
}

async fn ask(
    rules: &Rules,
    metrics: &Metrics,
    interval: Duration,
    folder: &Path,
    version: &str,
) -> anyhow::Result<PromtoolAnswer> {
    let semantics = if version.starts_with("2.") { Semantics::Two } else { Semantics::Three };
    let step = metrics.looks_per(interval);
    let firsts: Vec<usize> = (0..ASKED_BEGINNINGS.min(step)).map(|part| part * step / ASKED_BEGINNINGS).collect();
    let test = rule_test(rules, metrics, interval, &firsts, semantics)?;
    fs::create_dir_all(folder).context("making a folder for it")?;
    fs::write(folder.join("rules.yaml"), &test.rules).context("writing its rules")?;
    fs::write(folder.join("test.yaml"), &test.test).context("writing its test")?;
    let mut command = Command::new("promtool");
    command.args(["test", "rules", "test.yaml"]).current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(WITHIN, command.output()).await.context("it does not end")?.context("running it")?;
    let version = version.to_owned();
    if output.status.success() {
        return Ok(PromtoolAnswer::Agrees { version, instants: test.instants });
    }
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let said: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Ok(PromtoolAnswer::Differs { version, said: said.join(" ").chars().take(SAID_CHARS_MAX).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use reports::record::MetricSeries;

    /// One rule per part of the language that is known.
    const EXPRESSIONS: [&str; 38] = [
        "up == 0",
        "up != 1 or on(job) absent(nothing{job=\"x\",who=~\"a|b\"})",
        "requests_total{status=~\"5..\"} > 10",
        "requests_total{status!~\"2..\",route!=\"/b\"} >= 2",
        "requests_total offset 30s > 50",
        "rate(requests_total[1m]) > 0.5",
        "increase(requests_total[45s]) > 20",
        "irate(requests_total[1m]) > 0",
        "sum by (route) (rate(requests_total{status=\"500\"}[1m])) / sum by (route) (rate(requests_total[1m])) > 0.05",
        "sum without (status) (rate(requests_total[30s])) > 1",
        "avg(requests_total) > 100 and max(up) == 1",
        "min by (route) (requests_total) < 30",
        "count(requests_total > 5) == 2",
        "group(up) == 1",
        "requests_total unless on(route) errors_seen",
        "requests_total{status=\"500\"} > ignoring(status) errors_seen",
        "requests_total{status=\"500\"} / ignoring(status) errors_seen > 2",
        "errors_seen * 2 + 1 - 3 ^ 2 % 4 > 1",
        "-errors_seen < -1",
        "(errors_seen > bool 1) == 1",
        "2 < errors_seen",
        "vector(1 == bool 1) > 0",
        "avg_over_time(errors_seen[1m]) > 1.5",
        "sum_over_time(errors_seen[30s]) > 3",
        "min_over_time(errors_seen[30s]) > 0 and max_over_time(errors_seen[1m]) < 4",
        "count_over_time(errors_seen[1m]) > 3",
        "last_over_time(errors_seen[2m]) == 0",
        "changes(errors_seen[2m]) > 2",
        "resets(requests_total[2m]) > 0",
        "absent(errors_seen{route=\"/c\"})",
        "absent(sum(nothing))",
        "histogram_quantile(0.95, sum by (le) (rate(seconds_bucket[1m]))) > 0.2",
        "histogram_quantile(0.5, seconds_bucket) > 0.05",
        "histogram_quantile(1, rate(seconds_bucket[1m])) >= 0.5",
        "abs(errors_seen - 2) > 1 or ceil(errors_seen / 2) == floor(errors_seen / 2)",
        "clamp_max(clamp_min(errors_seen, 1), 2) == 2",
        "vector(7) - 3 > errors_seen or vector(2) == 2",
        "errors_seen * 2 > scalar(sum(up)) + 2",
    ];

    fn rules() -> String {
        let alert = |(index, text): (usize, &&str)| {
            let hold = ["0s", "15s", "40s"][index % 3];
            let keep = if index % 4 == 0 { "\n    keep_firing_for: 20s" } else { "" };
            format!("  - alert: A{index}\n    expr: '{text}'\n    for: {hold}{keep}\n    labels: {{severity: page}}\n")
        };
        let alerts: String = EXPRESSIONS.iter().enumerate().map(alert).collect();
        let recorded = "  - record: r:errors\n    expr: sum(rate(requests_total{status=\"500\"}[1m]))\n  - alert: Recorded\n    \
                        expr: r:errors > 0.1\n";
        format!("groups:\n- name: g\n  rules:\n{recorded}{alerts}")
    }

    fn metrics() -> Metrics {
        let lines = [
            "up{job=\"x\"} 1+0x99 0+0x39 1+0x99".to_owned(),
            grown("requests_total{route=\"/a\",status=\"200\"}", 3.0),
            grown("requests_total{route=\"/a\",status=\"500\"}", 0.3),
            grown("requests_total{route=\"/b\",status=\"200\"}", 0.1),
            format!("errors_seen{{route=\"/a\"}} {}", "0 1 2 3 2 ".repeat(48)),
            "seconds_bucket{le=\"0.1\"} 0+0x20 5+0x60 40+0x158".to_owned(),
            "seconds_bucket{le=\"0.5\"} 0+0x20 9+0x60 50+0x158".to_owned(),
            "seconds_bucket{le=\"+Inf\"} 0+0x20 10+0x60 52+0x158".to_owned(),
        ];
        let series = lines.iter().map(|line| MetricSeries::parse(line).unwrap()).collect();
        Metrics { every: Duration::from_secs(1), series }
    }

    /// A counter that grows, is not there for a while, and begins again after a restart.
    fn grown(selector: &str, per_second: f64) -> String {
        let value = |second: i32| match second {
            0..100 => format!("{}", (f64::from(second) * per_second).floor()),
            100..140 => "stale".to_owned(),
            _ => format!("{}", (f64::from(second - 140) * per_second).floor()),
        };
        format!("{selector} {}", (0..240).map(value).collect::<Vec<_>>().join(" "))
    }

    #[tokio::test]
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    async fn prometheus_says_the_same_of_every_part_of_the_language() {
        let rules = Rules::parse(&rules()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        for seconds in [1, 5, 15] {
            match confirm(&rules, &metrics(), Duration::from_secs(seconds), folder.path()).await {
                PromtoolAnswer::Agrees { instants, .. } => assert!(instants >= 16 * EXPRESSIONS.len(), "{instants}"),
                PromtoolAnswer::Unasked { why } if std::env::var_os("CI").is_none() => {
                    eprintln!("skipped: promtool cannot be asked (apt install prometheus): {why}");
                    return;
                }
                answer => panic!("at {seconds} s: {answer:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_wrong_evaluation_is_found() {
        if version().await.is_err() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let rules = Rules::parse("groups: [{name: g, rules: [{alert: A, expr: up == 0}]}]").unwrap();
        // What promtool sees ends earlier than what was evaluated: it is told of values that it cannot know.
        let metrics =
            Metrics { every: Duration::from_secs(1), series: vec![MetricSeries::parse("up 1 0 0 0").unwrap()] };
        let step = Duration::from_secs(1);
        let test = rule_test(&rules, &metrics, step, &[0], Semantics::Two).unwrap();
        fs::write(folder.path().join("rules.yaml"), test.rules.replace("== 0", "== 1")).unwrap();
        fs::write(folder.path().join("test.yaml"), test.test).unwrap();
        let output = Command::new("promtool").args(["test", "rules", "test.yaml"]).current_dir(folder.path()).output();
        assert!(!output.await.unwrap().status.success());
    }
}
