//! The audit log: what is in it, who may read it, and that tampering shows.

use std::path::Path;

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use service::{
    Config,
    upkeep::{AuditVerdict, verify_audit},
};
use sqlx::{Connection as _, SqliteConnection};

use crate::stack::{PASSWORD, Stack, User, config, until};

const AUDIT: &str = "/api/v1/admin/audit";
const VERIFICATION: &str = "/api/v1/admin/audit/verification";
const SETTINGS: [(&str, &str); 2] =
    [("TRIPSAGE_ADMIN_EMAILS", "user0@example.org"), ("TRIPSAGE_AUDIT_SEAL_EVERY", "10ms")];

async fn sqlite(folder: &Path) -> SqliteConnection {
    SqliteConnection::connect(&format!("sqlite://{}/tripsage.db", folder.display())).await.unwrap()
}

async fn run(database: &mut SqliteConnection, statements: &[&'static str]) {
    for statement in statements {
        sqlx::query(*statement).execute(&mut *database).await.unwrap();
    }
}

async fn number(database: &mut SqliteConnection, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(database).await.unwrap()
}

fn trip(title: &str) -> Value {
    json!({"title": title, "start_date": "2099-05-01", "end_date": "2099-05-08", "destinations": [{"name": "Lisbon"}]})
}

async fn id(stack: &Stack, user: &User) -> String {
    stack.get("/api/v1/users/me", user).await.json()["id"].as_str().unwrap().to_owned()
}

/// Waits until each event has its link.
async fn sealed(stack: &Stack) {
    until("all events are sealed", || async {
        let mut database = sqlite(stack.folder.path()).await;
        let events = number(&mut database, "SELECT COUNT(*) FROM audit_events").await;
        events > 0 && events == number(&mut database, "SELECT COUNT(*) FROM audit_chain").await
    })
    .await;
}

#[tokio::test]
async fn administrators_find_what_was_done_and_by_whom() {
    let stack = Stack::start(&SETTINGS).await;
    let (admin, ann) = (stack.user().await, stack.user().await);
    let trip_id = stack.post("/api/v1/trips", &ann, &trip("Alps")).await.json()["id"].clone();
    let wrong = json!({"email": ann.email, "password": "Abcdef1?"});
    stack.send(Method::POST, "/api/v1/auth/login", None, Some(&wrong)).await;
    let nobody = json!({"email": "nobody@example.org", "password": PASSWORD});
    stack.send(Method::POST, "/api/v1/auth/login", None, Some(&nobody)).await;
    stack.send(Method::POST, "/api/v1/auth/logout", Some(&ann.token), None).await;

    let ann_id = id(&stack, &ann).await;
    let list = stack.get(&format!("{AUDIT}?user_id={ann_id}"), &admin).await;
    assert_eq!(list.status, 200, "{list:?}");
    let actions = |list: &Value| -> Vec<String> {
        list["items"].as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap().to_owned()).collect()
    };
    let list = list.json();
    assert_eq!(
        actions(&list),
        ["user.logged_out", "user.login_failed", "trip.created", "user.logged_in", "user.registered"]
    );
    assert_eq!((&list["total"], &list["items"][2]["subject_id"]), (&json!(5), &trip_id));
    assert!(!list.to_string().contains(&ann.email), "{list}");

    let queries = [
        ("?action=trip.created", 1),
        ("?action=trip", 0),
        ("?action=user.login_failed&user_id=00000000-0000-0000-0000-000000000000", 1),
        ("?from=2000-01-01T00:00:00Z&to=2000-01-02T00:00:00Z", 0),
        ("?from=2000-01-01T00:00:00Z&to=9000-01-01T00:00:00Z&limit=1", 8),
        ("?skip=100", 8),
    ];
    for (query, total) in queries {
        assert_eq!(stack.get(&format!("{AUDIT}{query}"), &admin).await.json()["total"], total, "{query}");
    }
    for query in ["?limit=0", "?limit=101", "?from=yesterday", "?user_id=ann", "?action=", "?action=a%00b"] {
        let answer = stack.get(&format!("{AUDIT}{query}"), &admin).await;
        assert_eq!(answer.error(), (422, "VALIDATION_ERROR".into()), "{query}");
    }
    for path in [AUDIT, VERIFICATION] {
        assert_eq!(stack.get(path, &ann).await.error(), (403, "AUTHORIZATION_ERROR".into()));
        assert_eq!(stack.probe(path).await.error().0, 401);
    }
}

