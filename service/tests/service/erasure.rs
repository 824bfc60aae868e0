//! Being forgotten: at once, everywhere, for good, and again after a restore.

use std::{fs, path::Path, time::Duration};

use providers::{Provider, ServiceTime, Settings};
use reqwest::Method;
use serde_json::{Value, json};
use service::upkeep::{Reapplied, reapply_deletions};
use sqlx::{Connection as _, SqliteConnection};
use tempfile::TempDir;

use crate::{
    fakes::{Answers, Says},
    stack::{Answer, PASSWORD, Stack, User, config, until},
};

const ME: &str = "/api/v1/users/me";
const QUICK: [(&str, &str); 3] = [
    ("TRIPSAGE_ERASURE_SETTLE", "1ms"),
    ("TRIPSAGE_ACCOUNT_WORK_EVERY", "10ms"),
    ("TRIPSAGE_DELETIONS_READ_EVERY", "10ms"),
];

async fn delete(stack: &Stack, user: &User, password: &str) -> Answer {
    stack.send(Method::DELETE, ME, Some(&user.token), Some(&json!({"password": password}))).await
}

async fn login(stack: &Stack, user: &User) -> u16 {
    let body = json!({"email": user.email, "password": PASSWORD});
    stack.send(Method::POST, "/api/v1/auth/login", None, Some(&body)).await.status.as_u16()
}

async fn id(stack: &Stack, user: &User) -> String {
    stack.get(ME, user).await.json()["id"].as_str().unwrap().to_owned()
}

fn url(folder: &Path) -> String {
    format!("sqlite://{}/tripsage.db", folder.display())
}

async fn number(folder: &Path, sql: &'static str) -> i64 {
    let mut database = SqliteConnection::connect(&url(folder)).await.unwrap();
    sqlx::query_scalar(sql).fetch_one(&mut database).await.unwrap()
}

async fn is_finished(folder: &Path) -> bool {
    number(folder, "SELECT COUNT(*) FROM deletions WHERE finished_at IS NOT NULL").await == 1
}

fn forgotten(stack: &Stack, user_id: &str) -> usize {
    let calls = stack.memory.calls();
    calls.iter().filter(|(tool, arguments)| tool == "delete_user" && arguments["user_id"] == user_id).count()
}

/// Leaves something in every table that there is.
async fn fill(stack: &Stack, user: &User) {
    let trip = json!({"title": "Alps", "start_date": "2099-05-01", "end_date": "2099-05-08", "destinations": [{"name": "Zermatt"}]});
    let key = [("Idempotency-Key", "k")];
    let answer = stack.send_with(Method::POST, "/api/v1/trips", Some(&user.token), Some(&trip), &key).await;
    assert_eq!(answer.status, 201);
    stack.llm.now_says(Says::Words(2));
    let words = json!({"messages": [{"role": "user", "content": "Hello"}], "stream": false});
    assert_eq!(stack.post("/api/v1/chat", user, &words).await.status, 200);
    let export = stack.send(Method::POST, "/api/v1/users/me/export", Some(&user.token), None).await;
    let path = export.header("location").to_owned();
    until("the export is ready", || async { stack.get(&path, user).await.json()["status"] == "ready" }).await;
}

/// Every text of every table, but those that name users by their ids alone.
async fn texts(folder: &Path) -> String {
    let mut database = SqliteConnection::connect(&url(folder)).await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_sqlx%' ESCAPE '\\'",
    )
    .fetch_all(&mut database)
    .await
    .unwrap();
    let mut all = String::new();
    for table in tables {
        let columns: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info($1) WHERE type = 'TEXT'")
            .bind(&table)
            .fetch_all(&mut database)
            .await
            .unwrap();
        for column in columns {
            let sql = format!("SELECT {column} FROM {table} WHERE {column} IS NOT NULL");
            let values: Vec<String> =
                sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(&mut database).await.unwrap();
            all.extend(values.iter().map(|value| format!("{table}.{column}: {value}\n")));
        }
    }
    all
}

