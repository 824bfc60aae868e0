//! Trips: creating once, listing, reading, changing, deleting, and a database that does not write.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::stack::{Answer, Database, Obstacle, Stack, User, until};

const TRIPS: &str = "/api/v1/trips";

fn trip(title: &str) -> Value {
    json!({"title": title, "start_date": "2099-05-01", "end_date": "2099-05-08",
        "destinations": [{"name": "Lisbon", "country": "Portugal"}], "preferences": {"budget": {"total": 1000}}})
}

async fn create(stack: &Stack, user: &User, key: &str, body: &Value) -> Answer {
    stack.send_with(Method::POST, TRIPS, Some(&user.token), Some(body), &[("Idempotency-Key", key)]).await
}

#[rstest]
#[tokio::test]
async fn a_trip_is_created_listed_and_read_by_its_owner_only(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let Some(stack) = Stack::on(database, &[]).await else { return };
    let (ann, bob) = (stack.user().await, stack.user().await);
    let created = stack.post(TRIPS, &ann, &trip("100% Alps")).await;
    assert_eq!(created.status, 201);
    let body = created.json();
    let expected = json!({"title": "100% Alps", "duration_days": 7, "status": "planning", "version": 1});
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&body[field], value, "{field}");
    }
    let location = created.header("location");
    assert_eq!(location, format!("{TRIPS}/{}", body["id"].as_str().unwrap()));
    let read = stack.get(location, &ann).await;
    assert_eq!((read.status.as_u16(), read.json()), (200, body));
    assert_eq!(stack.get(location, &bob).await.error(), (404, "RESOURCE_NOT_FOUND".into()));
    assert_eq!(stack.get(&format!("{TRIPS}/nonsense"), &ann).await.error().0, 404);

    stack.post(TRIPS, &ann, &trip("Sea")).await;
    let lists = [
        ("", 200, vec!["Sea", "100% Alps"], 2),
        ("?limit=1", 200, vec!["Sea"], 2),
        ("?skip=1&limit=5", 200, vec!["100% Alps"], 2),
        ("?skip=9", 200, vec![], 2),
        ("?q=ALPS", 200, vec!["100% Alps"], 1),
        ("?q=%25", 200, vec!["100% Alps"], 1),
        ("?q=_", 200, vec![], 0),
        ("?status=planning", 200, vec!["Sea", "100% Alps"], 2),
        ("?status=booked", 200, vec![], 0),
    ];
    for (query, status, titles, total) in lists {
        let list = stack.get(&format!("{TRIPS}{query}"), &ann).await;
        assert_eq!(list.status, status, "{query}");
        let list = list.json();
        let seen: Vec<_> =
            list["items"].as_array().unwrap().iter().map(|item| item["title"].as_str().unwrap()).collect();
        assert_eq!((seen, &list["total"]), (titles, &json!(total)), "{query}");
    }
    for query in ["?limit=0", "?limit=101", "?skip=-1", "?status=lost", "?colour=red"] {
        assert_eq!(
            stack.get(&format!("{TRIPS}{query}"), &ann).await.error(),
            (422, "VALIDATION_ERROR".into()),
            "{query}"
        );
    }
    assert_eq!(stack.get(TRIPS, &bob).await.json()["total"], 0);
}

