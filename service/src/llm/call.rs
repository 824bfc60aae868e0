//! One completion call from its admission to its settlement: breaker, bulkhead, clocks, counters.

use std::sync::Arc;

use tokio::{sync::OwnedSemaphorePermit, time::Instant};
use tracing::Span;

use super::Client;
use crate::{
    dependency::{Account, Attempt, Failure, Generation},
    domain::chat::Usage,
    telemetry::spans,
};

/// A call in progress. Dropped unsettled it counts as cancelled, and says nothing to the breaker.
pub(super) struct Call {
    pub(super) client: Arc<Client>,
    pub(super) attempt: Option<Attempt>,
    pub(super) _place: OwnedSemaphorePermit,
    pub(super) generation: Generation,
    pub(super) started: Instant,
    /// When the first token must be here.
    pub(super) first_token_due: Instant,
    /// When the last one must.
    pub(super) deadline: Instant,
    pub(super) account: Account,
    pub(super) has_begun: bool,
    pub(super) span: Span,
}

impl Call {
    /// When the next piece must be here.
    pub(super) fn due(&self) -> Instant {
        if self.has_begun { self.deadline } else { self.first_token_due }
    }

    /// Notes that something of the answer is here.
    pub(super) fn begun(&mut self) {
        if !self.has_begun {
            self.has_begun = true;
            self.client.metrics.llm_first_token_seconds.observe(self.started.elapsed().as_secs_f64());
        }
    }

    /// Notes the tokens used.
    pub(super) fn used(&mut self, usage: Usage) {
        self.client.metrics.llm_tokens(usage.prompt_tokens, usage.completion_tokens);
        self.span.record("gen_ai.usage.input_tokens", usage.prompt_tokens);
        self.span.record("gen_ai.usage.output_tokens", usage.completion_tokens);
    }

    /// Whether its outcome is known.
    pub(super) fn is_settled(&self) -> bool {
        self.attempt.is_none()
    }

    /// Settles it, once.
    pub(super) fn settle(&mut self, outcome: &Result<(), Failure>) {
        let Some(attempt) = self.attempt.take() else { return };
        if outcome.as_ref().is_err_and(Failure::taints_connections) {
            self.client.dependency.connections().retire(self.generation);
        }
        if let Err(failure) = outcome {
            spans::failed(&self.span, failure.label());
        }
        spans::ended(&std::mem::replace(&mut self.span, Span::none()));
        self.account.note(outcome);
        attempt.settle(outcome);
        self.client.count(outcome.as_ref().err().map_or("ok", Failure::label));
        self.client.metrics.llm_seconds.observe(self.started.elapsed().as_secs_f64());
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.attempt.is_some() {
            spans::failed(&self.span, "cancelled");
            spans::ended(&self.span);
            self.client.count("cancelled");
        }
    }
}