#[tokio::test]
async fn a_deleted_user_is_gone_at_once_and_nothing_is_left() {
    let stack = Stack::start(&QUICK).await;
    let (ann, bob) = (stack.user().await, stack.user().await);
    fill(&stack, &ann).await;
    let ann_id = id(&stack, &ann).await;
    fill(&stack, &bob).await;

    for (password, expected) in [("Abcdef1?", (401, "AUTHENTICATION_ERROR")), ("", (422, "VALIDATION_ERROR"))] {
        assert_eq!(delete(&stack, &ann, password).await.error(), (expected.0, expected.1.into()));
    }
    assert_eq!(stack.send(Method::DELETE, ME, Some(&ann.token), None).await.error().0, 400);
    assert_eq!(stack.get(ME, &ann).await.status, 200);

    let answer = delete(&stack, &ann, PASSWORD).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (202, &json!("accepted")), "{answer:?}");
    for path in [ME, "/api/v1/trips"] {
        assert_eq!(stack.get(path, &ann).await.error(), (401, "INVALID_TOKEN".into()), "{path}");
    }
    assert_eq!(delete(&stack, &ann, PASSWORD).await.error().0, 401);
    assert_eq!(login(&stack, &ann).await, 401);
    let refresh = json!({"refresh_token": ann.refresh_token});
    let refreshed = stack.send(Method::POST, "/api/v1/auth/refresh", None, Some(&refresh)).await;
    assert_eq!(refreshed.error(), (401, "INVALID_TOKEN".into()));

    until("the erasure is finished", || is_finished(stack.folder.path())).await;
    assert!(forgotten(&stack, &ann_id) > 0);
    let left = texts(stack.folder.path()).await;
    assert!(!left.contains(&ann.email), "{left}");
    let places = ["users.id", "users.email", "deletions.user_id", "audit_events.user_id", "audit_events.subject_id"];
    for line in left.lines().filter(|line| line.contains(&ann_id)) {
        assert!(places.iter().any(|place| line.starts_with(&format!("{place}:"))), "{line}");
    }
    // Bob has everything.
    for (sql, count) in [
        ("SELECT COUNT(*) FROM trips", 1),
        ("SELECT COUNT(*) FROM chat_messages", 2),
        ("SELECT COUNT(*) FROM exports", 1),
        ("SELECT COUNT(*) FROM idempotency_keys", 1),
        ("SELECT COUNT(*) FROM users WHERE deleted_at IS NOT NULL AND password_hash = '' AND full_name IS NULL", 1),
    ] {
        assert_eq!(number(stack.folder.path(), sql).await, count, "{sql}");
    }
    assert_eq!(stack.get(ME, &bob).await.status, 200);
    // The address is free again, for another user.
    let again = json!({"email": ann.email, "password": PASSWORD});
    let registered = stack.send(Method::POST, "/api/v1/auth/register", None, Some(&again)).await;
    assert_eq!(registered.status, 201);
    assert_ne!(registered.json()["id"], json!(ann_id));
    assert_eq!(stack.get(ME, &ann).await.error().0, 401);
}

#[tokio::test]
async fn an_administrator_is_not_deleted() {
    let stack = Stack::start(&[("TRIPSAGE_ADMIN_EMAILS", "user0@example.org")]).await;
    let admin = stack.user().await;
    assert_eq!(delete(&stack, &admin, "Abcdef1?").await.error(), (401, "AUTHENTICATION_ERROR".into()));
    assert_eq!(delete(&stack, &admin, PASSWORD).await.error(), (409, "ADMINISTRATOR".into()));
    assert_eq!(stack.get(ME, &admin).await.status, 200);
}

