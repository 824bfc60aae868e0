//! The server itself: gone with whoever started it, killed and started again.
use std::{fs, os::unix::fs::PermissionsExt as _, time::Duration};

use chaos::{
    Control, Link,
    fault::database::{Cluster, PostgresFault},
    link,
};
use tokio::time::timeout;

use crate::rig::{LEASE, Rig, Service, eventually, programs};

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
async fn a_standby_takes_over_with_all_that_was_acknowledged() {
    let Some(rig) = Rig::start().await else { return };
    let api = "127.0.0.1:0".parse().unwrap();
    let links = link::serve(link::Settings { api, seed: 1 }).await.unwrap();
    let control = Control::new(&format!("http://{}", links.api_address())).unwrap();
    let upstream = rig.cluster.address().to_string();
    let asked = Link { name: "database".to_owned(), listen: "127.0.0.1:0".to_owned(), upstream, protocol: None };
    let listen = control.create(&asked).await.unwrap().listen;
    rig.cluster.behind(control, Link { listen: listen.clone(), ..asked });
    let connect = async || Service::connect(&rig.cluster.url(&listen)).await;

    let fault = rig.prepare(PostgresFault::Failover).await;
    let mut service = connect().await.unwrap();
    service.run("INSERT INTO trips VALUES (2)").await.unwrap();
    fault.inject(LEASE).await.unwrap();
    service.run("SELECT 1").await.unwrap_err();
    connect().await.err().expect("the server is gone");
    fault.renew().await.unwrap();

    fault.lift().await.unwrap();
    let mut service = connect().await.expect("the same address leads to the standby");
    assert_eq!(service.number("SELECT count(*) FROM trips").await, 2);
    service.run("INSERT INTO trips VALUES (3)").await.expect("which waits for nobody");
    fault.lift().await.expect("lifting twice is no error");
    assert!(fault.renew().await.unwrap_err().is_not_found());
    let seen = fault.seen().await.to_string();
    assert!(seen.contains("the standby took a write by the link"), "{seen}");
    links.stop().await;
}

#[tokio::test]
async fn a_failover_without_a_link_is_refused_before_the_run() {
    let Some(rig) = Rig::start().await else { return };
    let refused = rig.try_prepare(PostgresFault::Failover).await.err().unwrap().to_string();
    assert!(refused.starts_with("a failover needs a link to the database"), "{refused}");
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

#[tokio::test]
async fn a_server_that_nobody_waits_for_is_not_left_behind() {
    let Some(programs) = programs() else { return };
    let parent = tempfile::TempDir::new().unwrap();
    fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let is_empty = || fs::read_dir(parent.path()).unwrap().next().is_none();
    for patience_ms in [0, 50, 300] {
        let starting = Cluster::start(&programs, parent.path());
        drop(timeout(Duration::from_millis(patience_ms), starting).await);
        eventually("its folder is gone", async || is_empty()).await;
    }
}
