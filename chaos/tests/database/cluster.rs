//! The server itself: gone with whoever started it, killed and started again.
use chaos::fault::database::PostgresFault;

use crate::rig::{LEASE, Rig, eventually};

#[tokio::test]
async fn a_crash_loses_nothing_that_was_acknowledged_and_ends_with_the_fault() {
    let Some(rig) = Rig::start().await else { return };
    let fault = rig.prepare(PostgresFault::Crash).await;
    let mut service = rig.connect().await.unwrap();
    service.run("INSERT INTO trips VALUES (2)").await.unwrap();

    fault.inject(LEASE).await.unwrap();
    service.run("SELECT 1").await.unwrap_err();
    assert!(matches!(rig.connect().await.err().unwrap(), sqlx::Error::Io(_)));
    fault.renew().await.unwrap();
    assert!(fault.seen().await.count >= 3, "the server, its helpers and one connection");

    fault.lift().await.unwrap();
    let mut service = rig.connect().await.unwrap();
    assert_eq!(service.number("SELECT count(*) FROM trips").await, 2);
    fault.lift().await.expect("lifting twice is no error");
    assert!(fault.renew().await.unwrap_err().is_not_found());
    let seen = fault.seen().await.to_string();
    assert!(seen.contains("let a probe in"), "{seen}");

    fault.inject(LEASE).await.unwrap();
    fault.lift().await.unwrap();
    rig.connect().await.expect("a second crash ends too");
}

#[tokio::test]
async fn the_server_and_its_folder_go_when_it_is_dropped() {
    let Some(rig) = Rig::start().await else { return };
    let folder = rig.cluster.folder().to_owned();
    assert!(folder.is_dir());
    assert!(rig.cluster.version().starts_with("PostgreSQL 1"), "{}", rig.cluster.version());
    let address = rig.cluster.address();
    drop(rig);
    eventually("the folder is gone", async || !folder.exists()).await;
    eventually("nobody listens", async || tokio::net::TcpStream::connect(address).await.is_err()).await;
}
