//! The deadline of a whole request.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use tokio::time::{Instant, timeout_at};

use crate::{app::App, http::error::ApiError};

/// When the answer must be ready; handlers pass it on to what they call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(pub(crate) Instant);

/// Kept back from the deadline, to answer from a stale entry when a provider takes all the time.
const ANSWER_TIME: Duration = Duration::from_millis(100);

impl Deadline {
    /// When providers must have answered.
    pub(crate) fn for_providers(self) -> Instant {
        self.0 - ANSWER_TIME
    }
}

/// Sets the deadline, and answers 504 when it passes. Whatever the handler was waiting for is dropped.
pub(crate) async fn deadline(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let deadline = Deadline(Instant::now() + app.config.request_deadline);
    request.extensions_mut().insert(deadline);
    let answered = timeout_at(deadline.0, next.run(request)).await;
    answered.unwrap_or_else(|_| ApiError::deadline().into_response())
}