#[rstest]
#[tokio::test]
async fn a_change_says_which_version_it_is_meant_for(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let Some(stack) = Stack::on(database, &[]).await else { return };
    let user = stack.user().await;
    let created = stack.post(TRIPS, &user, &trip("Alps")).await;
    let path = created.header("location").to_owned();
    assert_eq!(created.header("etag"), "\"1\"");
    let put = async |headers: &[(&str, &str)], body: Value| {
        stack.send_with(Method::PUT, &path, Some(&user.token), Some(&body), headers).await
    };
    let refused = [
        (&[][..], json!({"title": "Sea"}), 422, "VALIDATION_ERROR"),
        (&[("if-match", "*")], json!({"title": "Sea"}), 422, "VALIDATION_ERROR"),
        (&[("if-match", "\"1\"")], json!({"title": "Sea", "version": 2}), 422, "VALIDATION_ERROR"),
        (&[("if-match", "\"2\"")], json!({"title": "Sea"}), 409, "VERSION_CONFLICT"),
        (&[], json!({"title": "Sea", "version": 0}), 409, "VERSION_CONFLICT"),
        (&[], json!({"title": "", "version": 1}), 422, "VALIDATION_ERROR"),
        (&[], json!({"end_date": "2099-04-30", "version": 1}), 422, "VALIDATION_ERROR"),
        (&[], json!({"status": "completed", "version": 1}), 409, "INVALID_STATUS_TRANSITION"),
        (&[], json!({"id": 7, "version": 1}), 422, "VALIDATION_ERROR"),
    ];
    for (headers, body, status, code) in refused {
        assert_eq!(put(headers, body.clone()).await.error(), (status, code.into()), "{headers:?} {body}");
    }
    assert_eq!(stack.get(&path, &user).await.json(), created.json());

    let changed = put(&[("if-match", "\"1\"")], json!({"title": "Sea", "preferences": null})).await;
    assert_eq!((changed.status.as_u16(), changed.header("etag")), (200, "\"2\""));
    let mut expected = created.json();
    expected["title"] = json!("Sea");
    expected["version"] = json!(2);
    expected["updated_at"] = changed.json()["updated_at"].clone();
    expected.as_object_mut().unwrap().remove("preferences");
    assert_eq!(changed.json(), expected);
    let read = stack.get(&path, &user).await;
    assert_eq!((read.json(), read.header("etag")), (expected, "\"2\""));
    for (version, status) in [(2, "booked"), (3, "completed")] {
        let stepped = put(&[], json!({"status": status, "version": version})).await;
        assert_eq!(stepped.json()["status"], status);
    }
    assert_eq!(put(&[], json!({"status": "planning", "version": 4})).await.error().1, "INVALID_STATUS_TRANSITION");
}

#[rstest]
#[tokio::test]
async fn a_deleted_trip_is_gone_with_its_key(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let Some(stack) = Stack::on(database, &[]).await else { return };
    let user = stack.user().await;
    let created = create(&stack, &user, "k1", &trip("Alps")).await;
    let path = created.header("location");
    let delete = async || stack.send(Method::DELETE, path, Some(&user.token), None).await;
    let deleted = delete().await;
    assert_eq!((deleted.status.as_u16(), deleted.text.as_str()), (204, ""));
    assert_eq!(delete().await.error().0, 404);
    assert_eq!(stack.get(path, &user).await.error().0, 404);
    assert_eq!(stack.get(TRIPS, &user).await.json()["total"], 0);
    assert_eq!(create(&stack, &user, "k1", &trip("Alps")).await.error(), (409, "IDEMPOTENCY_CONFLICT".into()));
}

#[rstest]
#[tokio::test]
async fn a_wrong_body_is_named_field_by_field(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let Some(stack) = Stack::on(database, &[]).await else { return };
    let user = stack.user().await;
    let mut wrong = trip("");
    wrong["end_date"] = json!("2099-04-30");
    let answer = stack.post(TRIPS, &user, &wrong).await;
    assert_eq!(answer.error(), (422, "VALIDATION_ERROR".into()));
    let errors = answer.json()["details"]["errors"].clone();
    let mut fields: Vec<_> = errors.as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["end_date", "title"]);

    let too_large = format!("{{\"title\": \"{}\"}}", "x".repeat(600 * 1024));
    let nul = trip("a\0b").to_string();
    let bodies = [
        ("{", 400, "MALFORMED_JSON"),
        ("", 400, "MALFORMED_JSON"),
        ("{} x", 422, "VALIDATION_ERROR"),
        ("[]", 422, "VALIDATION_ERROR"),
        (r#"{"title": 1}"#, 422, "VALIDATION_ERROR"),
        (nul.as_str(), 422, "VALIDATION_ERROR"),
        (too_large.as_str(), 413, "PAYLOAD_TOO_LARGE"),
    ];
    for (body, status, code) in bodies {
        let request = stack.request(Method::POST, TRIPS, Some(&user.token)).body(body.to_owned());
        let answer = crate::stack::read(request.header("content-type", "application/json")).await;
        assert_eq!(answer.error(), (status, code.into()), "{:.40}", body);
    }
}

