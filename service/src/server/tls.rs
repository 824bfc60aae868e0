//! TLS: the certificate and its key, read again on SIGHUP, and the handshake.

use std::{
    io,
    path::Path,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject as _},
    },
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    signal::unix::{SignalKind, signal},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::config;

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("cannot read {path}")]
    Read {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("{path} is not a PEM file with {what}")]
    Pem {
        path: String,
        what: &'static str,
        #[source]
        source: pem::Error,
    },
    #[error("the certificate and its key cannot be used")]
    Unusable(#[source] rustls::Error),
    #[error("cannot listen for SIGHUP")]
    Signal(#[source] io::Error),
}

/// What makes a connection a TLS connection.
#[derive(Clone)]
pub(super) struct Tls(TlsAcceptor);

/// The certificate in use, and where the next one comes from.
#[derive(Debug)]
pub(super) struct Certificate {
    files: config::Tls,
    provider: Arc<CryptoProvider>,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Tls {
    /// TLS 1.2 and 1.3, with the certificate of these files.
    ///
    /// # Errors
    /// The files cannot be read, or do not belong together.
    pub(super) async fn open(files: config::Tls) -> Result<(Self, Arc<Certificate>), Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let current = RwLock::new(read(&files, &provider).await?);
        let certificate = Arc::new(Certificate { files, provider: Arc::clone(&provider), current });
        let mut settings = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(Error::Unusable)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&certificate) as Arc<dyn ResolvesServerCert>);
        settings.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok((Self(TlsAcceptor::from(Arc::new(settings))), certificate))
    }

    /// Shakes hands.
    ///
    /// # Errors
    /// Says why not: the client was too slow, or it speaks something else.
    pub(super) async fn accept<S>(&self, socket: S, within: Duration) -> Result<TlsStream<S>, &'static str>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let shaken = timeout(within, self.0.accept(socket)).await;
        shaken.map_err(|_| "tls_timeout")?.map_err(|_| "tls_handshake")
    }
}

impl Certificate {
    /// Reads the files again on each SIGHUP, until `stop`. What cannot be used leaves the old certificate in place.
    ///
    /// # Errors
    /// The system does not let us listen for the signal.
    pub(super) fn reread_on_hangup(
        self: Arc<Self>,
        stop: CancellationToken,
    ) -> Result<impl Future<Output = ()> + Send, Error> {
        let mut hangup = signal(SignalKind::hangup()).map_err(Error::Signal)?;
        Ok(async move {
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = hangup.recv() => {}
                }
                match read(&self.files, &self.provider).await {
                    Ok(next) => {
                        *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
                        info!("the TLS certificate was read again");
                    }
                    Err(error) => error!(
                        error = &error as &dyn std::error::Error,
                        "the new TLS certificate cannot be used, the old one stays"
                    ),
                }
            }
        })
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

async fn read(files: &config::Tls, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, Error> {
    let chain: Vec<_> = {
        let text = text(&files.certificate).await?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        chain.and_then(|chain| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) })
    }
    .map_err(not_pem(&files.certificate, "a certificate chain"))?;
    let key = PrivateKeyDer::from_pem_slice(&text(&files.key).await?).map_err(not_pem(&files.key, "a private key"))?;
    CertifiedKey::from_der(chain, key, provider).map(Arc::new).map_err(Error::Unusable)
}

async fn text(path: &Path) -> Result<Vec<u8>, Error> {
    tokio::fs::read(path).await.map_err(|source| Error::Read { path: path.display().to_string(), source })
}

fn not_pem(path: &Path, what: &'static str) -> impl FnOnce(pem::Error) -> Error {
    move |source| Error::Pem { path: path.display().to_string(), what, source }
}
