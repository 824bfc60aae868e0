//! On whose account a dependency is called: the platform's, or a user's own.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use jiff::Timestamp;
use secrecy::SecretString;
use tokio::{sync::mpsc, time::Instant};
use uuid::Uuid;

use super::Failure;

/// For whom a dependency is called, and until when.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// When the answer must be here.
    pub(crate) deadline: Instant,
    pub(crate) account: Account,
}

/// Whose key is used, and so who pays.
#[derive(Debug, Clone)]
pub(crate) enum Account {
    /// The platform's: the user has no key for the service.
    Platform,
    /// The user's own.
    Own(Arc<OwnKey>),
    /// Nothing may be called, and why; what is remembered for that payer may still answer.
    Closed { payer: Payer, failure: Failure },
}

/// A user's own key, opened.
#[derive(Debug)]
pub(crate) struct OwnKey {
    pub(crate) id: Uuid,
    /// When its secret was set: a rotated key is another account.
    pub(crate) since: Timestamp,
    pub(crate) secret: SecretString,
    pub(crate) notes: Notes,
}

/// Which answers may be shared: those with the same value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Payer {
    Platform,
    Own { key_id: Uuid, since: Timestamp },
}

/// Tells what became of the uses of a key; each thing once.
#[derive(Debug)]
pub(crate) struct Notes {
    queue: Option<mpsc::Sender<KeyNote>>,
    is_use_known: AtomicBool,
    is_valid: AtomicBool,
}

/// Something to remember about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyNote {
    pub(crate) key_id: Uuid,
    pub(crate) since: Timestamp,
    /// Whether the service took it.
    pub(crate) is_valid: bool,
}

impl Caller {
    /// A call on the platform's own account.
    pub(crate) fn platform(deadline: Instant) -> Self {
        Self { deadline, account: Account::Platform }
    }
}

impl Account {
    /// Whose answers it may see.
    pub(crate) fn payer(&self) -> Payer {
        match self {
            Self::Platform => Payer::Platform,
            Self::Own(key) => Payer::Own { key_id: key.id, since: key.since },
            Self::Closed { payer, .. } => *payer,
        }
    }

    /// The secret to call with.
    ///
    /// # Errors
    /// Why nothing may be called.
    pub(crate) fn secret<'a>(
        &'a self,
        platform: Option<&'a SecretString>,
    ) -> Result<Option<&'a SecretString>, Failure> {
        match self {
            Self::Platform => Ok(platform),
            Self::Own(key) => Ok(Some(&key.secret)),
            Self::Closed { failure, .. } => Err(failure.clone()),
        }
    }

    /// What a failure means on this account: a user's key that is refused or limited says nothing about the service.
    pub(crate) fn owning(&self, failure: Failure) -> Failure {
        match (self, failure) {
            (Self::Own(_), Failure::Unauthorized) => Failure::KeyRefused,
            (Self::Own(_), Failure::RateLimited { retry_after }) => Failure::KeyLimited { retry_after },
            (_, failure) => failure,
        }
    }

    /// Notes how a call ended.
    pub(crate) fn note<T>(&self, outcome: &Result<T, Failure>) {
        let Self::Own(key) = self else { return };
        match outcome {
            Ok(_) => key.note(true),
            Err(Failure::KeyRefused) => key.note(false),
            // Nothing is known about the key.
            Err(_) => {}
        }
    }
}

impl OwnKey {
    fn note(&self, is_valid: bool) {
        let Some(queue) = &self.notes.queue else { return };
        let was_valid = self.notes.is_valid.swap(is_valid, Ordering::Relaxed);
        let was_use_known = self.notes.is_use_known.swap(true, Ordering::Relaxed);
        if was_valid != is_valid || !was_use_known {
            // A full queue loses a note: the next look-up of the key brings the next chance.
            let _ = queue.try_send(KeyNote { key_id: self.id, since: self.since, is_valid });
        }
    }
}

impl Notes {
    /// Notes go to `queue`, unless they say what is known already.
    pub(crate) fn new(queue: mpsc::Sender<KeyNote>, is_use_known: bool, is_valid: bool) -> Self {
        Self { queue: Some(queue), is_use_known: AtomicBool::new(is_use_known), is_valid: AtomicBool::new(is_valid) }
    }

    /// Of a key that is not stored.
    pub(crate) fn none() -> Self {
        Self { queue: None, is_use_known: AtomicBool::new(true), is_valid: AtomicBool::new(true) }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn key(is_use_known: bool, is_valid: bool) -> (Account, mpsc::Receiver<KeyNote>) {
        let (queue, notes) = mpsc::channel(10);
        let notes_of = Notes::new(queue, is_use_known, is_valid);
        let key = OwnKey { id: Uuid::nil(), since: Timestamp::UNIX_EPOCH, secret: "sk".into(), notes: notes_of };
        (Account::Own(Arc::new(key)), notes)
    }

    /// `y` the service takes the key, `n` it refuses it, `-` it is not reached. The notes, in the same letters.
    #[rstest]
    #[case("a first use is noted once", false, true, "yyy", "y")]
    #[case("a use of late is not noted", true, true, "yyy", "")]
    #[case("a refusal is noted", true, true, "ynn", "n")]
    #[case("a key that is taken again is noted", true, false, "nny", "y")]
    #[case("a service that is down says nothing", false, true, "--", "")]
    fn notes_are_about_what_is_new(
        #[case] why: &str,
        #[case] is_use_known: bool,
        #[case] is_valid: bool,
        #[case] uses: &str,
        #[case] expected: &str,
    ) {
        let (account, mut notes) = key(is_use_known, is_valid);
        for letter in uses.chars() {
            account.note(&match letter {
                'y' => Ok(()),
                'n' => Err(Failure::KeyRefused),
                _ => Err(Failure::TimedOut),
            });
        }
        let mut noted = String::new();
        while let Ok(note) = notes.try_recv() {
            noted.push(if note.is_valid { 'y' } else { 'n' });
        }
        assert_eq!(noted, expected, "{why}");
    }

    #[test]
    fn what_befalls_a_users_key_is_not_held_against_the_service() {
        let (own, _notes) = key(true, true);
        for failure in [Failure::Unauthorized, Failure::RateLimited { retry_after: None }] {
            assert!(Account::Platform.owning(failure.clone()).counts_against_dependency());
            assert!(!own.owning(failure).counts_against_dependency());
        }
        assert!(own.owning(Failure::TimedOut).counts_against_dependency());
    }
}
