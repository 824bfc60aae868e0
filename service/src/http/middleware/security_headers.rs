//! The headers that tell browsers to be careful, on every answer.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
        X_FRAME_OPTIONS, X_XSS_PROTECTION,
    },
};

const ALWAYS: [(HeaderName, HeaderValue); 4] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    // Browsers of today ignore it; it is part of the settings that this service promises.
    (X_XSS_PROTECTION, HeaderValue::from_static("1; mode=block")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];
/// A year, which is what browsers ask for.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000; includeSubDomains");
const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
/// The interactive page of the API has scripts and styles of its own, and styles inside it.
const OWN: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
);
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// What an answer is, as far as its headers go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Of the API: somebody's data.
    Personal,
    /// The interactive page.
    Page,
    Other,
}

impl Kind {
    pub(super) fn of(path: &str) -> Self {
        match path.split('/').nth(1) {
            Some("api" | "dashboard") => Self::Personal,
            Some("docs") => Self::Page,
            _ => Self::Other,
        }
    }
}

/// Adds the headers; `is_tls` says whether clients come over TLS.
pub(super) fn add(headers: &mut HeaderMap, kind: Kind, is_tls: bool) {
    headers.reserve(ALWAYS.len() + 3);
    for (name, value) in ALWAYS {
        headers.insert(name, value);
    }
    headers.insert(CONTENT_SECURITY_POLICY, if kind == Kind::Page { OWN } else { NOTHING });
    if is_tls {
        headers.insert(STRICT_TRANSPORT_SECURITY, HSTS);
    }
    if kind == Kind::Personal {
        headers.entry(CACHE_CONTROL).or_insert(NO_STORE);
    }
}
