//! Writes that are refused, fail, or take longer.
use std::time::Duration;

use chaos::fault::database::{Leased, PostgresFault, SerializationFailures, SlowWrites};
use tokio::time::Instant;

use crate::rig::{LEASE, Rig, Service, code, eventually};

const WRITE: &str = "INSERT INTO trips VALUES (1)";

#[tokio::test]
async fn nothing_is_written_while_the_server_is_read_only() {
    let Some(rig) = Rig::start().await else { return };
    let fault = rig.prepare(PostgresFault::ReadOnly).await;
    let mut service = rig.connect().await.unwrap();
    service.run(WRITE).await.unwrap();

    fault.inject(LEASE).await.unwrap();
    eventually("a connection that was open cannot write", async || service.run(WRITE).await.is_err()).await;
    assert_eq!(code(service.run(WRITE).await), "25006");
    service.run("SELECT * FROM trips").await.unwrap();
    fault.renew().await.unwrap();
    let seen = fault.seen().await;
    assert_eq!(seen.count, 2, "{seen}");

    fault.lift().await.unwrap();
    eventually("it writes again", async || service.run(WRITE).await.is_ok()).await;
    fault.lift().await.expect("lifting twice is no error");
    assert!(fault.renew().await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn a_server_is_writable_again_when_nobody_renews_the_lease() {
    let Some(rig) = Rig::start().await else { return };
    let fault = rig.prepare(PostgresFault::ReadOnly).await;
    let mut service = rig.connect().await.unwrap();
    fault.inject(Duration::from_millis(500)).await.unwrap();
    eventually("it writes again", async || service.run(WRITE).await.is_ok()).await;
    assert!(fault.renew().await.unwrap_err().is_not_found());
}

/// Which of a hundred writes fail.
async fn failures(fault: &Leased, service: &mut Service) -> Vec<bool> {
    fault.inject(LEASE).await.unwrap();
    let mut failed = Vec::new();
    for _ in 0..100 {
        let outcome = service.run(WRITE).await;
        failed.push(outcome.is_err());
        if outcome.is_err() {
            assert_eq!(code(outcome), "40001");
        }
    }
    fault.renew().await.unwrap();
    failed
}

#[tokio::test]
async fn a_share_of_writes_fails_and_it_is_the_same_writes_every_time() {
    let Some(rig) = Rig::start().await else { return };
    let settings = SerializationFailures { share: 0.3, tables: vec!["trips".to_owned()] };
    let fault = rig.prepare(PostgresFault::SerializationFailures(settings)).await;
    let mut service = rig.connect().await.unwrap();
    let failed = failures(&fault, &mut service).await;
    let count = failed.iter().filter(|failed| **failed).count();
    // 100 draws at 0.3: 30 on average, with a standard deviation of 4.6.
    assert!((12..=48).contains(&count), "{count} of 100");
    service.run("INSERT INTO users VALUES (1)").await.expect("other tables are left alone");
    let seen = fault.seen().await;
    assert!(seen.count == count as u64 && seen.what.contains("of 100"), "{seen}");

    fault.lift().await.unwrap();
    for _ in 0..30 {
        service.run(WRITE).await.unwrap();
    }
    assert_eq!(service.number("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'chaos%'").await, 0);
    fault.lift().await.expect("lifting twice is no error");
    assert!(fault.renew().await.unwrap_err().is_not_found());
    assert_eq!(failures(&fault, &mut service).await, failed);
    fault.lift().await.unwrap();
}

#[tokio::test]
async fn writes_take_longer_and_reads_do_not_meet_the_trigger() {
    let Some(rig) = Rig::start().await else { return };
    let delay = Duration::from_millis(400);
    let fault = rig.prepare(PostgresFault::SlowWrites(SlowWrites { delay, tables: Vec::new() })).await;
    let mut service = rig.connect().await.unwrap();
    fault.inject(LEASE).await.unwrap();
    for sql in [WRITE, "UPDATE trips SET a = 2", "DELETE FROM users"] {
        let started = Instant::now();
        service.run(sql).await.unwrap();
        assert!(started.elapsed() >= delay, "{sql}: {:?}", started.elapsed());
    }
    service.run("SELECT * FROM trips").await.unwrap();
    fault.renew().await.unwrap();
    let seen = fault.seen().await;
    assert_eq!(seen.to_string(), "3 writes made slower, of 3 that the service sent");

    fault.lift().await.unwrap();
    service.run(WRITE).await.unwrap();
    assert_eq!(fault.seen().await.count, 3, "the last one met no trigger");
    assert_eq!(service.number("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'chaos%'").await, 0);
}
