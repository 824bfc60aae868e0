//! Access and refresh tokens: HS256 JWTs, checked without asking anyone.
//!
//! A token names its key in its header (`kid`), so keys can be changed while tokens are out: the first key signs, every
//! key verifies, and a key is taken away when the last token that it signed has expired.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode, errors::ErrorKind,
};
use moka::sync::Cache;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::config::{DEFAULT_ID, SigningKey};

/// Life of an access token.
pub(crate) const ACCESS_LIFE: SignedDuration = SignedDuration::from_mins(60);
/// Life of a refresh token.
const REFRESH_LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Difference of clocks that is forgiven, in seconds.
const LEEWAY_S: u64 = 5;
/// Access tokens whose claims are remembered.
const VERIFIED_MAX: u64 = 20_000;
/// What an administrator's token has besides the scopes of every user.
pub(crate) const ADMIN_SCOPE: &str = "admin:access";
const SCOPES: [&str; 6] = ["trips:read", "trips:write", "flights:read", "chat:access", "memory:read", "memory:write"];

/// Signs and checks tokens.
pub(crate) struct Tokens {
    /// Signs.
    encoding: EncodingKey,
    header: Header,
    /// All that verify, by id.
    decoding: Vec<(String, DecodingKey)>,
    validation: Validation,
    /// What good access tokens say, by the SHA-256 of the token: checking one again is most of a cached answer's work.
    verified: Cache<[u8; 32], Arc<Claims>>,
    /// E-mail addresses of administrators, in normal form.
    admins: Vec<String>,
}

/// What a token says.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(crate) struct Claims {
    pub(crate) sub: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) email: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) iat: i64,
    pub(crate) exp: i64,
    pub(crate) typ: Kind,
    /// Names this token; a refresh token is stored under it.
    pub(crate) jti: Uuid,
}

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Access,
    Refresh,
}

/// Both tokens of a login, and what to store of them.
pub(crate) struct TokenPair {
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) refresh_id: Uuid,
    pub(crate) refresh_expires_at: Timestamp,
}

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    /// It was good once.
    #[error("token has expired")]
    Expired,
    /// Not a token, not ours, or not of the kind asked for.
    #[error("token is not valid")]
    Invalid,
}

impl Tokens {
    /// Tokens of these keys, of which the first one signs. There is always one, see [`crate::config::Keys`].
    pub(crate) fn new(keys: &[SigningKey], admins: Vec<String>) -> Self {
        let bytes = |key: &SigningKey| key.secret.expose_secret().as_bytes().to_vec();
        let first = keys.first().expect("a configuration has a signing key");
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(first.id.clone());
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY_S;
        Self {
            encoding: EncodingKey::from_secret(&bytes(first)),
            header,
            decoding: keys.iter().map(|key| (key.id.clone(), DecodingKey::from_secret(&bytes(key)))).collect(),
            validation,
            verified: Cache::new(VERIFIED_MAX),
            admins,
        }
    }

    /// New tokens for a user.
    pub(crate) fn issue(&self, user_id: Uuid, email: &str, now: Timestamp) -> TokenPair {
        let refresh_id = Uuid::new_v4();
        let admin_scope = self.is_admin(email).then_some(ADMIN_SCOPE);
        let sign = |typ, jti, life: SignedDuration| {
            let claims = Claims {
                sub: user_id,
                user_id,
                email: email.to_owned(),
                scopes: SCOPES.into_iter().chain(admin_scope).map(str::to_owned).collect(),
                iat: now.as_second(),
                exp: (now + life).as_second(),
                typ,
                jti,
            };
            encode(&self.header, &claims, &self.encoding).expect("HS256 signs any claims that are JSON")
        };
        TokenPair {
            access: sign(Kind::Access, Uuid::new_v4(), ACCESS_LIFE),
            refresh: sign(Kind::Refresh, refresh_id, REFRESH_LIFE),
            refresh_id,
            refresh_expires_at: now + REFRESH_LIFE,
        }
    }

    /// Whether the user with that e-mail address, in its normal form, is an administrator.
    pub(crate) fn is_admin(&self, email: &str) -> bool {
        self.admins.iter().any(|admin| admin == email)
    }

    /// Checks an access token; one that was good before only has its time checked.
    ///
    /// # Errors
    /// It is expired, or not valid at all.
    pub(crate) fn access(&self, token: &str, now: Timestamp) -> Result<Arc<Claims>, TokenError> {
        let digest = Sha256::digest(token).into();
        if let Some(claims) = self.verified.get(&digest) {
            let is_alive = claims.exp.saturating_add_unsigned(LEEWAY_S) >= now.as_second();
            return if is_alive { Ok(claims) } else { Err(TokenError::Expired) };
        }
        let claims = Arc::new(self.verify(token, Kind::Access)?);
        self.verified.insert(digest, Arc::clone(&claims));
        Ok(claims)
    }

