//! What the providers are started with.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, Ipv4Addr},
    ops::RangeInclusive,
    time::Duration,
};

use crate::{
    instance::Instance,
    provider::Provider,
    service_time::{ServiceTime, ServiceTimeError},
};

/// The longest answer of the LLM, in tokens.
const TOKENS_MAX: u32 = 4096;

/// Where the providers listen, and how they behave.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address to listen on. Anything but loopback also accepts any `Host` header.
    pub address: IpAddr,
    /// The port of the first provider of [`Provider::ALL`], the others follow, then the replicas; 0 is any free port for
    /// each.
    pub first_port: u16,
    /// Decides every answer and every service time.
    pub seed: u64,
    /// Service times that replace [`Provider::service_time`]; for the LLM, the time to its first token.
    pub service_times: BTreeMap<Provider, ServiceTime>,
    /// Further servers of a provider, such as `flights-2`, and their service times.
    pub replicas: BTreeMap<Instance, ServiceTime>,
    /// The rest of the LLM.
    pub llm: LlmSettings,
}

impl Settings {
    /// Free loopback ports, default service times and the default LLM.
    pub fn new(seed: u64) -> Self {
        Self {
            address: Ipv4Addr::LOCALHOST.into(),
            first_port: 0,
            seed,
            service_times: BTreeMap::new(),
            replicas: BTreeMap::new(),
            llm: LlmSettings::default(),
        }
    }

    /// The service time of `provider`: the override or the default.
    pub fn service_time(&self, provider: Provider) -> ServiceTime {
        self.service_times.get(&provider).copied().unwrap_or_else(|| provider.service_time())
    }

    /// Gives `instance` this service time; one that is not the first of its provider is thereby started too.
    pub fn set_service_time(&mut self, instance: Instance, service_time: ServiceTime) {
        if instance.is_first() {
            self.service_times.insert(instance.provider(), service_time);
        } else {
            self.replicas.insert(instance, service_time);
        }
    }

    /// Makes every server so many times as slow, the LLM's tokens too.
    pub fn slow_down(&mut self, factor: f64) {
        let first = Provider::ALL.map(|provider| (provider, self.service_time(provider).times(factor)));
        self.service_times = BTreeMap::from(first);
        self.replicas.values_mut().for_each(|service_time| *service_time = service_time.times(factor));
        self.llm.gap = self.llm.gap.times(factor);
    }

    /// All servers and their service times, in the order of their ports.
    pub(crate) fn instances(&self) -> Vec<(Instance, ServiceTime)> {
        let first = Provider::ALL.into_iter().map(|provider| (provider.into(), self.service_time(provider)));
        first.chain(self.replicas.iter().map(|(instance, service_time)| (*instance, *service_time))).collect()
    }

    /// The port of server number `index`, 0 for any free one.
    pub(crate) fn port(&self, index: usize) -> u16 {
        match self.first_port {
            0 => 0,
            first_port => first_port + index as u16,
        }
    }

    /// Refuses what cannot be started.
    pub(crate) fn check(&self) -> Result<(), InvalidSettings> {
        let instances = self.instances();
        let offset = instances.len() as u16 - 1;
        if self.first_port.checked_add(offset).is_none() {
            return Err(InvalidSettings::Ports { first_port: self.first_port, count: instances.len() });
        }
        if let Some(instance) = self.replicas.keys().find(|instance| instance.is_first()) {
            return Err(InvalidSettings::Replica { instance: *instance });
        }
        for (instance, service_time) in instances {
            service_time.check().map_err(|source| InvalidSettings::ServiceTime { instance, source })?;
        }
        self.llm.check()
    }
}

/// How the LLM answers, apart from its time to the first token.
#[derive(Clone)]
pub struct LlmSettings {
    /// The models it knows, at least one; others are answered with 404. Default: `gpt-4o`, `gpt-4o-mini`.
    pub models: Vec<String>,
    /// The length of a text answer in tokens, within 1 to 4096. Default: 20 to 60.
    pub tokens: RangeInclusive<u32>,
    /// The time from one token to the next. Default: `lognormal:10ms:0.5`.
    pub gap: ServiceTime,
    /// The platform's own key. With it, requests must carry this key or a good one of somebody else; with `None`, requests
    /// without a key are the platform's. Default: `None`.
    pub api_key: Option<String>,
}

impl LlmSettings {
    fn check(&self) -> Result<(), InvalidSettings> {
        if self.models.is_empty() {
            return Err(InvalidSettings::Models);
        }
        let (from, to) = (*self.tokens.start(), *self.tokens.end());
        if from == 0 || from > to || to > TOKENS_MAX {
            return Err(InvalidSettings::Tokens { from, to });
        }
        self.gap.check().map_err(|source| InvalidSettings::Gap { source })
    }
}

impl Default for LlmSettings {
    fn default() -> Self {
        Self {
            models: vec!["gpt-4o".to_owned(), "gpt-4o-mini".to_owned()],
            tokens: 20..=60,
            gap: ServiceTime::LogNormal { median: Duration::from_millis(10), sigma: 0.5 },
            api_key: None,
        }
    }
}

impl fmt::Debug for LlmSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LlmSettings")
            .field("models", &self.models)
            .field("tokens", &self.tokens)
            .field("gap", &self.gap)
            .field("api_key", &self.api_key.as_ref().map(|_| "***"))
            .finish()
    }
}

