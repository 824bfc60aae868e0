//! Tables that are locked.
use std::time::Duration;

use chaos::fault::database::{PostgresFault, RelationLocked};

use crate::rig::{LEASE, Rig, code, eventually};

fn lock(table: &str) -> PostgresFault {
    PostgresFault::RelationLocked(RelationLocked { table: table.to_owned() })
}

#[tokio::test]
async fn nobody_reads_or_writes_a_locked_table_and_everybody_does_afterwards() {
    let Some(rig) = Rig::start().await else { return };
    let fault = rig.prepare(lock("trips")).await;
    let mut service = rig.connect().await.unwrap();
    service.run("SET lock_timeout = '100ms'").await.unwrap();
    service.run("SELECT * FROM trips").await.unwrap();

    fault.inject(LEASE).await.unwrap();
    assert_eq!(code(service.run("SELECT * FROM trips").await), "55P03");
    assert_eq!(code(service.run("INSERT INTO trips VALUES (2)").await), "55P03");
    service.run("INSERT INTO users VALUES (1)").await.expect("other tables are free");
    let mut waiting = rig.connect().await.unwrap();
    let waiting = tokio::spawn(async move { waiting.run("SELECT * FROM trips").await });
    eventually("one is seen waiting", async || {
        fault.renew().await.unwrap();
        fault.seen().await.what.contains("1 seen waiting")
    })
    .await;
    let seen = fault.seen().await;
    assert!(seen.count == 2 && seen.what.contains("2 × 55P03 and 0 × 57014"), "{seen}");

    fault.lift().await.unwrap();
    waiting.await.unwrap().expect("who waited gets in");
    service.run("SELECT * FROM trips").await.unwrap();
    fault.lift().await.expect("lifting twice is no error");
    assert!(fault.renew().await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn a_lock_is_free_when_its_lease_runs_out_and_when_its_holder_is_ended() {
    let Some(rig) = Rig::start().await else { return };
    let fault = rig.prepare(lock("trips")).await;
    let mut service = rig.connect().await.unwrap();
    fault.inject(Duration::from_millis(500)).await.unwrap();
    service.run("SELECT * FROM trips").await.expect("it waits for the end of the lease");
    eventually("the fault knows", async || fault.renew().await.is_err_and(|error| error.is_not_found())).await;

    fault.inject(LEASE).await.unwrap();
    drop(fault);
    service.run("SELECT * FROM trips").await.expect("a connection that is closed holds nothing");
}

#[tokio::test]
async fn a_table_that_is_not_there_is_refused_before_the_run() {
    let Some(rig) = Rig::start().await else { return };
    let refused = rig.try_prepare(lock("trip")).await.err().unwrap();
    assert_eq!(refused.to_string(), "there is no table `trip`; the tables are trips, users");
}
