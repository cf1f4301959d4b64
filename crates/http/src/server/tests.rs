//! Tests of a listener's certificate, with files that change.

use std::time::{Duration, SystemTime};

use super::TlsFiles;
use super::certificate::{Certificate, Seen, read};
use super::{Listener, check_certificate};
use casedrop_disk::RealDisk;
use casedrop_testing::certificate::{Made, make};

const YEAR: Duration = Duration::from_hours(365 * 24);
const PAGE: Listener = Listener::STATUS_PAGE;

fn files(dir: &tempfile::TempDir) -> TlsFiles {
    let at = |name: &str| dir.path().join(name);
    TlsFiles { certificate: at("certificate.pem"), key: at("key.pem") }
}

fn write(made: &Made, files: &TlsFiles) {
    made.write(&files.certificate, &files.key);
}

#[test]
fn a_certificate_is_read_again_only_when_its_files_change() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (files, made) = (files(&dir), make(YEAR));
    write(&made, &files);
    let mut certificate = Certificate::load(&RealDisk, PAGE, &files).expect("good");
    let mut look = || certificate.look(PAGE, &files, read(&RealDisk, &files));
    assert!(matches!(look(), Seen::Same));
    std::fs::write(&files.key, "no key").expect("written");
    assert!(matches!(look(), Seen::Refused(_)));
    assert!(matches!(look(), Seen::Same), "it is told once");
    std::fs::remove_file(&files.key).expect("removed");
    assert!(matches!(look(), Seen::Refused(_)), "this is another trouble");
    assert!(matches!(look(), Seen::Same));
    write(&made, &files);
    assert!(matches!(look(), Seen::Same), "as before");
    write(&make(YEAR), &files);
    assert!(matches!(look(), Seen::Renewed));
}

#[test]
fn the_end_of_a_certificate_is_told_three_times_ahead() {
    let dir = tempfile::tempdir().expect("tempdir");
    let files = files(&dir);
    let day = Duration::from_hours(24);
    write(&make(100 * day), &files);
    let mut certificate = Certificate::load(&RealDisk, PAGE, &files).expect("good");
    let now = SystemTime::now();
    let told: Vec<_> = (0..105)
        .filter_map(|days| {
            let left = certificate.ends_soon(now + day * days + Duration::from_secs(60));
            left.map(|left| (days, left))
        })
        .collect();
    assert_eq!(told, [(79, 20), (93, 6), (99, 0)]);
    assert_eq!(check_certificate(&RealDisk, PAGE, &files, now).expect("good"), None);
    let soon = check_certificate(&RealDisk, PAGE, &files, now + day * 90);
    assert_eq!(soon.expect("good"), Some(9));
}

#[test]
fn what_cannot_be_used_is_named_and_not_quoted() {
    let dir = tempfile::tempdir().expect("tempdir");
    let files = files(&dir);
    let (one, other) = (make(YEAR), make(YEAR));
    let fault = || Certificate::load(&RealDisk, PAGE, &files).err().expect("refused");
    assert!(fault().chain().contains("certificate.pem"), "missing");
    write(&Made { certificate: "nothing".to_owned(), key: one.key.clone() }, &files);
    assert!(fault().chain().contains("contains no certificate"), "{}", fault().chain());
    write(&Made { certificate: one.certificate.clone(), key: "nothing".to_owned() }, &files);
    assert!(fault().chain().contains("key.pem"), "{}", fault().chain());
    write(&Made { certificate: one.certificate, key: other.key }, &files);
    assert!(fault().chain().contains("cannot be used with its key"), "{}", fault().chain());
    assert!(fault().hint.expect("a hint").contains("status_page.tls"));
}
