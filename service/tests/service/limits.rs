//! Rate limits: 60 a minute, 1000 an hour, 10 000 a day, 10 at once. The long windows are tested in `domain/quota.rs`.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{
    redis_server::RedisServer,
    stack::{Answer, PASSWORD, Stack, User, read, until},
};

const ME: &str = "/api/v1/users/me";
/// A tenth of each limit: one at once and one in ten seconds, 2 chats and 1 key operation a minute.
const TENTH: (&str, &str) = ("TRIPSAGE_RATE_LIMIT_FACTOR", "0.1");
/// A machine that is busy with other tests is no failure of Redis.
const PATIENT: (&str, &str) = ("TRIPSAGE_REDIS_TIMEOUT", "5s");

/// A service with limits, behind a proxy: the test.
async fn limited(settings: &[(&str, &str)]) -> Stack {
    let on = [("TRIPSAGE_RATE_LIMITS", "on"), ("TRIPSAGE_TRUSTED_PROXIES", "127.0.0.1")];
    Stack::start(&[&on, settings].concat()).await
}

/// Registers and logs in, from two addresses of which nobody else comes.
async fn user(stack: &Stack, number: u8) -> User {
    let email = format!("limited{number}@example.org");
    let body = json!({"email": email, "password": PASSWORD});
    let from = |part: &str, network: u8| {
        let address = format!("198.51.{network}.{number}");
        let path = format!("/api/v1/auth/{part}");
        let body = body.clone();
        async move { stack.send_with(Method::POST, &path, None, Some(&body), &[("x-forwarded-for", &address)]).await }
    };
    assert_eq!(from("register", 100).await.status, 201);
    let login = from("login", 101).await.json();
    let text = |field: &str| login[field].as_str().unwrap().to_owned();
    User { token: text("access_token"), refresh_token: text("refresh_token"), email }
}

fn position(answer: &Answer) -> (&str, &str, &str) {
    (answer.header("x-ratelimit-scope"), answer.header("x-ratelimit-limit"), answer.header("x-ratelimit-remaining"))
}

fn is_refused(answer: &Answer) -> bool {
    answer.status == 429
}

#[tokio::test]
async fn ten_at_once_pass_and_who_waits_as_told_is_admitted() {
    let stack = limited(&[]).await;
    let user = user(&stack, 1).await;
    let first = stack.get(ME, &user).await;
    assert_eq!((first.status.as_u16(), position(&first)), (200, ("user", "60", "59")));
    let reset: u64 = first.header("x-ratelimit-reset").parse().unwrap();
    assert!((1..=60).contains(&reset), "{reset}");

    let started = Instant::now();
    let answers = join_all((0..40).map(|_| stack.get(ME, &user))).await;
    let admitted = answers.iter().filter(|answer| answer.status == 200).count() as u64;
    // One of the ten may be spent by the request before; one more comes with each second.
    let most = 10 + started.elapsed().as_secs() + 1;
    assert!((9..=most).contains(&admitted), "{admitted} of at most {most}");

    let refused = answers.iter().find(|answer| is_refused(answer)).unwrap();
    assert_eq!(refused.error(), (429, "RATE_LIMIT_EXCEEDED".into()));
    assert_eq!(refused.json()["type"], "ratelimit");
    assert_eq!(refused.json()["details"], json!({"scope": "user", "limit": 10, "retry_after": 1}));
    assert_eq!(position(refused), ("user", "10", "0"));
    assert_eq!((refused.header("retry-after"), refused.header("x-ratelimit-reset")), ("1", "1"));
    let count = stack.metric("tripsage_rate_limited_total{scope=\"user\"}").await;
    assert_eq!(count, (40 - admitted) as f64);

    // The promise is about time, so that time has to pass.
    sleep(Duration::from_secs(1)).await;
    assert_eq!(stack.get(ME, &user).await.status, 200);
}

#[tokio::test]
async fn each_user_has_a_limit_of_their_own() {
    let stack = limited(&[TENTH]).await;
    let (ann, ben) = (user(&stack, 1).await, user(&stack, 2).await);
    assert_eq!(stack.get(ME, &ann).await.status, 200);
    let refused = stack.get(ME, &ann).await;
    assert!(is_refused(&refused));
    assert!(["9", "10"].contains(&refused.header("retry-after")), "{refused:?}");
    assert_eq!(stack.get(ME, &ben).await.status, 200);
}

