//! Trips of several people: who may do what, sharing, and edits at the same time.

use futures_util::future::join_all;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection, SqliteConnection};

use crate::stack::{Answer, Database, Stack, User};

const TRIPS: &str = "/api/v1/trips";
const NOBODY: &str = "7b0c8f0e-3c52-4be4-9f0e-0d5c2f6b1a11";

fn trip() -> Value {
    json!({"title": "Alps", "start_date": "2099-05-01", "end_date": "2099-05-08", "destinations": [{"name": "Zermatt"}]})
}

/// A trip of the owner, as a path.
async fn create(stack: &Stack, owner: &User) -> String {
    stack.post(TRIPS, owner, &trip()).await.header("location").to_owned()
}

async fn put(stack: &Stack, path: &str, user: &User, body: &Value) -> Answer {
    stack.send(Method::PUT, path, Some(&user.token), Some(body)).await
}

async fn delete(stack: &Stack, path: &str, user: &User) -> Answer {
    stack.send(Method::DELETE, path, Some(&user.token), None).await
}

/// Shares a trip with one user, whose id is answered.
async fn share(stack: &Stack, trip: &str, owner: &User, guest: &User, level: &str) -> String {
    let body = json!({"user_emails": [guest.email], "permission_level": level});
    let shared = stack.post(&format!("{trip}/share"), owner, &body).await;
    assert_eq!(shared.status, 200, "{shared:?}");
    shared.json()["added"][0]["user_id"].as_str().unwrap().to_owned()
}

async fn audited(stack: &Stack) -> Vec<String> {
    const ACTIONS: &str = "SELECT action FROM audit_events WHERE action LIKE 'trip.%' ORDER BY id";
    let rows: Vec<(String,)> = if stack.database_url.starts_with("sqlite") {
        let mut database = SqliteConnection::connect(&stack.database_url).await.unwrap();
        sqlx::query_as(ACTIONS).fetch_all(&mut database).await.unwrap()
    } else {
        let mut database = PgConnection::connect(&stack.database_url).await.unwrap();
        sqlx::query_as(ACTIONS).fetch_all(&mut database).await.unwrap()
    };
    rows.into_iter().map(|(action,)| action).collect()
}

/// What each may do, by the status of the answer.
#[rstest]
#[case("owner", [200, 200, 200, 200, 200, 201, 200, 200, 204, 204])]
#[case("admin", [200, 200, 200, 200, 200, 201, 403, 403, 403, 403])]
#[case("edit", [200, 200, 200, 200, 200, 201, 403, 403, 403, 403])]
#[case("view", [200, 200, 200, 200, 403, 403, 403, 403, 403, 403])]
#[case("stranger", [404; 10])]
#[case("nobody", [401; 10])]
#[tokio::test]
async fn access_decides_what_one_may_do(
    #[case] who: &str,
    #[case] expected: [u16; 10],
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let Some(stack) = Stack::on(database, &[]).await else { return };
    let (owner, other, guest) = (stack.user().await, stack.user().await, stack.user().await);
    let trip = create(&stack, &owner).await;
    let guest_id = share(&stack, &trip, &owner, &guest, "view").await;
    let token = match who {
        "owner" => Some(owner.token.as_str()),
        "nobody" => None,
        "stranger" => Some(other.token.as_str()),
        level => {
            share(&stack, &trip, &owner, &other, level).await;
            Some(other.token.as_str())
        }
    };
    let item = json!({"type": "activity", "title": "Gornergrat", "date": "2099-05-02"});
    let collaborator = format!("{trip}/collaborators/{guest_id}");
    let routes = [
        (Method::GET, trip.clone(), None),
        (Method::GET, format!("{trip}/summary"), None),
        (Method::GET, format!("{trip}/itinerary"), None),
        (Method::GET, format!("{trip}/collaborators"), None),
        (Method::PUT, trip.clone(), Some(json!({"title": "Sea", "version": 1}))),
        (Method::POST, format!("{trip}/itinerary/items"), Some(item)),
        (Method::POST, format!("{trip}/share"), Some(json!({"user_emails": []}))),
        (Method::PUT, collaborator.clone(), Some(json!({"permission_level": "edit"}))),
        (Method::DELETE, collaborator, None),
        (Method::DELETE, trip.clone(), None),
    ];
    for ((method, path, body), expected) in routes.into_iter().zip(expected) {
        let answer = stack.send(method.clone(), &path, token, body.as_ref()).await;
        assert_eq!(answer.status, expected, "{who}: {method} {path}: {answer:?}");
        let code = match expected {
            401 => "AUTHENTICATION_ERROR",
            403 => "AUTHORIZATION_ERROR",
            404 => "RESOURCE_NOT_FOUND",
            _ => continue,
        };
        assert_eq!(answer.error().1, code, "{who}: {method} {path}");
    }
    let seen_by_owner = stack.get(&trip, &owner).await.status;
    assert_eq!(seen_by_owner, if who == "owner" { 404 } else { 200 });
}

