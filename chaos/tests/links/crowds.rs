//! Crowds of clients against a real link and a server behind it that counts them.
use chaos::{Control, FaultSettings, Link, Timeline, drive, link};
use reports::record::{FaultEnd, FaultRecord};
use serde::Deserialize;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::SeqCst},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

use crate::rig::eventually;

/// What the server behind the link has seen.
#[derive(Debug, Default)]
struct Seen {
    open: AtomicU64,
    connections: AtomicU64,
    bytes: AtomicU64,
}

/// A server that reads until a connection has brought so many bytes, answers it, and closes it.
async fn server(enough: u64) -> (Arc<Seen>, String) {
    let (seen, listener) = (Arc::new(Seen::default()), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let address = listener.local_addr().unwrap().to_string();
    let shared = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let seen = Arc::clone(&shared);
            tokio::spawn(async move {
                seen.open.fetch_add(1, SeqCst);
                seen.connections.fetch_add(1, SeqCst);
                let (mut total, mut piece) = (0, vec![0; 64 * 1024]);
                while let Ok(read @ 1..) = stream.read(&mut piece).await {
                    total += read as u64;
                    seen.bytes.fetch_add(read as u64, SeqCst);
                    if total >= enough {
                        let _ = stream.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n").await;
                        break;
                    }
                }
                seen.open.fetch_sub(1, SeqCst);
            });
        }
    });
    (seen, address)
}

/// Begins a fault on a link `client` to the server; it lasts until it is told to stop.
async fn crowded(fault: &str, upstream: String, stop: &CancellationToken) -> (link::Links, JoinHandle<FaultRecord>) {
    #[derive(Deserialize)]
    struct File {
        faults: Vec<FaultSettings>,
    }
    let links = link::serve(link::Settings { api: "127.0.0.1:0".parse().unwrap(), seed: 1 }).await.unwrap();
    let control = Control::new(&format!("http://{}", links.api_address())).unwrap();
    let (name, listen) = ("client".to_owned(), "127.0.0.1:0".to_owned());
    control.create(&Link { name, listen, upstream, protocol: None }).await.unwrap();
    let text = format!("[[faults]]\nlink = \"client\"\nat = \"0s\"\nfor = \"50s\"\nfault = {fault}\n");
    let file: File = toml::from_str(&text).unwrap();
    let timeline = Timeline::new(&file.faults, &["client"], Duration::from_secs(60)).unwrap();
    let stop = stop.clone();
    let driving = tokio::spawn(async move { drive(&timeline, control, Instant::now(), stop).await.remove(0) });
    (links, driving)
}

/// Waits until the server has seen enough, ends the fault, and sees that every client has gone.
async fn until(fault: &str, enough: u64, is_enough: impl Fn(&Seen) -> bool) -> (FaultRecord, Arc<Seen>) {
    let (seen, upstream) = server(enough).await;
    let stop = CancellationToken::new();
    let (links, driving) = crowded(fault, upstream, &stop).await;
    eventually("the crowd is there", async || is_enough(&seen)).await;
    stop.cancel();
    let record = driving.await.unwrap();
    assert_eq!((record.end, record.error.as_ref()), (FaultEnd::LiftedEarly, None));
    eventually("every client has gone", async || seen.open.load(SeqCst) == 0).await;
    links.stop().await;
    (record, seen)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_holds_its_connections_open_until_its_end() {
    let flood = "{ connection_flood = { connections = 40 } }";
    let (record, seen) = until(flood, u64::MAX, |seen| seen.open.load(SeqCst) == 40).await;
    let effect = record.effect.unwrap();
    assert_eq!((effect.connections, effect.bytes), (40, 0));
    assert_eq!((seen.connections.load(SeqCst), seen.bytes.load(SeqCst)), (40, 0), "nobody was sent away");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_clients_send_byte_by_byte_and_come_again_when_they_are_sent_away() {
    let slow = "{ slow_clients = { connections = 4, rate = \"500B/s\" } }";
    // Each is sent away after 20 bytes of a head that is longer.
    let (record, seen) = until(slow, 20, |seen| seen.connections.load(SeqCst) >= 9).await;
    let effect = record.effect.unwrap();
    assert!(effect.connections >= 9, "four came, were sent away, and came again twice: {effect:?}");
    assert_eq!(effect.chunks, effect.bytes, "one byte in a piece");
    assert!(effect.bytes >= seen.bytes.load(SeqCst), "{effect:?} of {seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_bodies_are_sent_until_the_service_has_decided() {
    let large = "{ large_bodies = { size = \"8MiB\", rate = \"50/s\" } }";
    let (record, seen) = until(large, 1 << 20, |seen| seen.connections.load(SeqCst) >= 3).await;
    let effect = record.effect.unwrap();
    assert!(effect.connections >= 3 && effect.bytes > 2 << 20, "{effect:?}");
    let read_each = seen.bytes.load(SeqCst) / seen.connections.load(SeqCst);
    assert!(read_each < 8 << 20, "nobody sends on after the answer: {read_each}");
}