#[tokio::test]
async fn chats_have_a_narrower_limit_too() {
    let stack = limited(&[("TRIPSAGE_RATE_LIMIT_FACTOR", "0.05")]).await;
    let user = user(&stack, 1).await;
    let body = json!({"messages": [{"role": "user", "content": "Hello"}], "stream": false});
    let answer = stack.post("/api/v1/chat", &user, &body).await;
    assert_eq!((answer.status.as_u16(), position(&answer)), (200, ("chat", "1", "0")));
    let refused = stack.post("/api/v1/chat", &user, &body).await;
    // 3 requests a minute are one in 20 s, one chat a minute is the longer wait.
    assert_eq!((refused.status.as_u16(), position(&refused)), (429, ("chat", "1", "0")));
    assert_eq!(stack.metric("tripsage_rate_limited_total{scope=\"chat\"}").await, 1.0);
}

#[tokio::test]
async fn an_address_has_twelve_a_minute_without_a_token() {
    let stack = limited(&[]).await;
    let user = user(&stack, 1).await;
    let login = json!({"email": "nobody@example.org", "password": "Wrong-1-wrong"});
    let from = |address: &'static str, path: &'static str, token: Option<&'static str>| {
        let stack = &stack;
        let login = &login;
        async move {
            let headers = [("x-forwarded-for", address)];
            stack.send_with(Method::POST, path, token, Some(login), &headers).await
        }
    };
    for left in (0..12).rev() {
        // With and without something that is no token, at a route of `auth` and elsewhere.
        let (path, token) =
            if left % 2 == 0 { ("/api/v1/auth/login", None) } else { ("/api/v1/trips", Some("no token")) };
        let answer = from("203.0.113.5", path, token).await;
        assert_eq!((answer.status.as_u16(), position(&answer)), (401, ("ip", "12", left.to_string().as_str())));
    }
    let refused = from("203.0.113.5", "/api/v1/auth/login", None).await;
    assert_eq!(refused.error(), (429, "RATE_LIMIT_EXCEEDED".into()));
    assert_eq!(from("203.0.113.6", "/api/v1/auth/login", None).await.status, 401);
    // Passwords are guessed from an address, also by one who is logged in.
    let headers = [("x-forwarded-for", "203.0.113.5")];
    let guess = stack.send_with(Method::POST, "/api/v1/auth/login", Some(&user.token), Some(&login), &headers).await;
    assert!(is_refused(&guess));
    assert_eq!(stack.send_with(Method::GET, ME, Some(&user.token), None, &headers).await.status, 200);
    assert_eq!(stack.metric("tripsage_rate_limited_total{scope=\"ip\"}").await, 2.0);
}

#[tokio::test]
async fn whom_nobody_trusts_cannot_choose_an_address() {
    let stack = Stack::start(&[("TRIPSAGE_RATE_LIMITS", "on"), TENTH]).await;
    let statuses = join_all((0..5).map(async |number| {
        let address = format!("203.0.113.{number}");
        stack.send_with(Method::GET, ME, None, None, &[("x-forwarded-for", &address)]).await.status.as_u16()
    }));
    let mut statuses = statuses.await;
    statuses.sort_unstable();
    assert_eq!(statuses, [401, 429, 429, 429, 429]);
}

#[tokio::test]
async fn a_refusal_does_not_wait_for_the_body() {
    let stack = limited(&[TENTH]).await;
    let user = user(&stack, 1).await;
    assert_eq!(stack.get(ME, &user).await.status, 200);
    let never = reqwest::Body::wrap_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let refused = read(stack.request(Method::POST, "/api/v1/trips", Some(&user.token)).body(never)).await;
    assert!(is_refused(&refused));
}

