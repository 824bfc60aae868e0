//! Asks the model for a completion.

use std::{sync::Arc, time::Duration};

use reqwest::{Response, Url, header::RETRY_AFTER};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::{Instant, timeout_at};

use super::{Completion, Prompt, call::Call, wire::WireRequest};
use crate::{
    dependency::{Connections, Dependency, Failure, Limits, State},
    metrics::Metrics,
};

/// How the model is reached.
pub(crate) struct Settings {
    /// Base of the API, ending in `/v1`.
    pub(crate) url: Url,
    pub(crate) api_key: Option<SecretString>,
    pub(crate) model: String,
    /// Longest wait for the first token.
    pub(crate) first_token_timeout: Duration,
    pub(crate) limits: Limits,
}

/// A client of one model.
pub(crate) struct Client {
    endpoint: String,
    settings: Settings,
    pub(super) dependency: Dependency,
    pub(super) metrics: Arc<Metrics>,
}

impl Client {
    /// A client with these settings.
    ///
    /// # Errors
    /// The HTTP client cannot be set up.
    pub(crate) fn new(settings: Settings, metrics: Arc<Metrics>) -> reqwest::Result<Self> {
        Ok(Self {
            endpoint: format!("{}/chat/completions", settings.url.as_str().trim_end_matches('/')),
            dependency: Dependency::new("llm", settings.limits, Connections::to(&settings.url)?),
            settings,
            metrics,
        })
    }

    /// What would refuse a completion now, without asking for one.
    pub(crate) fn refusal(&self) -> Option<Failure> {
        self.dependency.refusal()
    }

    /// What its breaker would do with the next completion.
    pub(crate) fn breaker_state(&self) -> State {
        self.dependency.breaker_state()
    }

    /// Asks for a completion; it is never asked for twice. The answer arrives piece by piece, all of it by `deadline`.
    ///
    /// # Errors
    /// Breaker open, bulkhead full, or no good HTTP answer by the time the first token is due.
    pub(crate) async fn complete(self: &Arc<Self>, prompt: &Prompt, deadline: Instant) -> Result<Completion, Failure> {
        let started = Instant::now();
        let place = self.dependency.enter().await.inspect_err(|failure| self.count(failure.label()))?;
        let attempt = self.dependency.admit().inspect_err(|failure| self.count(failure.label()))?;
        let (generation, http) = self.dependency.connections().client();
        let mut call = Call {
            client: Arc::clone(self),
            attempt: Some(attempt),
            _place: place,
            generation,
            started,
            first_token_due: deadline.min(started + self.settings.first_token_timeout),
            deadline,
            has_begun: false,
        };
        match timeout_at(call.due(), self.post(&http, prompt)).await.unwrap_or(Err(Failure::TimedOut)) {
            Ok(response) => Ok(Completion::new(call, response)),
            Err(failure) => {
                call.settle(&Err(failure.clone()));
                Err(failure)
            }
        }
    }

    async fn post(&self, http: &reqwest::Client, prompt: &Prompt) -> Result<Response, Failure> {
        let mut request = http.post(&self.endpoint).json(&WireRequest::new(&self.settings.model, prompt));
        if let Some(key) = &self.settings.api_key {
            request = request.bearer_auth(key.expose_secret());
        }
        accepted(request.send().await.map_err(Failure::unreachable)?)
    }

    /// Notes how a completion ended.
    pub(super) fn count(&self, outcome: &'static str) {
        self.metrics.llm_requests.get_or_create(&crate::metrics::OutcomeLabels { outcome }).inc();
    }
}

fn accepted(response: Response) -> Result<Response, Failure> {
    match response.status().as_u16() {
        200 => Ok(response),
        401 | 403 => Err(Failure::Unauthorized),
        429 => {
            let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let seconds = header.and_then(|text| text.trim().parse().ok());
            Err(Failure::RateLimited { retry_after: seconds.map(Duration::from_secs) })
        }
        status => Err(Failure::Status { status }),
    }
}
