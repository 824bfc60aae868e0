//! Connections that are ended, or not to be had.
use std::time::Duration;

use chaos::fault::database::{BackendsTerminated, ConnectionsExhausted, PostgresFault};

use crate::rig::{LEASE, Rig, code, eventually};

#[tokio::test]
async fn connections_are_terminated_again_and_again_and_stay_afterwards() {
    let Some(rig) = Rig::start().await else { return };
    let every = Duration::from_millis(50);
    let fault = rig.prepare(PostgresFault::BackendsTerminated(BackendsTerminated { every })).await;
    let mut first = rig.connect().await.unwrap();
    fault.inject(LEASE).await.unwrap();
    eventually("the one that was open is ended", async || first.run("SELECT 1").await.is_err()).await;
    let mut ended = 1;
    while ended < 4 {
        // It may be ended before it is whole.
        if let Ok(mut next) = rig.connect().await {
            eventually("a later one is ended", async || next.run("SELECT 1").await.is_err()).await;
        }
        ended += 1;
    }
    fault.renew().await.unwrap();
    let count = fault.seen().await.count;
    assert!(count >= 2, "{count} in the log");

    fault.lift().await.unwrap();
    let mut after = rig.connect().await.unwrap();
    let before = fault.seen().await.count;
    let three_rounds = tokio::time::Instant::now() + every * 3;
    while tokio::time::Instant::now() < three_rounds {
        after.run("SELECT pg_sleep(0.01)").await.unwrap();
    }
    fault.lift().await.unwrap();
    assert_eq!(fault.seen().await.count, before, "nobody is ended any more");
}

async fn check_exhausted(keep: u32, open: usize) {
    let Some(rig) = Rig::start().await else { return };
    let fault = rig.prepare(PostgresFault::ConnectionsExhausted(ConnectionsExhausted { keep })).await;
    let mut services = Vec::new();
    for _ in 0..open {
        services.push(rig.connect().await.unwrap());
    }
    fault.inject(LEASE).await.unwrap();
    assert_eq!(code(rig.connect().await), "53300");
    let mut alive = 0;
    for service in &mut services {
        alive += u32::from(service.run("SELECT 1").await.is_ok());
    }
    assert_eq!(alive, keep, "connections that the service keeps");
    fault.renew().await.unwrap();
    let seen = fault.seen().await;
    assert_eq!(seen.count, 1, "{seen}");

    drop(services);
    fault.lift().await.unwrap();
    rig.connect().await.unwrap();
    fault.lift().await.expect("lifting twice is no error");
}

#[tokio::test]
async fn the_service_gets_no_connection_while_there_is_none_left() {
    check_exhausted(0, 3).await;
}

#[tokio::test]
async fn the_service_keeps_as_many_connections_as_it_is_left() {
    check_exhausted(2, 3).await;
}

#[tokio::test]
async fn there_are_connections_again_when_nobody_renews_the_lease() {
    let Some(rig) = Rig::start().await else { return };
    let fault = rig.prepare(PostgresFault::ConnectionsExhausted(ConnectionsExhausted { keep: 0 })).await;
    fault.inject(Duration::from_millis(500)).await.unwrap();
    eventually("the service gets in", async || rig.connect().await.is_ok()).await;
    eventually("the fault knows", async || fault.renew().await.is_err_and(|error| error.is_not_found())).await;
}
