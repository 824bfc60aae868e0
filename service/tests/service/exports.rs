//! Exports: ordered, built, fetched, and no one else's.

use std::io::{Cursor, Read as _};

use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::{Connection as _, SqliteConnection};
use zip::ZipArchive;

use crate::{
    fakes::{Answers, Says},
    stack::{Answer, Stack, User, until},
};

const EXPORT: &str = "/api/v1/users/me/export";

async fn order(stack: &Stack, user: &User) -> Answer {
    stack.send(Method::POST, EXPORT, Some(&user.token), None).await
}

/// Orders an export and waits until it is ready.
async fn ready(stack: &Stack, user: &User) -> (String, Value) {
    let ordered = order(stack, user).await;
    assert_eq!((ordered.status.as_u16(), &ordered.json()["status"]), (202, &json!("pending")), "{ordered:?}");
    let path = ordered.header("location").to_owned();
    until("the export is ready", || async { stack.get(&path, user).await.json()["status"] != "pending" }).await;
    let export = stack.get(&path, user).await.json();
    (path, export)
}

async fn fetch(stack: &Stack, user: &User, path: &str) -> Vec<u8> {
    let response = stack.request(Method::GET, &format!("{path}/archive"), Some(&user.token)).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/zip");
    response.bytes().await.unwrap().to_vec()
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The manifest and the files of an archive, each checked against the manifest.
fn unpacked(archive: Vec<u8>) -> (Value, Vec<(String, Value)>) {
    let mut archive = ZipArchive::new(Cursor::new(archive)).unwrap();
    let mut read = |name: &str| {
        let mut bytes = Vec::new();
        archive.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    };
    let manifest: Value = serde_json::from_slice(&read("manifest.json")).unwrap();
    let mut files = Vec::new();
    for file in manifest["files"].as_array().unwrap() {
        let name = file["name"].as_str().unwrap();
        let bytes = read(name);
        assert_eq!((&file["bytes"], &file["sha256"]), (&json!(bytes.len()), &json!(hash(&bytes))), "{name}");
        let content: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(file["records"], json!(content.as_array().unwrap().len()), "{name}");
        files.push((name.to_owned(), content));
    }
    assert_eq!(archive.len(), files.len() + 1);
    (manifest, files)
}

fn file<'a>(files: &'a [(String, Value)], name: &str) -> &'a Value {
    &files.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no {name}")).1
}

#[tokio::test]
async fn an_export_holds_everything_of_its_user_and_nothing_of_another() {
    let stack = Stack::start(&[]).await;
    let (ann, bob) = (stack.user().await, stack.user().await);
    let title = |title: &str| json!({"title": title, "start_date": "2099-05-01", "end_date": "2099-05-08", "destinations": [{"name": "Lisbon"}]});
    // More than are read at once.
    for n in 0..3 {
        assert_eq!(stack.post("/api/v1/trips", &ann, &title(&format!("Ann {n}"))).await.status, 201);
    }
    stack.post("/api/v1/trips", &bob, &title("Bob")).await;
    stack.llm.now_says(Says::Words(2));
    let words = json!({"messages": [{"role": "user", "content": "Hello, I am Ann"}], "stream": false});
    assert_eq!(stack.post("/api/v1/chat", &ann, &words).await.status, 200);
    let preferences = json!({"preferences": {"theme": "dark"}});
    stack.send(Method::PUT, "/api/v1/users/me/preferences", Some(&ann.token), Some(&preferences)).await;

    let (path, export) = ready(&stack, &ann).await;
    assert_eq!(export["status"], "ready", "{export}");
    let archive = fetch(&stack, &ann, &path).await;
    assert_eq!((&export["bytes"], &export["sha256"]), (&json!(archive.len()), &json!(hash(&archive))));
    let (manifest, files) = unpacked(archive);
    assert_eq!((&manifest["version"], &manifest["missing"]), (&json!(1), &json!([])));
    assert_eq!(manifest["export_id"], export["export_id"]);

    let user = &file(&files, "users.json")[0];
    assert_eq!((&user["email"], &user["preferences"]), (&json!(ann.email), &json!({"theme": "dark"})));
    let trips = file(&files, "trips.json").as_array().unwrap();
    assert_eq!(trips.len(), 3);
    assert_eq!((&trips[0]["destinations"][0]["name"], &trips[0]["end_date"]), (&json!("Lisbon"), &json!("2099-05-08")));
    let messages = file(&files, "chat_messages.json").as_array().unwrap();
    assert_eq!(messages.iter().map(|message| &message["role"]).collect::<Vec<_>>(), ["user", "assistant"]);
    assert_eq!(messages[0]["content"], "Hello, I am Ann");
    assert_eq!(file(&files, "chat_sessions.json").as_array().unwrap().len(), 1);
    let actions: Vec<_> =
        file(&files, "audit_events.json").as_array().unwrap().iter().map(|event| &event["action"]).collect();
    assert!(actions.contains(&&json!("export.ordered")), "{actions:?}");
    assert_eq!(file(&files, "memory.json")[0]["observations"], json!(["likes trains"]));
    let all = format!("{files:?}");
    for secret in ["argon2", "Bob", &bob.email] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
}

