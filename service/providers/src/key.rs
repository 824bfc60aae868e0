//! API keys: who pays for a call, decided by the key itself, so that no provider has to remember any.
//!
//! ```text
//! no key                           the platform's own account
//! `revoked-…`, under 16 letters    refused as unknown             401
//! `limited-…`                      its quota is used up           429, Retry-After: 60
//! `broken-…`                       makes the provider fail        500
//! any other                        the account of that key
//! ```

use std::fmt;

use axum::http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use sha2::{Digest, Sha256};

/// The shortest key that a provider would have issued, in bytes.
const KEY_BYTES_MIN: usize = 16;

/// The header of each answer that says whose account a call was for.
pub(crate) const ACCOUNT_HEADER: &str = "x-provider-account";

/// What a client with a used-up quota is told to wait, in seconds.
pub(crate) const RETRY_AFTER_SECONDS: u16 = 60;

/// Who pays for a call: `platform`, or 12 hexadecimal digits that stand for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account(String);

/// Why a key is no good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Nobody was given this key, or it was taken back.
    #[error("the API key is not valid")]
    Unknown,
    /// Its quota is used up.
    #[error("the rate limit of the API key is reached")]
    Limited,
    /// The provider fails over it.
    #[error("the provider failed")]
    Broken,
}

impl Account {
    /// Who pays when a call carries no key.
    pub(crate) fn platform() -> Self {
        Self("platform".to_owned())
    }

    /// The account of `key`.
    pub(crate) fn of(key: &str) -> Result<Self, Refusal> {
        if key.starts_with("limited-") {
            return Err(Refusal::Limited);
        }
        if key.starts_with("broken-") {
            return Err(Refusal::Broken);
        }
        if key.starts_with("revoked-") || key.len() < KEY_BYTES_MIN {
            return Err(Refusal::Unknown);
        }
        let hash = Sha256::digest(key);
        Ok(Self(hash[..6].iter().fold(String::with_capacity(12), |id, byte| id + &format!("{byte:02x}"))))
    }

    /// The value of [`ACCOUNT_HEADER`].
    pub(crate) fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).expect("accounts are letters and digits")
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The key that a call carries; a header in another scheme than `Bearer` is an unknown key.
pub(crate) fn given(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let Some(value) = headers.get(AUTHORIZATION) else {
        return Ok(None);
    };
    let key = value.to_str().ok().and_then(|value| value.split_once(' '));
    match key {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(key.trim())),
        _ => Err(Refusal::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("revoked-0123456789", Refusal::Unknown)]
    #[case("", Refusal::Unknown)]
    #[case("fifteen-letters", Refusal::Unknown)]
    #[case("limited-0123456789", Refusal::Limited)]
    #[case("limited-", Refusal::Limited)]
    #[case("broken-0123456789", Refusal::Broken)]
    fn a_key_says_why_it_is_no_good(#[case] key: &str, #[case] refusal: Refusal) {
        assert_eq!(Account::of(key), Err(refusal));
    }

    #[test]
    fn each_good_key_has_an_account_of_its_own() {
        let account = |key| Account::of(key).unwrap();
        assert_eq!(account("sixteen-letters!"), account("sixteen-letters!"));
        assert_ne!(account("sixteen-letters!"), account("sixteen-letters?"));
        assert_ne!(account("sixteen-letters!"), Account::platform());
        assert_eq!(account("sixteen-letters!").to_string().len(), 12);
        assert!(!account("sixteen-letters!").to_string().contains("sixteen"));
    }

    #[rstest]
    #[case::none(None, Ok(None))]
    #[case::bearer(Some("Bearer abc"), Ok(Some("abc")))]
    #[case::any_case(Some("bearer  abc "), Ok(Some("abc")))]
    #[case::other_scheme(Some("Basic abc"), Err(Refusal::Unknown))]
    #[case::no_scheme(Some("abc"), Err(Refusal::Unknown))]
    fn the_key_is_read_from_the_header(#[case] header: Option<&str>, #[case] expected: Result<Option<&str>, Refusal>) {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(AUTHORIZATION, header.parse().unwrap());
        }
        assert_eq!(given(&headers), expected);
    }
}
