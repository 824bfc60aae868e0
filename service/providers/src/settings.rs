//! What the providers are started with.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, Ipv4Addr},
    ops::RangeInclusive,
    time::Duration,
};

use crate::{
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
    /// The port of the first provider of [`Provider::ALL`], the others follow; 0 is any free port for each.
    pub first_port: u16,
    /// Decides every answer and every service time.
    pub seed: u64,
    /// Service times that replace [`Provider::service_time`]; for the LLM, the time to its first token.
    pub service_times: BTreeMap<Provider, ServiceTime>,
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
            llm: LlmSettings::default(),
        }
    }

    /// The service time of `provider`: the override or the default.
    pub fn service_time(&self, provider: Provider) -> ServiceTime {
        self.service_times.get(&provider).copied().unwrap_or_else(|| provider.service_time())
    }

    /// The port of `provider`, 0 for any free one.
    pub(crate) fn port(&self, provider: Provider) -> u16 {
        match self.first_port {
            0 => 0,
            first_port => first_port + provider as u16,
        }
    }

    /// Refuses what cannot be started.
    pub(crate) fn check(&self) -> Result<(), InvalidSettings> {
        let offset = Provider::ALL.len() as u16 - 1;
        if self.first_port.checked_add(offset).is_none() {
            return Err(InvalidSettings::Ports { first_port: self.first_port });
        }
        for provider in Provider::ALL {
            self.service_time(provider).check().map_err(|source| InvalidSettings::ServiceTime { provider, source })?;
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
    /// The bearer token that requests must carry; `None` accepts every request. Default: `None`.
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
    #[error("{} providers do not fit above port {first_port}", Provider::ALL.len())]
    Ports {
        /// The port of the first.
        first_port: u16,
    },
    /// A service time is out of range.
    #[error("invalid service time of provider `{provider}`")]
    ServiceTime {
        /// Of which provider.
        provider: Provider,
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
        assert_eq!(texts, ["lognormal:120ms:0.3", "lognormal:15ms:0.3", "lognormal:60ms:0.3", "lognormal:200ms:0.3"]);
        assert_eq!(settings.llm.gap.to_string(), "lognormal:10ms:0.5");
        settings.check().unwrap();
    }

    #[rstest]
    #[case(changed(|s| s.first_port = 65_533), "4 providers do not fit above port 65533")]
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
    fn ports_follow_the_first() {
        assert_eq!(
            Provider::ALL.map(|provider| changed(|s| s.first_port = 65_532).port(provider)),
            [65_532, 65_533, 65_534, 65_535]
        );
        assert_eq!(Settings::new(1).port(Provider::Llm), 0);
    }

    #[test]
    fn the_key_is_not_printed() {
        let settings = changed(|s| s.llm.api_key = Some("sk-secret".to_owned()));
        assert!(!format!("{settings:?}").contains("secret"));
    }
}