#[tokio::test]
async fn probes_metrics_and_a_service_without_limits_do_not_count() {
    let stack = limited(&[TENTH]).await;
    for path in ["/health", "/health/live", "/health/ready", "/metrics"] {
        for _ in 0..5 {
            let answer = stack.probe(path).await;
            assert_eq!((answer.status.as_u16(), position(&answer)), (200, ("", "", "")), "{path}");
        }
    }
    let stack = Stack::start(&[("TRIPSAGE_RATE_LIMITS", "off")]).await;
    let user = stack.user().await;
    let answers = join_all((0..100).map(|_| stack.get(ME, &user))).await;
    assert!(answers.iter().all(|answer| answer.status == 200 && position(answer) == ("", "", "")));
}

#[tokio::test]
async fn two_services_with_one_redis_count_together() {
    let Some(redis) = RedisServer::start().await else { return };
    let url = redis.url();
    let settings = [("REDIS_URL", url.as_str()), PATIENT, TENTH];
    let (one, two) = (limited(&settings).await, limited(&settings).await);
    let (ann, ben) = (user(&one, 1).await, user(&one, 2).await);
    let first = one.get(ME, &ann).await;
    assert_eq!((first.status.as_u16(), position(&first)), (200, ("user", "6", "5")));
    let refused = two.get(ME, &ann).await;
    assert_eq!(refused.error(), (429, "RATE_LIMIT_EXCEEDED".into()));
    assert_eq!(position(&refused), ("user", "1", "0"));
    assert!(["9", "10"].contains(&refused.header("retry-after")), "{refused:?}");
    // The other service does not know Ben, but it counts him.
    assert!(!is_refused(&two.get(ME, &ben).await));
    assert!(is_refused(&one.get(ME, &ben).await));
    for stack in [one, two] {
        assert_eq!(stack.metric("tripsage_rate_limit_fallbacks_total").await, 0.0);
    }
    // Ann, Ben, and the addresses from which both registered and logged in.
    assert_eq!(redis.key_count().await, 6);
}

#[tokio::test]
async fn forty_at_once_over_two_services_are_ten() {
    let Some(redis) = RedisServer::start().await else { return };
    let url = redis.url();
    let settings = [("REDIS_URL", url.as_str()), PATIENT];
    let (one, two) = (limited(&settings).await, limited(&settings).await);
    let user = user(&one, 1).await;
    let started = Instant::now();
    let answers = join_all((0..40).map(|number| if number % 2 == 0 { &one } else { &two }.get(ME, &user))).await;
    let admitted = answers.iter().filter(|answer| !is_refused(answer)).count() as u64;
    let most = 10 + started.elapsed().as_secs() + 1;
    let fallbacks =
        one.metric("tripsage_rate_limit_fallbacks").await + two.metric("tripsage_rate_limit_fallbacks").await;
    assert_eq!(fallbacks, 0.0);
    assert!((10..=most).contains(&admitted), "{admitted} of at most {most}");
}

#[tokio::test]
async fn without_redis_each_service_counts_alone_until_it_is_back() {
    let Some(mut redis) = RedisServer::start().await else { return };
    let url = redis.url();
    let stack = limited(&[("REDIS_URL", &url), ("TRIPSAGE_REDIS_TIMEOUT", "1s"), TENTH]).await;
    let fallbacks = async || stack.metric("tripsage_rate_limit_fallbacks_total").await;
    let (ann, ben) = (user(&stack, 1).await, user(&stack, 2).await);
    assert_eq!(stack.get(ME, &ann).await.status, 200);
    assert!(is_refused(&stack.get(ME, &ann).await));
    assert_eq!(fallbacks().await, 0.0);

    // Gone: the count of this process begins anew, and it is one.
    redis.kill().await;
    assert_eq!(stack.get(ME, &ann).await.status, 200);
    assert!(is_refused(&stack.get(ME, &ann).await));
    assert_eq!(fallbacks().await, 2.0);

    // Back: it is asked again, and has a count of its own.
    redis.restart().await;
    until("redis is asked again", || async {
        stack.get(ME, &ben).await;
        redis.key_count().await > 0
    })
    .await;

    // Hanging: one request waits for it in vain, then none.
    redis.signal("STOP").await;
    let before = fallbacks().await;
    for _ in 0..3 {
        assert!(is_refused(&stack.get(ME, &ann).await));
    }
    assert_eq!(fallbacks().await, before + 3.0);
}
