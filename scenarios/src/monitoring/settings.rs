//! The `[monitoring]` of a scenario file, and what becomes of it.
use crate::scenario::Mistake;
use chaos::Length;
use reports::{alerts::Rules, units};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{fs, path::Path, time::Duration};
use toml::Spanned;

/// The rules that are shipped with the service.
const SHIPPED_RULES: &str = include_str!("../../../service/deploy/monitoring/alerts.yaml");
/// Where they come from, for people.
const SHIPPED_FROM: &str = "service/deploy/monitoring/alerts.yaml";
/// How often the Prometheus of service/deploy/monitoring/prometheus.yml looks.
const SHIPPED_INTERVAL: Duration = Duration::from_secs(15);
/// The longest time between two looks at which a Prometheus does not lose sight of its series (they are given up after 5 min).
const LONGEST_INTERVAL: Duration = Duration::from_secs(120);

/// How the target is watched while it is loaded. The bundled service is watched unless `watch` is false.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Monitoring {
    /// Whether it is watched; `true` unless set.
    #[serde(default = "yes")]
    pub watch: bool,
    /// Where the metrics are, such as `http://127.0.0.1:8000/metrics`; those of the bundled service unless set. A target with a `url` is
    /// watched only when this is set. Hosts beyond loopback need `--allow-host`.
    #[schemars(with = "Option<String>")]
    pub url: Option<Spanned<String>>,
    /// A rule file of Prometheus, relative to the scenario file; the alerts that are shipped with the service unless set.
    #[schemars(with = "Option<String>")]
    pub rules: Option<Spanned<String>>,
    /// How often the Prometheus looks that the rules are for: whole seconds from 1 s to 2 min; 15 s unless set.
    #[schemars(with = "Option<String>")]
    pub interval: Option<Spanned<Length>>,
}

impl Default for Monitoring {
    fn default() -> Self {
        Self { watch: true, url: None, rules: None, interval: None }
    }
}

/// A target that is watched.
#[derive(Debug, Clone)]
pub struct Watched {
    /// Where its metrics are; `None` for the bundled service, which says so itself.
    pub url: Option<String>,
    /// Where the rules came from, for people.
    pub rules_from: String,
    /// The rule file.
    pub rules_text: String,
    /// The same, read.
    pub rules: Rules,
    /// How often the Prometheus looks that the rules are for.
    pub interval: Duration,
}

impl Monitoring {
    /// How the target is watched; `None` when it is not.
    ///
    /// # Errors
    /// When the rules cannot be read, or the interval cannot be.
    pub fn resolve(&self, is_bundled: bool, folder: &Path) -> Result<Option<Watched>, Mistake> {
        if !self.watch || (!is_bundled && self.url.is_none()) {
            return Ok(None);
        }
        let interval = self.interval.as_ref().map_or(SHIPPED_INTERVAL, |interval| interval.get_ref().0);
        if let Some(written) = &self.interval
            && (interval.subsec_nanos() > 0 || interval.is_zero() || interval > LONGEST_INTERVAL)
        {
            let most = units::format_duration(LONGEST_INTERVAL);
            let hint = format!("write whole seconds from 1s to {most}, as `scrape_interval` in prometheus.yml");
            return Err(Mistake::at(written.span(), "a Prometheus cannot look at that interval", hint));
        }
        let (rules_from, rules_text) = match &self.rules {
            None => (SHIPPED_FROM.to_owned(), SHIPPED_RULES.to_owned()),
            Some(written) => {
                let path = folder.join(written.get_ref());
                let text = fs::read_to_string(&path).map_err(|error| {
                    let hint = "write its path relative to the scenario file".to_owned();
                    Mistake::at(written.span(), format!("cannot read the rules {}: {error}", path.display()), hint)
                });
                (written.get_ref().clone(), text?)
            }
        };
        let rules = Rules::parse(&rules_text).map_err(|error| {
            let range = self.rules.as_ref().map_or(0..0, Spanned::span);
            let hint = "`promtool check rules` checks rule files; what is not known here is in the README".to_owned();
            Mistake::at(range, format!("{rules_from}: {:#}", anyhow::Error::new(error)), hint)
        })?;
        let url = self.url.as_ref().map(|url| url.get_ref().clone());
        Ok(Some(Watched { url, rules_from, rules_text, rules, interval }))
    }
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_rules_can_be_evaluated() {
        let watched = Monitoring::default().resolve(true, Path::new("")).unwrap().unwrap();
        assert!(watched.rules.alert_count() > 10);
        assert!(watched.rules.metrics().iter().all(|name| name == "up" || name.starts_with("tripsage_")));
    }

    #[test]
    fn only_what_can_be_watched_is() {
        let resolved = |text: &str, is_bundled| {
            let settings: Monitoring = toml::from_str(text).unwrap();
            settings.resolve(is_bundled, Path::new("")).map(|watched| watched.map(|watched| watched.interval.as_secs()))
        };
        assert_eq!(resolved("", true), Ok(Some(15)));
        assert_eq!(resolved("interval = \"5s\"", true), Ok(Some(5)));
        assert_eq!(resolved("watch = false", true), Ok(None));
        assert_eq!(resolved("", false), Ok(None));
        assert_eq!(resolved("url = \"http://127.0.0.1:8000/metrics\"", false), Ok(Some(15)));
        for (text, problem) in [
            ("interval = \"1500ms\"", "cannot look at that interval"),
            ("interval = \"0s\"", "cannot look at that interval"),
            ("interval = \"5m\"", "cannot look at that interval"),
            ("rules = \"no-such-file.yaml\"", "cannot read the rules no-such-file.yaml"),
            ("rules = \"Cargo.toml\"", "this is no rule file"),
        ] {
            assert!(resolved(text, true).unwrap_err().text.contains(problem), "{text}");
        }
    }
}
