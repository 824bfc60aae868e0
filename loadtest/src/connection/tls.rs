//! TLS towards the target: whom to believe, and the handshake.
//!
//! Every handshake is a full one: sessions are not resumed, because a cache shared by all users would spare one user what another has done.
use super::{Connection, Http};
use crate::{client::Failure, target::Target};
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{
        CertificateDer, ServerName, UnixTime,
        pem::{self, PemObject as _},
    },
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Why connections cannot be opened as the scenario says.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The authorities' file is not there, or not what it should be.
    #[error("cannot read certificates from {path}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// The file holds no certificate.
    #[error("{path} holds no certificate")]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A certificate of the file is none.
    #[error("a certificate in {path} cannot be used")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// A setting of TLS was given for a target without.
    #[error("`load.connection.{key}` is for https, and the target is {url}")]
    NotTls {
        /// The setting.
        key: &'static str,
        /// The target.
        url: String,
    },
}

/// What makes a connection a TLS connection.
pub(super) struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
    http: Http,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tls({:?})", self.name)
    }
}

impl Connection {
    /// Reads the authorities' file, if one is given, so that a mistake in it shows before anything is started.
    ///
    /// # Errors
    /// When it cannot be read or holds no certificate.
    pub fn check_ca_file(&self) -> Result<(), Error> {
        self.ca_file.as_deref().map_or(Ok(()), |path| roots_of(path).map(drop))
    }
}

impl Tls {
    /// TLS 1.2 and 1.3 towards a target; `None` for one without.
    pub(super) fn towards(target: &Target, settings: &Connection) -> Result<Option<Self>, Error> {
        let Some(name) = target.server_name() else {
            let given = [("ca_file", settings.ca_file.is_some()), ("insecure", settings.insecure)];
            return match given.into_iter().find(|(_, is_given)| *is_given) {
                Some((key, _)) => Err(Error::NotTls { key, url: target.url().to_owned() }),
                None => Ok(None),
            };
        };
        let roots = match &settings.ca_file {
            Some(path) => roots_of(path)?,
            None => RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect("the provider has suites for both versions");
        let mut config = match settings.insecure {
            true => builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider))),
            false => builder.with_root_certificates(roots),
        }
        .with_no_client_auth();
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![match settings.http {
            Http::One => b"http/1.1".to_vec(),
            Http::Two => b"h2".to_vec(),
        }];
        let connector = TlsConnector::from(Arc::new(config));
        Ok(Some(Self { connector, name: name.clone(), http: settings.http }))
    }

    /// Shakes hands; the certificate must be of a believed authority, valid now, and for the target's name.
    pub(super) async fn handshake(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, Failure> {
        let failed = |source| Failure::Tls { host: self.name.to_str().into_owned(), source };
        let stream = self.connector.connect(self.name.clone(), stream).await.map_err(failed)?;
        match (self.http, stream.get_ref().1.alpn_protocol()) {
            (Http::One, _) | (Http::Two, Some(b"h2")) => Ok(stream),
            (Http::Two, _) => Err(Failure::NotHttp2),
        }
    }
}

fn roots_of(path: &Path) -> Result<RootCertStore, Error> {
    let unreadable = |source| Error::Pem { path: path.to_owned(), source };
    let unusable = |source| Error::Certificate { path: path.to_owned(), source };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
        roots.add(certificate.map_err(unreadable)?).map_err(unusable)?;
    }
    if roots.is_empty() { Err(Error::NoCertificate { path: path.to_owned() }) } else { Ok(roots) }
}

/// Believes anybody. That whoever answers holds the key of the certificate shown is still checked.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
