//! What was acknowledged is there, once: after the service was killed, and after the database was gone.

use std::{collections::BTreeMap, net::SocketAddr, sync::Mutex, time::Duration};

use futures_util::future::join_all;
use reqwest::{Client, Method};
use rstest::rstest;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::Notify, task::spawn_blocking, time::timeout};

use crate::{
    gate::{Gate, Mode},
    postgres::Cluster,
    program::listening,
    stack::{Answer, Database, Obstacle, PASSWORD, Stack, User, client, until},
};

const TRIPS: &str = "/api/v1/trips";
const WRITERS: usize = 8;
/// What must be acknowledged before the service is killed.
const ACKNOWLEDGED_MIN: usize = 40;

fn trip(title: &str) -> Value {
    json!({"title": title, "start_date": "2099-05-01", "end_date": "2099-05-08", "destinations": [{"name": "Lisbon"}]})
}

/// A user of the program, and its address.
struct Account {
    client: Client,
    base: String,
    token: String,
}

impl Account {
    async fn register(address: &str) -> Self {
        let mut account = Self { client: client(), base: format!("http://{address}"), token: String::new() };
        let body = json!({"email": "ann@example.org", "password": PASSWORD});
        for path in ["register", "login"] {
            let sent = account.client.post(format!("{}/api/v1/auth/{path}", account.base)).json(&body).send().await;
            let answer = sent.unwrap().error_for_status().unwrap().json::<Value>().await.unwrap();
            account.token = answer["access_token"].as_str().unwrap_or_default().to_owned();
        }
        account
    }

    /// Creates a trip, its title as key; its id when that is acknowledged.
    async fn create(&self, title: &str) -> Option<String> {
        let request = self.client.post(format!("{}{TRIPS}", self.base)).bearer_auth(&self.token).json(&trip(title));
        let answer = request.header("Idempotency-Key", title).send().await.ok()?;
        assert_eq!(answer.status(), 201, "{title}");
        Some(answer.json::<Value>().await.ok()?["id"].as_str().unwrap().to_owned())
    }

    /// All trips, by title; none is there twice.
    async fn trips(&self) -> BTreeMap<String, String> {
        let mut trips = BTreeMap::new();
        loop {
            let url = format!("{}{TRIPS}?limit=100&skip={}", self.base, trips.len());
            let page = self.client.get(url).bearer_auth(&self.token).send().await.unwrap();
            let items = page.error_for_status().unwrap().json::<Value>().await.unwrap()["items"].take();
            let items = items.as_array().unwrap();
            if items.is_empty() {
                return trips;
            }
            for item in items {
                let text = |field: &str| item[field].as_str().unwrap().to_owned();
                assert_eq!(trips.insert(text("title"), text("id")), None, "{item} is there twice");
            }
        }
    }
}

#[rstest]
#[tokio::test]
async fn every_acknowledged_trip_is_there_once_after_a_kill(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let folder = TempDir::new().unwrap();
    let Some(url) = database.url(&folder).await else { return };
    let (mut program, address) = listening(&url).await;
    let mut account = Account::register(&address).await;

    let acknowledged = Mutex::new(BTreeMap::new());
    let is_enough = Notify::new();
    let write = async |writer: usize| {
        let mut number = 0;
        loop {
            let title = format!("{writer}-{number}");
            let Some(id) = account.create(&title).await else { return title };
            let mut acknowledged = acknowledged.lock().unwrap();
            acknowledged.insert(title, id);
            if acknowledged.len() >= ACKNOWLEDGED_MIN {
                is_enough.notify_one();
            }
            number += 1;
        }
    };
    let kill = async {
        is_enough.notified().await;
        program.kill().await.unwrap();
    };
    let writing = async { tokio::join!(join_all((0..WRITERS).map(write)), kill) };
    let (unacknowledged, ()) = timeout(Duration::from_secs(20), writing).await.unwrap();
    let mut acknowledged = acknowledged.into_inner().unwrap();
    assert!(acknowledged.len() >= ACKNOWLEDGED_MIN);

    let (_program, address) = listening(&url).await;
    account.base = format!("http://{address}");
    let stored = account.trips().await;
    for (title, id) in &acknowledged {
        assert_eq!(stored.get(title), Some(id), "{title}");
    }
    for title in unacknowledged {
        let id = account.create(&title).await.unwrap();
        assert_eq!(stored.get(&title).unwrap_or(&id), &id, "{title} was stored and not acknowledged");
        acknowledged.insert(title, id);
    }
    assert_eq!(account.trips().await, acknowledged);
}

async fn create(stack: &Stack, user: &User, title: &str) -> Answer {
    let key = [("Idempotency-Key", title)];
    stack.send_with(Method::POST, TRIPS, Some(&user.token), Some(&trip(title)), &key).await
}