#[tokio::test]
async fn the_database_itself_refuses_to_change_the_log() {
    let stack = Stack::start(&SETTINGS).await;
    stack.user().await;
    sealed(&stack).await;
    let mut database = sqlite(stack.folder.path()).await;
    for statement in [
        "UPDATE audit_events SET action = 'x'",
        "DELETE FROM audit_events",
        "UPDATE audit_chain SET hash = 'x'",
        "DELETE FROM audit_chain",
    ] {
        let error = sqlx::query(statement).execute(&mut database).await.unwrap_err();
        assert!(error.to_string().contains("the audit log only grows"), "{statement}: {error}");
    }
}

/// A log of four sealed events: two registrations, two logins. What is done to it needs the triggers gone first.
const CHANGED: &[&str] =
    &["UPDATE audit_events SET action = 'x' WHERE id = (SELECT event_id FROM audit_chain WHERE seq = 2)"];
const DETAILS_ADDED: &[&str] =
    &["UPDATE audit_events SET details = '{}' WHERE id = (SELECT event_id FROM audit_chain WHERE seq = 3)"];
const GONE: &[&str] = &["DELETE FROM audit_events WHERE id = (SELECT event_id FROM audit_chain WHERE seq = 2)"];
const LINK_AND_EVENT_GONE: &[&str] = &[
    "DELETE FROM audit_events WHERE id = (SELECT event_id FROM audit_chain WHERE seq = 3)",
    "DELETE FROM audit_chain WHERE seq = 3",
];
const REORDERED: &[&str] = &[
    "UPDATE audit_chain SET seq = 100 WHERE seq = 2",
    "UPDATE audit_chain SET seq = 2 WHERE seq = 3",
    "UPDATE audit_chain SET seq = 3 WHERE seq = 100",
];
const CUT_SHORT: &[&str] = &[
    "DELETE FROM audit_events WHERE id = (SELECT event_id FROM audit_chain WHERE seq = 4)",
    "DELETE FROM audit_chain WHERE seq = 4",
];

#[rstest]
#[case(&[], None, 4)]
#[case(CHANGED, Some((2, "changed")), 1)]
#[case(DETAILS_ADDED, Some((3, "changed")), 2)]
#[case(GONE, Some((2, "missing")), 1)]
#[case(LINK_AND_EVENT_GONE, Some((4, "missing")), 2)]
#[case(REORDERED, Some((2, "reordered")), 1)]
#[tokio::test]
async fn tampering_is_found_where_it_is(
    #[case] tampering: &[&'static str],
    #[case] expected: Option<(i64, &str)>,
    #[case] checked_to: i64,
) {
    let stack = Stack::start(&SETTINGS).await;
    let admin = stack.user().await;
    stack.user().await;
    sealed(&stack).await;
    let mut database = sqlite(stack.folder.path()).await;
    free(&mut database).await;
    run(&mut database, tampering).await;

    let found = stack.get(VERIFICATION, &admin).await.json();
    assert_eq!((&found["is_intact"], &found["last"]), (&json!(expected.is_none()), &json!(4)), "{found}");
    let first_break = &found["first_break"];
    let seen =
        first_break.is_object().then(|| (first_break["seq"].as_i64().unwrap(), first_break["kind"].as_str().unwrap()));
    assert_eq!(seen, expected);
    assert_eq!(found["checked_to"], checked_to);

    let verdict = verify_audit(settings(stack.folder.path()), None).await.unwrap();
    match (verdict, expected) {
        (AuditVerdict::Intact { links: 4, hash }, None) => assert_eq!(hash, found["hash"]),
        (AuditVerdict::Broken { link, how, .. }, Some(expected)) => assert_eq!((link, how), expected),
        (verdict, expected) => panic!("{verdict:?}, not {expected:?}"),
    }
}

