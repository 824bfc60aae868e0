//! One connection: kept, reopened, broken, endless.
use crate::scene::{Server, until};
use axum::{Router, body::Body, routing::get};
use loadtest::{
    Target,
    client::{self, BODY_MAX, Client, Failure},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

const SECOND: Duration = Duration::from_secs(1);

async fn ask(client: &mut Client) -> client::Exchange {
    client.exchange(client::get("/".parse().unwrap()), 10 * SECOND, None).await
}

/// A server that answers `answers` requests on each connection and closes it. Counts the connections.
async fn closing(answers: usize) -> (Target, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::resolve(&format!("http://{}", listener.local_addr().unwrap())).await.unwrap();
    let (opened, closed): (Arc<AtomicUsize>, Arc<AtomicUsize>) = Default::default();
    let counts = (opened.clone(), closed.clone());
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            counts.0.fetch_add(1, Ordering::SeqCst);
            for _ in 0..answers {
                let _ = connection.read(&mut [0; 4096]).await.unwrap();
                connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
            }
            drop(connection);
            counts.1.fetch_add(1, Ordering::SeqCst);
        }
    });
    (target, opened, closed)
}

#[tokio::test]
async fn a_connection_is_kept_and_opened_again_when_the_service_closed_it_while_idle() {
    let (target, opened, closed) = closing(2).await;
    let mut client = Client::new(Arc::new(target));
    for round in 1..=3 {
        for _ in 0..2 {
            assert_eq!(ask(&mut client).await.end.unwrap().body, b"ok");
        }
        assert_eq!(opened.load(Ordering::SeqCst), round, "two requests on one connection");
        until("the server closes", || closed.load(Ordering::SeqCst) == round).await;
        // Let the connection's task see the end before the next request is written.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_request_of_which_something_was_sent_is_never_sent_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::resolve(&format!("http://{}", listener.local_addr().unwrap())).await.unwrap();
    let requests: Arc<AtomicUsize> = Arc::default();
    let seen = requests.clone();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            // Reads the request and goes away without a word.
            if connection.read(&mut [0; 4096]).await.unwrap() > 0 {
                seen.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    let mut client = Client::new(Arc::new(target));
    let failure = ask(&mut client).await.end.unwrap_err();
    assert!(matches!(failure, Failure::Connection(_)), "{failure:?}");
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_timeout_leaves_nothing_behind_for_the_next_request() {
    let slow_once: Arc<AtomicUsize> = Arc::default();
    let answer = async move || {
        if slow_once.fetch_add(1, Ordering::SeqCst) == 0 {
            tokio::time::sleep(60 * SECOND).await;
        }
        "second"
    };
    let server = Server::start(Router::new().route("/", get(answer))).await;
    let mut client = Client::new(Arc::new(Target::resolve(&server.url).await.unwrap()));
    let request = || client::get("/".parse().unwrap());
    let first = client.exchange(request(), Duration::from_millis(50), None).await;
    assert!(matches!(first.end, Err(Failure::Timeout(_))) && first.first_byte.is_none());
    assert!(first.done - first.sent >= Duration::from_millis(50));
    assert_eq!(ask(&mut client).await.end.unwrap().body, b"second");
}

#[tokio::test]
async fn an_endless_answer_is_given_up_at_its_limit() {
    let answer = async || {
        let pieces = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'x'; 1 << 16]));
        Body::from_stream(pieces)
    };
    let server = Server::start(Router::new().route("/", get(answer))).await;
    let mut client = Client::new(Arc::new(Target::resolve(&server.url).await.unwrap()));
    let exchange = ask(&mut client).await;
    assert!(matches!(exchange.end, Err(Failure::TooLarge)), "more than {BODY_MAX} bytes");
    assert!(exchange.first_byte.is_some_and(|at| at >= exchange.sent && at <= exchange.done));
}

#[tokio::test]
async fn what_is_not_http_is_a_failure_of_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::resolve(&format!("http://{}", listener.local_addr().unwrap())).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            connection.write_all(b"SSH-2.0-hello\r\n").await.unwrap();
            let _ = connection.read(&mut [0; 4096]).await;
        }
    });
    let failure = ask(&mut Client::new(Arc::new(target))).await.end.unwrap_err();
    assert!(matches!(failure, Failure::Connection(_)), "{failure:?}");
}
