//! Which hosts may be touched, listened on, or called by: those of this machine, and those that the user has named.
use std::net::IpAddr;

/// Whether a host (a name or an address, an IPv6 address with or without brackets) is this machine by loopback, or is on the list.
#[must_use]
pub(crate) fn is_allowed(host: &str, allow_hosts: &[String]) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    is_loopback || bare.eq_ignore_ascii_case("localhost") || allow_hosts.iter().any(|allowed| allowed == bare)
}
