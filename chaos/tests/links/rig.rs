//! A server of links with real servers behind it, and a raw HTTP client in front.
use std::{net::SocketAddr, time::Duration};

use chaos::link::{Links, Settings, serve};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, timeout},
};

/// Nothing here takes longer, however busy the machine is.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// A server of links with one link, `link`, that leads to a server.
pub(crate) struct Rig {
    pub(crate) links: Links,
    pub(crate) link: SocketAddr,
}

/// An answer of the API.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {:?}", self.text))
    }
}

impl Rig {
    pub(crate) async fn new(server: SocketAddr) -> Self {
        Self::seeded(server, 42).await
    }

    pub(crate) async fn seeded(server: SocketAddr, seed: u64) -> Self {
        let links = serve(Settings { api: SocketAddr::from(([127, 0, 0, 1], 0)), seed }).await.unwrap();
        let body = json!({ "name": "link", "listen": "127.0.0.1:0", "upstream": server.to_string() });
        let made = send(links.api_address(), "POST", "/proxies", &body.to_string()).await;
        assert_eq!(made.status, 201, "{made:?}");
        let link = made.json()["listen"].as_str().unwrap().parse().unwrap();
        Self { links, link }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.links.api_address())
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        send(self.links.api_address(), method, path, &body).await
    }

    /// Adds a toxic and sees that it is there.
    pub(crate) async fn add(&self, toxic: Value) {
        let answer = self.call("POST", "/proxies/link/toxics", toxic).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    pub(crate) async fn remove(&self, toxic: &str) {
        let answer = self.call("DELETE", &format!("/proxies/link/toxics/{toxic}"), Value::Null).await;
        assert_eq!(answer.status, 204, "{answer:?}");
    }

    /// The effects of the link.
    pub(crate) async fn effects(&self) -> Value {
        self.call("GET", "/effects", Value::Null).await.json()["proxies"]["link"].clone()
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.link).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }
}

/// One request on a connection of its own, byte by byte as written here.
pub(crate) async fn send(api: SocketAddr, method: &str, path: &str, body: &str) -> Answer {
    send_as("rig", api, method, path, body).await
}

pub(crate) async fn send_as(agent: &str, api: SocketAddr, method: &str, path: &str, body: &str) -> Answer {
    let exchange = async {
        let mut stream = TcpStream::connect(api).await.unwrap();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nUser-Agent: {agent}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let answer = timeout(DEADLINE, exchange).await.expect("the API answers");
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_ascii_lowercase(), text: text.to_owned() }
}

/// A server that sends back what it gets, and ends when the client has ended.
pub(crate) async fn echo() -> SocketAddr {
    serve_each(|mut stream| async move {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = stream.read(&mut buffer).await {
            if stream.write_all(&buffer[..count]).await.is_err() {
                return;
            }
        }
    })
    .await
}

/// A server that runs `each` on every connection.
pub(crate) async fn serve_each<F>(each: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            tokio::spawn(each(stream));
        }
    });
    address
}

/// Sends a message and waits for it to come back; the time that took.
pub(crate) async fn ping(stream: &mut TcpStream) -> std::io::Result<Duration> {
    let started = Instant::now();
    stream.write_all(b"0123456789abcdef").await?;
    let mut back = [0; 16];
    timeout(DEADLINE, stream.read_exact(&mut back)).await.expect("an answer or an error")?;
    assert_eq!(&back, b"0123456789abcdef");
    Ok(started.elapsed())
}

/// Reads once, with a deadline; 0 is the end.
pub(crate) async fn read(stream: &mut TcpStream) -> std::io::Result<usize> {
    let mut buffer = [0; 1024];
    timeout(DEADLINE, stream.read(&mut buffer)).await.expect("data, an end or an error")
}

/// Asks again and again until the answer is yes.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

pub(crate) fn ms(value: u64) -> Duration {
    Duration::from_millis(value)
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(crate) fn note(text: &str) {
    eprintln!("{text}");
}
