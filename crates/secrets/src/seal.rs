//! Sealing with ChaCha20-Poly1305 and a random nonce. A secret is bound to its purpose, so a sealed
//! file put in place of another does not open.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use secrecy::zeroize::Zeroizing;
use serde::{Deserialize, Serialize};

use super::vault::{Key, unhex};
use casedrop_model::digest::hex;

const SCHEMA: u32 = 2;

/// A sealed secret, as stored in its file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sealed {
    schema: u32,
    /// The word of the vault that holds the key.
    pub(super) vault: String,
    pub(super) key: String,
    nonce: String,
    #[serde(rename = "sealed")]
    content: String,
}

impl Sealed {
    /// Seals a secret. `None` if the system has no random numbers.
    pub(super) fn of(secret: &[u8], purpose: &str, vault: &str, key: &Key) -> Option<Self> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).ok()?;
        let mut bytes = secret.to_vec();
        cipher(key)?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(bound(purpose)),
                &mut bytes,
            )
            .ok()?;
        Some(Self {
            schema: SCHEMA,
            vault: vault.to_owned(),
            key: key.id().to_owned(),
            nonce: hex(nonce),
            content: hex(&bytes),
        })
    }

    /// Parses the sealed secret in a file; `None` if it is not sealed.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Self>(bytes).ok().filter(|sealed| sealed.schema == SCHEMA)
    }

    /// Returns the secret, given the right key and purpose, if it was not modified.
    pub(super) fn open(&self, purpose: &str, key: &Key) -> Option<Zeroizing<Vec<u8>>> {
        let nonce = Nonce::try_assume_unique_for_key(&unhex(&self.nonce)?).ok()?;
        let mut bytes = Zeroizing::new(unhex(&self.content)?);
        let opened = cipher(key)?.open_in_place(nonce, Aad::from(bound(purpose)), &mut bytes);
        let length = opened.ok()?.len();
        bytes.truncate(length);
        Some(bytes)
    }
}

fn cipher(key: &Key) -> Option<LessSafeKey> {
    UnboundKey::new(&CHACHA20_POLY1305, key.expose()).ok().map(LessSafeKey::new)
}

fn bound(purpose: &str) -> String {
    format!("casedrop sealed {SCHEMA}\n{purpose}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(key: &Key) -> Sealed {
        Sealed::of(b"top secret", "login smile-lab", "test", key).expect("sealed")
    }

    #[test]
    fn what_was_sealed_opens_with_its_key_and_for_its_purpose_only() {
        let (key, other) = (Key::random().expect("a key"), Key::random().expect("a key"));
        let bytes = serde_json::to_vec(&sealed(&key)).expect("writable");
        let sealed = Sealed::read(&bytes).expect("sealed");
        assert_eq!(sealed.open("login smile-lab", &key).expect("opens").as_slice(), b"top secret");
        assert!(sealed.open("login other-lab", &key).is_none());
        assert!(sealed.open("login smile-lab", &other).is_none());
    }

    #[test]
    fn a_changed_byte_anywhere_is_noticed() {
        let key = Key::random().expect("a key");
        for at in 0..26 {
            let mut sealed = sealed(&key);
            let mut bytes = unhex(&sealed.content).expect("hex");
            bytes[at] ^= 1;
            sealed.content = hex(&bytes);
            assert!(sealed.open("login smile-lab", &key).is_none(), "byte {at}");
        }
        let nonce = Sealed { nonce: "00".to_owned(), ..sealed(&key) };
        assert!(nonce.open("login smile-lab", &key).is_none());
    }

    #[test]
    fn the_same_secret_never_looks_the_same() {
        let key = Key::random().expect("a key");
        assert_ne!(sealed(&key).content, sealed(&key).content);
    }

    #[test]
    fn what_is_not_sealed_is_told_apart() {
        assert!(Sealed::read(br#"{"schema":1,"access_token":"x"}"#).is_none());
        assert!(Sealed::read(b"a plain text").is_none());
    }
}
