//! A user's session: an account of its own, registered and logged in before the load starts, and tokens that are renewed in time.
use crate::{
    client::{Client, Failure, bearer, post},
    directory::Directory,
    draw::{Draw, Purpose},
};
use http::{StatusCode, Uri};
use serde::Deserialize;
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// How long registering and logging in may take before the load.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How often a service that cannot right now is asked again before the load.
const ASKED_AGAIN: u32 = 5;
/// How long is waited before the first of these, and by how much longer before each further one.
const PAUSE: Duration = Duration::from_millis(200);
/// How long before its end a token is renewed.
const MARGIN: Duration = Duration::from_secs(60);
/// The part of that time within which the users of a load, which were all logged in at about the same time, renew theirs.
const SPREAD: f64 = 0.25;
/// How long a failed renewal is not tried again.
const RETRY: Duration = Duration::from_secs(5);

/// Why a user has no session.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The service could not be asked.
    #[error("cannot {attempt} as {email}")]
    Ask {
        /// What was attempted.
        attempt: &'static str,
        /// The account.
        email: String,
        /// Why.
        source: Failure,
    },
    /// The service refused.
    #[error("cannot {attempt} as {email}: the service answered {status}{}", with_code(.code))]
    Refused {
        /// What was attempted.
        attempt: &'static str,
        /// The account.
        email: String,
        /// Its status.
        status: StatusCode,
        /// The code in its error body.
        code: Option<String>,
    },
    /// The service answered something else.
    #[error("cannot {attempt} as {email}: the answer is not what the contract says")]
    Unreadable {
        /// What was attempted.
        attempt: &'static str,
        /// The account.
        email: String,
        /// Why.
        source: serde_json::Error,
    },
}

fn with_code(code: &Option<String>) -> String {
    code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default()
}

/// Which account of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Account {
    /// The one whose records are read back, and which other users meet.
    Own,
    /// A second one, for journeys that write without a journal, where others are read back.
    Apart,
}

/// An account and its tokens. The password and the tokens are not shown in logs.
pub(crate) struct Session {
    email: String,
    password: String,
    access_token: String,
    refresh_token: String,
    renew_at: Instant,
    /// When its tokens were given.
    given: Instant,
    /// From 0 to 1: how early it is renewed.
    haste: f64,
    user: u32,
    /// Where other users find it; `None` for one that nobody meets.
    directory: Option<Arc<Directory>>,
}

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    refresh_token: String,
    expires_in: u64,
}

#[derive(Deserialize)]
struct ErrorBody {
    code: String,
}

impl Session {
    /// Registers an account of a user in the directory, and logs in.
    ///
    /// # Errors
    /// When the service cannot be reached, refuses, or answers what is not in the contract.
    pub(crate) async fn open(
        client: &mut Client,
        directory: &Arc<Directory>,
        seed: u64,
        user: u32,
        account: Account,
    ) -> Result<Self, Error> {
        let number = u64::from(user);
        let draw = |purpose| match account {
            Account::Own => Draw::new(seed, purpose, number),
            Account::Apart => Draw::named(seed, purpose, "apart", number),
        };
        let (email, directory) = match account {
            Account::Own => (directory.email(user), Some(directory.clone())),
            Account::Apart => (directory.email_apart(user), None),
        };
        // Four classes of characters, as the service asks; the rest is random.
        let password = format!("Lt-{:016x}", draw(Purpose::Account).bits());
        let registration = json!({ "email": email, "password": password, "full_name": format!("Load User {user}") });
        match ask_patiently(client, "register", &email, REGISTER, &registration, StatusCode::CREATED).await {
            // An earlier attempt did it after all; logging in shows whether that is so.
            (1.., Err(Error::Refused { status: StatusCode::CONFLICT, .. })) => {}
            (_, registered) => drop(registered?),
        }
        let (given, haste) = (Instant::now(), draw(Purpose::Renewal).unit());
        let (access_token, refresh_token) = (String::new(), String::new());
        let mut session =
            Self { email, password, access_token, refresh_token, renew_at: given, given, haste, user, directory };
        let credentials = session.credentials();
        let (_, answer) = ask_patiently(client, "log in", &session.email, LOGIN, &credentials, StatusCode::OK).await;
        session.take(client, "log in", &answer?)?;
        Ok(session)
    }

    /// Lets a client send as this account from now on.
    pub(crate) fn sign_in(&self, client: &mut Client) {
        client.set_bearer(&self.access_token);
    }

    /// When it is to be renewed next.
    pub(crate) fn renew_at(&self) -> Instant {
        self.renew_at
    }

    /// Renews the tokens if they are about to end, with `timeout` for each request. A failure is not an error of the load: the old token
    /// is used as long as it is accepted, and renewing is tried again later. May be given up, and is then due again at once.
    pub(crate) async fn keep_alive(&mut self, client: &mut Client, timeout: Duration) {
        if Instant::now() < self.renew_at {
            return;
        }
        let renewed = match self.renew(client, timeout).await {
            // The refresh token is good for one use; if its answer was lost, the way back is to log in.
            Err(_) => self.log_in(client, timeout).await,
            renewed => renewed,
        };
        if let Err(error) = renewed {
            tracing::debug!(email = self.email, "cannot renew the session of `{}`: {error}", self.email);
            self.renew_at = Instant::now() + RETRY;
        }
    }

