//! Logging out, preferences, and what administrators see at a glance.

use futures_util::future::join_all;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::stack::{Answer, Brake, Database, Stack, User, read};

const PREFERENCES: &str = "/api/v1/users/me/preferences";
const OVERVIEW: &str = "/api/v1/dashboard/overview";

async fn logout(stack: &Stack, token: &str, body: Option<&Value>) -> Answer {
    stack.send(Method::POST, "/api/v1/auth/logout", Some(token), body).await
}

async fn refresh(stack: &Stack, token: &str) -> u16 {
    let body = json!({"refresh_token": token});
    stack.send(Method::POST, "/api/v1/auth/refresh", None, Some(&body)).await.status.as_u16()
}

async fn login(stack: &Stack, user: &User) -> Value {
    let body = json!({"email": user.email, "password": crate::stack::PASSWORD});
    stack.send(Method::POST, "/api/v1/auth/login", None, Some(&body)).await.json()
}

#[rstest]
#[case::one_session(true, 401, 200)]
#[case::all_sessions(false, 401, 401)]
#[tokio::test]
async fn a_logout_spends_the_refresh_token_given_or_all_of_them(
    #[case] is_one: bool,
    #[case] this: u16,
    #[case] other: u16,
) {
    let stack = Stack::start(&[]).await;
    let (user, bystander) = (stack.user().await, stack.user().await);
    let phone = login(&stack, &user).await;
    let bodies = if is_one {
        vec![Some(json!({"refresh_token": user.refresh_token}))]
    } else {
        vec![None, Some(Value::Null), Some(json!({}))]
    };
    // Once more does no harm.
    for body in bodies.iter().cycle().take(3) {
        let answer = logout(&stack, &user.token, body.as_ref()).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"message": "logged out"})), "{body:?}");
    }
    assert_eq!(refresh(&stack, &user.refresh_token).await, this);
    assert_eq!(refresh(&stack, phone["refresh_token"].as_str().unwrap()).await, other);
    assert_eq!(refresh(&stack, &bystander.refresh_token).await, 200);
}

#[tokio::test]
async fn a_logout_with_a_token_of_another_is_refused_and_spends_nothing() {
    let stack = Stack::start(&[]).await;
    let (ann, bob) = (stack.user().await, stack.user().await);
    let cases = [
        (Some(json!({"refresh_token": bob.refresh_token})), (401, "INVALID_TOKEN")),
        (Some(json!({"refresh_token": ann.token})), (401, "INVALID_TOKEN")),
        (Some(json!({"refresh_token": "nonsense"})), (401, "INVALID_TOKEN")),
        (Some(json!({"refresh_token": ""})), (422, "VALIDATION_ERROR")),
        (Some(json!({"everywhere": true})), (422, "VALIDATION_ERROR")),
    ];
    for (body, (status, code)) in cases {
        assert_eq!(logout(&stack, &ann.token, body.as_ref()).await.error(), (status, code.into()), "{body:?}");
    }
    assert_eq!(refresh(&stack, &ann.refresh_token).await, 200);
    assert_eq!(refresh(&stack, &bob.refresh_token).await, 200);
}

#[tokio::test]
async fn a_session_that_is_renewed_while_all_are_ended_is_ended_too() {
    let Some(stack) = Stack::on(Database::Postgres, &[]).await else { return };
    let user = stack.user().await;
    // The old token is spent and the new one not stored yet when all that there are get spent.
    let mut brake = Brake::on(&stack.database_url, "refresh_tokens").await;
    let renewal = stack.request(Method::POST, "/api/v1/auth/refresh", None);
    let renewing = tokio::spawn(read(renewal.json(&json!({"refresh_token": user.refresh_token}))));
    brake.holds(1).await;
    let ending = tokio::spawn(read(stack.request(Method::POST, "/api/v1/auth/logout", Some(&user.token))));
    brake.holds(2).await;
    brake.release().await;
    let renewed = renewing.await.unwrap();
    assert_eq!((renewed.status.as_u16(), ending.await.unwrap().status.as_u16()), (200, 200));
    assert_eq!(refresh(&stack, renewed.json()["refresh_token"].as_str().unwrap()).await, 401);
}

async fn prefer(stack: &Stack, user: &User, preferences: Value) -> Answer {
    let body = json!({"preferences": preferences});
    stack.send(Method::PUT, PREFERENCES, Some(&user.token), Some(&body)).await
}

#[tokio::test]
async fn preferences_are_merged_and_null_removes() {
    let stack = Stack::start(&[]).await;
    let (ann, bob) = (stack.user().await, stack.user().await);
    assert_eq!(stack.get(PREFERENCES, &ann).await.json(), json!({"preferences": {}}));
    let steps = [
        (
            json!({"theme": "dark", "notifications": {"email": true, "push": true}}),
            json!({"theme": "dark", "notifications": {"email": true, "push": true}}),
        ),
        (json!({"notifications": {"push": null}}), json!({"theme": "dark", "notifications": {"email": true}})),
        (json!({"theme": null, "styles": ["art"]}), json!({"notifications": {"email": true}, "styles": ["art"]})),
        (json!({}), json!({"notifications": {"email": true}, "styles": ["art"]})),
    ];
    for (change, expected) in steps {
        let answer = prefer(&stack, &ann, change).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"preferences": expected})));
        assert_eq!(stack.get(PREFERENCES, &ann).await.json(), json!({"preferences": expected}));
    }
    assert_eq!(stack.get(PREFERENCES, &bob).await.json(), json!({"preferences": {}}));

    let too_large = json!({"note": "x".repeat(16 * 1024)});
    let too_deep = (0..20).fold(json!(1), |inner, _| json!({"a": inner}));
    for refused in [too_large, too_deep, json!(["a", "list"]), json!("text"), Value::Null] {
        assert_eq!(prefer(&stack, &ann, refused.clone()).await.error(), (422, "VALIDATION_ERROR".into()), "{refused}");
    }
    assert_eq!(stack.get(PREFERENCES, &ann).await.json()["preferences"]["styles"], json!(["art"]));
}

#[tokio::test]
async fn no_change_of_preferences_is_lost_when_many_come_at_once() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    let answers = join_all((0..8).map(|n| prefer(&stack, &user, json!({format!("key{n}"): n})))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    let preferences = stack.get(PREFERENCES, &user).await.json()["preferences"].clone();
    assert_eq!(preferences.as_object().unwrap().len(), 8, "{preferences}");
}

#[tokio::test]
async fn administrators_see_requests_users_and_breakers() {
    let stack = Stack::start(&[("TRIPSAGE_ADMIN_EMAILS", "user0@example.org")]).await;
    let (admin, user) = (stack.user().await, stack.user().await);
    assert_eq!(stack.get(OVERVIEW, &user).await.error(), (403, "AUTHORIZATION_ERROR".into()));
    let answer = stack.get(OVERVIEW, &admin).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let overview = answer.json();
    // The user's registration, two logins and the refused look; this one is still in progress.
    assert_eq!(
        overview["requests"],
        json!({"total": 4, "errors": 0, "limited": 0, "shed": 0, "success_rate": 1.0, "in_progress": 1})
    );
    assert_eq!(overview["users"], json!({"total": 2, "active_24h": 2, "open_deletions": 0}));
    let flights = json!({"name": "flights", "status": "healthy"});
    assert!(overview["components"].as_array().unwrap().contains(&flights), "{overview}");
}
