//! The keys that releases must be signed with. The public keys are built in, from
//! `packaging/release-keys.txt`.

use ring::signature::{ED25519, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::model::digest::hex;

const BUILT_IN: &str = include_str!("../../packaging/release-keys.txt");

/// Trusted public keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys(Vec<[u8; 32]>);

/// A signature, as stored in the file next to a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// The id of the key that made it.
    pub key: String,
    /// In hexadecimal.
    pub signature: String,
}

impl Keys {
    /// Returns the keys that this program trusts: those in the file that are not retired. Malformed
    /// lines are skipped; a test ensures that there are none.
    pub fn built_in() -> Self {
        Self(BUILT_IN.lines().filter_map(|line| read(line).ok().flatten()).collect())
    }

    /// Parses a key from its 64 hexadecimal digits.
    pub fn of_hex(text: &str) -> Option<Self> {
        Some(Self(vec![unhex(text)?.try_into().ok()?]))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the keys of which one must have signed an archive.
    pub(super) fn of_archives(&self) -> Vec<self_update::VerifyingKey> {
        self.0.clone()
    }

    /// Whether one of the signatures over `bytes` is by a trusted key.
    pub fn trust(&self, bytes: &[u8], signatures: &[Signature]) -> bool {
        signatures.iter().any(|one| {
            let Some(signature) = unhex(&one.signature) else { return false };
            self.0
                .iter()
                .filter(|key| id(*key) == one.key)
                .any(|key| UnparsedPublicKey::new(&ED25519, key).verify(bytes, &signature).is_ok())
        })
    }
}

/// Returns the id by which signatures refer to a public key.
pub fn id(public: &[u8]) -> String {
    hex(&Sha256::digest(public)[..8])
}

/// Parses the key of a line; `None` for comments, empty lines and retired keys.
fn read(line: &str) -> Result<Option<[u8; 32]>, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (state, key) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let key = unhex(key).and_then(|bytes| bytes.try_into().ok());
    match (state, key) {
        ("trusted", Some(key)) => Ok(Some(key)),
        ("retired", Some(_)) => Ok(None),
        _ => Err(format!("not a key: {line}")),
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) || !text.len().is_multiple_of(2) {
        return None;
    }
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use ring::signature::{Ed25519KeyPair, KeyPair as _};

    use super::*;

    #[test]
    fn each_line_of_the_built_in_file_makes_sense_and_none_is_a_test_key() {
        for line in BUILT_IN.lines() {
            let key = read(line).expect("a key or a comment");
            // Test keys are made of one repeated byte, as below.
            let is_test = |key: [u8; 32]| (0..=255).any(|seed| key == public(seed).1);
            assert!(!key.is_some_and(is_test), "{line}");
        }
    }

    fn public(seed: u8) -> (Ed25519KeyPair, [u8; 32]) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a key");
        let public = pair.public_key().as_ref().try_into().expect("32 bytes");
        (pair, public)
    }

    #[test]
    fn any_trusted_key_will_do_and_a_retired_one_will_not() {
        let (old, old_public) = public(1);
        let (new, new_public) = public(2);
        let by = |pair: &Ed25519KeyPair, key: &[u8]| Signature {
            key: id(key),
            signature: hex(pair.sign(b"text")),
        };
        let both = [by(&old, &old_public), by(&new, &new_public)];
        let line = |state: &str, key: &[u8]| format!("{state} {} somebody", hex(key));
        let keys = |lines: [String; 2]| {
            Keys(lines.iter().filter_map(|line| read(line).expect("a key")).collect())
        };
        let rotated = keys([line("retired", &old_public), line("trusted", &new_public)]);
        assert!(rotated.trust(b"text", &both) && rotated.trust(b"text", &both[1..]));
        assert!(!rotated.trust(b"text", &both[..1]), "the key is retired");
        assert!(!rotated.trust(b"other", &both) && !Keys::default().trust(b"text", &both));
        let claimed = Signature { key: id(&new_public), ..both[0].clone() };
        assert!(!rotated.trust(b"text", &[claimed]));
        let nonsense = Signature { signature: "zz".to_owned(), ..both[1].clone() };
        assert!(!rotated.trust(b"text", &[nonsense]));
        for bad in ["trusted", "trusted 00ff x", "believed 00", "trusted +1"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
