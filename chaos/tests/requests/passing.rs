//! Without a rule that means them, requests and answers pass as they are, and connections end as the upstream's do.
use std::net::SocketAddr;

use reqwest::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::rig::{DEADLINE, LINK, Rig};

/// A rig whose link leads to a listener of the test's own.
async fn led_to(listener: &TcpListener) -> (Rig, SocketAddr) {
    let rig = Rig::new("mcp").await;
    let upstream = json!({ "upstream": listener.local_addr().unwrap().to_string() });
    assert_eq!(rig.api(Method::POST, &format!("/proxies/{LINK}"), upstream).await.0, 200);
    let address = rig.url.strip_prefix("http://").unwrap().parse().unwrap();
    (rig, address)
}

async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(end.as_bytes()) {
        let mut byte = [0];
        timeout(DEADLINE, stream.read_exact(&mut byte)).await.expect("more").unwrap();
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).unwrap()
}

/// What comes until the connection ends.
async fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset is an end too.
    let _ = timeout(DEADLINE, stream.read_to_end(&mut bytes)).await.expect("an end");
    bytes
}

/// The lines of a head, in any order.
fn lines(head: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = head.trim_end().lines().collect();
    lines[1..].sort_unstable();
    lines
}

const REQUEST: &str = "POST /mcp?x=1 HTTP/1.1\r\nHost: flights.example\r\nX-Odd-CASE: Kept As It Is\r\nAccept: */*\r\nContent-Length: 9\r\n\r\n";
const ANSWER: &str =
    "HTTP/1.1 200 OK\r\nx-Own-Header: 1\r\nX-Own-Header: 2\r\ncontent-type: text/plain\r\nContent-Length: 5\r\n\r\n";

#[tokio::test]
async fn heads_and_bodies_pass_as_they_are_and_connections_are_kept() {
    for has_rule in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (rig, link) = led_to(&listener).await;
        if has_rule {
            rig.add(json!({ "kind": "truncated", "match": { "tool": "another" } })).await;
        }
        let mut client = TcpStream::connect(link).await.unwrap();
        let mut server = listener.accept().await.unwrap().0;
        for body in [&b"{\"a\": 1 }"[..], b"\x00\xff\r\n\r\n012"] {
            client.write_all(REQUEST.as_bytes()).await.unwrap();
            client.write_all(body).await.unwrap();
            assert_eq!(lines(&read_until(&mut server, "\r\n\r\n").await), lines(REQUEST));
            let mut seen = [0; 9];
            timeout(DEADLINE, server.read_exact(&mut seen)).await.unwrap().unwrap();
            assert_eq!(seen, body);
            server.write_all(ANSWER.as_bytes()).await.unwrap();
            server.write_all(b"\xfe\r\n\x00z").await.unwrap();
            assert_eq!(lines(&read_until(&mut client, "\r\n\r\n").await), lines(ANSWER));
            let mut seen = [0; 5];
            timeout(DEADLINE, client.read_exact(&mut seen)).await.unwrap().unwrap();
            assert_eq!(&seen, b"\xfe\r\n\x00z");
        }
        rig.links.stop().await;
    }
}

#[tokio::test]
async fn events_pass_one_by_one() {
    for kind in [None, Some("wrong_id")] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (rig, link) = led_to(&listener).await;
        if let Some(kind) = kind {
            rig.add(json!({ "kind": kind })).await;
        }
        let mut client = TcpStream::connect(link).await.unwrap();
        let mut server = listener.accept().await.unwrap().0;
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        let request = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        client.write_all(request.as_bytes()).await.unwrap();
        read_until(&mut server, body).await;
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        server.write_all(head.as_bytes()).await.unwrap();
        assert_eq!(lines(&read_until(&mut client, "\r\n\r\n").await), lines(head), "the head does not wait");
        for number in 0..3 {
            // Each event is sent only after the client has the one before.
            let event = format!("data: {number}\n\n");
            server.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes()).await.unwrap();
            assert_eq!(read_until(&mut client, "\n\n\r\n").await, format!("{:X}\r\n{event}\r\n", event.len()));
        }
        server.write_all(b"0\r\n\r\n").await.unwrap();
        assert_eq!(read_until(&mut client, "0\r\n\r\n").await, "0\r\n\r\n");
        rig.links.stop().await;
    }
}

#[tokio::test]
async fn an_upstream_that_fails_is_a_cut_connection_and_no_answer() {
    // Nobody listens.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (rig, link) = led_to(&listener).await;
    drop(listener);
    let mut client = TcpStream::connect(link).await.unwrap();
    let _ = client.write_all(REQUEST.as_bytes()).await;
    assert_eq!(read_all(&mut client).await, b"");
    let (_, effects) = rig.api(Method::GET, "/effects", serde_json::Value::Null).await;
    assert_eq!(effects["proxies"][LINK]["upstream_failed"], 1);
    rig.links.stop().await;

    // It hangs up in the middle of an answer, before one, and when nothing was asked.
    for (is_asked, begun) in [(true, ANSWER), (true, ""), (false, "")] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (rig, link) = led_to(&listener).await;
        let mut client = TcpStream::connect(link).await.unwrap();
        let mut server = listener.accept().await.unwrap().0;
        if is_asked {
            client.write_all(REQUEST.as_bytes()).await.unwrap();
            client.write_all(b"012345678").await.unwrap();
            read_until(&mut server, "012345678").await;
            server.write_all(begun.as_bytes()).await.unwrap();
        }
        drop(server);
        let seen = String::from_utf8(read_all(&mut client).await).unwrap();
        assert!(!seen.contains("502") && lines_of(&seen) <= lines_of(begun), "{seen}");
        rig.links.stop().await;
    }
}

fn lines_of(head: &str) -> usize {
    head.lines().count()
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_request_along() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (rig, link) = led_to(&listener).await;
    let mut client = TcpStream::connect(link).await.unwrap();
    let mut server = listener.accept().await.unwrap().0;
    client.write_all(REQUEST.as_bytes()).await.unwrap();
    client.write_all(b"012345678").await.unwrap();
    read_until(&mut server, "012345678").await;
    drop(client);
    assert_eq!(read_all(&mut server).await, b"", "the upstream sees that nobody waits");
    rig.links.stop().await;
}
