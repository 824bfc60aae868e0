//! Each fault on real connections: it happened, to the extent promised, and it ended.
use std::io::ErrorKind;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Duration, Instant},
};

use crate::rig::{DEADLINE, Rig, echo, eventually, median, ms, ping, read, serve_each};

/// Round trips of some connections at once.
async fn pings(rig: &Rig, connections: usize, each: usize) -> Vec<Duration> {
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let mut stream = rig.connect().await;
        tasks.push(tokio::spawn(async move {
            let mut times = Vec::new();
            for _ in 0..each {
                times.push(ping(&mut stream).await.unwrap());
            }
            times
        }));
    }
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    times
}

/// How late this machine, as busy as it is, wakes a thread that sleeps for 100 ms.
fn lateness_of_a_sleep() -> Duration {
    let until = Instant::now() + ms(100);
    while Instant::now() < until {
        std::thread::park_timeout(until - Instant::now());
    }
    until.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_latency_of_100_ms_adds_100_ms_within_2_ms_at_the_median() {
    let rig = Rig::new(echo().await).await;
    for stream in ["downstream", "upstream"] {
        let mut rounds = Vec::new();
        while rounds.len() < 6 && rounds.last().is_none_or(|excess| *excess > ms(2)) {
            let without = median(pings(&rig, 3, 30).await);
            let attributes = json!({ "latency": 100 });
            rig.add(json!({ "type": "latency", "name": "slow", "stream": stream, "attributes": attributes })).await;
            let busyness = tokio::task::spawn_blocking(|| median((0..7).map(|_| lateness_of_a_sleep()).collect()));
            let times = pings(&rig, 3, 7).await;
            rig.remove("slow").await;
            assert!(*times.iter().min().unwrap() >= ms(100), "never early: {times:?}");
            // Three sleepers are woken one after the other: the timer, the link, and this test.
            let added = median(times) - without;
            rounds.push(added.saturating_sub(ms(100) + 3 * busyness.await.unwrap()));
        }
        assert!(rounds.last().unwrap() <= &ms(2), "{stream}: beyond 100 ms and the machine's own lateness: {rounds:?}");
    }
    let after = median(pings(&rig, 3, 50).await);
    assert!(after < ms(50), "the delay is gone: {after:?}");
    rig.links.stop().await;
}

#[tokio::test]
async fn jitter_stays_in_its_range() {
    let rig = Rig::new(echo().await).await;
    rig.add(json!({ "type": "latency", "attributes": { "latency": 20, "jitter": 15 } })).await;
    let mut stream = rig.connect().await;
    let mut times = Vec::new();
    for _ in 0..30 {
        times.push(ping(&mut stream).await.unwrap());
    }
    assert!(times.iter().all(|time| *time >= ms(5)), "{times:?}");
    assert!(*times.iter().min().unwrap() < ms(20), "the chance of none below is 2^-30: {times:?}");
    assert!(*times.iter().max().unwrap() > ms(20), "{times:?}");
    rig.links.stop().await;
}

#[tokio::test]
async fn bandwidth_holds_a_stream_to_its_rate() {
    let rig = Rig::new(echo().await).await;
    rig.add(json!({ "type": "bandwidth", "attributes": { "rate": 1000 } })).await;
    let (mut back, mut out) = rig.connect().await.into_split();
    let started = Instant::now();
    let sending = tokio::spawn(async move {
        out.write_all(&vec![7; 300_000]).await.unwrap();
        out.shutdown().await.unwrap();
    });
    let mut received = Vec::new();
    back.read_to_end(&mut received).await.unwrap();
    let took = started.elapsed();
    sending.await.unwrap();
    assert_eq!(received.len(), 300_000);
    // 300 KB at 1000 KB/s; a busy machine may be late, never early.
    assert!(took >= ms(295) && took < ms(400), "{took:?}");
    rig.links.stop().await;
}

#[tokio::test]
async fn a_timeout_swallows_data_and_closes_although_data_goes_on() {
    let rig = Rig::new(echo().await).await;
    rig.add(json!({ "type": "timeout", "attributes": { "timeout": 200 } })).await;
    let (mut back, mut out) = rig.connect().await.into_split();
    let started = Instant::now();
    let chatting = tokio::spawn(async move {
        while out.write_all(b"hello?").await.is_ok() {
            tokio::time::sleep(ms(20)).await;
        }
    });
    let mut received = Vec::new();
    let _ = tokio::time::timeout(DEADLINE, back.read_to_end(&mut received)).await.expect("the link closes");
    let took = started.elapsed();
    assert!(received.is_empty() && took >= ms(190) && took < ms(1500), "{received:?} after {took:?}");
    chatting.await.unwrap();
    rig.links.stop().await;
}

#[tokio::test]
async fn a_timeout_without_end_closes_what_it_held_when_it_is_lifted() {
    let rig = Rig::new(echo().await).await;
    let (mut talking, mut silent) = (rig.connect().await, rig.connect().await);
    ping(&mut talking).await.unwrap();
    ping(&mut silent).await.unwrap();
    rig.add(json!({ "type": "timeout" })).await;
    talking.write_all(b"lost").await.unwrap();
    eventually("the data is swallowed", async || rig.effects().await["toxics"][0]["dropped_bytes"] == 4).await;
    rig.remove("timeout_downstream").await;
    assert_eq!(read(&mut talking).await.unwrap(), 0, "its stream has a hole, so it ends");
    ping(&mut silent).await.expect("it lost nothing, so it lives");
    rig.links.stop().await;
}

#[tokio::test]
async fn reset_peer_resets_open_silent_connections_on_both_sides() {
    let (sender, mut ends) = tokio::sync::mpsc::channel(8);
    let server = serve_each(move |mut stream| {
        let sender = sender.clone();
        async move {
            let mut byte = [0; 1];
            stream.read_exact(&mut byte).await.unwrap();
            let end = stream.read(&mut byte).await.map_err(|error| error.kind());
            sender.send(end).await.unwrap();
        }
    })
    .await;
    let rig = Rig::new(server).await;
    let mut client = rig.connect().await;
    client.write_all(b"x").await.unwrap();
    eventually("the connection is through", async || rig.effects().await["upstream_bytes"] == 1).await;

    rig.add(json!({ "type": "reset_peer" })).await;
    assert_eq!(read(&mut client).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    let seen = tokio::time::timeout(DEADLINE, ends.recv()).await.unwrap().unwrap();
    assert_eq!(seen, Err(ErrorKind::ConnectionReset), "the server sees it too");

    let mut new = rig.connect().await;
    assert_eq!(read(&mut new).await.unwrap_err().kind(), ErrorKind::ConnectionReset, "new ones as well");
    assert_eq!(rig.effects().await["toxics"][0]["connections"], 2);
    rig.links.stop().await;
}

#[tokio::test]
async fn reset_peer_waits_for_its_time_and_spares_who_is_not_hit() {
    let rig = Rig::new(echo().await).await;
    rig.add(json!({ "type": "reset_peer", "attributes": { "timeout": 150 } })).await;
    let started = Instant::now();
    let mut client = rig.connect().await;
    assert_eq!(read(&mut client).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert!(started.elapsed() >= ms(149), "{:?}", started.elapsed());

    rig.call("POST", "/reset", Value::Null).await;
    rig.add(json!({ "type": "reset_peer", "toxicity": 0.0 })).await;
    let mut client = rig.connect().await;
    ping(&mut client).await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(read(&mut client).await.unwrap(), 0, "a normal end stays one");
    rig.links.stop().await;
}

#[tokio::test]
async fn down_cuts_and_refuses_until_the_link_is_up_again() {
    let rig = Rig::new(echo().await).await;
    let mut open = rig.connect().await;
    ping(&mut open).await.unwrap();
    rig.call("POST", "/proxies/link", json!({ "enabled": false })).await;
    assert_eq!(TcpStream::connect(rig.link).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert_eq!(read(&mut open).await.unwrap(), 0);
    assert_eq!(rig.effects().await["cut"], 1);
    rig.call("POST", "/proxies/link", json!({ "enabled": true })).await;
    ping(&mut rig.connect().await).await.unwrap();
    rig.links.stop().await;
}

#[tokio::test]
async fn limit_data_closes_after_exactly_its_bytes() {
    let rig = Rig::new(echo().await).await;
    rig.add(json!({ "type": "limit_data", "attributes": { "bytes": 1000 } })).await;
    let mut client = rig.connect().await;
    client.write_all(&[1; 4096]).await.unwrap();
    let mut received = Vec::new();
    tokio::time::timeout(DEADLINE, client.read_to_end(&mut received)).await.unwrap().unwrap();
    assert_eq!(received, [1; 1000]);
    rig.links.stop().await;
}

#[tokio::test]
async fn slow_close_delays_the_end_and_only_the_end() {
    let rig = Rig::new(echo().await).await;
    rig.add(json!({ "type": "slow_close", "attributes": { "delay": 150 } })).await;
    let mut client = rig.connect().await;
    assert!(ping(&mut client).await.unwrap() < ms(150));
    let started = Instant::now();
    client.shutdown().await.unwrap();
    assert_eq!(read(&mut client).await.unwrap(), 0);
    assert!(started.elapsed() >= ms(149), "{:?}", started.elapsed());
    rig.links.stop().await;
}

/// Which of the first connections are hit: those that a limit of 0 bytes closes.
async fn hits(seed: u64, connections: usize) -> Vec<bool> {
    let rig = Rig::seeded(echo().await, seed).await;
    rig.add(json!({ "type": "limit_data", "toxicity": 0.3 })).await;
    let mut hits = Vec::new();
    for _ in 0..connections {
        hits.push(ping(&mut rig.connect().await).await.is_err());
    }
    rig.links.stop().await;
    hits
}

#[tokio::test]
async fn the_share_of_connections_is_kept_and_follows_the_seed() {
    let first = hits(1, 400).await;
    let count = first.iter().filter(|hit| **hit).count();
    // Binomial: 120 expected, standard deviation 9.2; four of them.
    assert!((83..=157).contains(&count), "{count}");
    assert_eq!(first, hits(1, 400).await);
    assert_ne!(first[..64], hits(2, 64).await[..]);
}
