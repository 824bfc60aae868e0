//! The faults that a real Toxiproxy lacks, on real connections: each happened, and each ended.
use std::io::ErrorKind;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Duration, Instant, timeout},
};

use crate::rig::{DEADLINE, Rig, echo, eventually, ms, ping, read, serve_each};

/// Long enough that an answer would have come, however busy the machine is, and never waited for in vain more than once a test.
const SILENCE: Duration = Duration::from_millis(300);

async fn is_silent(stream: &mut TcpStream) -> bool {
    timeout(SILENCE, stream.read(&mut [0; 1])).await.is_err()
}

#[tokio::test]
async fn refuse_shuts_the_door_and_open_connections_live_on() {
    let rig = Rig::new(echo().await).await;
    let mut open = rig.connect().await;
    ping(&mut open).await.unwrap();
    rig.add(json!({ "type": "refuse" })).await;
    assert_eq!(TcpStream::connect(rig.link).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    ping(&mut open).await.expect("it was there before");
    let listed = rig.call("GET", "/proxies/link", Value::Null).await.json();
    assert_eq!((&listed["enabled"], &listed["toxics"][0]["type"]), (&json!(true), &json!("refuse")));

    // Down and up again below it: the door stays shut, the open connection is cut.
    rig.call("POST", "/proxies/link", json!({ "enabled": false })).await;
    assert_eq!(read(&mut open).await.unwrap(), 0);
    rig.call("POST", "/proxies/link", json!({ "enabled": true })).await;
    assert_eq!(TcpStream::connect(rig.link).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);

    rig.remove("refuse_downstream").await;
    ping(&mut rig.connect().await).await.expect("the door is open again");
    rig.links.stop().await;
}

#[tokio::test]
async fn refuse_ends_with_its_lease_and_with_a_reset() {
    let rig = Rig::new(echo().await).await;
    rig.add(json!({ "type": "refuse", "attributes": { "ttl_ms": 100 } })).await;
    assert!(TcpStream::connect(rig.link).await.is_err());
    eventually("its lease runs out", async || TcpStream::connect(rig.link).await.is_ok()).await;
    rig.add(json!({ "type": "refuse" })).await;
    assert!(TcpStream::connect(rig.link).await.is_err());
    assert_eq!(rig.call("POST", "/reset", Value::Null).await.status, 204);
    ping(&mut rig.connect().await).await.unwrap();
    rig.links.stop().await;
}

#[tokio::test]
async fn refuse_acts_on_every_connection_or_none() {
    let rig = Rig::new(echo().await).await;
    let toxics = "/proxies/link/toxics";
    for body in [
        json!({ "type": "refuse", "toxicity": 0.5 }),
        json!({ "type": "refuse", "attributes": { "skip": 1 } }),
        json!({ "type": "refuse", "attributes": { "per_mille": 500 } }),
    ] {
        let answer = rig.call("POST", toxics, body).await;
        assert_eq!(answer.status, 400);
        assert!(answer.text.contains("a refuse toxic acts on every new connection"), "{answer:?}");
    }
    rig.add(json!({ "type": "refuse" })).await;
    let changed = rig.call("POST", "/proxies/link/toxics/refuse_downstream", json!({ "toxicity": 0.5 })).await;
    assert_eq!(changed.status, 400, "{changed:?}");
    rig.links.stop().await;
}

#[tokio::test]
async fn a_blackhole_silences_both_directions_of_open_and_new_connections() {
    let rig = Rig::new(echo().await).await;
    let (mut open, mut idle) = (rig.connect().await, rig.connect().await);
    ping(&mut open).await.unwrap();
    ping(&mut idle).await.unwrap();
    rig.add(json!({ "type": "blackhole" })).await;
    let mut new = rig.connect().await;
    for stream in [&mut open, &mut new] {
        stream.write_all(b"hello?").await.unwrap();
        assert!(is_silent(stream).await);
    }
    new.shutdown().await.unwrap();
    assert!(is_silent(&mut new).await, "not even the end comes through");
    let seen = rig.effects().await;
    let toxic = &seen["toxics"][0];
    assert_eq!(
        (&toxic["connections"], &toxic["dropped_bytes"]),
        (&json!(2), &json!(12)),
        "nothing came upstream: {seen}"
    );
    assert_eq!(seen["downstream_bytes"], 32, "only the pings before");

    rig.remove("blackhole_downstream").await;
    for stream in [&mut open, &mut new] {
        assert_eq!(read(stream).await.unwrap(), 0, "its stream has a hole");
    }
    ping(&mut idle).await.expect("it lost nothing, so it lives");
    rig.links.stop().await;
}

#[tokio::test]
async fn a_connection_that_loses_data_both_ways_is_counted_once() {
    let greeting = serve_each(|mut stream| async move {
        stream.write_all(b"welcome").await.unwrap();
        let _ = stream.read(&mut [0; 1]).await;
    })
    .await;
    let rig = Rig::new(greeting).await;
    rig.add(json!({ "type": "blackhole" })).await;
    rig.connect().await.write_all(b"hello").await.unwrap();
    eventually("both are swallowed", async || rig.effects().await["toxics"][0]["dropped_bytes"] == 12).await;
    assert_eq!(rig.effects().await["toxics"][0]["connections"], 1);
    rig.links.stop().await;
}

#[tokio::test]
async fn one_way_lets_requests_arrive_and_answers_vanish_or_the_other_way_round() {
    let rig = Rig::new(echo().await).await;
    for (stream, answered) in [("downstream", 16), ("upstream", 0)] {
        rig.call("POST", "/reset", Value::Null).await;
        rig.add(json!({ "type": "one_way", "stream": stream })).await;
        let mut client = rig.connect().await;
        client.write_all(b"0123456789abcdef").await.unwrap();
        assert!(is_silent(&mut client).await);
        let seen = rig.effects().await;
        let toxic = &seen["toxics"][0];
        assert_eq!(
            (&seen["downstream_bytes"], &toxic["dropped_bytes"]),
            (&json!(answered), &json!(16)),
            "{stream}: {seen}"
        );
        rig.remove(&format!("one_way_{stream}")).await;
        assert_eq!(read(&mut client).await.unwrap(), 0);
        ping(&mut rig.connect().await).await.unwrap();
    }
    rig.links.stop().await;
}

#[tokio::test]
async fn loss_delays_some_round_trips_by_200_ms_and_leaves_the_others() {
    let rig = Rig::new(echo().await).await;
    rig.add(json!({ "type": "loss", "attributes": { "packets_per_mille": 100 } })).await;
    let (mut client, mut times) = (rig.connect().await, Vec::new());
    for _ in 0..60 {
        times.push(ping(&mut client).await.unwrap());
    }
    let lost = rig.effects().await["toxics"][0]["chunks"].as_u64().unwrap();
    // Seeded, so always the same; the chance of none would be 0.2 %.
    assert!((1..=20).contains(&lost), "{lost}");
    let late = times.iter().filter(|time| **time >= ms(200)).count() as u64;
    assert!(late >= lost, "each of {lost} waits for the timer: {times:?}");
    times.sort_unstable();
    assert!(times[20] < ms(200), "{times:?}");
    rig.remove("loss_downstream").await;
    assert!(ping(&mut client).await.unwrap() < ms(8_000));
    rig.links.stop().await;
}

#[tokio::test]
async fn corrupt_flips_one_bit_and_stops_when_it_is_lifted() {
    let rig = Rig::new(echo().await).await;
    rig.add(json!({ "type": "corrupt", "attributes": { "packets_per_mille": 1000 } })).await;
    let mut client = rig.connect().await;
    client.write_all(&[0; 16]).await.unwrap();
    let mut back = [0; 16];
    timeout(DEADLINE, client.read_exact(&mut back)).await.unwrap().unwrap();
    assert_eq!(back.iter().map(|byte| byte.count_ones()).sum::<u32>(), 1, "{back:?}");
    let toxic = &rig.effects().await["toxics"][0];
    assert_eq!((&toxic["connections"], &toxic["bytes"], &toxic["delayed_us"]), (&json!(1), &json!(16), &json!(0)));
    rig.remove("corrupt_downstream").await;
    ping(&mut client).await.expect("the same connection, whole again");
    rig.links.stop().await;
}

#[tokio::test]
async fn close_after_ends_talking_and_silent_connections_in_their_time() {
    let rig = Rig::new(echo().await).await;
    let mut open = rig.connect().await;
    ping(&mut open).await.unwrap();
    let started = Instant::now();
    rig.add(json!({ "type": "close_after", "attributes": { "delay": 150 } })).await;
    let (mut pings, mut new) = (0, rig.connect().await);
    while ping(&mut new).await.is_ok() {
        pings += 1;
    }
    assert!(pings > 0 && started.elapsed() >= ms(149), "{pings} in {:?}", started.elapsed());
    assert_eq!(read(&mut open).await.unwrap(), 0, "open before, and silent");
    assert_eq!(rig.effects().await["toxics"][0]["connections"], 2);
    rig.remove("close_after_downstream").await;
    let mut after = rig.connect().await;
    assert!(is_silent(&mut after).await, "it is not closed");
    ping(&mut after).await.unwrap();
    rig.links.stop().await;
}

#[tokio::test]
async fn toxics_are_there_before_the_first_connection() {
    let rig = Rig::new(echo().await).await;
    let server = echo().await.to_string();
    let noop = |name: &str| json!({ "type": "noop", "name": name, "attributes": { "ttl_ms": 60_000 } });
    let new = json!({ "name": "a", "listen": "127.0.0.1:0", "upstream": server, "toxics": [noop("x"), { "type": "refuse" }] });
    let made = rig.call("POST", "/proxies", new).await;
    assert_eq!((made.status, made.json()["toxics"].as_array().map(Vec::len)), (201, Some(2)), "{made:?}");
    let listen = made.json()["listen"].as_str().unwrap().to_owned();
    assert_eq!(TcpStream::connect(&listen).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);

    let again = json!([{ "name": "a", "listen": listen, "upstream": server, "toxics": [noop("x"), noop("y")] }]);
    let made = rig.call("POST", "/populate", again).await;
    let names: Vec<Value> =
        made.json()["proxies"][0]["toxics"].as_array().unwrap().iter().map(|toxic| toxic["name"].clone()).collect();
    assert_eq!(names, ["x", "refuse_downstream", "y"], "what it has stays, what it lacks is added");

    for (toxics, status, said) in [
        (json!([{ "type": "nope" }]), 400, "invalid toxic type"),
        (json!([noop("x"), noop("x")]), 409, "toxic already exists"),
        (json!({}), 400, "cannot unmarshal object into field toxics of type array"),
    ] {
        let body = json!({ "name": "b", "upstream": server, "toxics": toxics });
        let answer = rig.call("POST", "/proxies", body).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.text.contains(said), "{answer:?}");
        assert_eq!(rig.call("GET", "/proxies/b", Value::Null).await.status, 404, "all or nothing");
    }
    rig.links.stop().await;
}