/// Settings that contradict themselves.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSettings {
    /// The last provider would have a port above 65535.
    #[error("{count} providers do not fit above port {first_port}")]
    Ports {
        /// The port of the first.
        first_port: u16,
        /// How many there are.
        count: usize,
    },
    /// A replica is the one that is always there.
    #[error("provider `{instance}` is no further server; its service time belongs into `service_times`")]
    Replica {
        /// As given.
        instance: Instance,
    },
    /// A service time is out of range.
    #[error("invalid service time of provider `{instance}`")]
    ServiceTime {
        /// Of which server.
        instance: Instance,
        /// What is wrong with it.
        #[source]
        source: ServiceTimeError,
    },
    /// The time between tokens is out of range.
    #[error("invalid gap between tokens of the LLM")]
    Gap {
        /// What is wrong with it.
        #[source]
        source: ServiceTimeError,
    },
    /// The range of answer lengths is empty or leaves 1 to 4096.
    #[error("the LLM cannot answer in {from} to {to} tokens; the range must lie within 1 to {TOKENS_MAX}")]
    Tokens {
        /// Start of the range.
        from: u32,
        /// End of the range.
        to: u32,
    },
    /// No model is named.
    #[error("the LLM has no model")]
    Models,
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn changed(change: impl FnOnce(&mut Settings)) -> Settings {
        let mut settings = Settings::new(1);
        change(&mut settings);
        settings
    }

    #[test]
    fn the_defaults_are_as_documented() {
        let settings = Settings::new(1);
        let texts = Provider::ALL.map(|provider| settings.service_time(provider).to_string());
        let medians_ms = [120, 15, 60, 200, 150, 50, 5, 250];
        assert_eq!(texts, medians_ms.map(|median_ms| format!("lognormal:{median_ms}ms:0.3")));
        assert_eq!(settings.llm.gap.to_string(), "lognormal:10ms:0.5");
        settings.check().unwrap();
    }

    #[rstest]
    #[case(changed(|s| s.first_port = 65_529), "8 providers do not fit above port 65529")]
    #[case(
        changed(|s| {
            s.first_port = 65_528;
            s.replicas.insert("flights-2".parse().unwrap(), "constant:1s".parse().unwrap());
        }),
        "9 providers do not fit above port 65528"
    )]
    #[case(
        changed(|s| { s.replicas.insert(Provider::Flights.into(), "constant:1s".parse().unwrap()); }),
        "provider `flights` is no further server; its service time belongs into `service_times`"
    )]
    #[case(changed(|s| s.llm.models.clear()), "the LLM has no model")]
    #[case(changed(|s| s.llm.tokens = 0..=5), "the LLM cannot answer in 0 to 5 tokens; the range must lie within 1 to 4096")]
    #[case(changed(|s| s.llm.tokens = RangeInclusive::new(9, 5)), "the LLM cannot answer in 9 to 5 tokens; the range must lie within 1 to 4096")]
    #[case(
        changed(|s| { s.service_times.insert(Provider::Memory, ServiceTime::LogNormal { median: Duration::ZERO, sigma: f64::NAN }); }),
        "invalid service time of provider `memory`"
    )]
    fn contradictions_are_refused(#[case] settings: Settings, #[case] message: &str) {
        assert_eq!(settings.check().unwrap_err().to_string(), message);
    }

    #[test]
    fn slower_providers_are_slower_in_proportion() {
        let mut settings = Settings::new(1);
        settings.set_service_time("flights-2".parse().unwrap(), "uniform:10ms..30ms".parse().unwrap());
        settings.set_service_time(Provider::Time.into(), "constant:40ms".parse().unwrap());
        settings.slow_down(1.1);
        let texts = [Provider::Flights, Provider::Time].map(|provider| settings.service_time(provider).to_string());
        assert_eq!(texts, ["lognormal:132ms:0.3", "constant:44ms"]);
        assert_eq!(settings.replicas[&"flights-2".parse().unwrap()].to_string(), "uniform:11ms..33ms");
        assert_eq!(settings.llm.gap.to_string(), "lognormal:11ms:0.5");
    }

    #[test]
    fn ports_follow_the_first() {
        let settings = changed(|s| s.first_port = 65_528);
        assert_eq!((settings.port(0), settings.port(7)), (65_528, 65_535));
        assert_eq!(Settings::new(1).port(7), 0);
    }

    #[test]
    fn a_service_time_starts_a_further_server() {
        let settings = changed(|s| {
            for instance in ["weather", "flights-3", "flights-2"] {
                s.set_service_time(instance.parse().unwrap(), "constant:1s".parse().unwrap());
            }
        });
        let names: Vec<_> = settings.instances().into_iter().map(|(instance, _)| instance.to_string()).collect();
        assert_eq!(names[..3], ["flights", "memory", "weather"]);
        assert_eq!(names[8..], ["flights-2", "flights-3"]);
        assert_eq!(settings.service_time(Provider::Weather).to_string(), "constant:1s");
        settings.check().unwrap();
    }

    #[test]
    fn the_key_is_not_printed() {
        let settings = changed(|s| s.llm.api_key = Some("sk-secret".to_owned()));
        assert!(!format!("{settings:?}").contains("secret"));
    }
}