/// Creates these at the same time, each with its title as key; those that are acknowledged, and those that are not.
async fn create_all(stack: &Stack, user: &User, titles: &[String]) -> (Vec<String>, Vec<String>) {
    let answers = join_all(titles.iter().map(|title| create(stack, user, title))).await;
    let (created, refused): (Vec<_>, Vec<_>) = titles.iter().zip(answers).partition(|(_, answer)| answer.status == 201);
    for (_, answer) in &refused {
        assert_eq!(answer.error(), (503, "DATABASE_ERROR".into()));
        assert_eq!(answer.header("retry-after"), "1");
    }
    let titles = |answers: Vec<(&String, _)>| answers.into_iter().map(|(title, _)| title.clone()).collect();
    (titles(created), titles(refused))
}

fn titles(round: &str) -> Vec<String> {
    (0..10).map(|number| format!("{round} {number}")).collect()
}

async fn stored(stack: &Stack, user: &User) -> Vec<String> {
    let list = stack.get(&format!("{TRIPS}?limit=100"), user).await.json();
    list["items"].as_array().unwrap().iter().map(|item| item["title"].as_str().unwrap().to_owned()).collect()
}

async fn is_ready(stack: &Stack) -> bool {
    stack.probe("/health/ready").await.status == 200
}

#[tokio::test]
async fn a_server_that_crashes_is_503_and_used_again_when_it_is_back() {
    let Some(mut cluster) = Cluster::start(None) else { return };
    let url = cluster.database().await;
    let settings = [("TRIPSAGE_DATABASE_POOL_WAIT", "200ms")];
    let stack = Stack::with(TempDir::new().unwrap(), url, &settings).await;
    let user = stack.user().await;
    let (mut acknowledged, refused) = create_all(&stack, &user, &titles("before")).await;
    assert!(refused.is_empty());

    let crashing = spawn_blocking(move || {
        cluster.crash();
        cluster
    });
    let (created, mut refused) = create_all(&stack, &user, &titles("meanwhile")).await;
    acknowledged.extend(created);
    let mut cluster = crashing.await.unwrap();
    let (created, all) = create_all(&stack, &user, &titles("after")).await;
    assert_eq!((created.len(), all.len()), (0, 10));
    refused.extend(all);
    assert_eq!(stack.get(TRIPS, &user).await.error(), (503, "DATABASE_ERROR".into()));
    assert!(!is_ready(&stack).await);
    assert_eq!(stack.probe("/health/live").await.status, 200);

    let cluster = spawn_blocking(move || {
        cluster.resume();
        cluster
    });
    let _cluster = cluster.await.unwrap();
    until("the service is ready again", || is_ready(&stack)).await;
    let here = stored(&stack, &user).await;
    assert!(acknowledged.iter().all(|title| here.contains(title)), "{acknowledged:?} in {here:?}");
    let (created, refused) = create_all(&stack, &user, &refused).await;
    assert!(refused.is_empty(), "{refused:?}");
    acknowledged.extend(created);
    let mut here = stored(&stack, &user).await;
    here.sort_unstable();
    acknowledged.sort_unstable();
    assert_eq!(here, acknowledged);
}

#[tokio::test]
async fn connections_that_the_server_ended_fail_one_request_at_most() {
    let Some(stack) = Stack::on(Database::Postgres, &[]).await else { return };
    let user = stack.user().await;
    create_all(&stack, &user, &titles("before")).await;
    let mut other = PgConnection::connect(&stack.database_url).await.unwrap();
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let ended = sqlx::query(end).execute(&mut other).await.unwrap().rows_affected();
    assert!(ended > 1, "{ended}");
    let mut failed = 0;
    for title in titles("after") {
        failed += usize::from(create(&stack, &user, &title).await.status != 201);
    }
    assert!(failed <= 1, "{failed}");
}

#[tokio::test]
async fn a_server_that_falls_silent_holds_no_place_in_the_pool() {
    let port = free_port().await;
    let Some(cluster) = Cluster::start(Some(port)) else { return };
    let gate = Gate::to(SocketAddr::from(([127, 0, 0, 1], port))).await;
    let direct = cluster.database().await;
    let url = cluster.url_by(&direct, gate.address);
    let settings = [
        ("TRIPSAGE_DATABASE_CONNECTIONS", "4"),
        ("TRIPSAGE_DATABASE_STATEMENT_TIMEOUT", "1s"),
        ("TRIPSAGE_DATABASE_POOL_WAIT", "200ms"),
    ];
    let stack = Stack::with(TempDir::new().unwrap(), url, &settings).await;
    let user = stack.user().await;
    // All connections are waiting for an answer when the link goes silent.
    let obstacle = Obstacle::put(&direct).await;
    let silence = async {
        until("the pool is in use", || async { stack.metric("tripsage_db_pool_in_use").await == 4.0 }).await;
        gate.set(Mode::BlackHole);
    };
    let during = titles("during");
    let ((created, _), ()) = tokio::join!(create_all(&stack, &user, &during), silence);
    obstacle.lift().await;
    assert!(created.is_empty(), "{created:?}");
    assert!(!is_ready(&stack).await);
    assert_eq!(stack.probe("/health/live").await.status, 200);
    // What met the black hole stays dead: only new connections work.
    gate.set(Mode::Open);
    until("the service is ready again", || is_ready(&stack)).await;
    until("all of the pool is free", || async { create_all(&stack, &user, &titles("after")).await.1.is_empty() }).await;
}

async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}
