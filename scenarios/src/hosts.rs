//! Which hosts may be touched, listened on, or called by: those of this machine, and those that the user has named.
use anyhow::{Context as _, bail};
use reqwest::Url;
use std::net::IpAddr;

/// A URL that HTTP can be spoken to.
///
/// # Errors
/// When it is no URL, or one of another scheme.
pub(crate) fn http_url(text: &str) -> anyhow::Result<Url> {
    let url: Url = text.parse().with_context(|| format!("`{text}` is not a URL"))?;
    if !["http", "https"].contains(&url.scheme()) {
        bail!("`{text}` does not start with http:// or https://");
    }
    Ok(url)
}

/// Whether a host (a name or an address, an IPv6 address with or without brackets) is this machine by loopback, or is on the list.
#[must_use]
pub(crate) fn is_allowed(host: &str, allow_hosts: &[String]) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    is_loopback || bare.eq_ignore_ascii_case("localhost") || allow_hosts.iter().any(|allowed| allowed == bare)
}