#[rstest]
#[tokio::test]
async fn a_trip_is_shared_edited_by_others_and_taken_back(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let Some(stack) = Stack::on(database, &[]).await else { return };
    let (owner, guest) = (stack.user().await, stack.user().await);
    let trip = create(&stack, &owner).await;
    assert_eq!(stack.get(TRIPS, &guest).await.json()["total"], 0);

    let emails = json!([guest.email.to_uppercase(), "unknown@example.org", owner.email]);
    let body = json!({"user_emails": emails, "message": "Come along!"});
    let shared = stack.post(&format!("{trip}/share"), &owner, &body).await.json();
    let skipped = json!([{"email": "unknown@example.org", "reason": "unknown_user"},
        {"email": owner.email, "reason": "owner"}]);
    assert_eq!(shared["skipped"], skipped);
    assert_eq!(shared["added"].as_array().unwrap().len(), 1);
    let added = &shared["added"][0];
    assert_eq!((&added["email"], &added["permission_level"]), (&json!(guest.email), &json!("view")));
    assert_eq!(added["message"], "Come along!");
    let list = stack.get(&format!("{trip}/collaborators"), &guest).await.json();
    let owner_id = stack.get("/api/v1/users/me", &owner).await.json()["id"].clone();
    assert_eq!(list, json!({"collaborators": [added], "total": 1, "owner_id": owner_id}));

    // A viewer reads and lists it, no more.
    assert_eq!(stack.get(&trip, &guest).await.json()["title"], "Alps");
    let listed = stack.get(&format!("{TRIPS}?q=alps&status=planning"), &guest).await.json();
    assert_eq!((&listed["total"], &listed["items"][0]["title"]), (&json!(1), &json!("Alps")));
    let change = json!({"title": "Sea", "version": 1});
    assert_eq!(put(&stack, &trip, &guest, &change).await.error(), (403, "AUTHORIZATION_ERROR".into()));

    // Sharing again changes nothing; promotion does.
    let again = stack.post(&format!("{trip}/share"), &owner, &json!({"user_emails": [guest.email]})).await.json();
    assert_eq!(again, json!({"added": [], "skipped": [{"email": guest.email, "reason": "already_collaborator"}]}));
    let collaborator = format!("{trip}/collaborators/{}", added["user_id"].as_str().unwrap());
    let promoted = put(&stack, &collaborator, &owner, &json!({"permission_level": "edit"})).await;
    assert_eq!((promoted.status.as_u16(), &promoted.json()["permission_level"]), (200, &json!("edit")));
    assert_eq!(put(&stack, &trip, &guest, &change).await.status, 200);
    assert_eq!(stack.get(&trip, &owner).await.json()["title"], "Sea");

    assert_eq!(delete(&stack, &collaborator, &owner).await.status, 204);
    assert_eq!(stack.get(&trip, &guest).await.error().0, 404);
    assert_eq!(put(&stack, &trip, &guest, &json!({"title": "X", "version": 2})).await.error().0, 404);
    assert_eq!(stack.get(TRIPS, &guest).await.json()["total"], 0);
    assert_eq!(delete(&stack, &collaborator, &owner).await.error().0, 404);
    let change = json!({"permission_level": "view"});
    assert_eq!(put(&stack, &collaborator, &owner, &change).await.error().0, 404);
    let expected = ["trip.created", "trip.shared", "trip.permission_changed", "trip.updated", "trip.unshared"];
    assert_eq!(audited(&stack).await, expected);
}

