//! Self-signed certificates for 127.0.0.1, created by tests.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

/// A certificate and its key, as PEM.
pub struct Made {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

impl Made {
    pub fn write(&self, certificate: &Path, key: &Path) {
        std::fs::write(certificate, &self.certificate).expect("written");
        std::fs::write(key, &self.key).expect("written");
    }
}

fn der(tag: u8, content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    let mut out = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short) if short < 0x80 => out.push(short),
        Ok(short) => out.extend([0x81, short]),
        Err(_) => {
            let length = u16::try_from(content.len()).expect("a small certificate").to_be_bytes();
            out.extend([0x82, length[0], length[1]]);
        }
    }
    out.extend(content);
    out
}

fn utc(time: SystemTime) -> Vec<u8> {
    let since = time.duration_since(UNIX_EPOCH).expect("a time").as_secs();
    let stamp = jiff::Timestamp::from_second(i64::try_from(since).expect("soon")).expect("a time");
    der(0x17, &[stamp.strftime("%y%m%d%H%M%SZ").to_string().as_bytes()])
}

fn pem(label: &str, der: &[u8]) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in der.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let index = usize::try_from((bits >> (18 - 6 * place)) & 63).expect("six bits");
            text.push(if place <= chunk.len() { char::from(alphabet[index]) } else { '=' });
        }
    }
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("ASCII")).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Creates one that is valid for `lifetime` from now on.
pub fn make(lifetime: Duration) -> Made {
    let rng = SystemRandom::new();
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &rng).expect("a key");
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.as_ref(), &rng)
        .expect("a key");
    // Object identifiers: ecdsa-with-SHA256, ecPublicKey, prime256v1, commonName, subjectAltName.
    let signed_by = der(0x30, &[&der(0x06, &[&[0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2]])]);
    let curve = der(
        0x30,
        &[
            &der(0x06, &[&[0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1]]),
            &der(0x06, &[&[0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7]]),
        ],
    );
    let common = der(0x30, &[&der(0x06, &[&[0x55, 4, 3]]), &der(0x0C, &[b"casedrop test"])]);
    let name = der(0x30, &[&der(0x31, &[&common])]);
    let now = SystemTime::now();
    let validity = der(0x30, &[&utc(now - Duration::from_secs(3600)), &utc(now + lifetime)]);
    let public = der(0x30, &[&curve, &der(0x03, &[&[0], pair.public_key().as_ref()])]);
    let address = der(0x30, &[&der(0x87, &[&[127, 0, 0, 1]])]);
    let extension = der(0x30, &[&der(0x06, &[&[0x55, 0x1D, 0x11]]), &der(0x04, &[&address])]);
    let extensions = der(0xA3, &[&der(0x30, &[&extension])]);
    let serial = u32::from_be_bytes(pair.public_key().as_ref()[1..5].try_into().expect("four"));
    let serial = der(0x02, &[&[1], &serial.to_be_bytes()]);
    let version = der(0xA0, &[&der(0x02, &[&[2]])]);
    let body =
        der(0x30, &[&version, &serial, &signed_by, &name, &validity, &name, &public, &extensions]);
    let signature = pair.sign(&rng, &body).expect("signed");
    let whole = der(0x30, &[&body, &signed_by, &der(0x03, &[&[0], signature.as_ref()])]);
    Made { certificate: pem("CERTIFICATE", &whole), key: pem("PRIVATE KEY", key.as_ref()) }
}
