//! The ways a call to another system fails, and what each means for breakers and retries.

use std::{error::Error, sync::Arc, time::Duration};

/// Longest wait that somebody who limits our rate may ask for.
const WAIT_MAX: Duration = Duration::from_secs(3_600);

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
    /// HTTP 401 or 403 for a user's own key.
    #[error("refused the user's own key")]
    KeyRefused,
    /// The user's own key has expired, so nothing was called.
    #[error("not called: the user's own key has expired")]
    KeyExpired,
    /// The user's own key cannot be opened, so nothing was called.
    #[error("not called: the user's own key cannot be read")]
    KeyUnreadable(#[source] Cause),
    /// HTTP 429 for a user's own key.
    #[error("limits the rate of the user's own key")]
    KeyLimited { retry_after: Option<Duration> },
    /// On whose account to call cannot be found out at present, so nothing was called.
    #[error("not called: whether the user has an own key is not known at present")]
    AccountUnknown,
    /// Any other HTTP status that is not a success.
    #[error("answered HTTP {status}")]
    Status { status: u16 },
    /// An answer that breaks off.
    #[error("answer breaks off")]
    Cut(#[source] Cause),
    /// An answer that arrived whole, but does not parse or misses what was promised.
    #[error("answer cannot be used")]
    Malformed(#[source] Cause),
    /// The tool ran and refused (`isError`, invalid arguments), or the model did not take what it was asked: the dependency
    /// itself is well.
    #[error("refused the request: {message}")]
    Refused {
        /// Its stable name for the reason, when it has one.
        code: Option<Arc<str>>,
        message: Arc<str>,
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

    /// Whether it says that the dependency is ill. Our own refusals to call, refusals by a tool and of a user's key do not.
    pub(crate) fn counts_against_dependency(&self) -> bool {
        let is_ours = matches!(self, Self::Absent | Self::BreakerOpen { .. } | Self::Saturated | Self::AccountUnknown);
        let is_users = matches!(self, Self::Refused { .. } | Self::KeyLimited { .. });
        !is_ours && !is_users && !self.is_about_the_users_key()
    }

    /// Whether the user has to do something about an own key, so that no other answer should hide it.
    pub(crate) fn is_about_the_users_key(&self) -> bool {
        matches!(self, Self::KeyRefused | Self::KeyExpired | Self::KeyUnreadable(_))
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

    /// The tool's own name for why it refused.
    pub(crate) fn refusal_code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => code.as_deref(),
            _ => None,
        }
    }

    /// A refusal with status 429 and this `Retry-After`, of which only seconds are understood. Nobody is believed who asks for
    /// more than an hour.
    pub(crate) fn rate_limited(retry_after: Option<&str>) -> Self {
        let seconds = retry_after.and_then(|text| text.trim().parse().ok());
        Self::RateLimited { retry_after: seconds.map(|seconds| Duration::from_secs(seconds).min(WAIT_MAX)) }
    }

    /// How long whoever refused asked us to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::BreakerOpen { retry_after } => Some(*retry_after),
            Self::RateLimited { retry_after } => *retry_after,
            _ => None,
        }
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
            Self::KeyRefused => "key_refused",
            Self::KeyExpired => "key_expired",
            Self::KeyUnreadable(_) => "key_unreadable",
            Self::KeyLimited { .. } => "key_limited",
            Self::AccountUnknown => "account_unknown",
            Self::Status { .. } => "bad_status",
            Self::Cut(_) => "cut",
            Self::Malformed(_) => "malformed",
            Self::Refused { .. } => "tool_error",
        }
    }
}