#[tokio::test]
async fn the_other_replica_learns_of_it_and_what_it_still_let_in_is_erased_too() {
    let first = Stack::start(&[QUICK[1], QUICK[2], ("TRIPSAGE_ERASURE_SETTLE", "2500ms")]).await;
    let url = url(first.folder.path());
    // This one reads the ledger so seldom that it serves the user on.
    let second = Stack::start(&[("DATABASE_URL", &url), ("TRIPSAGE_DELETIONS_READ_EVERY", "1h")]).await;
    let third = Stack::start(&[("DATABASE_URL", &url), QUICK[2]]).await;
    let user = first.user().await;
    assert_eq!(third.get(ME, &user).await.status, 200);
    assert_eq!(delete(&first, &user, PASSWORD).await.status, 202);
    until("the third refuses the token", || async { third.get("/api/v1/trips", &user).await.status == 401 }).await;

    let trip = json!({"title": "Late", "start_date": "2099-05-01", "end_date": "2099-05-08", "destinations": [{"name": "Zermatt"}]});
    assert_eq!(second.post("/api/v1/trips", &user, &trip).await.status, 201);
    until("the erasure is finished", || is_finished(first.folder.path())).await;
    assert_eq!(number(first.folder.path(), "SELECT COUNT(*) FROM trips").await, 0);
}

#[tokio::test]
async fn a_memory_server_that_is_down_is_asked_until_it_has_forgotten() {
    let stack = Stack::start(&[QUICK[0], QUICK[1], ("TRIPSAGE_BREAKER_OPEN", "10ms")]).await;
    let user = stack.user().await;
    let user_id = id(&stack, &user).await;
    stack.memory.now_answers(Answers::Status(503));
    assert_eq!(delete(&stack, &user, PASSWORD).await.status, 202);
    until("it was tried", || async { stack.metric("tripsage_erasures_total{outcome=\"failed\"}").await >= 1.0 }).await;
    assert!(!is_finished(stack.folder.path()).await);
    assert_eq!(stack.get(ME, &user).await.error().0, 401);
    stack.memory.now_answers(Answers::Well);
    let before = forgotten(&stack, &user_id);
    until("the erasure is finished", || is_finished(stack.folder.path())).await;
    assert!(forgotten(&stack, &user_id) > before);
    assert_eq!(stack.metric("tripsage_erasures_total{outcome=\"finished\"}").await, 1.0);
}

/// Copies a database that nobody has open.
fn copy(from: &Path, to: &Path) {
    fs::copy(from.join("tripsage.db"), to.join("tripsage.db")).unwrap();
    assert!(!from.join("tripsage.db-wal").exists(), "the copy would be without what is in the log");
}

#[tokio::test]
async fn a_restored_database_forgets_the_user_again() {
    let (kept, backup) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let ledger = kept.path().join("deletions.jsonl").display().to_string();
    let mut stack = Stack::start(&QUICK).await;
    let (ann, bob) = (stack.user().await, stack.user().await);
    fill(&stack, &ann).await;
    let ann_id = id(&stack, &ann).await;
    let folder = std::mem::replace(&mut stack.folder, TempDir::new().unwrap());
    stack.stop();
    stack.ended().await;
    copy(folder.path(), backup.path());

    let database = url(folder.path());
    let with_ledger =
        [QUICK[0], QUICK[1], QUICK[2], ("DATABASE_URL", &database), ("TRIPSAGE_DELETION_LEDGER", &ledger)];
    let mut stack = Stack::start(&with_ledger).await;
    assert_eq!(delete(&stack, &ann, PASSWORD).await.status, 202);
    let lines = fs::read_to_string(&ledger).unwrap();
    let line: Value = serde_json::from_str(lines.trim()).unwrap();
    assert_eq!(line["user_id"], json!(ann_id));
    assert!(!lines.contains(&ann.email));
    stack.stop();
    stack.ended().await;

    // The backup is put back: Ann is in it.
    copy(backup.path(), folder.path());
    assert_eq!(number(folder.path(), "SELECT COUNT(*) FROM trips").await, 1);
    let stack = Stack::start(&with_ledger).await;
    assert_eq!(login(&stack, &ann).await, 401);
    assert_eq!(stack.get(ME, &ann).await.error().0, 401);
    assert_eq!(login(&stack, &bob).await, 200);
    until("the erasure is finished", || is_finished(folder.path())).await;
    assert_eq!(number(folder.path(), "SELECT COUNT(*) FROM trips").await, 0);
    assert!(forgotten(&stack, &ann_id) > 0);
    assert!(!texts(folder.path()).await.contains(&ann.email));
}

