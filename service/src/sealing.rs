//! Secrets at rest: each is encrypted with a data key of its own, and the data key with a master key.
//!
//! ```text
//!   v1 . <master key's id> . <data key, sealed by the master key> . <secret, sealed by the data key>
//! ```
//!
//! Both seals are AES-256-GCM with a random nonce in front and bound to the place (table, row, column) where the text is
//! kept: moved elsewhere it does not open. Another master key only needs the data key wrapped anew, see [`Sealer::rewrapped`].

use std::fmt;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    rand,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::config::{MASTER_KEY_BYTES, MasterKey};

const VERSION: &str = "v1";

/// Seals and opens secrets.
pub(crate) struct Sealer {
    /// The first one seals.
    masters: Vec<Master>,
}

/// Where a sealed text is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) table: &'static str,
    pub(crate) column: &'static str,
    pub(crate) row: Uuid,
}

/// Why a secret cannot be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SealError {
    /// No master key is configured.
    #[error("no master key is configured")]
    NoMasterKey,
    /// It was sealed with a master key that is not configured.
    #[error("{place} is sealed with master key `{id}`, which is not configured")]
    UnknownMasterKey { place: Place, id: String },
    /// It is not what was sealed there: changed, cut, moved, or sealed with another key of that name.
    #[error("{place} does not open")]
    Broken { place: Place },
    /// The cipher or its source of randomness fails.
    #[error("{place} cannot be sealed")]
    Refused { place: Place },
}

struct Master {
    id: String,
    key: RandomizedNonceKey,
}

/// A sealed text, taken apart.
struct Sealed<'a> {
    master_id: &'a str,
    data_key: &'a str,
    secret: &'a str,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} of {}", self.table, self.column, self.row)
    }
}

impl Sealer {
    /// A sealer with these master keys, the one that seals first.
    pub(crate) fn new(masters: &[MasterKey]) -> Self {
        let master = |master: &MasterKey| Master { id: master.id.clone(), key: cipher(master.secret.expose_secret()) };
        Self { masters: masters.iter().map(master).collect() }
    }

    /// The id of the master key that seals.
    pub(crate) fn current(&self) -> Option<&str> {
        self.masters.first().map(|master| master.id.as_str())
    }

    /// What every text begins with that is sealed by the present master key.
    pub(crate) fn current_prefix(&self) -> Option<String> {
        self.current().map(|id| format!("{VERSION}.{id}."))
    }

    /// Seals a secret for a place.
    ///
    /// # Errors
    /// There is no master key, or the cipher fails.
    pub(crate) fn seal(&self, secret: &SecretString, place: Place) -> Result<String, SealError> {
        let master = self.masters.first().ok_or(SealError::NoMasterKey)?;
        let mut data_key = Zeroizing::new([0; MASTER_KEY_BYTES]);
        rand::fill(data_key.as_mut()).map_err(|_| SealError::Refused { place })?;
        let secret = sealed(&cipher(&data_key), secret.expose_secret().as_bytes(), &data_bound(place), place)?;
        master.wrap(&data_key, &secret, place)
    }

    /// Opens what was sealed for a place.
    ///
    /// # Errors
    /// It was not sealed for this place with a master key that is known.
    pub(crate) fn open(&self, text: &str, place: Place) -> Result<SecretString, SealError> {
        let parts = Sealed::parse(text).ok_or(SealError::Broken { place })?;
        let data_key = self.data_key(&parts, place)?;
        let secret = opened(&cipher(&data_key), parts.secret, &data_bound(place), place)?;
        std::str::from_utf8(&secret).map(SecretString::from).map_err(|_| SealError::Broken { place })
    }

    /// The same secret under the present master key; none when it is that already. The secret itself is not opened.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub(crate) fn rewrapped(&self, text: &str, place: Place) -> Result<Option<String>, SealError> {
        let parts = Sealed::parse(text).ok_or(SealError::Broken { place })?;
        let master = self.masters.first().ok_or(SealError::NoMasterKey)?;
        if parts.master_id == master.id {
            return Ok(None);
        }
        let data_key = self.data_key(&parts, place)?;
        master.wrap(&data_key, parts.secret, place).map(Some)
    }

    fn data_key(&self, parts: &Sealed<'_>, place: Place) -> Result<Zeroizing<[u8; MASTER_KEY_BYTES]>, SealError> {
        let unknown = || SealError::UnknownMasterKey { place, id: parts.master_id.to_owned() };
        let master = self.masters.iter().find(|master| master.id == parts.master_id).ok_or_else(unknown)?;
        let bytes = opened(&master.key, parts.data_key, &key_bound(&master.id, place), place)?;
        let key = <[u8; MASTER_KEY_BYTES]>::try_from(bytes.as_slice()).map_err(|_| SealError::Broken { place })?;
        Ok(Zeroizing::new(key))
    }
}

impl Master {
    /// The whole text: the data key under this master key, and the secret as sealed before.
    fn wrap(&self, data_key: &[u8; MASTER_KEY_BYTES], secret: &str, place: Place) -> Result<String, SealError> {
        let data_key = sealed(&self.key, data_key, &key_bound(&self.id, place), place)?;
        Ok(format!("{VERSION}.{}.{data_key}.{secret}", self.id))
    }
}

impl<'a> Sealed<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split('.');
        let mut next = || parts.next();
        let (version, master_id, data_key, secret) = (next()?, next()?, next()?, next()?);
        (version == VERSION && parts.next().is_none()).then_some(Self { master_id, data_key, secret })
    }
}