    /// The service refuses its token, which was signed with a key that it no longer has, or has ended the session: as a user would, it
    /// is renewed, or logged in again, as soon as its user is free, unless that was done a moment ago.
    pub(crate) fn refused(&mut self) {
        if self.given.elapsed() >= RETRY {
            self.renew_at = Instant::now();
        }
    }

    /// Gets new tokens, because the service no longer takes the old ones.
    pub(crate) async fn restore(&mut self, client: &mut Client, timeout: Duration) {
        self.renew_at = Instant::now();
        self.keep_alive(client, timeout).await;
    }

    async fn renew(&mut self, client: &mut Client, timeout: Duration) -> Result<(), Error> {
        let body = json!({ "refresh_token": self.refresh_token });
        let answer = ask(client, "renew the session", &self.email, (REFRESH, timeout), &body, StatusCode::OK).await?;
        self.take(client, "renew the session", &answer)
    }

    /// What the user logs in with.
    pub(crate) fn credentials(&self) -> serde_json::Value {
        json!({ "email": self.email, "password": self.password })
    }

    /// The address of the user.
    pub(crate) fn email(&self) -> &str {
        &self.email
    }

    async fn log_in(&mut self, client: &mut Client, timeout: Duration) -> Result<(), Error> {
        let body = self.credentials();
        let answer = ask(client, "log in", &self.email, (LOGIN, timeout), &body, StatusCode::OK).await?;
        self.take(client, "log in", &answer)
    }

    fn take(&mut self, client: &mut Client, attempt: &'static str, answer: &[u8]) -> Result<(), Error> {
        let unreadable = |source| Error::Unreadable { attempt, email: self.email.clone(), source };
        let tokens: Tokens = serde_json::from_slice(answer).map_err(unreadable)?;
        (self.access_token, self.refresh_token) = (tokens.access_token, tokens.refresh_token);
        self.sign_in(client);
        let valid = Duration::from_secs(tokens.expires_in);
        if let (Some(directory), Some(bearer)) = (&self.directory, bearer(&self.access_token)) {
            directory.enter(self.user, bearer, Instant::now() + valid);
        }
        self.given = Instant::now();
        self.renew_at = self.given + renew_after(valid, self.haste);
        Ok(())
    }
}

/// How long a token is used: half its time at least.
fn renew_after(valid: Duration, haste: f64) -> Duration {
    valid.saturating_sub(MARGIN).max(valid / 2).mul_f64(1.0 - SPREAD * haste)
}

const REGISTER: &str = "/api/v1/auth/register";
const LOGIN: &str = "/api/v1/auth/login";
const REFRESH: &str = "/api/v1/auth/refresh";

/// Asks before the load. A service that says that it cannot right now (503) is asked again, for a few seconds: many users come at once.
/// With the answer, how often it was asked again.
async fn ask_patiently(
    client: &mut Client,
    attempt: &'static str,
    email: &str,
    path: &'static str,
    body: &serde_json::Value,
    expected: StatusCode,
) -> (u32, Result<Vec<u8>, Error>) {
    let mut again = 0;
    loop {
        match ask(client, attempt, email, (path, TIMEOUT), body, expected).await {
            Err(Error::Refused { status: StatusCode::SERVICE_UNAVAILABLE, .. }) if again < ASKED_AGAIN => {
                again += 1;
                tokio::time::sleep(PAUSE * again).await;
            }
            asked => return (again, asked),
        }
    }
}

async fn ask(
    client: &mut Client,
    attempt: &'static str,
    email: &str,
    (path, timeout): (&'static str, Duration),
    body: &serde_json::Value,
    expected: StatusCode,
) -> Result<Vec<u8>, Error> {
    let request = post(Uri::from_static(path), body.to_string().into_bytes());
    let exchange = client.exchange(request, timeout, None).await;
    let answer = exchange.end.map_err(|source| Error::Ask { attempt, email: email.to_owned(), source })?;
    if answer.status == expected {
        return Ok(answer.body);
    }
    let code = serde_json::from_slice::<ErrorBody>(&answer.body).ok().map(|body| body.code);
    Err(Error::Refused { attempt, email: email.to_owned(), status: answer.status, code })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_who_logged_in_at_the_same_time_do_not_renew_at_the_same_time() {
        let valid = Duration::from_secs(900);
        let mut at: Vec<u64> =
            (0..2_100).map(|user| renew_after(valid, Draw::new(1, Purpose::Renewal, user).unit()).as_secs()).collect();
        at.sort_unstable();
        assert!(at[0] >= 630 && at[at.len() - 1] <= 840, "in the last quarter before the margin: {at:?}");
        let most = at.chunk_by(|left, right| left == right).map(<[u64]>::len).max();
        assert!(most <= Some(30), "ten a second, were it even: {most:?}");
        assert_eq!(renew_after(Duration::from_secs(2), 0.0), Duration::from_secs(1), "half way");
        assert_eq!(renew_after(Duration::ZERO, 0.5), Duration::ZERO);
    }
}
