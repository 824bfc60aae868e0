//! A client that speaks HTTP by the byte: slow, greedy, or in two halves.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// Longest wait for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// One connection.
pub(crate) struct Wire(TcpStream);

impl Wire {
    pub(crate) async fn to(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    /// Sends these bytes; whether the other side takes them shows in what it answers.
    pub(crate) async fn send(&mut self, bytes: &str) {
        let _ = self.0.write_all(bytes.as_bytes()).await;
    }

    /// Asks for a path, with further headers, each ending in CRLF.
    pub(crate) async fn get(&mut self, path: &str, headers: &str) {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: test\r\n{headers}\r\n")).await;
    }

    /// Waits for an answer whose body has a stated length: all of it, as text.
    pub(crate) async fn answer(&mut self) -> String {
        let mut text = String::new();
        loop {
            let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if length.is_some_and(|length| body.len() >= length.parse().unwrap()) {
                return text;
            }
            let more = self.read(PATIENCE).await.expect("an answer within 20 s");
            assert!(!more.is_empty(), "closed after {text:?}");
            text.push_str(&more);
        }
    }

    /// What comes within a while: text, or nothing at the end of the connection, or `None` when neither comes.
    pub(crate) async fn read(&mut self, within: Duration) -> Option<String> {
        let mut buffer = vec![0; 64 * 1024];
        // A connection that is reset has ended too.
        let count = timeout(within, self.0.read(&mut buffer)).await.ok()?.unwrap_or(0);
        Some(String::from_utf8_lossy(&buffer[..count]).into_owned())
    }

    /// Waits for the end of the connection and says what came before.
    pub(crate) async fn end(&mut self) -> String {
        let mut text = String::new();
        loop {
            match self.read(PATIENCE).await.expect("the end within 20 s") {
                more if more.is_empty() => return text,
                more => text.push_str(&more),
            }
        }
    }
}
