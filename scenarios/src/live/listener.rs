//! The pages that others read while the run goes on, over HTTP: the dashboard with its data, and the metrics.
//!
//! Read-only. A request must name a host that is ours, so that a page of another site cannot reach it through a name of its own.
use super::{board::Board, page, prometheus};
use crate::hosts;
use axum::{
    Router,
    extract::{Query, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{Html, IntoResponse as _, Response},
    routing::get,
};
use serde::Deserialize;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::{sync::Notify, time::Instant};

const DASHBOARD: &str = include_str!("dashboard.html");

/// What the handlers share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) board: Arc<Board>,
    /// Hosts beyond loopback by which a request may call us.
    pub(super) allow_hosts: Vec<String>,
    /// When the dashboard asked last.
    pub(super) asked: Mutex<Option<Instant>>,
    /// Told when the dashboard has been shown the verdict.
    pub(super) saw_the_end: Notify,
}

#[derive(Debug, Deserialize)]
struct Asked {
    /// First second that the dashboard does not have for good.
    #[serde(default)]
    since: u64,
}

/// The dashboard, at `/`.
pub(super) fn dashboard(shared: Arc<Shared>) -> Router {
    let routes = Router::new().route("/", get(html)).route("/live.json", get(json));
    guarded(routes, shared)
}

/// The metrics, at `/metrics`.
pub(super) fn metrics(shared: Arc<Shared>) -> Router {
    guarded(Router::new().route("/metrics", get(text)), shared)
}

fn guarded(routes: Router<Arc<Shared>>, shared: Arc<Shared>) -> Router {
    routes.layer(middleware::from_fn_with_state(shared.clone(), only_by_our_names)).with_state(shared)
}

async fn html() -> Response {
    let nonce = uuid::Uuid::new_v4().simple().to_string();
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'"
    );
    let page = Html(DASHBOARD.replace("{{nonce}}", &nonce));
    ([(header::CONTENT_SECURITY_POLICY, policy)], page).into_response()
}

async fn json(State(shared): State<Arc<Shared>>, Query(asked): Query<Asked>) -> Response {
    let page = page::since(&shared.board, asked.since);
    *shared.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    if !page["verdict"].is_null() {
        shared.saw_the_end.notify_one();
    }
    axum::Json(page).into_response()
}

async fn text(State(shared): State<Arc<Shared>>) -> Response {
    ([(header::CONTENT_TYPE, prometheus::CONTENT_TYPE)], prometheus::text(&shared.board)).into_response()
}

async fn only_by_our_names(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    if !is_ours(request.headers(), &shared.allow_hosts) {
        let why = "this page is only for this machine; name another host with --allow-host\n";
        return (StatusCode::MISDIRECTED_REQUEST, why).into_response();
    }
    let mut response = next.run(request).await;
    let fixed = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Whether a request calls us by a name of this machine, or by one that is allowed.
fn is_ours(headers: &HeaderMap, allow_hosts: &[String]) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    hosts::is_allowed(name, allow_hosts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_request_that_names_this_machine_is_answered() {
        let named = |host: &'static str, allowed: &[&str]| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(host));
            is_ours(&headers, &allowed.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>())
        };
        for host in ["127.0.0.1:9000", "127.0.0.1", "localhost:1", "LOCALHOST", "[::1]:80", "[::1]", "127.9.9.9:5"] {
            assert!(named(host, &[]), "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example:80", "localhost.evil.example", "10.0.0.5:80", "", ":80"] {
            assert!(!named(host, &[]), "{host}");
        }
        assert!(named("10.0.0.5:80", &["10.0.0.5"]) && !named("10.0.0.6:80", &["10.0.0.5"]));
        assert!(!is_ours(&HeaderMap::new(), &[]), "a request without a name is refused");
    }
}
