//! `down`: the link refuses new connections and cuts open ones. Not a toxic: the proxy itself is disabled.

/// Its name in scenarios and records.
pub(super) const NAME: &str = "down";