#[tokio::test]
async fn an_export_is_its_users_only_and_one_at_a_time() {
    let stack = Stack::start(&[]).await;
    let (ann, bob) = (stack.user().await, stack.user().await);
    let (path, _) = ready(&stack, &ann).await;
    let archive = format!("{path}/archive");
    for path in [path.as_str(), &archive] {
        assert_eq!(stack.get(path, &bob).await.error(), (404, "RESOURCE_NOT_FOUND".into()));
        assert_eq!(stack.probe(path).await.error().0, 401);
    }
    assert_eq!(stack.get("/api/v1/users/me/exports/nonsense", &ann).await.error().0, 404);

    // The next one takes the place of the first.
    let (second, _) = ready(&stack, &ann).await;
    assert_ne!(path, second);
    until("the first is removed", || async { stack.get(&path, &ann).await.status == 404 }).await;
    assert!(!fetch(&stack, &ann, &second).await.is_empty());
}

#[tokio::test]
async fn an_export_is_not_there_before_it_is_built_nor_after_its_time() {
    let stack = Stack::start(&[("TRIPSAGE_EXPORT_LIFE", "1h")]).await;
    let user = stack.user().await;
    // A memory server that hangs keeps the export from being built.
    stack.memory.now_answers(Answers::Never);
    let ordered = order(&stack, &user).await;
    let path = ordered.header("location").to_owned();
    let early = stack.get(&format!("{path}/archive"), &user).await;
    assert_eq!(early.error(), (409, "EXPORT_NOT_READY".into()));
    // While it is being built there is no second one.
    assert_eq!(order(&stack, &user).await.json()["export_id"], ordered.json()["export_id"]);

    let mut database = database(&stack).await;
    sqlx::query("UPDATE exports SET expires_at = 1").execute(&mut database).await.unwrap();
    assert_eq!(stack.get(&path, &user).await.error(), (404, "RESOURCE_NOT_FOUND".into()));
}

#[tokio::test]
async fn a_memory_server_that_fails_is_named_in_the_manifest() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    stack.memory.now_answers(Answers::Status(500));
    let (path, export) = ready(&stack, &user).await;
    assert_eq!(export["status"], "ready", "{export}");
    let (manifest, files) = unpacked(fetch(&stack, &user, &path).await);
    assert_eq!(manifest["missing"], json!(["memory"]));
    assert!(files.iter().all(|(name, _)| name != "memory.json"));
}

async fn database(stack: &Stack) -> SqliteConnection {
    SqliteConnection::connect(&format!("sqlite://{}/tripsage.db", stack.folder.path().display())).await.unwrap()
}

#[tokio::test]
async fn an_export_whose_builder_died_is_built_by_the_next_start() {
    let mut stack = Stack::start(&[]).await;
    let user = stack.user().await;
    stack.memory.now_answers(Answers::Never);
    let path = order(&stack, &user).await.header("location").to_owned();
    // It is under way: taken by a builder that will not end it.
    until("the builder asks the memory server", || async { !stack.memory.calls().is_empty() }).await;
    let folder = std::mem::replace(&mut stack.folder, tempfile::TempDir::new().unwrap());
    stack.stop();
    stack.ended().await;
    let url = format!("sqlite://{}/tripsage.db", folder.path().display());
    let mut database = SqliteConnection::connect(&url).await.unwrap();
    // What it left half done, and its time is over.
    let left = "INSERT INTO export_parts (export_id, number, content) SELECT id, 0, 'AAAA' FROM exports";
    for statement in [left, "UPDATE exports SET due_at = 1"] {
        assert_eq!(sqlx::query(statement).execute(&mut database).await.unwrap().rows_affected(), 1, "{statement}");
    }
    let next = Stack::start(&[("DATABASE_URL", &url)]).await;
    until("the export is ready", || async { next.get(&path, &user).await.json()["status"] == "ready" }).await;
    unpacked(fetch(&next, &user, &path).await);
}

#[tokio::test]
async fn an_export_that_fails_again_and_again_is_given_up() {
    let stack = Stack::start(&[("TRIPSAGE_ACCOUNT_WORK_EVERY", "20ms")]).await;
    let user = stack.user().await;
    let id = stack.get("/api/v1/users/me", &user).await.json()["id"].as_str().unwrap().to_owned();
    let mut database = database(&stack).await;
    let sql = "INSERT INTO exports (id, user_id, status, created_at, expires_at, due_at, attempts) \
        VALUES ('00000000-0000-4000-8000-000000000001', $1, 'pending', 1, 9000000000000000, 1, 5)";
    sqlx::query(sql).bind(id).execute(&mut database).await.unwrap();
    let path = "/api/v1/users/me/exports/00000000-0000-4000-8000-000000000001";
    until("it is given up", || async { stack.get(path, &user).await.json()["status"] == "failed" }).await;
    assert_eq!(stack.get(&format!("{path}/archive"), &user).await.error(), (409, "EXPORT_FAILED".into()));
    assert_eq!(stack.metric("tripsage_exports_total{outcome=\"failed\"}").await, 1.0);
    // Another can be ordered.
    assert_eq!(ready(&stack, &user).await.1["status"], "ready");
}
