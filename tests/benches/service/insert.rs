//! Trips inserted through the bare driver: the same statement, the same number of writers, no service.
//!
//! A process of its own, like the service. For each line on its standard input, a number of milliseconds, it inserts for
//! so long and answers with a line: how many rows it inserted.

use std::{
    io::{BufRead as _, Write as _},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use sqlx::{
    postgres::PgPoolOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

const TRIP: &str = "INSERT INTO trips (id, user_id, title, description, start_date, end_date, destinations, preferences, \
                    status, version, created_at, updated_at) \
                    VALUES ($1, $2, 'Paris', NULL, '2099-05-01', '2099-05-08', $3, NULL, 'planning', 1, 1, 1)";
const DESTINATIONS: &str = r#"[{"name":"Paris","country":"France"}]"#;

pub(crate) async fn run(url: &str, writers: usize) {
    let new_id = || uuid::Uuid::new_v4().to_string();
    if url.starts_with("sqlite") {
        let options: SqliteConnectOptions = url.parse().unwrap();
        let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Normal);
        let pool = SqlitePoolOptions::new().max_connections(1).test_before_acquire(false);
        let pool = pool.connect_with(options.foreign_keys(true)).await.unwrap();
        let (user,): (String,) = sqlx::query_as("SELECT id FROM users LIMIT 1").fetch_one(&pool).await.unwrap();
        let insert =
            async || sqlx::query(TRIP).bind(new_id()).bind(&user).bind(DESTINATIONS).execute(&pool).await.map(|_| ());
        obey(writers, insert).await;
    } else {
        let pool = PgPoolOptions::new().max_connections(16).test_before_acquire(false).connect(url).await.unwrap();
        let (user,): (String,) = sqlx::query_as("SELECT id FROM users LIMIT 1").fetch_one(&pool).await.unwrap();
        let insert =
            async || sqlx::query(TRIP).bind(new_id()).bind(&user).bind(DESTINATIONS).execute(&pool).await.map(|_| ());
        obey(writers, insert).await;
    }
}

async fn obey(writers: usize, insert: impl AsyncFn() -> sqlx::Result<()>) {
    println!(r#"{{"ready":"insert","addresses":{{}}}}"#);
    for line in std::io::stdin().lock().lines() {
        let (begun, lasts) = (Instant::now(), Duration::from_millis(line.unwrap().parse().unwrap()));
        let count = AtomicU64::new(0);
        let writes = (0..writers).map(|_| async {
            while begun.elapsed() < lasts {
                insert().await.unwrap();
                count.fetch_add(1, Relaxed);
            }
        });
        futures_util::future::join_all(writes).await;
        println!("{}", count.into_inner());
        std::io::stdout().flush().unwrap();
    }
}
