//! Logs: one JSON object per line on stderr.

use tracing_subscriber::{EnvFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// Starts logging for this process, to stderr, with a `tracing` filter such as `info` or `info,service=debug`.
///
/// A filter that does not parse becomes `info`, and says so. A second call changes nothing.
pub fn init(filter: &str) {
    let (parsed, mistake) = match EnvFilter::try_new(filter) {
        Ok(parsed) => (parsed, None),
        Err(error) => (EnvFilter::new("info"), Some(error)),
    };
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(std::io::stderr);
    let started = tracing_subscriber::registry().with(parsed).with(lines).try_init();
    if let (Ok(()), Some(error)) = (started, mistake) {
        tracing::warn!(%error, filter, "log filter `{filter}` cannot be read, logging at info");
    }
}
