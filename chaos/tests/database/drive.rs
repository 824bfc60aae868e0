//! A fault of a database from its scenario to its record.
use std::{path::Path, time::Duration};

use chaos::{
    FaultSettings, Injectors, Timeline, drive,
    fault::database::{Database, Error, Prepared},
};
use reports::record::{FaultEnd, FaultRecord};
use serde::Deserialize;
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::rig::Rig;

const RUN: Duration = Duration::from_secs(9);

fn timeline(fault: &str) -> Timeline {
    read(&text(fault, "500ms"))
}

fn text(fault: &str, at: &str) -> String {
    format!("[[faults]]\npart = \"database\"\nat = \"{at}\"\nfor = \"2s\"\nfault = {fault}\nlease = \"1s\"\n")
}

fn read(text: &str) -> Timeline {
    #[derive(Deserialize)]
    struct File {
        faults: Vec<FaultSettings>,
    }
    let file: File = toml::from_str(text).unwrap();
    Timeline::with_parts::<&str>(&file.faults, &[], &["database"], RUN).unwrap()
}

async fn driven(timeline: &Timeline, database: &Database, origin: Instant) -> FaultRecord {
    let database = Prepared::new(timeline, database).await.unwrap();
    let injectors = Injectors::default().with_database(database);
    let mut records = drive(timeline, injectors, origin, CancellationToken::new()).await;
    records.remove(0)
}

fn check(record: &FaultRecord, kind: &str) {
    assert_eq!((record.end, record.error.as_deref(), record.kind.as_str()), (FaultEnd::Lifted, None, kind));
    let window = record.window.unwrap();
    // As long as planned at least: it went on at 500 ms at the earliest, and was not lifted before 2500 ms.
    assert!(window.from_ns >= 500_000_000 && window.to_ns >= 2_500_000_000, "{window:?}");
}

async fn open(file: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true).busy_timeout(Duration::ZERO);
    let wal = options.journal_mode(sqlx::sqlite::SqliteJournalMode::Wal);
    SqliteConnection::connect_with(&wal).await.unwrap()
}

#[tokio::test]
async fn a_locked_file_is_recorded_with_its_window_and_its_proof() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("x.db");
    let mut service = open(&file).await;
    sqlx::raw_sql("CREATE TABLE t (a)").execute(&mut service).await.unwrap();
    let (timeline, database) = (timeline(r#"{ sqlite = "lock" }"#), Database::Sqlite { file });
    let origin = Instant::now();
    let writes = async {
        sleep_until(origin + Duration::from_millis(1_500)).await;
        sqlx::raw_sql("INSERT INTO t VALUES (1)").execute(&mut service).await
    };
    let (record, written) = tokio::join!(driven(&timeline, &database, origin), writes);
    written.expect_err("it is locked a second after it went on");
    check(&record, "lock");
    let part = record.part.unwrap();
    // One probe when it went on, and one at each renewal, five times in a second.
    assert!(part.hits.unwrap() >= 2, "{part:?}");
    assert_eq!(part.proof, format!("{} probe writes refused with SQLITE_BUSY", part.hits.unwrap()));
    sqlx::raw_sql("INSERT INTO t VALUES (1)").execute(&mut service).await.unwrap();
}

#[tokio::test]
async fn a_fault_that_met_nobody_says_so() {
    let Some(rig) = Rig::start().await else { return };
    let timeline = timeline(r#"{ postgres = { relation_locked = { table = "trips" } } }"#);
    let database = Database::Postgres(rig.cluster.clone());
    let record = driven(&timeline, &database, Instant::now()).await;
    check(&record, "relation_locked");
    assert_eq!(record.part.unwrap().hits, Some(0));
}

#[tokio::test]
async fn a_fault_of_another_database_is_refused_before_the_run() {
    let folder = tempfile::TempDir::new().unwrap();
    let database = Database::Sqlite { file: folder.path().join("x.db") };
    let refused = Prepared::new(&timeline(r#"{ postgres = "crash" }"#), &database).await.unwrap_err();
    let cause = std::error::Error::source(&refused).unwrap().to_string();
    assert_eq!(refused.to_string(), "fault `database crash` cannot be prepared");
    assert_eq!(cause, "`server killed, then started again` is not a fault of SQLite");
}

#[tokio::test]
async fn nothing_follows_a_failover_inside_the_database() {
    let (failover, crash) = (r#"{ postgres = "failover" }"#, r#"{ postgres = "crash" }"#);
    let database = Database::Sqlite { file: "none.db".into() };
    let refused = async |first, second| {
        let timeline = read(&(text(first, "0s") + &text(second, "4s")));
        Prepared::new(&timeline, &database).await.unwrap_err()
    };
    let late = refused(failover, crash).await;
    assert!(matches!((late.fault.as_str(), late.source), ("database crash", Error::AfterFailover)));
    let first = refused(crash, failover).await;
    assert!(matches!((first.fault.as_str(), first.source), ("database crash", Error::OtherDatabase { .. })));
}
