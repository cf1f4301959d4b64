//! The listener with a certificate of its own.

use super::certificates::{Made, make};
use super::*;

const YEAR: Duration = Duration::from_hours(365 * 24);

fn write(files: &TlsFiles, made: &Made) {
    std::fs::write(&files.certificate, &made.certificate).expect("written");
    std::fs::write(&files.key, &made.key).expect("written");
}

fn files(dir: &tempfile::TempDir) -> TlsFiles {
    let at = |name: &str| dir.path().join(name);
    TlsFiles { certificate: at("certificate.pem"), key: at("key.pem") }
}

/// The status of a test call by somebody who trusts that certificate only.
async fn status(address: SocketAddr, trusted: &Made) -> Result<u16, reqwest::Error> {
    crate::outgoing::install_provider();
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
    write(&files, &first);
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

#[test]
fn a_certificate_is_read_again_only_when_its_files_change() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (files, made) = (files(&dir), make(YEAR));
    write(&files, &made);
    let mut certificate = certificate::Certificate::load(&RealDisk, &files).expect("good");
    let mut look = || certificate.look(&files, certificate::read(&RealDisk, &files));
    assert!(matches!(look(), certificate::Seen::Same));
    std::fs::write(&files.key, "no key").expect("written");
    assert!(matches!(look(), certificate::Seen::Refused(_)));
    assert!(matches!(look(), certificate::Seen::Same), "it is told once");
    std::fs::remove_file(&files.key).expect("removed");
    assert!(matches!(look(), certificate::Seen::Refused(_)), "this is another trouble");
    assert!(matches!(look(), certificate::Seen::Same));
    write(&files, &made);
    assert!(matches!(look(), certificate::Seen::Same), "as before");
    write(&files, &make(YEAR));
    assert!(matches!(look(), certificate::Seen::Renewed));
}

#[test]
fn the_end_of_a_certificate_is_told_three_times_ahead() {
    let dir = tempfile::tempdir().expect("tempdir");
    let files = files(&dir);
    let day = Duration::from_hours(24);
    write(&files, &make(100 * day));
    let mut certificate = certificate::Certificate::load(&RealDisk, &files).expect("good");
    let now = std::time::SystemTime::now();
    let told: Vec<_> = (0..105)
        .filter_map(|days| {
            let left = certificate.ends_soon(now + day * days + Duration::from_secs(60));
            left.map(|left| (days, left))
        })
        .collect();
    assert_eq!(told, [(79, 20), (93, 6), (99, 0)]);
    assert_eq!(check_certificate(&RealDisk, &files, now).expect("good"), None);
    let soon = check_certificate(&RealDisk, &files, now + day * 90);
    assert_eq!(soon.expect("good"), Some(9));
}

#[test]
fn what_cannot_be_used_is_named_and_not_quoted() {
    let dir = tempfile::tempdir().expect("tempdir");
    let files = files(&dir);
    let (one, other) = (make(YEAR), make(YEAR));
    let fault = || certificate::Certificate::load(&RealDisk, &files).err().expect("refused");
    assert!(fault().chain().contains("certificate.pem"), "missing");
    write(&files, &Made { certificate: "nothing".to_owned(), key: one.key.clone() });
    assert!(fault().chain().contains("holds no certificate"), "{}", fault().chain());
    write(&files, &Made { certificate: one.certificate.clone(), key: "nothing".to_owned() });
    assert!(fault().chain().contains("key.pem"), "{}", fault().chain());
    write(&files, &Made { certificate: one.certificate, key: other.key });
    assert!(fault().chain().contains("cannot be used with its key"), "{}", fault().chain());
    assert!(fault().hint.expect("a hint").contains("notifications.tls"));
}
