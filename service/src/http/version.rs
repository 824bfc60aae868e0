//! The version of a thing, in the headers `ETag` and `If-Match`: a change says which version it is meant for.

use axum::extract::FromRequestParts;
use http::{
    HeaderName, HeaderValue,
    header::{ETAG, IF_MATCH},
    request::Parts,
};

use super::error::{ApiError, FieldError};

/// The version in `If-Match`, when the header is there.
#[derive(Debug)]
pub(crate) struct IfMatch(Option<i64>);

/// The header that tells a version.
pub(crate) fn etag(version: i64) -> (HeaderName, HeaderValue) {
    (ETAG, HeaderValue::try_from(format!("\"{version}\"")).expect("digits in quotes are a header value"))
}

impl IfMatch {
    /// The version that a change is meant for, by the header or by the body.
    ///
    /// # Errors
    /// Neither says it, or they differ.
    pub(crate) fn or(self, in_body: Option<i64>) -> Result<i64, ApiError> {
        match (self.0, in_body) {
            (Some(header), Some(body)) if header != body => Err(wrong("version", "is not the one of `If-Match`")),
            (Some(version), _) | (None, Some(version)) => Ok(version),
            (None, None) => Err(wrong("version", "is needed, here or in `If-Match`")),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get(IF_MATCH) else { return Ok(Self(None)) };
        let version = value.to_str().ok().and_then(parse);
        version.map(|version| Self(Some(version))).ok_or_else(|| wrong("If-Match", "must be one version in quotes"))
    }
}

/// `*` would match any version, which is what the header is to prevent; a weak tag matches none.
fn parse(value: &str) -> Option<i64> {
    value.trim().strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

fn wrong(field: &str, message: &str) -> ApiError {
    ApiError::invalid(vec![FieldError { field: field.into(), message: message.into(), kind: "value" }])
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("\"1\"", Some(1))]
    #[case(" \"12\" ", Some(12))]
    #[case("1", None)]
    #[case("\"\"", None)]
    #[case("\"one\"", None)]
    #[case("*", None)]
    #[case("W/\"1\"", None)]
    #[case("\"1\", \"2\"", None)]
    #[case("\"99999999999999999999\"", None)]
    fn one_version_in_quotes_is_read(#[case] value: &str, #[case] version: Option<i64>) {
        assert_eq!(parse(value), version);
    }

    #[rstest]
    #[case(None, None, None)]
    #[case(Some(1), None, Some(1))]
    #[case(None, Some(2), Some(2))]
    #[case(Some(3), Some(3), Some(3))]
    #[case(Some(3), Some(4), None)]
    fn header_or_body_says_the_version(
        #[case] header: Option<i64>,
        #[case] body: Option<i64>,
        #[case] version: Option<i64>,
    ) {
        assert_eq!(IfMatch(header).or(body).ok(), version);
    }
}
