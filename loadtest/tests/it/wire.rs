//! A server that speaks HTTP/1.1 or HTTP/2, with or without TLS, and counts what it sees.
use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// What a server has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// TCP connections.
    pub(crate) opened: AtomicUsize,
    /// Requests, as `VERSION AUTHORITY PATH`.
    pub(crate) requests: Mutex<Vec<String>>,
    at_once: AtomicUsize,
    /// The most requests that were in it at a time.
    pub(crate) most_at_once: AtomicUsize,
}

/// A server on a port of its own; ends when dropped.
pub(crate) struct Wire {
    pub(crate) port: u16,
    pub(crate) seen: Arc<Seen>,
    task: JoinHandle<()>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How a server answers.
#[derive(Clone, Default)]
pub(crate) struct Manner {
    pub(crate) tls: Option<Arc<ServerConfig>>,
    pub(crate) is_http2: bool,
    pub(crate) delay: Duration,
    /// The most streams at a time over HTTP/2, instead of what is usual.
    pub(crate) streams_max: Option<u32>,
}

impl Wire {
    pub(crate) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, seen) = (listener.local_addr().unwrap().port(), Arc::<Seen>::default());
        let shared = seen.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.opened.fetch_add(1, SeqCst);
                let (manner, seen) = (manner.clone(), shared.clone());
                tokio::spawn(async move {
                    match manner.tls.clone().map(TlsAcceptor::from) {
                        None => speak(stream, manner, seen).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                speak(stream, manner, seen).await;
                            }
                        }
                    }
                });
            }
        });
        Self { port, seen, task }
    }

    pub(crate) fn opened(&self) -> usize {
        self.seen.opened.load(SeqCst)
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().unwrap().clone()
    }
}

async fn speak(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, manner: Manner, seen: Arc<Seen>) {
    let (delay, streams_max, stream) = (manner.delay, manner.streams_max, TokioIo::new(stream));
    let answer = service_fn(move |request| answer(request, delay, seen.clone()));
    // A client that goes away is no error of these tests.
    if manner.is_http2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        if let Some(streams_max) = streams_max {
            builder.max_concurrent_streams(streams_max);
        }
        let _ = builder.serve_connection(stream, answer).await;
    } else {
        let _ = http1::Builder::new().serve_connection(stream, answer).await;
    }
}

async fn answer(
    request: Request<Incoming>,
    delay: Duration,
    seen: Arc<Seen>,
) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    let authority = match request.headers().get(header::HOST) {
        Some(host) => host.to_str().unwrap().to_owned(),
        None => request.uri().authority().unwrap().to_string(),
    };
    seen.requests.lock().unwrap().push(format!("{:?} {authority} {}", request.version(), request.uri().path()));
    let at_once = seen.at_once.fetch_add(1, SeqCst) + 1;
    seen.most_at_once.fetch_max(at_once, SeqCst);
    tokio::time::sleep(delay).await;
    seen.at_once.fetch_sub(1, SeqCst);
    Ok(Response::new(Full::from("ok")))
}

/// An authority of the tests' own, with its certificate in a file.
pub(crate) struct Authority {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, "Authority of the tests");
        let key = KeyPair::generate().unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { folder, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The server's side of TLS with a certificate for a name, offering these protocols; valid up to the end of a year.
    pub(crate) fn server(&self, name: &str, last_year: i32, protocols: &[&str]) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(last_year, 12, 31);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Arc::new(config)
    }
}