#[rstest]
#[tokio::test]
async fn a_wrong_sharing_is_refused(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let Some(stack) = Stack::on(database, &[]).await else { return };
    let owner = stack.user().await;
    let trip = create(&stack, &owner).await;
    let too_many: Vec<String> = (0..51).map(|number| format!("{number}@example.org")).collect();
    let bodies = [
        json!({"user_emails": too_many}),
        json!({"user_emails": [""]}),
        json!({"user_emails": ["a\u{0}@example.org"]}),
        json!({"user_emails": "a@example.org"}),
        json!({"user_emails": [], "permission_level": "owner"}),
        json!({"user_emails": [], "message": "x".repeat(501)}),
        json!({}),
    ];
    for body in bodies {
        let answer = stack.post(&format!("{trip}/share"), &owner, &body).await;
        assert_eq!(answer.error(), (422, "VALIDATION_ERROR".into()), "{body}");
    }
    for path in [format!("{trip}/collaborators/nonsense"), format!("{trip}/collaborators/{NOBODY}")] {
        assert_eq!(delete(&stack, &path, &owner).await.error().0, 404, "{path}");
    }
    assert_eq!(audited(&stack).await, ["trip.created"]);
}

#[rstest]
#[tokio::test]
async fn of_many_edits_of_one_version_one_wins_and_the_others_are_told(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let Some(stack) = Stack::on(database, &[]).await else { return };
    let (owner, guest) = (stack.user().await, stack.user().await);
    let trip = create(&stack, &owner).await;
    share(&stack, &trip, &owner, &guest, "edit").await;
    for version in 1..=3 {
        let edits = join_all((0..10).map(|number| {
            let editor = if number % 2 == 0 { &owner } else { &guest };
            let body = json!({"title": format!("Edit {version}.{number}"), "version": version});
            let (stack, trip) = (&stack, &trip);
            async move { put(stack, trip, editor, &body).await }
        }));
        let (won, lost): (Vec<_>, Vec<_>) = edits.await.into_iter().partition(|answer| answer.status == 200);
        assert_eq!((won.len(), lost.len()), (1, 9));
        assert!(lost.iter().all(|answer| answer.error() == (409, "VERSION_CONFLICT".into())));
        let read = stack.get(&trip, &owner).await;
        assert_eq!((read.json(), read.header("etag")), (won[0].json(), won[0].header("etag")));
    }
    assert_eq!(audited(&stack).await.iter().filter(|action| *action == "trip.updated").count(), 3);
}

#[rstest]
#[tokio::test]
async fn guests_invited_at_once_are_all_there_once(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let Some(stack) = Stack::on(database, &[]).await else { return };
    let owner = stack.user().await;
    let trip = create(&stack, &owner).await;
    let guests = [stack.user().await.email, stack.user().await.email, stack.user().await.email];
    let (body, path) = (json!({"user_emails": guests}), format!("{trip}/share"));
    let answers = join_all((0..5).map(|_| stack.post(&path, &owner, &body))).await;
    let added: usize = answers.iter().map(|answer| answer.json()["added"].as_array().unwrap().len()).sum();
    assert_eq!(added, 3);
    assert_eq!(stack.get(&format!("{trip}/collaborators"), &owner).await.json()["total"], 3);
}
