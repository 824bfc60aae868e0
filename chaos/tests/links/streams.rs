//! Streams through a link: nothing is lost, reordered or held up by a change of toxics.
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, timeout},
};

use crate::rig::{DEADLINE, Rig, echo, eventually, ms, ping, read, serve_each};

/// Byte `index` of a stream that never repeats a block.
fn byte(index: usize) -> u8 {
    (index.wrapping_mul(2_654_435_761) >> 16) as u8
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn toxics_added_and_removed_live_lose_no_byte() {
    const TOTAL: usize = 20_000_000;
    let rig = Rig::new(echo().await).await;
    let (mut back, mut out) = rig.connect().await.into_split();
    tokio::spawn(async move {
        let sent: Vec<u8> = (0..TOTAL).map(byte).collect();
        out.write_all(&sent).await.unwrap();
        out.shutdown().await.unwrap();
    });
    let reading = tokio::spawn(async move {
        let mut received = Vec::with_capacity(TOTAL);
        back.read_to_end(&mut received).await.unwrap();
        received
    });
    let toxics = [
        json!({ "type": "latency", "attributes": { "latency": 3, "jitter": 2 } }),
        json!({ "type": "bandwidth", "attributes": { "rate": 200_000 } }),
        json!({ "type": "slicer", "attributes": { "average_size": 5_000, "size_variation": 4_000 } }),
        json!({ "type": "noop" }),
    ];
    let mut changes = 0;
    while !reading.is_finished() {
        for stream in ["upstream", "downstream"] {
            for toxic in &toxics {
                let mut toxic = toxic.clone();
                toxic["stream"] = Value::from(stream);
                rig.add(toxic).await;
            }
        }
        for stream in ["downstream", "upstream"] {
            for kind in ["latency", "noop", "bandwidth", "slicer"] {
                rig.remove(&format!("{kind}_{stream}")).await;
            }
        }
        changes += 16;
    }
    let received = timeout(DEADLINE, reading).await.unwrap().unwrap();
    assert_eq!(received.len(), TOTAL, "after {changes} changes");
    let wrong = received.iter().enumerate().position(|(index, seen)| *seen != byte(index));
    assert_eq!(wrong, None, "after {changes} changes");
    assert!(changes >= 16);
    rig.links.stop().await;
}

#[tokio::test]
async fn an_answer_after_a_half_close_arrives() {
    let server = serve_each(|mut stream| async move {
        let mut request = Vec::new();
        stream.read_to_end(&mut request).await.unwrap();
        stream.write_all(&request).await.unwrap();
        stream.write_all(b" is what you sent").await.unwrap();
    })
    .await;
    let rig = Rig::new(server).await;
    for toxic in [None, Some(json!({ "type": "latency", "attributes": { "latency": 20 } }))] {
        if let Some(toxic) = toxic {
            rig.add(toxic).await;
        }
        let mut client = rig.connect().await;
        client.write_all(b"this").await.unwrap();
        client.shutdown().await.unwrap();
        let mut answer = String::new();
        timeout(DEADLINE, client.read_to_string(&mut answer)).await.unwrap().unwrap();
        assert_eq!(answer, "this is what you sent");
    }
    rig.links.stop().await;
}

#[tokio::test]
async fn nothing_is_lost_when_the_source_closes_under_a_latency() {
    let server = serve_each(|mut stream| async move {
        stream.write_all(&vec![3; 1_000_000]).await.unwrap();
    })
    .await;
    let rig = Rig::new(server).await;
    rig.add(json!({ "type": "latency", "attributes": { "latency": 100 } })).await;
    let started = Instant::now();
    let mut received = Vec::new();
    timeout(DEADLINE, rig.connect().await.read_to_end(&mut received)).await.unwrap().unwrap();
    let took = started.elapsed();
    assert_eq!(received.len(), 1_000_000);
    assert!(took >= ms(100) && took < ms(4000), "delays overlap, they do not add up per chunk: {took:?}");
    rig.links.stop().await;
}

#[tokio::test]
async fn a_stalled_reader_does_not_hold_up_the_api() {
    let server = serve_each(|mut stream| async move { while stream.write_all(&[0; 64 * 1024]).await.is_ok() {} }).await;
    let rig = Rig::new(server).await;
    let stalled = rig.connect().await;
    let mut before = Value::Null;
    eventually("the link is stalled", async || {
        let now = rig.effects().await["downstream_bytes"].clone();
        let is_stalled = now == before && now != 0;
        before = now;
        is_stalled
    })
    .await;
    for kind in ["noop", "latency", "bandwidth", "timeout", "slicer"] {
        let started = Instant::now();
        rig.add(json!({ "type": kind })).await;
        rig.call("GET", "/proxies", Value::Null).await;
        rig.remove(&format!("{kind}_downstream")).await;
        assert!(started.elapsed() < ms(10_000), "{kind}: {:?}", started.elapsed());
    }
    drop(stalled);
    rig.links.stop().await;
}

#[tokio::test]
async fn a_stalled_reader_slows_the_sender_down() {
    let (sender, mut written) = tokio::sync::watch::channel(0_u64);
    let server = serve_each(move |mut stream| {
        let sender = sender.clone();
        async move {
            while stream.write_all(&[0; 64 * 1024]).await.is_ok() {
                sender.send_modify(|bytes| *bytes += 64 * 1024);
            }
        }
    })
    .await;
    let rig = Rig::new(server).await;
    let _stalled = rig.connect().await;
    // Socket buffers on both hops, and little in the link.
    while timeout(ms(300), written.changed()).await.is_ok() {
        assert!(*written.borrow() < 64 << 20, "the link swallows without limit");
    }
    assert!(*written.borrow() > 0);
    rig.links.stop().await;
}

#[tokio::test]
async fn an_upstream_that_refuses_ends_the_client_and_is_counted() {
    let gone = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let rig = Rig::new(gone).await;
    assert_eq!(read(&mut rig.connect().await).await.unwrap(), 0);
    eventually("it is counted", async || rig.effects().await["upstream_failed"] == 1).await;
    rig.links.stop().await;
}

#[tokio::test]
async fn a_reset_by_the_server_arrives_as_a_reset() {
    let server = serve_each(|mut stream| async move {
        let mut byte = [0; 1];
        stream.read_exact(&mut byte).await.unwrap();
        stream.set_zero_linger().unwrap();
    })
    .await;
    let rig = Rig::new(server).await;
    let mut client = rig.connect().await;
    assert!(ping(&mut client).await.is_err());
    eventually("the connection is gone", async || rig.effects().await["open"] == 0).await;
    rig.links.stop().await;
}
