//! Asks the model for a completion.

use std::{sync::Arc, time::Duration};

use reqwest::{RequestBuilder, Response, Url, header::RETRY_AFTER};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::{Instant, timeout_at};
use tracing::Instrument as _;

use super::{Completion, Prompt, call::Call, wire::WireRequest};
use crate::{
    dependency::{Account, Caller, Connections, Dependency, Failure, Limits, Repeat, State, Via},
    metrics::Metrics,
    telemetry::{
        outgoing,
        spans::{self, Peer},
    },
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
    models: String,
    settings: Settings,
    peer: Peer,
    pub(super) dependency: Dependency,
    pub(super) metrics: Arc<Metrics>,
}

impl Client {
    /// A client with these settings.
    ///
    /// # Errors
    /// The HTTP client cannot be set up.
    pub(crate) fn new(settings: Settings, metrics: Arc<Metrics>) -> reqwest::Result<Self> {
        let base = settings.url.as_str().trim_end_matches('/');
        Ok(Self {
            endpoint: format!("{base}/chat/completions"),
            models: format!("{base}/models"),
            dependency: Dependency::new("llm", settings.limits, Connections::to(&settings.url)?),
            peer: Peer::of(&settings.url),
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
    pub(crate) async fn complete(self: &Arc<Self>, prompt: &Prompt, caller: &Caller) -> Result<Completion, Failure> {
        let Caller { deadline, account } = caller;
        let deadline = *deadline;
        account.secret(None)?;
        let started = Instant::now();
        let span = spans::completion(&self.settings.model, &self.peer, prompt.temperature, prompt.max_tokens);
        let refused = |failure: &Failure| {
            spans::failed(&span, failure.label());
            self.count(failure.label());
        };
        let place = self.dependency.enter().await.inspect_err(refused)?;
        let attempt = self.dependency.admit().inspect_err(refused)?;
        let (generation, http) = self.dependency.connections().client();
        let mut call = Call {
            client: Arc::clone(self),
            attempt: Some(attempt),
            _place: place,
            generation,
            started,
            first_token_due: deadline.min(started + self.settings.first_token_timeout),
            deadline,
            account: account.clone(),
            has_begun: false,
            span: span.clone(),
        };
        let posting = self.post(&http, prompt, account).instrument(span);
        match timeout_at(call.due(), posting).await.unwrap_or(Err(Failure::TimedOut)) {
            Ok(response) => Ok(Completion::new(call, response)),
            Err(failure) => {
                call.settle(&Err(failure.clone()));
                Err(failure)
            }
        }
    }

    /// Asks whether the key of the caller is taken; no tokens are spent.
    ///
    /// # Errors
    /// [`Failure::KeyRefused`] when it is not; any other failure says nothing about the key.
    pub(crate) async fn check_key(&self, caller: &Caller) -> Result<(), Failure> {
        let attempt =
            |via: Via| async move { self.send(via.http.get(&self.models), &caller.account).await.map(|_| ()) };
        self.dependency.call(Repeat::Once, caller.deadline, |_, _| {}, attempt).await
    }

    async fn post(&self, http: &reqwest::Client, prompt: &Prompt, account: &Account) -> Result<Response, Failure> {
        let request = http.post(&self.endpoint).json(&WireRequest::new(&self.settings.model, prompt));
        self.send(request, account).await
    }

    async fn send(&self, request: RequestBuilder, account: &Account) -> Result<Response, Failure> {
        let request = match account.secret(self.settings.api_key.as_ref())? {
            Some(key) => request.bearer_auth(key.expose_secret()),
            None => request,
        };
        let request = request.headers(outgoing().into_iter().collect());
        let response = request.send().await.map_err(Failure::unreachable)?;
        accepted(response).map_err(|failure| account.owning(failure))
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
            Err(Failure::rate_limited(header))
        }
        // What was asked is at fault, such as a conversation that is too long: the model itself is well.
        status @ (400 | 413 | 422) => Err(Failure::refused(&format!("HTTP {status}"))),
        status => Err(Failure::Status { status }),
    }
}