#[rstest]
#[tokio::test]
async fn an_idempotency_key_stands_for_one_request(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let Some(stack) = Stack::on(database, &[]).await else { return };
    let (ann, bob) = (stack.user().await, stack.user().await);
    let first = create(&stack, &ann, "k1", &trip("Alps")).await;
    assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (201, ""));
    let again = create(&stack, &ann, "k1", &trip("Alps")).await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (201, "true"));
    assert_eq!((again.json(), again.header("location")), (first.json(), first.header("location")));
    assert_eq!(create(&stack, &ann, "k1", &trip("Sea")).await.error(), (409, "IDEMPOTENCY_CONFLICT".into()));
    assert_eq!(create(&stack, &bob, "k1", &trip("Sea")).await.status, 201);
    assert_eq!(create(&stack, &ann, &"x".repeat(256), &trip("Sea")).await.error().0, 400);
    assert_eq!(stack.get(TRIPS, &ann).await.json()["total"], 1);
}

#[rstest]
#[tokio::test]
async fn thirty_at_once_with_one_key_make_one_trip(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    // A slow machine must not shed any of them.
    let patient = ["TRIPSAGE_DATABASE_POOL_WAIT", "TRIPSAGE_DATABASE_STATEMENT_TIMEOUT", "TRIPSAGE_REQUEST_DEADLINE"]
        .map(|name| (name, "60s"));
    let Some(stack) = Stack::on(database, &patient).await else { return };
    let user = stack.user().await;
    let body = trip("Alps");
    let answers = join_all((0..30).map(|_| create(&stack, &user, "same", &body))).await;
    assert!(
        answers.iter().all(|answer| answer.status == 201 && answer.json()["id"] == answers[0].json()["id"]),
        "{answers:?}"
    );
    assert_eq!(answers.iter().filter(|answer| answer.header("idempotency-replayed").is_empty()).count(), 1);
    assert_eq!(stack.get(TRIPS, &user).await.json()["total"], 1);
}

#[rstest]
#[tokio::test]
async fn while_the_database_does_not_write_writes_are_503_reads_work_and_readiness_tells(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let limits = [("TRIPSAGE_DATABASE_STATEMENT_TIMEOUT", "400ms"), ("TRIPSAGE_DATABASE_POOL_WAIT", "200ms")];
    let Some(stack) = Stack::on(database, &limits).await else { return };
    let user = stack.user().await;
    assert_eq!(create(&stack, &user, "before", &trip("Before")).await.status, 201);

    let obstacle = Obstacle::put(&stack.database_url).await;
    let started = Instant::now();
    let body = trip("During");
    let answers = join_all((0..5).map(|_| create(&stack, &user, "during", &body))).await;
    for answer in answers {
        assert_eq!(answer.error(), (503, "DATABASE_ERROR".into()));
        assert_eq!(answer.header("retry-after"), "1");
    }
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(stack.get(TRIPS, &user).await.json()["total"], 1);
    assert_eq!(stack.probe("/health/live").await.status, 200);
    assert_eq!(stack.probe("/health/ready").await.status, 503);
    assert_eq!(stack.probe("/health").await.json()["status"], "unhealthy");

    obstacle.lift().await;
    assert_eq!(create(&stack, &user, "during", &body).await.status, 201);
    until("it is ready again", || async { stack.probe("/health/ready").await.status == 200 }).await;
    assert_eq!(stack.get(TRIPS, &user).await.json()["total"], 2);
}

#[rstest]
#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_a_write_does_not_hold_the_writer(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let Some(stack) = Stack::on(database, &[]).await else { return };
    let user = stack.user().await;
    let obstacle = Obstacle::put(&stack.database_url).await;
    let impatient =
        stack.request(Method::POST, TRIPS, Some(&user.token)).json(&trip("Gone")).timeout(Duration::from_millis(100));
    assert!(impatient.send().await.unwrap_err().is_timeout());
    obstacle.lift().await;
    for number in 0..3 {
        assert_eq!(create(&stack, &user, &number.to_string(), &trip("Here")).await.status, 201);
    }
    let list = stack.get(TRIPS, &user).await.json();
    assert!(list["items"].as_array().unwrap().iter().all(|item| item["title"] == "Here"), "{list}");
}
