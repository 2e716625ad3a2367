//! Receivers that speak TLS: events go to those whose certificate an authority of this machine has signed.

use std::{fs, net::SocketAddr, path::Path, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivateKeyDer},
};

use super::{
    receiver::Receiver,
    restart::{enter, listen, start_under, until_waiting},
};
use crate::{
    api::world::SECRET,
    process::{Data, Process},
};

/// TLS before a receiver; returns where it listens and writes down the certificate with which it does.
async fn in_front_of(receiver: &Receiver, certificate: &Path) -> SocketAddr {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let pem = format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        STANDARD.encode(made.cert.der())
    );
    fs::write(certificate, pem).unwrap();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let url = receiver.url.strip_prefix("http://").unwrap();
    let behind = url.split('/').next().unwrap().to_owned();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, behind) = (acceptor.clone(), behind.clone());
            tokio::spawn(async move {
                // Who does not trust the certificate goes away in the middle.
                let Ok(mut outer) = acceptor.accept(stream).await else {
                    return;
                };
                let mut inner = TcpStream::connect(behind).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut outer, &mut inner).await;
            });
        }
    });
    address
}

/// A server on a machine that trusts one certificate.
fn trusting(data: &Data, certificate: &Path) -> (Process, parlor::opentok::OpenTok) {
    let file = format!("SSL_CERT_FILE={}", certificate.display());
    start_under(&["env", &file, "SSL_CERT_DIR=/nowhere"], data)
}

#[tokio::test(flavor = "multi_thread")]
async fn events_go_to_a_trusted_receiver_and_wait_for_one_that_is_not() {
    let files = tempfile::tempdir().unwrap();
    let certificate = files.path().join("certificate.pem");
    let receiver = Receiver::start();
    let address = in_front_of(&receiver, &certificate).await;
    let data = Data::empty();
    let other = files.path().join("other.pem");
    in_front_of(&receiver, &other).await;

    let (server, sdk) = trusting(&data, &other);
    listen(
        &data,
        &format!("https://localhost:{}/events", address.port()),
    );
    let session = sdk.create_session(&Default::default()).await.unwrap();
    let person = enter(&server, &session).await;
    until_waiting(&server, 2).await;
    assert_eq!(receiver.heard().len(), 0);
    drop(person);
    let log = server.kill();
    assert!(log.contains("certificate"), "{log}");

    let (_server, _) = trusting(&data, &certificate);
    let heard = receiver.until_taken("connectionCreated").await;
    assert!(heard.iter().all(|d| d.is_signed_with(SECRET)));
}
