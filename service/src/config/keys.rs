//! The secret keys of the service: those that sign tokens, and those that protect what is stored.

use std::{fmt, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret as _, ExposeSecretMut as _, SecretBox, SecretString};

use super::{Error, Vars, secs};

/// Shortest signing key accepted, in bytes: the output size of HS256.
const SIGNING_KEY_BYTES_MIN: usize = 32;
/// Bytes of a key for AES-256.
pub(crate) const MASTER_KEY_BYTES: usize = 32;
/// Longest id of a key.
const ID_CHARS_MAX: usize = 32;
/// The id of the key in `TRIPSAGE_JWT_KEY`, and of every token that names no key.
pub(crate) const DEFAULT_ID: &str = "default";

const JWT_KEY: &str = "TRIPSAGE_JWT_KEY";
const JWT_KEYS: &str = "TRIPSAGE_JWT_KEYS";
const MASTER_KEYS: &str = "TRIPSAGE_MASTER_KEYS";

/// All secret keys. An id is 1 to 32 of `a-z`, `0-9` and `-`.
#[derive(Debug, Clone)]
pub struct Keys {
    /// `TRIPSAGE_JWT_KEYS`: `id:secret` separated by commas, each secret at least 32 bytes; the first one signs, all
    /// verify. `TRIPSAGE_JWT_KEY`: one secret with the id `default`; it comes last, so it signs when it is alone. One of
    /// the two is required.
    pub signing: Vec<SigningKey>,
    /// `TRIPSAGE_MASTER_KEYS`: `id:secret` separated by commas, each secret 32 bytes in base64 or hex; the first one seals,
    /// all open. What is sealed with another one is sealed anew at start. Without any, users cannot store keys of their own (503).
    pub master: Vec<MasterKey>,
    /// `TRIPSAGE_USER_KEY_TTL`: how long a look-up of a user's own keys is used: the longest time for which a key that was
    /// rotated or deleted on one instance is still used by another. Default `5s`.
    pub user_key_ttl: Duration,
}

/// A secret that signs tokens.
#[derive(Debug, Clone)]
pub struct SigningKey {
    /// What tokens call it.
    pub id: String,
    /// The secret itself.
    pub secret: SecretString,
}

/// A secret that wraps the keys of stored secrets.
#[derive(Clone)]
pub struct MasterKey {
    /// What sealed values call it.
    pub id: String,
    /// The secret itself.
    pub secret: Arc<SecretBox<[u8; MASTER_KEY_BYTES]>>,
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Keys {
    pub(super) fn read(vars: &mut Vars) -> Result<Self, Error> {
        Ok(Self {
            signing: signing_keys(vars)?,
            master: master_keys(vars.text(MASTER_KEYS).as_deref())?,
            user_key_ttl: vars.duration("TRIPSAGE_USER_KEY_TTL", secs(5))?,
        })
    }
}

fn signing_keys(vars: &mut Vars) -> Result<Vec<SigningKey>, Error> {
    const HINT: &str = "set it to a random secret of at least 32 bytes, for example from `openssl rand -hex 32`";
    const EXPECTED: &str = "id:secret separated by commas, each id once and each secret at least 32 bytes long";
    let (several, single) = (vars.text(JWT_KEYS), vars.text(JWT_KEY));
    if several.is_none() && single.is_none() {
        return Err(Error::Missing { name: JWT_KEY, hint: HINT });
    }
    let mut keys = match several {
        None => Vec::new(),
        Some(text) => {
            let keys = parsed_signing_keys(&text).filter(|keys| !keys.is_empty());
            keys.ok_or_else(|| Error::Invalid { name: JWT_KEYS, value: "****".into(), expected: EXPECTED })?
        }
    };
    if let Some(secret) = single {
        let key = SigningKey { id: DEFAULT_ID.into(), secret: secret.into() };
        if key.secret.expose_secret().len() < SIGNING_KEY_BYTES_MIN {
            return Err(Error::Invalid { name: JWT_KEY, value: "****".into(), expected: "at least 32 bytes long" });
        }
        if keys.iter().all(|known| known.id != DEFAULT_ID) {
            keys.push(key);
        }
    }
    Ok(keys)
}

/// Signing keys written as `id:secret,id:secret`; none when one of them cannot be used.
fn parsed_signing_keys(text: &str) -> Option<Vec<SigningKey>> {
    named(text, |id, secret| {
        (secret.len() >= SIGNING_KEY_BYTES_MIN).then(|| SigningKey { id: id.into(), secret: secret.into() })
    })
}

fn master_keys(text: Option<&str>) -> Result<Vec<MasterKey>, Error> {
    const EXPECTED: &str = "id:secret separated by commas, each id once and each secret 32 bytes in base64 or hex, as from `openssl rand -base64 32`";
    let parse = |id: &str, secret: &str| {
        let mut bytes = SecretBox::<[u8; MASTER_KEY_BYTES]>::default();
        decode(secret, bytes.expose_secret_mut())?;
        Some(MasterKey { id: id.into(), secret: Arc::new(bytes) })
    };
    named(text.unwrap_or_default(), parse).ok_or_else(|| Error::Invalid {
        name: MASTER_KEYS,
        value: "****".into(),
        expected: EXPECTED,
    })
}

/// Fills `bytes` from base64 or hex; none when the text is not exactly that many bytes. The two differ in length.
fn decode(text: &str, bytes: &mut [u8; MASTER_KEY_BYTES]) -> Option<()> {
    if text.len() == 2 * MASTER_KEY_BYTES {
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digits = digits.iter().map(|digit| char::from(*digit).to_digit(16));
            *byte = digits.into_iter().try_fold(0, |byte, digit| Some(byte << 4 | u8::try_from(digit?).ok()?))?;
        }
        return Some(());
    }
    let length = STANDARD.decode_slice(text, bytes).ok()?;
    (length == MASTER_KEY_BYTES).then_some(())
}

