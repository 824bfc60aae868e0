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

/// How long registering, logging in and renewing may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long before its end a token is renewed.
const MARGIN: Duration = Duration::from_secs(60);
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

/// An account and its tokens. The password and the tokens are not shown in logs.
pub(crate) struct Session {
    email: String,
    password: String,
    refresh_token: String,
    renew_at: Instant,
    user: u32,
    directory: Arc<Directory>,
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
    /// Registers the account of a user in the directory, and logs in.
    ///
    /// # Errors
    /// When the service cannot be reached, refuses, or answers what is not in the contract.
    pub(crate) async fn open(
        client: &mut Client,
        directory: &Arc<Directory>,
        seed: u64,
        user: u32,
    ) -> Result<Self, Error> {
        let email = directory.email(user);
        // Four classes of characters, as the service asks; the rest is random.
        let password = format!("Lt-{:016x}", Draw::new(seed, Purpose::Account, u64::from(user)).bits());
        let registration = json!({ "email": email, "password": password, "full_name": format!("Load User {user}") });
        ask(client, "register", &email, REGISTER, &registration, StatusCode::CREATED).await?;
        let (renew_at, directory) = (Instant::now(), directory.clone());
        let mut session = Self { email, password, refresh_token: String::new(), renew_at, user, directory };
        session.log_in(client).await?;
        Ok(session)
    }

    /// Renews the tokens if they are about to end. A failure is not an error of the load: the old token is used as long as it is
    /// accepted, and renewing is tried again later.
    pub(crate) async fn keep_alive(&mut self, client: &mut Client) {
        if Instant::now() < self.renew_at {
            return;
        }
        let renewed = match self.renew(client).await {
            // The refresh token is good for one use; if its answer was lost, the way back is to log in.
            Err(_) => self.log_in(client).await,
            renewed => renewed,
        };
        if let Err(error) = renewed {
            tracing::debug!(email = self.email, "cannot renew the session of `{}`: {error}", self.email);
            self.renew_at = Instant::now() + RETRY;
        }
    }

    /// Gets new tokens, because the service no longer takes the old ones.
    pub(crate) async fn restore(&mut self, client: &mut Client) {
        self.renew_at = Instant::now();
        self.keep_alive(client).await;
    }

    async fn renew(&mut self, client: &mut Client) -> Result<(), Error> {
        let body = json!({ "refresh_token": self.refresh_token });
        let answer = ask(client, "renew the session", &self.email, REFRESH, &body, StatusCode::OK).await?;
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

    async fn log_in(&mut self, client: &mut Client) -> Result<(), Error> {
        let body = self.credentials();
        let answer = ask(client, "log in", &self.email, LOGIN, &body, StatusCode::OK).await?;
        self.take(client, "log in", &answer)
    }

    fn take(&mut self, client: &mut Client, attempt: &'static str, answer: &[u8]) -> Result<(), Error> {
        let unreadable = |source| Error::Unreadable { attempt, email: self.email.clone(), source };
        let tokens: Tokens = serde_json::from_slice(answer).map_err(unreadable)?;
        client.set_bearer(&tokens.access_token);
        self.refresh_token = tokens.refresh_token;
        let valid = Duration::from_secs(tokens.expires_in);
        // A token that lives shorter than the margin is renewed half way.
        if let Some(bearer) = bearer(&tokens.access_token) {
            self.directory.enter(self.user, bearer, Instant::now() + valid);
        }
        self.renew_at = Instant::now() + valid.checked_sub(MARGIN).unwrap_or(valid / 2);
        Ok(())
    }
}

const REGISTER: &str = "/api/v1/auth/register";
const LOGIN: &str = "/api/v1/auth/login";
const REFRESH: &str = "/api/v1/auth/refresh";

async fn ask(
    client: &mut Client,
    attempt: &'static str,
    email: &str,
    path: &'static str,
    body: &serde_json::Value,
    expected: StatusCode,
) -> Result<Vec<u8>, Error> {
    let request = post(Uri::from_static(path), body.to_string().into_bytes());
    let exchange = client.exchange(request, TIMEOUT, None).await;
    let answer = exchange.end.map_err(|source| Error::Ask { attempt, email: email.to_owned(), source })?;
    if answer.status == expected {
        return Ok(answer.body);
    }
    let code = serde_json::from_slice::<ErrorBody>(&answer.body).ok().map(|body| body.code);
    Err(Error::Refused { attempt, email: email.to_owned(), status: answer.status, code })
}
