//! The toxics: faults that act on the connections of a link, by their name in the HTTP API.
use super::{
    bandwidth, blackhole, close_after, corrupt, latency, limit_data, loss, noop, one_way, refuse, reset_peer, slicer,
    slow_close, timeout, tls_alert,
};
use crate::link::Kind;

/// Every toxic that a link understands, by its name in the HTTP API.
const KINDS: &[&Kind] = &[
    &latency::KIND,
    &bandwidth::KIND,
    &slow_close::KIND,
    &timeout::KIND,
    &reset_peer::KIND,
    &slicer::KIND,
    &limit_data::KIND,
    &noop::KIND,
    &refuse::KIND,
    &blackhole::KIND,
    &one_way::KIND,
    &loss::KIND,
    &corrupt::KIND,
    &close_after::KIND,
    &tls_alert::KIND,
];

/// Looks a toxic up by its name in the HTTP API.
pub(crate) fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name).copied()
}