#[tokio::test]
async fn the_ledger_can_be_applied_again_without_serving() {
    let mut stack = Stack::start(&QUICK).await;
    let user = stack.user().await;
    assert_eq!(delete(&stack, &user, PASSWORD).await.status, 202);
    until("the erasure is finished", || is_finished(stack.folder.path())).await;
    let folder = std::mem::replace(&mut stack.folder, TempDir::new().unwrap());
    stack.stop();
    // The memory server goes on: it is asked again.
    let memory = format!("http://{}/mcp", stack.memory.address);
    let settings = config(&[
        ("DATABASE_URL", url(folder.path())),
        ("TRIPSAGE_ERASURE_SETTLE", "1ms".into()),
        ("TRIPSAGE_MCP_MEMORY_URL", memory),
    ]);
    let before = stack.memory.calls().len();
    assert_eq!(reapply_deletions(settings.clone()).await.unwrap(), Reapplied { total: 1, open: 0 });
    assert!(stack.memory.calls().len() > before);
    stack.memory.now_answers(Answers::Status(500));
    assert_eq!(reapply_deletions(settings).await.unwrap(), Reapplied { total: 1, open: 1 });
}

#[tokio::test]
async fn a_ledger_that_cannot_be_used_keeps_the_service_from_starting() {
    let folder = TempDir::new().unwrap();
    let settings = config(&[
        ("DATABASE_URL", url(folder.path())),
        ("TRIPSAGE_DELETION_LEDGER", folder.path().join("no/such/folder").display().to_string()),
    ]);
    let error = service::bind(settings).await.err().unwrap();
    let cause = std::error::Error::source(&error).unwrap();
    assert_eq!(cause.to_string(), "cannot use the ledger of deletions");
}

#[tokio::test]
async fn what_the_user_planned_in_the_trips_of_others_goes_too() {
    let stack = Stack::start(&QUICK).await;
    let (ann, bob) = (stack.user().await, stack.user().await);
    let trip = json!({"title": "Alps", "start_date": "2099-05-01", "end_date": "2099-05-08", "destinations": [{"name": "Zermatt"}]});
    let trip = stack.post("/api/v1/trips", &bob, &trip).await.json()["id"].as_str().unwrap().to_owned();
    let share = json!({"user_emails": [ann.email], "permission_level": "edit"});
    assert_eq!(stack.post(&format!("/api/v1/trips/{trip}/share"), &bob, &share).await.status, 200);
    let items = format!("/api/v1/trips/{trip}/itinerary/items");
    for (user, title) in [(&ann, "Fondue at my aunt's"), (&bob, "Museum")] {
        let item = json!({"type": "activity", "title": title, "date": "2099-05-02"});
        let answer = stack.post(&items, user, &item).await;
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    assert_eq!(delete(&stack, &ann, PASSWORD).await.status, 202);
    until("the erasure is finished", || is_finished(stack.folder.path())).await;
    let left = texts(stack.folder.path()).await;
    assert!(!left.contains("Fondue") && left.contains("Museum"), "{left}");
}

#[tokio::test]
async fn the_bundled_memory_server_forgets_a_deleted_user() {
    let mut settings = Settings::new(7);
    settings.service_times.insert(Provider::Memory, ServiceTime::Constant(Duration::from_millis(1)));
    let running = providers::start(settings).await.unwrap();
    let url = format!("http://{}/mcp", running.addresses()[&Provider::Memory]);
    let stack = Stack::start(&[&QUICK[..], &[("TRIPSAGE_MCP_MEMORY_URL", url.as_str())]].concat()).await;
    let ann = stack.user().await;
    fill(&stack, &ann).await;
    let told = "tripsage_mcp_calls_total{server=\"memory\",tool=\"add_observations\",outcome=\"ok\"}";
    until("the memory is told", || async { stack.metric(told).await == 1.0 }).await;

    assert_eq!(delete(&stack, &ann, PASSWORD).await.status, 202);
    until("the erasure is finished", || is_finished(stack.folder.path())).await;
    running.stop().await;
}
