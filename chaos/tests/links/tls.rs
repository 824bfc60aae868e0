//! A handshake that fails on a link, as a real TLS client meets it.
use std::{net::SocketAddr, sync::Arc};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use reqwest::Client;
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use crate::rig::{DEADLINE, Rig, serve_each};

/// A server that answers one HTTP request over TLS.
async fn https() -> SocketAddr {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![cert.into()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    serve_each(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok").await;
            let _ = stream.shutdown().await;
        }
    })
    .await
}

async fn get(rig: &Rig) -> Result<u16, String> {
    let client = Client::builder().danger_accept_invalid_certs(true).no_proxy().timeout(DEADLINE).build().unwrap();
    let answer = client.get(format!("https://localhost:{}/", rig.link.port())).send().await;
    answer.map(|answer| answer.status().as_u16()).map_err(|error| format!("{error:?}"))
}

#[tokio::test]
async fn a_tls_client_is_told_why_the_handshake_failed_until_the_fault_is_lifted() {
    let rig = Rig::new(https().await).await;
    assert_eq!(get(&rig).await, Ok(200));
    for (alert, said) in [(0, "HandshakeFailure"), (70, "ProtocolVersion"), (112, "UnrecognisedName")] {
        rig.add(json!({ "type": "tls_alert", "attributes": { "alert": alert } })).await;
        let failed = get(&rig).await.unwrap_err();
        assert!(failed.contains(&format!("AlertReceived({said}")), "{failed}");
        assert_eq!(rig.effects().await["toxics"].as_array().unwrap().last().unwrap()["connections"], 1);
        rig.remove("tls_alert_downstream").await;
        assert_eq!(get(&rig).await, Ok(200));
    }
    rig.links.stop().await;
}