/// The items of `id:secret,id:secret`, each read by `parse`; none when one cannot be read or an id is there twice.
fn named<T>(text: &str, parse: impl Fn(&str, &str) -> Option<T>) -> Option<Vec<T>> {
    let is_id = |id: &str| {
        let is_allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        (1..=ID_CHARS_MAX).contains(&id.len()) && id.bytes().all(is_allowed)
    };
    let mut ids: Vec<&str> = Vec::new();
    let mut items = Vec::new();
    for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let (id, secret) = item.split_once(':')?;
        if !is_id(id) || ids.contains(&id) {
            return None;
        }
        ids.push(id);
        items.push(parse(id, secret)?);
    }
    Some(items)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const MASTER: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn read(vars: &[(&str, String)]) -> Result<Keys, Error> {
        Keys::read(&mut Vars::new(vars.iter().map(|(name, value)| ((*name).to_owned(), value.clone()))))
    }

    #[rstest]
    #[case("one", &[(JWT_KEY, SECRET.into())], "default")]
    #[case("several", &[(JWT_KEYS, format!("b:{SECRET},a:{SECRET}"))], "b a")]
    #[case("several and the one from before", &[(JWT_KEYS, format!("b:{SECRET}")), (JWT_KEY, SECRET.into())], "b default")]
    #[case("a secret with a colon", &[(JWT_KEYS, format!("b:x:{SECRET}"))], "b")]
    fn the_first_key_signs(#[case] why: &str, #[case] vars: &[(&str, String)], #[case] expected: &str) {
        let keys = read(vars).unwrap();
        let ids: Vec<_> = keys.signing.iter().map(|key| key.id.as_str()).collect();
        assert_eq!(ids.join(" "), expected, "{why}");
    }

    #[rstest]
    #[case("too short", JWT_KEYS, "a:short".into())]
    #[case("commas without a key", JWT_KEYS, " , ".into())]
    #[case("no id", JWT_KEYS, SECRET.into())]
    #[case("an empty id", JWT_KEYS, format!(":{SECRET}"))]
    #[case("an id twice", JWT_KEYS, format!("a:{SECRET},a:{SECRET}"))]
    #[case("an id with a dot", JWT_KEYS, format!("a.b:{SECRET}"))]
    #[case("not base64", MASTER_KEYS, "a:*".into())]
    #[case("31 bytes", MASTER_KEYS, "a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==".into())]
    #[case("33 bytes", MASTER_KEYS, "a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g".into())]
    #[case("64 characters that are not hex", MASTER_KEYS, format!("a:{}", "x".repeat(64)))]
    #[case("an id twice", MASTER_KEYS, format!("a:{MASTER},a:{MASTER}"))]
    #[case("an id with a wildcard", MASTER_KEYS, format!("a%:{MASTER}"))]
    fn a_key_that_cannot_be_used_is_refused_without_showing_it(
        #[case] why: &str,
        #[case] name: &'static str,
        #[case] value: String,
    ) {
        let error = read(&[(JWT_KEY, SECRET.into()), (name, value)]).unwrap_err();
        assert!(matches!(&error, Error::Invalid { name: at, value, .. } if *at == name && value == "****"), "{why}");
    }

    #[test]
    fn master_keys_are_read_in_their_order_and_never_shown() {
        let hex: String = (0..32).map(|byte| format!("{byte:02x}")).collect();
        let keys = read(&[(JWT_KEY, SECRET.into()), (MASTER_KEYS, format!("new:{MASTER}, old:{hex}"))]).unwrap();
        assert_eq!(keys.master.iter().map(|key| key.id.as_str()).collect::<Vec<_>>(), ["new", "old"]);
        for key in &keys.master {
            assert_eq!(key.secret.expose_secret()[..], (0..32).collect::<Vec<u8>>());
        }
        let shown = format!("{keys:?}");
        assert!(!shown.contains("31") && !shown.contains("AAEC") && !shown.contains("0123456789"), "{shown}");
    }
}
