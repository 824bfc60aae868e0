//! What class an answer is, decided by looking into it and not by its status alone.
use crate::client::{Answer, Failure};
use http::StatusCode;
use reports::record::Outcome;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The class of an exchange that brought no whole answer.
#[must_use]
pub(crate) fn of_failure(failure: &Failure) -> Outcome {
    match failure {
        Failure::Timeout(_) | Failure::PoolTimeout(_) | Failure::ConnectTimeout(_) => Outcome::Timeout,
        Failure::Resolve { .. }
        | Failure::Connect(_)
        | Failure::Tls { .. }
        | Failure::NotHttp2
        | Failure::Connection(_) => Outcome::Transport,
        Failure::TooLarge => Outcome::Wrong,
    }
}

/// The class of an answer whose status is not the one of success.
///
/// Statuses that a correct service can give to a correct request are refusals; every other one is wrong, because the journeys send
/// nothing that may be answered with 400, 401, 403, 404, 409, 422 or 500. A 502, 503 or 504 without the service's error body is
/// wrong as well: it says nothing about what failed.
#[must_use]
pub(crate) fn of_refusal(answer: &Answer) -> Outcome {
    let refusal = serde_json::from_slice::<Refusal>(&answer.body).ok().filter(|refusal| refusal.error);
    match (answer.status, refusal) {
        (StatusCode::TOO_MANY_REQUESTS, _) => Outcome::Limited,
        (status, Some(refusal)) => of_code(status.as_u16(), &refusal.code),
        _ => Outcome::Wrong,
    }
}

/// Whether it is the service itself that says that there is no such thing: a 404 or 410 of somebody on the way says nothing about it.
#[must_use]
pub(crate) fn is_absence(answer: &Answer) -> bool {
    let is_status = matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::GONE);
    is_status && serde_json::from_slice::<Refusal>(&answer.body).is_ok_and(|refusal| refusal.error)
}

/// The class of an error event within a stream, which carries the status that it would have had before the stream began.
#[must_use]
pub(crate) fn of_refusal_event(status: Option<u16>, code: &str) -> Outcome {
    status.map_or(Outcome::Wrong, |status| of_code(status, code))
}

fn of_code(status: u16, code: &str) -> Outcome {
    match status {
        503 if code == SHED => Outcome::Shed,
        502..=504 => Outcome::DependencyError,
        _ => Outcome::Wrong,
    }
}

/// The code with which the service refuses work to protect itself.
const SHED: &str = "CONCURRENT_LIMIT_EXCEEDED";

/// The service's error body.
#[derive(Debug, Deserialize)]
struct Refusal {
    error: bool,
    code: String,
    #[serde(rename = "message")]
    _message: String,
}

/// What an answer says about itself.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Meta {
    /// Whether it is less than was asked for.
    pub(crate) degraded: bool,
    /// Why it is less.
    #[serde(default)]
    pub(crate) degraded_reasons: Vec<String>,
    /// Where it comes from: live, cache, stale.
    pub(crate) source: Option<Source>,
    /// Age of cached content, in seconds.
    pub(crate) cache_age_s: Option<f64>,
    /// Providers that failed, with why.
    #[serde(default)]
    pub(crate) provider_errors: BTreeMap<String, serde_json::Value>,
}

/// What was said in a chat that was answered to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The session that keeps it.
    pub session_id: String,
    /// The whole answer.
    pub content: String,
    /// Whether the service says that it keeps it.
    pub is_kept: bool,
}

/// Where an answer's content comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Source {
    /// Asked of the provider for this request.
    Live,
    /// From the cache, within its time to live.
    Cache,
    /// From the cache, past its time to live.
    Stale,
}

impl Meta {
    /// The class of an answer that is otherwise right: full, degraded, or degraded without saying so. Cached content is fresh up to
    /// `fresh_s` seconds.
    #[must_use]
    pub(crate) fn outcome(&self, fresh_s: f64) -> Outcome {
        let is_old = self.cache_age_s.is_some_and(|age_s| age_s > fresh_s);
        let is_less = self.source == Some(Source::Stale) || is_old || !self.provider_errors.is_empty();
        match (self.degraded, is_less) {
            (true, _) => Outcome::Degraded,
            (false, true) => Outcome::Undeclared,
            (false, false) => Outcome::Full,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: http::HeaderMap::new(),
            body: body.as_bytes().to_vec(),
            is_stream: false,
        }
    }

    #[track_caller]
    fn check(status: u16, body: &str, expected: Outcome) {
        assert_eq!(of_refusal(&answer(status, body)), expected, "{status} {body}");
    }

    #[test]
    fn refusals_are_told_apart_by_status_and_error_body() {
        let body =
            |code: &str| format!(r#"{{"error":true,"code":"{code}","message":"m","type":"external","details":{{}}}}"#);
        check(429, &body("RATE_LIMIT_EXCEEDED"), Outcome::Limited);
        check(429, "", Outcome::Limited);
        check(503, &body("CONCURRENT_LIMIT_EXCEEDED"), Outcome::Shed);
        check(503, &body("SERVICE_ERROR"), Outcome::DependencyError);
        check(502, &body("MCP_ERROR"), Outcome::DependencyError);
        check(504, &body("TIMEOUT"), Outcome::DependencyError);
        check(504, &body("CONCURRENT_LIMIT_EXCEEDED"), Outcome::DependencyError);
        check(503, "<html>bad gateway</html>", Outcome::Wrong);
        check(503, r#"{"error":false,"code":"X","message":"m"}"#, Outcome::Wrong);
        check(502, r#"{"error":true}"#, Outcome::Wrong);
        for status in [400, 401, 403, 404, 409, 422, 500, 204, 301] {
            check(status, &body("ANY"), Outcome::Wrong);
        }
    }

    #[test]
    fn only_the_service_can_say_that_something_is_not_there() {
        let own = r#"{"error":true,"code":"RESOURCE_NOT_FOUND","message":"m"}"#;
        let judge = |status, body| is_absence(&answer(status, body));
        assert!(judge(404, own) && judge(410, own) && !judge(503, own) && !judge(200, own));
        for body in ["", "default backend - 404", "{}", r#"{"error":"not found"}"#, r#"{"error":true,"message":"m"}"#] {
            assert!(!judge(404, body), "{body}");
        }
    }

    #[track_caller]
    fn meta(text: &str, expected: Outcome) {
        assert_eq!(serde_json::from_str::<Meta>(text).unwrap().outcome(300.0), expected, "{text}");
    }

    #[test]
    fn less_than_asked_for_must_be_declared() {
        meta(r#"{"degraded":false,"source":"live"}"#, Outcome::Full);
        meta(r#"{"degraded":false,"source":"cache","cache_age_s":299.9}"#, Outcome::Full);
        meta(r#"{"degraded":false,"source":"cache","cache_age_s":301}"#, Outcome::Undeclared);
        meta(r#"{"degraded":true,"source":"stale","cache_age_s":900}"#, Outcome::Degraded);
        meta(r#"{"degraded":false,"source":"stale"}"#, Outcome::Undeclared);
        meta(r#"{"degraded":false,"provider_errors":{"weather":"timeout"}}"#, Outcome::Undeclared);
        meta(r#"{"degraded":true,"provider_errors":{"weather":"timeout"}}"#, Outcome::Degraded);
        assert!(serde_json::from_str::<Meta>(r#"{"source":"live"}"#).is_err(), "degraded must be said");
        assert!(
            serde_json::from_str::<Meta>(r#"{"degraded":false,"source":"mock"}"#).is_err(),
            "no other source exists"
        );
    }
}
