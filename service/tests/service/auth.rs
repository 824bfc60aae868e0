//! Registering, logging in, tokens.

use futures_util::future::join_all;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};

use crate::stack::{Database, PASSWORD, Stack};

async fn post(stack: &Stack, path: &str, body: Value) -> crate::stack::Answer {
    stack.send(Method::POST, &format!("/api/v1/auth/{path}"), None, Some(&body)).await
}

#[rstest]
#[tokio::test]
async fn users_register_once_and_log_in_with_their_password_only(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let Some(stack) = Stack::on(database, &[]).await else { return };
    let ann = json!({"email": "Ann@Example.org", "password": PASSWORD, "full_name": "Ann"});
    let registered = post(&stack, "register", ann.clone()).await;
    assert_eq!(registered.status, 201);
    assert_eq!(registered.json()["email"], "ann@example.org");
    assert!(!registered.text.contains("password") && !registered.text.contains("argon2"));

    let cases = [
        ("register", ann, (409, "DUPLICATE_EMAIL")),
        ("register", json!({"email": "ann", "password": PASSWORD}), (422, "VALIDATION_ERROR")),
        ("register", json!({"email": "b@example.org", "password": "short"}), (422, "VALIDATION_ERROR")),
        ("register", json!({"email": "b@example.org"}), (422, "VALIDATION_ERROR")),
        (
            "register",
            json!({"email": "b@example.org", "password": PASSWORD, "is_admin": true}),
            (422, "VALIDATION_ERROR"),
        ),
        ("login", json!({"email": "ann@example.org", "password": "Abcdef1?"}), (401, "AUTHENTICATION_ERROR")),
        ("login", json!({"email": "nobody@example.org", "password": PASSWORD}), (401, "AUTHENTICATION_ERROR")),
        ("login", json!({"email": "ann@example.org", "password": ""}), (422, "VALIDATION_ERROR")),
        ("refresh", json!({"refresh_token": "nonsense"}), (401, "INVALID_TOKEN")),
    ];
    for (path, body, (status, code)) in cases {
        assert_eq!(post(&stack, path, body.clone()).await.error(), (status, code.into()), "{path} {body}");
    }

    let login = post(&stack, "login", json!({"email": " ANN@example.org", "password": PASSWORD})).await.json();
    assert_eq!((&login["token_type"], &login["expires_in"]), (&json!("bearer"), &json!(3600)));
    let token = login["access_token"].as_str();
    let me = stack.send(Method::GET, "/api/v1/users/me", token, None).await;
    assert_eq!((me.status.as_u16(), &me.json()["id"]), (200, &login["user"]["id"]));
}

#[tokio::test]
async fn nobody_becomes_an_administrator_by_registering_first() {
    let stack = Stack::start(&[("TRIPSAGE_ADMIN_EMAILS", "Root@example.org")]).await;
    // As before the operator creates the user: the address is listed, and free.
    let mut database = SqliteConnection::connect(&stack.database_url).await.unwrap();
    let freed = sqlx::query("UPDATE users SET email = 'else@example.org' WHERE email = 'root@example.org'");
    assert_eq!(freed.execute(&mut database).await.unwrap().rows_affected(), 1);
    database.close().await.unwrap();
    stack.user().await;
    let refused = |email: &'static str| {
        let body = json!({"email": email, "password": PASSWORD});
        let answer = post(&stack, "register", body);
        async move {
            let answer = answer.await;
            (answer.error(), answer.json()["message"].clone())
        }
    };
    let taken = refused("user0@example.org").await;
    assert_eq!(taken.0, (409, "DUPLICATE_EMAIL".into()));
    for email in ["root@example.org", " ROOT@Example.org "] {
        assert_eq!(refused(email).await, taken, "{email}");
    }
}

#[tokio::test]
async fn a_password_is_hashed_anew_at_the_first_login_under_other_parameters() {
    let mut before = Stack::start(&[]).await;
    let user = before.user().await;
    before.stop();
    let settings = [("DATABASE_URL", before.database_url.as_str()), ("TRIPSAGE_ARGON2_MEMORY_KIB", "16")];
    let today = Stack::start(&settings).await;
    let hash = async || {
        let mut database = SqliteConnection::connect(&before.database_url).await.unwrap();
        let hash: String =
            sqlx::query_scalar("SELECT password_hash FROM users").fetch_one(&mut database).await.unwrap();
        database.close().await.unwrap();
        hash
    };
    let first = hash().await;
    let mut seen = Vec::new();
    for password in ["Abcdef1?", PASSWORD, PASSWORD] {
        let answer = post(&today, "login", json!({"email": user.email, "password": password})).await;
        seen.push((answer.status.as_u16(), hash().await));
    }
    assert!(first.starts_with("$argon2id$v=19$m=8,") && seen[1].1.starts_with("$argon2id$v=19$m=16,"), "{seen:?}");
    assert_eq!(seen, [(401, first), (200, seen[1].1.clone()), (200, seen[1].1.clone())]);
}

#[rstest]
#[tokio::test]
async fn routes_are_closed_without_an_access_token(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let Some(stack) = Stack::on(database, &[]).await else { return };
    let user = stack.user().await;
    let cases = [
        (None, "AUTHENTICATION_ERROR"),
        (Some("Basic abc".to_owned()), "AUTHENTICATION_ERROR"),
        (Some("Bearer".to_owned()), "AUTHENTICATION_ERROR"),
        (Some("Bearer nonsense".to_owned()), "INVALID_TOKEN"),
        (Some(format!("Bearer {}", user.refresh_token)), "INVALID_TOKEN"),
    ];
    let routes = [
        (Method::GET, "/users/me"),
        (Method::POST, "/flights/search"),
        (Method::POST, "/chat"),
        (Method::GET, "/trips"),
    ];
    for (header, code) in cases {
        for (method, route) in routes.clone() {
            let mut request = stack.request(method, &format!("/api/v1{route}"), None);
            if let Some(header) = &header {
                request = request.header("authorization", header);
            }
            let answer = crate::stack::read(request).await;
            assert_eq!(answer.error(), (401, code.into()), "{route} with {header:?}");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
    }
}

#[rstest]
#[tokio::test]
async fn a_refresh_token_is_good_once_even_for_ten_at_a_time(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let Some(stack) = Stack::on(database, &[]).await else { return };
    let user = stack.user().await;
    let refresh = |token: &str| post(&stack, "refresh", json!({"refresh_token": token}));
    let answers = join_all((0..10).map(|_| refresh(&user.refresh_token))).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!((won.len(), lost.len()), (1, 9));
    assert!(lost.iter().all(|answer| answer.error() == (401, "INVALID_TOKEN".into())));
    let next = won[0].json();
    assert_eq!(next["user"]["email"], user.email);
    assert_eq!(refresh(next["access_token"].as_str().unwrap()).await.error().0, 401);
    assert_eq!(refresh(next["refresh_token"].as_str().unwrap()).await.status, 200);
}