fn cipher(key: &[u8; MASTER_KEY_BYTES]) -> RandomizedNonceKey {
    RandomizedNonceKey::new(&AES_256_GCM, key).expect("AES-256 takes any 32 bytes as its key")
}

fn data_bound(place: Place) -> String {
    format!("tripsage {VERSION} secret {place}")
}

fn key_bound(master_id: &str, place: Place) -> String {
    format!("tripsage {VERSION} data key of master key {master_id} {place}")
}

/// `nonce ciphertext tag`, as text.
fn sealed(key: &RandomizedNonceKey, plain: &[u8], bound: &str, place: Place) -> Result<String, SealError> {
    // With room for the tag: growing would leave a copy of the plaintext behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(plain.len() + AES_256_GCM.tag_len()));
    bytes.extend_from_slice(plain);
    let nonce =
        key.seal_in_place_append_tag(Aad::from(bound), &mut *bytes).map_err(|_| SealError::Refused { place })?;
    Ok(URL_SAFE_NO_PAD.encode([nonce.as_ref().as_slice(), &bytes].concat()))
}

fn opened(key: &RandomizedNonceKey, text: &str, bound: &str, place: Place) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let broken = || SealError::Broken { place };
    let mut bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).map_err(|_| broken())?);
    let (nonce, body) = bytes.split_at_mut_checked(NONCE_LEN).ok_or_else(broken)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| broken())?;
    let plain = key.open_in_place(nonce, Aad::from(bound), body).map_err(|_| broken())?;
    Ok(Zeroizing::new(plain.to_vec()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rstest::rstest;
    use secrecy::SecretBox;

    use super::*;

    const PLACE: Place = Place { table: "api_keys", column: "secret", row: Uuid::nil() };

    fn sealer(ids: &[(&str, u8)]) -> Sealer {
        let key = |(id, byte): &(&str, u8)| MasterKey {
            id: (*id).to_owned(),
            secret: Arc::new(SecretBox::new(Box::new([*byte; MASTER_KEY_BYTES]))),
        };
        Sealer::new(&ids.iter().map(key).collect::<Vec<_>>())
    }

    fn sealed_by(sealer: &Sealer) -> String {
        sealer.seal(&SecretString::from("sk-canary"), PLACE).unwrap()
    }

    #[rstest]
    #[case("")]
    #[case("sk-canary")]
    #[case("schlüssel")]
    fn what_is_sealed_opens_again_and_never_looks_the_same(#[case] secret: &str) {
        let sealer = sealer(&[("a", 1)]);
        let seal = || sealer.seal(&SecretString::from(secret), PLACE).unwrap();
        let (one, two) = (seal(), seal());
        assert_ne!(one, two);
        assert!(one.starts_with("v1.a.") && (secret.is_empty() || !one.contains(secret)), "{one}");
        assert_eq!(sealer.open(&one, PLACE).unwrap().expose_secret(), secret);
    }

    #[test]
    fn a_change_of_any_character_is_noticed() {
        let sealer = sealer(&[("a", 1)]);
        let text = sealed_by(&sealer);
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'Q' { b'R' } else { b'Q' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(sealer.open(&changed, PLACE).is_err(), "character {at} of {text}");
        }
        for cut in 0..text.len() {
            assert!(sealer.open(&text[..cut], PLACE).is_err(), "cut after {cut} of {text}");
        }
    }

    #[rstest]
    #[case("another row", Place { row: Uuid::max(), ..PLACE })]
    #[case("another column", Place { column: "name", ..PLACE })]
    #[case("another table", Place { table: "users", ..PLACE })]
    fn a_secret_that_was_moved_does_not_open(#[case] why: &str, #[case] place: Place) {
        let sealer = sealer(&[("a", 1), ("b", 2)]);
        let text = sealed_by(&sealer);
        assert_eq!(sealer.open(&text, place).unwrap_err(), SealError::Broken { place }, "{why}");
    }

    #[test]
    fn a_new_master_key_takes_over_without_a_moment_in_which_a_secret_does_not_open() {
        let (old, both, new) = (sealer(&[("a", 1)]), sealer(&[("b", 2), ("a", 1)]), sealer(&[("b", 2)]));
        let text = sealed_by(&old);
        assert_eq!(both.open(&text, PLACE).unwrap().expose_secret(), "sk-canary");
        let unknown = SealError::UnknownMasterKey { place: PLACE, id: "a".into() };
        assert_eq!(new.open(&text, PLACE).unwrap_err(), unknown);
        assert_eq!(new.rewrapped(&text, PLACE).unwrap_err(), unknown);
        let rewrapped = both.rewrapped(&text, PLACE).unwrap().unwrap();
        assert!(rewrapped.starts_with(&both.current_prefix().unwrap()));
        assert_eq!(new.open(&rewrapped, PLACE).unwrap().expose_secret(), "sk-canary");
        assert_eq!(both.rewrapped(&rewrapped, PLACE).unwrap(), None);
    }

    #[test]
    fn another_master_key_of_the_same_name_opens_nothing() {
        let text = sealed_by(&sealer(&[("a", 1)]));
        let other = sealer(&[("a", 2)]);
        assert_eq!(other.open(&text, PLACE).unwrap_err(), SealError::Broken { place: PLACE });
        let none = sealer(&[]);
        assert_eq!(none.seal(&SecretString::from("x"), PLACE).unwrap_err(), SealError::NoMasterKey);
    }
}
