//! Token refresh: a user logs in once more, renews that session, and looks whether the spent refresh token is refused.
//!
//! It is a session beside the one that the user travels with: using a spent token may end the whole family of tokens it belongs to.
use super::{Journey, Step};
use crate::{
    client::{Answer, bearer, get, post},
    outcome::of_refusal,
    visit::Visit,
    writing::of_expected_refusal,
};
use futures_util::future::BoxFuture;
use http::{StatusCode, Uri, header};
use reports::record::Outcome;
use serde::Deserialize;
use serde_json::{Value, json};

const LOGIN: usize = 0;
const REFRESH: usize = 1;
const ME: usize = 2;
const REUSE: usize = 3;

/// The journey of one renewed session.
pub(super) struct TokenRefresh;

impl Journey for TokenRefresh {
    fn name(&self) -> &'static str {
        "token-refresh"
    }

    fn steps(&self) -> &'static [Step] {
        &[
            Step { name: "auth.login", is_streamed: false },
            Step { name: "auth.refresh", is_streamed: false },
            Step { name: "auth.me", is_streamed: false },
            Step { name: "auth.reuse", is_streamed: false },
        ]
    }

    fn travel<'a>(&'a self, visit: &'a mut Visit<'_>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            renew(visit).await;
        })
    }
}

async fn renew(visit: &mut Visit<'_>) -> Option<()> {
    let (credentials, email) = (visit.credentials()?, visit.email()?);
    let first = tokens(visit, LOGIN, "/api/v1/auth/login", &credentials, None).await?;
    let spend = json!({ "refresh_token": first.refresh_token });
    let second = tokens(visit, REFRESH, "/api/v1/auth/refresh", &spend, Some(&first)).await?;

    let mut request = get(Uri::from_static("/api/v1/users/me"));
    request.headers_mut().insert(header::AUTHORIZATION, bearer(&second.access_token)?);
    visit.ask(ME, request, |answer| judge_me(&email, answer)).await?;
    let request = post(Uri::from_static("/api/v1/auth/refresh"), spend.to_string().into_bytes());
    visit.ask(REUSE, request, |answer| of_expected_refusal(answer, &[StatusCode::UNAUTHORIZED])).await?;
    Some(())
}

async fn tokens(
    visit: &mut Visit<'_>,
    step: usize,
    path: &'static str,
    body: &Value,
    spent: Option<&Tokens>,
) -> Option<Tokens> {
    let request = post(Uri::from_static(path), body.to_string().into_bytes());
    let (outcome, answer) = visit.ask(step, request, |answer| judge_tokens(spent, answer)).await?;
    serde_json::from_slice(&answer.body).ok().filter(|_| outcome == Outcome::Full)
}

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    refresh_token: String,
    expires_in: u64,
}

fn judge_tokens(spent: Option<&Tokens>, answer: &Answer) -> Outcome {
    if answer.status != StatusCode::OK {
        return of_refusal(answer);
    }
    let is_new = |tokens: &Tokens| {
        let is_other = spent.is_none_or(|spent| spent.refresh_token != tokens.refresh_token);
        is_other && tokens.expires_in > 0 && !tokens.access_token.is_empty() && !tokens.refresh_token.is_empty()
    };
    match serde_json::from_slice::<Tokens>(&answer.body) {
        Ok(tokens) if is_new(&tokens) => Outcome::Full,
        _ => Outcome::Wrong,
    }
}

fn judge_me(email: &str, answer: &Answer) -> Outcome {
    if answer.status != StatusCode::OK {
        return of_refusal(answer);
    }
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if body["email"] == email { Outcome::Full } else { Outcome::Wrong }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::tests::answer;

    #[test]
    fn new_tokens_must_be_new_and_of_use() {
        let body = |refresh: &str, expires_in: u64| {
            json!({ "access_token": "a", "refresh_token": refresh, "expires_in": expires_in }).to_string()
        };
        let spent: Tokens = serde_json::from_str(&body("r1", 60)).unwrap();
        let judge = |refresh, expires_in| judge_tokens(Some(&spent), &answer(200, &body(refresh, expires_in)));
        assert_eq!(
            (judge("r2", 60), judge("r1", 60), judge("r2", 0), judge("", 60)),
            (Outcome::Full, Outcome::Wrong, Outcome::Wrong, Outcome::Wrong)
        );
        assert_eq!(judge_tokens(None, &answer(200, "{}")), Outcome::Wrong);
        assert_eq!(judge_tokens(None, &answer(401, "{}")), Outcome::Wrong);
    }

    #[test]
    fn the_token_must_be_that_of_its_user() {
        assert_eq!(judge_me("a@b.c", &answer(200, r#"{"email":"a@b.c"}"#)), Outcome::Full);
        assert_eq!(judge_me("a@b.c", &answer(200, r#"{"email":"x@b.c"}"#)), Outcome::Wrong);
        assert_eq!(judge_me("a@b.c", &answer(401, "{}")), Outcome::Wrong);
    }
}
