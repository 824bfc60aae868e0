//! Who else is there: the address of every user of a load, and the access token that it uses now, so that a journey can meet others.
use http::HeaderValue;
use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;

/// The users of one load.
#[derive(Debug)]
pub(crate) struct Directory {
    run: String,
    entries: Vec<Mutex<Option<Entry>>>,
}

#[derive(Debug, Clone)]
struct Entry {
    bearer: HeaderValue,
    good_until: Instant,
}

/// Another user of the load, whom a journey acts as for a request or two.
#[derive(Debug, Clone)]
pub struct Guest {
    pub(crate) index: u32,
    pub(crate) email: String,
    pub(crate) bearer: HeaderValue,
}

impl Directory {
    pub(crate) fn new(run: &str, users: u32) -> Self {
        Self { run: run.to_owned(), entries: (0..users).map(|_| Mutex::default()).collect() }
    }

    /// The e-mail address of a user. The run's name tells the accounts of one run from those of another.
    pub(crate) fn email(&self, user: u32) -> String {
        format!("{}-{user}@load.example.com", self.run).to_lowercase()
    }

    /// The address of a user's second account, which nobody meets.
    pub(crate) fn email_apart(&self, user: u32) -> String {
        format!("{}-{user}-apart@load.example.com", self.run).to_lowercase()
    }

    /// Enters the token that a user has now.
    pub(crate) fn enter(&self, user: u32, bearer: HeaderValue, good_until: Instant) {
        if let Some(entry) = self.entries.get(user as usize) {
            *entry.lock().unwrap_or_else(PoisonError::into_inner) = Some(Entry { bearer, good_until });
        }
    }

    /// The first user from `start` on, round and round, who is logged in and is none of `others`.
    pub(crate) fn find(&self, start: u32, others: &[u32]) -> Option<Guest> {
        let count = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        let in_turn = (0..count).map(|step| ((u64::from(start) + u64::from(step)) % u64::from(count)) as u32);
        in_turn.filter(|user| !others.contains(user)).find_map(|index| self.guest(index))
    }

    fn guest(&self, index: u32) -> Option<Guest> {
        let entry = self.entries[index as usize].lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let is_good = Instant::now() < entry.good_until;
        is_good.then(|| Guest { index, email: self.email(index), bearer: entry.bearer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn one_meets_users_who_are_logged_in_and_not_oneself() {
        let directory = Directory::new("Run-1", 4);
        assert!(directory.find(0, &[]).is_none(), "nobody is logged in yet");
        let in_a_minute = Instant::now() + Duration::from_secs(60);
        (0..3).for_each(|user| directory.enter(user, HeaderValue::from_static("Bearer x"), in_a_minute));
        directory.enter(9, HeaderValue::from_static("Bearer x"), in_a_minute);
        let found = |start, others: &[u32]| directory.find(start, others).map(|guest| guest.index);
        assert_eq!(
            (found(1, &[0]), found(1, &[1]), found(3, &[0]), found(2, &[0, 1, 2])),
            (Some(1), Some(2), Some(1), None)
        );
        assert_eq!(directory.find(0, &[]).unwrap().email, "run-1-0@load.example.com");
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(found(0, &[]), None, "their tokens have ended");
    }
}