    /// Checks key, signature, kind and time.
    ///
    /// # Errors
    /// It is expired, or not valid at all.
    pub(crate) fn verify(&self, token: &str, kind: Kind) -> Result<Claims, TokenError> {
        let header = decode_header(token).map_err(|_| TokenError::Invalid)?;
        // Tokens from before keys had ids name none.
        let id = header.kid.as_deref().unwrap_or(DEFAULT_ID);
        let key = self.decoding.iter().find(|(known, _)| known == id).map(|(_, key)| key);
        match decode::<Claims>(token, key.ok_or(TokenError::Invalid)?, &self.validation) {
            Ok(data) if data.claims.typ == kind => Ok(data.claims),
            Err(error) if *error.kind() == ErrorKind::ExpiredSignature => Err(TokenError::Expired),
            _ => Err(TokenError::Invalid),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const OTHER: &str = "another key, as long as the other";

    fn ring(keys: &[(&str, &str)]) -> Tokens {
        let key = |(id, secret): &(&str, &str)| SigningKey { id: (*id).to_owned(), secret: (*secret).into() };
        Tokens::new(&keys.iter().map(key).collect::<Vec<_>>(), vec!["root@b.ch".into()])
    }

    fn tokens(key: &str) -> Tokens {
        ring(&[(DEFAULT_ID, key)])
    }

    #[rstest]
    #[case("the same key", &[("a", SECRET)], true)]
    #[case("another key signs by now", &[("b", OTHER), ("a", SECRET)], true)]
    #[case("its key was taken away", &[("b", OTHER)], false)]
    #[case("its key has another id", &[("b", SECRET)], false)]
    #[case("its id has another key", &[("a", OTHER)], false)]
    fn a_token_is_good_as_long_as_its_key_is_there(
        #[case] why: &str,
        #[case] later: &[(&str, &str)],
        #[case] is_good: bool,
    ) {
        let token = ring(&[("a", SECRET)]).issue(Uuid::nil(), "a@b.ch", Timestamp::now()).access;
        assert_eq!(decode_header(&token).unwrap().kid.as_deref(), Some("a"));
        let verified = ring(later).verify(&token, Kind::Access);
        assert_eq!(verified.map(|_| ()), if is_good { Ok(()) } else { Err(TokenError::Invalid) }, "{why}");
    }

    #[test]
    fn a_token_from_before_keys_had_ids_is_of_the_default_key() {
        let mut before = tokens(SECRET);
        before.header.kid = None;
        let token = before.issue(Uuid::nil(), "a@b.ch", Timestamp::now()).access;
        assert!(ring(&[("a", OTHER), (DEFAULT_ID, SECRET)]).verify(&token, Kind::Access).is_ok());
        assert_eq!(ring(&[("a", SECRET)]).verify(&token, Kind::Access).unwrap_err(), TokenError::Invalid);
    }

    #[test]
    fn each_token_is_good_for_its_kind_key_and_time_only() {
        let (ours, theirs) = (tokens(SECRET), tokens(OTHER));
        let now = Timestamp::now();
        let pair = ours.issue(Uuid::nil(), "a@b.ch", now);
        assert_eq!(ours.verify(&pair.access, Kind::Access).unwrap().email, "a@b.ch");
        assert_eq!(ours.verify(&pair.refresh, Kind::Refresh).unwrap().jti, pair.refresh_id);
        let refused = |token: &str, kind| ours.verify(token, kind).unwrap_err();
        assert_eq!(refused(&pair.refresh, Kind::Access), TokenError::Invalid);
        assert_eq!(refused(&pair.access, Kind::Refresh), TokenError::Invalid);
        assert_eq!(refused("", Kind::Access), TokenError::Invalid);
        assert_eq!(refused(&format!("{}x", pair.access), Kind::Access), TokenError::Invalid);
        assert_eq!(theirs.verify(&pair.access, Kind::Access).unwrap_err(), TokenError::Invalid);
        let old = ours.issue(Uuid::nil(), "a@b.ch", now - ACCESS_LIFE - SignedDuration::from_secs(6));
        assert_eq!(refused(&old.access, Kind::Access), TokenError::Expired);
        assert!(ours.verify(&old.refresh, Kind::Refresh).is_ok());
    }

    #[test]
    fn a_token_that_was_good_before_still_expires() {
        let (tokens, now) = (tokens(SECRET), Timestamp::now());
        let pair = tokens.issue(Uuid::nil(), "a@b.ch", now);
        let later =
            |seconds| tokens.access(&pair.access, now + SignedDuration::from_secs(seconds)).map(|claims| claims.exp);
        let expires = now.as_second() + 3_600;
        assert_eq!(later(0), Ok(expires));
        assert_eq!(later(3_605), Ok(expires));
        assert_eq!(later(3_606), Err(TokenError::Expired));
        assert_eq!(tokens.access(&pair.refresh, now).unwrap_err(), TokenError::Invalid);
        assert_eq!(tokens.access(&pair.refresh, now).unwrap_err(), TokenError::Invalid);
    }

    #[test]
    fn only_an_administrators_access_token_has_their_scope() {
        let tokens = tokens(SECRET);
        let is_admin = |email| {
            let pair = tokens.issue(Uuid::nil(), email, Timestamp::now());
            tokens.verify(&pair.access, Kind::Access).unwrap().scopes.contains(&ADMIN_SCOPE.to_owned())
        };
        assert!(is_admin("root@b.ch"));
        assert!(!is_admin("a@b.ch"));
    }

    #[test]
    fn an_unsigned_token_is_refused() {
        // {"alg":"none","typ":"JWT"} and claims that would do.
        let token = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJleHAiOjk5OTk5OTk5OTl9.";
        assert_eq!(tokens(SECRET).verify(token, Kind::Access).unwrap_err(), TokenError::Invalid);
    }
}
