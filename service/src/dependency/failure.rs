//! The ways a call to another system fails, and what each means for breakers and retries.

use std::{error::Error, sync::Arc, time::Duration};

/// A shared underlying error: waiters of one single-flight call all get it.
type Cause = Arc<dyn Error + Send + Sync>;

/// Why a dependency gave no usable answer.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Failure {
    /// No address is configured for it.
    #[error("not configured")]
    Absent,
    /// Its breaker is open; the next probe is that far away.
    #[error("circuit breaker is open")]
    BreakerOpen { retry_after: Duration },
    /// Its bulkhead is full: too many of our own calls are in progress.
    #[error("too many calls in progress")]
    Saturated,
    /// No connection, or the connection broke before an answer began.
    #[error("cannot be reached")]
    Unreachable(#[source] Cause),
    /// No answer within the attempt timeout or the deadline.
    #[error("did not answer in time")]
    TimedOut,
    /// HTTP 429.
    #[error("limits our rate")]
    RateLimited { retry_after: Option<Duration> },
    /// HTTP 401 or 403: our key is refused.
    #[error("refused our credentials")]
    Unauthorized,
    /// Any other HTTP status that is not a success.
    #[error("answered HTTP {status}")]
    Status { status: u16 },
    /// An answer that breaks off.
    #[error("answer breaks off")]
    Cut(#[source] Cause),
    /// An answer that arrived whole, but does not parse or misses what was promised.
    #[error("answer cannot be used")]
    Malformed(#[source] Cause),
    /// The tool ran and refused (`isError`, invalid arguments): the dependency itself is well.
    #[error("refused the request: {message}")]
    Refused {
        message: Arc<str>,
        /// Its stable name for why, when it gives one.
        code: Option<Arc<str>>,
    },
}

impl Failure {
    pub(crate) fn unreachable(cause: impl Error + Send + Sync + 'static) -> Self {
        Self::Unreachable(Arc::new(cause))
    }

    pub(crate) fn malformed(cause: impl Error + Send + Sync + 'static) -> Self {
        Self::Malformed(Arc::new(cause))
    }

    pub(crate) fn cut(cause: impl Error + Send + Sync + 'static) -> Self {
        Self::Cut(Arc::new(cause))
    }

    /// A refusal with a reason in words only.
    pub(crate) fn refused(message: &str) -> Self {
        Self::Refused { message: message.into(), code: None }
    }

    /// Why a tool refused, in its own stable word.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => code.as_deref(),
            _ => None,
        }
    }

    /// Whether it says that the dependency is ill. Our own refusals to call and refusals by a tool do not.
    pub(crate) fn counts_against_dependency(&self) -> bool {
        !matches!(self, Self::Absent | Self::BreakerOpen { .. } | Self::Saturated | Self::Refused { .. })
    }

    /// Whether a second attempt of a read may do better.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::TimedOut | Self::Cut(_) => true,
            Self::Status { status } => matches!(status, 408 | 500..=599),
            _ => false,
        }
    }

    /// Whether the connection it came from should not be used again.
    pub(crate) fn taints_connections(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::TimedOut | Self::Cut(_))
    }

    /// Its name in metrics and in `provider_errors`; a small closed set.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Absent => "not_configured",
            Self::BreakerOpen { .. } => "breaker_open",
            Self::Saturated => "saturated",
            Self::Unreachable(_) => "unreachable",
            Self::TimedOut => "timeout",
            Self::RateLimited { .. } => "rate_limited",
            Self::Unauthorized => "unauthorized",
            Self::Status { .. } => "bad_status",
            Self::Cut(_) => "cut",
            Self::Malformed(_) => "malformed",
            Self::Refused { .. } => "tool_error",
        }
    }
}
