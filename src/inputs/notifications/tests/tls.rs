//! The listener with its own certificate.

use super::*;
use crate::http::server::TlsFiles;
use casedrop_testing::certificate::{Made, make};

const YEAR: Duration = Duration::from_hours(365 * 24);

fn files(dir: &tempfile::TempDir) -> TlsFiles {
    let at = |name: &str| dir.path().join(name);
    TlsFiles { certificate: at("certificate.pem"), key: at("key.pem") }
}

/// The status of a test call by a client that trusts only that certificate.
async fn status(address: SocketAddr, trusted: &Made) -> Result<u16, reqwest::Error> {
    crate::http::client::install_provider();
    let authority = reqwest::Certificate::from_pem(trusted.certificate.as_bytes()).expect("PEM");
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([authority])
        .build()
        .expect("a client");
    let url = format!("https://{address}/itero/{SECRET}");
    Ok(client.get(url).send().await?.status().as_u16())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_used_without_a_restart_and_a_broken_one_is_not() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (files, first) = (files(&dir), make(YEAR));
    first.write(&files.certificate, &files.key);
    let listening = listen(Settings { tls: Some(files.clone()), ..settings() }).await;
    let address = listening.address;
    assert_eq!(status(address, &first).await.expect("trusted"), 200);
    let second = make(YEAR);
    assert!(status(address, &second).await.is_err(), "not this one");
    // A certificate without its key is of no use.
    std::fs::write(&files.certificate, &second.certificate).expect("written");
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(status(address, &first).await.expect("the old one stays"), 200);
    std::fs::write(&files.key, &second.key).expect("written");
    let began = Instant::now();
    while status(address, &second).await.is_err() {
        assert!(began.elapsed() < Duration::from_secs(30), "the new one is never used");
    }
    assert!(status(address, &first).await.is_err());
    let plain = client().get(listening.url("/")).send().await;
    assert!(plain.is_err(), "nothing is said unencrypted");
    listening.end().await;
}
