//! Password hashing with argon2id, away from the threads that serve requests, and only as many at once as there are cores.

use std::{sync::Arc, thread::available_parallelism, time::Duration};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

/// Longest wait for a core.
const WAIT: Duration = Duration::from_secs(2);
/// OWASP's parameters for argon2id beside its memory: 2 passes, 1 lane. Source: OWASP Password Storage Cheat Sheet.
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Hashes and checks passwords.
pub(crate) struct Passwords {
    argon2: Argon2<'static>,
    cores: Arc<Semaphore>,
    /// Checked when the user does not exist, so that the time of an answer does not tell.
    decoy: String,
}

/// Why a password could not be hashed or checked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HashError {
    /// Too many wait for a core.
    #[error("too many passwords are being checked")]
    Busy,
    /// Settings or a stored hash that argon2 refuses.
    #[error("password cannot be hashed")]
    Refused(#[source] argon2::password_hash::Error),
    /// Memory settings out of range.
    #[error("argon2 refuses its parameters")]
    Parameters(#[source] argon2::Error),
    /// The hashing thread panicked.
    #[error("password hashing stopped")]
    Stopped(#[source] tokio::task::JoinError),
}

impl Passwords {
    /// # Errors
    /// [`HashError::Parameters`] when `memory_kib` is out of argon2's range.
    pub(crate) fn new(memory_kib: u32) -> Result<Self, HashError> {
        let params = Params::new(memory_kib, PASSES, LANES, None).map_err(HashError::Parameters)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let decoy = hash(&argon2, "a password that nobody has")?;
        let cores = available_parallelism().map_or(1, usize::from);
        Ok(Self { argon2, cores: Arc::new(Semaphore::new(cores)), decoy })
    }

    /// Hashes a new password, into a PHC string.
    pub(crate) async fn hash(&self, password: String) -> Result<String, HashError> {
        let argon2 = self.argon2.clone();
        self.on_a_core(move || hash(&argon2, &password)).await
    }

    /// Whether the password is the one of the hash; takes as long when there is no hash.
    pub(crate) async fn verify(&self, password: String, stored: Option<String>) -> Result<bool, HashError> {
        let argon2 = self.argon2.clone();
        let is_known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.decoy.clone());
        self.on_a_core(move || {
            let stored = PasswordHash::new(&stored).map_err(|error| HashError::Refused(error.into()))?;
            match argon2.verify_password(password.as_bytes(), &stored) {
                Ok(()) => Ok(is_known),
                Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
                Err(error) => Err(HashError::Refused(error)),
            }
        })
        .await
    }

    /// Whether a hash was made with other parameters than those of today: it may be weaker, and it takes another time.
    pub(crate) fn is_outdated(&self, stored: &str) -> bool {
        parameters(stored).ne(parameters(&self.decoy))
    }

    async fn on_a_core<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, HashError> + Send + 'static,
    ) -> Result<T, HashError> {
        let waited = timeout(WAIT, Arc::clone(&self.cores).acquire_owned()).await;
        let Ok(Ok(core)) = waited else { return Err(HashError::Busy) };
        spawn_blocking(move || {
            let _core = core;
            work()
        })
        .await
        .map_err(HashError::Stopped)?
    }
}

/// Algorithm, version and parameters of a PHC string: what stands before the salt.
fn parameters(phc: &str) -> impl Iterator<Item = &str> {
    phc.split('$').take(4)
}

fn hash(argon2: &Argon2<'_>, password: &str) -> Result<String, HashError> {
    Ok(argon2.hash_password(password.as_bytes()).map_err(HashError::Refused)?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_of_a_known_user_passes() {
        let passwords = Passwords::new(8).unwrap();
        let stored = passwords.hash("Abcdef1!".into()).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=8,t=2,p=1$"), "{stored}");
        assert!(passwords.verify("Abcdef1!".into(), Some(stored.clone())).await.unwrap());
        assert!(!passwords.verify("abcdef1!".into(), Some(stored)).await.unwrap());
        assert!(!passwords.verify("a password that nobody has".into(), None).await.unwrap());
        assert!(passwords.verify("x".into(), Some("no hash".into())).await.is_err());
    }

    #[tokio::test]
    async fn a_hash_of_other_parameters_is_outdated_and_still_good() {
        let (before, today) = (Passwords::new(8).unwrap(), Passwords::new(16).unwrap());
        let stored = before.hash("Abcdef1!".into()).await.unwrap();
        assert!(today.is_outdated(&stored) && !before.is_outdated(&stored));
        assert!(today.verify("Abcdef1!".into(), Some(stored.clone())).await.unwrap());
        for (part, other) in [("v=19", "v=16"), ("t=2", "t=1"), ("p=1", "p=2"), ("argon2id", "argon2i")] {
            assert!(before.is_outdated(&stored.replacen(part, other, 1)), "{other}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_a_core_has_an_end() {
        let passwords = Passwords::new(8).unwrap();
        let _all =
            passwords.cores.acquire_many(u32::try_from(passwords.cores.available_permits()).unwrap()).await.unwrap();
        assert!(matches!(passwords.hash("Abcdef1!".into()).await, Err(HashError::Busy)));
    }
}