#[tokio::test]
async fn a_log_that_was_cut_short_is_found_by_a_hash_known_from_before() {
    let mut stack = Stack::start(&SETTINGS).await;
    let admin = stack.user().await;
    stack.user().await;
    sealed(&stack).await;
    let known = stack.get(VERIFICATION, &admin).await.json()["hash"].as_str().unwrap().to_owned();
    let folder = std::mem::replace(&mut stack.folder, tempfile::TempDir::new().unwrap());
    stack.stop();
    stack.ended().await;
    let intact = verify_audit(settings(folder.path()), Some(&known)).await.unwrap();
    assert_eq!(intact, AuditVerdict::Intact { links: 4, hash: known.clone() });
    let mut database = sqlite(folder.path()).await;
    free(&mut database).await;
    run(&mut database, CUT_SHORT).await;
    let cut = verify_audit(settings(folder.path()), Some(&known)).await.unwrap();
    assert_eq!(cut, AuditVerdict::CutShort { links: 3 });
    assert!(matches!(
        verify_audit(settings(folder.path()), None).await.unwrap(),
        AuditVerdict::Intact { links: 3, .. }
    ));
}

#[tokio::test]
async fn the_chain_can_be_checked_in_pieces() {
    let stack = Stack::start(&SETTINGS).await;
    let admin = stack.user().await;
    stack.user().await;
    sealed(&stack).await;
    let first = stack.get(&format!("{VERIFICATION}?limit=3"), &admin).await.json();
    assert_eq!((&first["checked_to"], &first["last"], &first["is_intact"]), (&json!(3), &json!(4), &json!(true)));
    let rest = stack.get(&format!("{VERIFICATION}?after=3"), &admin).await.json();
    assert_eq!((&rest["checked_to"], &rest["is_intact"]), (&json!(4), &json!(true)));
    assert_eq!(stack.get(&format!("{VERIFICATION}?after=5"), &admin).await.error().0, 404);
    assert_eq!(stack.get(&format!("{VERIFICATION}?after=-1"), &admin).await.error().0, 422);
}

#[tokio::test]
async fn two_services_seal_each_event_once_even_one_that_comes_late() {
    let first = Stack::start(&SETTINGS).await;
    let url = format!("sqlite://{}/tripsage.db", first.folder.path().display());
    let second = Stack::start(&[("DATABASE_URL", &url), ("TRIPSAGE_AUDIT_SEAL_EVERY", "10ms")]).await;
    let user = first.user().await;
    sealed(&first).await;
    // An event whose id is older than all that are sealed, as a slow transaction leaves it.
    let mut database = sqlite(first.folder.path()).await;
    let late = "INSERT INTO audit_events (id, user_id, action, subject_id, created_at) SELECT substr(id, 1, 35) || '!', user_id, 'late', \
        subject_id, created_at FROM audit_events ORDER BY id LIMIT 1";
    run(&mut database, &[late]).await;
    for n in 0..20 {
        let stack = if n % 2 == 0 { &first } else { &second };
        assert_eq!(stack.post("/api/v1/trips", &user, &trip("Alps")).await.status, 201);
    }
    sealed(&first).await;
    assert_eq!(number(&mut database, "SELECT COUNT(*) FROM audit_events").await, 23);
    assert_eq!(number(&mut database, "SELECT MAX(seq) FROM audit_chain").await, 23);
    let verdict = verify_audit(settings(first.folder.path()), None).await.unwrap();
    assert!(matches!(verdict, AuditVerdict::Intact { links: 23, .. }), "{verdict:?}");
    let sealed_events = first.metric("tripsage_audit_events_sealed_total").await
        + second.metric("tripsage_audit_events_sealed_total").await;
    assert_eq!(sealed_events, 23.0);
}

fn settings(folder: &Path) -> Config {
    config(&[("DATABASE_URL", format!("sqlite://{}/tripsage.db", folder.display()))])
}

/// Removes what keeps the log from being changed, as one could who owns the database.
async fn free(database: &mut SqliteConnection) {
    run(
        database,
        &[
            "DROP TRIGGER audit_events_are_not_changed",
            "DROP TRIGGER audit_events_are_not_deleted",
            "DROP TRIGGER audit_chain_is_not_changed",
            "DROP TRIGGER audit_chain_is_not_deleted",
        ],
    )
    .await;
}
