//! `/metrics`: what the links did, as text for Prometheus. Bytes are named as Toxiproxy names them, but counted live, not when a connection
//! ends; the rest is ours.
use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};

use crate::link::{
    registry::Registry,
    wire::{Proxy, ProxyEffects, ToxicEffects},
};

pub(super) async fn metrics(State(links): State<Arc<Registry>>) -> Response {
    let page = page(&links.overview().await);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page).into_response()
}

/// A metric of a link: name, help, type, value.
type OfLink = (&'static str, &'static str, &'static str, fn(&ProxyEffects) -> u64);
/// A metric of a toxic: name, help, value.
type OfToxic = (&'static str, &'static str, fn(&ToxicEffects) -> f64);

const OF_LINKS: [OfLink; 4] = [
    ("tripsage_link_connections_total", "Connections accepted.", "counter", |link| link.connections),
    ("tripsage_link_open_connections", "Connections open now.", "gauge", |link| link.open),
    ("tripsage_link_upstream_failures_total", "Connections whose upstream was not reached.", "counter", |link| {
        link.upstream_failed
    }),
    ("tripsage_link_cut_connections_total", "Connections cut because the link went down.", "counter", |link| link.cut),
];

const OF_TOXICS: [OfToxic; 5] = [
    ("tripsage_toxic_connections_total", "Connections that a toxic did something to.", |toxic| {
        toxic.connections as f64
    }),
    ("tripsage_toxic_chunks_total", "Chunks delayed, changed or dropped.", |toxic| toxic.chunks as f64),
    ("tripsage_toxic_bytes_total", "Bytes in those chunks.", |toxic| toxic.bytes as f64),
    ("tripsage_toxic_dropped_bytes_total", "Bytes dropped for ever.", |toxic| toxic.dropped_bytes as f64),
    ("tripsage_toxic_delay_seconds_total", "Sum over chunks of how much later each went on.", |toxic| {
        toxic.delayed_us as f64 / 1e6
    }),
];

fn page(links: &[(Proxy, ProxyEffects)]) -> String {
    let mut page = String::new();
    let received = |link: &ProxyEffects| [link.upstream_bytes, link.downstream_bytes];
    let sent = |link: &ProxyEffects| [link.upstream_sent_bytes, link.downstream_sent_bytes];
    write_bytes(&mut page, links, "toxiproxy_proxy_received_bytes_total", "Bytes read from the sender.", received);
    write_bytes(&mut page, links, "toxiproxy_proxy_sent_bytes_total", "Bytes written to the receiver.", sent);
    for (name, help, kind, value_of) in OF_LINKS {
        let rows = links.iter().map(|(link, effects)| (labels(&[("proxy", &link.name)]), value_of(effects)));
        write_metric(&mut page, name, help, kind, rows);
    }
    let toxics = toxics(links);
    for (name, help, value_of) in OF_TOXICS {
        let rows =
            toxics.iter().map(|(labels, all)| (labels.clone(), all.iter().map(|toxic| value_of(toxic)).sum::<f64>()));
        write_metric(&mut page, name, help, "counter", rows);
    }
    page
}

fn write_bytes(
    page: &mut String,
    links: &[(Proxy, ProxyEffects)],
    name: &str,
    help: &str,
    value_of: impl Fn(&ProxyEffects) -> [u64; 2],
) {
    let rows = links.iter().flat_map(|(link, effects)| {
        let both = ["upstream", "downstream"].into_iter().zip(value_of(effects));
        both.map(|(direction, bytes)| {
            let named = [("direction", direction), ("listener", &link.listen), ("proxy", &link.name)];
            (labels(&[&named[..], &[("upstream", &link.upstream)]].concat()), bytes)
        })
    });
    write_metric(page, name, help, "counter", rows);
}

/// Toxics by their labels; those that had one name one after the other are one.
fn toxics(links: &[(Proxy, ProxyEffects)]) -> BTreeMap<String, Vec<&ToxicEffects>> {
    let mut toxics = BTreeMap::<String, Vec<_>>::new();
    for (link, effects) in links {
        for toxic in &effects.toxics {
            let labels = labels(&[("proxy", &link.name), ("toxic", &toxic.name), ("type", &toxic.kind)]);
            toxics.entry(labels).or_default().push(toxic);
        }
    }
    toxics
}

fn write_metric<V: ToString>(
    page: &mut String,
    name: &str,
    help: &str,
    kind: &str,
    rows: impl Iterator<Item = (String, V)>,
) {
    // Writing to a string cannot fail.
    let _ = writeln!(page, "# HELP {name} {help}\n# TYPE {name} {kind}");
    for (labels, value) in rows {
        let _ = writeln!(page, "{name}{labels} {}", value.to_string());
    }
}

fn labels(named: &[(&str, &str)]) -> String {
    let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let pairs: Vec<String> = named.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    format!("{{{}}}", pairs.join(","))
}
