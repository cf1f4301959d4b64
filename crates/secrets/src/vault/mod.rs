//! The system's vaults. Each keeps one 32-byte key per state directory, which seals the secrets.
//! Only the key is in the vault, because vaults limit sizes and cannot replace values durably in
//! one step.

#[cfg(target_os = "linux")]
mod credential;
#[cfg(windows)]
mod dpapi;
#[cfg(all(target_os = "linux", not(feature = "keyring")))]
mod no_keyring;
#[cfg(all(target_os = "linux", feature = "keyring"))]
mod secret_service;

use std::path::Path;
use std::sync::Arc;

use ring::rand::{SecureRandom as _, SystemRandom};
use secrecy::zeroize::Zeroize as _;
use secrecy::{ExposeSecret as _, SecretBox};
use sha2::{Digest as _, Sha256};

use casedrop_disk::Disk;
use casedrop_model::digest::hex;
use casedrop_model::fault::{Fault, FaultClass};

#[cfg(target_os = "linux")]
pub use credential::Credential;
#[cfg(windows)]
pub use dpapi::Dpapi;
#[cfg(all(target_os = "linux", not(feature = "keyring")))]
pub use no_keyring::SecretServiceVault;
#[cfg(all(target_os = "linux", feature = "keyring"))]
pub use secret_service::SecretServiceVault;

/// The word and the name of the desktop session's keyring. A build without it recognises by the
/// word what another build sealed.
#[cfg(target_os = "linux")]
const SECRET_SERVICE: (&str, &str) =
    ("secret-service", "the keyring of the desktop session (Secret Service)");

/// The length of a key in bytes.
pub const KEY_LEN: usize = 32;

/// A key for sealing. It cannot be printed.
pub struct Key {
    id: String,
    bytes: SecretBox<[u8; KEY_LEN]>,
}

/// Keeps the key of one state directory. Calls block, for a few seconds at most, and never prompt
/// the user.
pub trait KeyVault: Send + Sync {
    /// The word for this vault in sealed files.
    fn word(&self) -> &'static str;
    /// Its name shown to people.
    fn name(&self) -> &'static str;
    /// Returns the key with this id, if the vault has it.
    ///
    /// # Errors
    /// The vault cannot be used here and now.
    fn find(&self, id: &str) -> Result<Option<Key>, Fault>;
    /// Returns the key for new secrets, if there is one yet.
    ///
    /// # Errors
    /// The vault cannot be used here and now.
    fn current(&self) -> Result<Option<Key>, Fault>;
    /// Creates the key for new secrets. Only one process may do this at a time, and only if there
    /// is none: secrets sealed by an earlier key may never open again.
    ///
    /// # Errors
    /// The vault cannot be used here and now, or does not accept keys.
    fn make(&self) -> Result<Key, Fault>;
    /// Removes the key for new secrets, if any.
    fn forget(&self) -> Result<(), Fault>;
}

impl Key {
    /// Creates a random key; `None` if the system has no random numbers.
    pub fn random() -> Option<Self> {
        let mut bytes = [0; KEY_LEN];
        SystemRandom::new().fill(&mut bytes).ok()?;
        Some(Self::new(bytes))
    }

    /// Creates a key from its bytes.
    pub fn new(mut bytes: [u8; KEY_LEN]) -> Self {
        let id =
            hex(&Sha256::new_with_prefix("casedrop key id\n").chain_update(bytes).finalize()[..8]);
        let key = Self { id, bytes: SecretBox::new(Box::new(bytes)) };
        bytes.zeroize();
        key
    }

    /// Creates a key from bytes of a vault; `None` if there are too few or too many.
    #[cfg(any(windows, all(target_os = "linux", feature = "keyring")))]
    pub(super) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::new)
    }

    /// The id that identifies it; safe to show publicly.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn expose(&self) -> &[u8] {
        self.bytes.expose_secret()
    }
}

impl Clone for Key {
    fn clone(&self) -> Self {
        Self::new(*self.bytes.expose_secret())
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

/// Returns the vaults that this system may have, preferred ones first. Does not access them yet.
/// `dir` is the folder of the secrets' files.
#[cfg(target_os = "linux")]
pub fn of_system(disk: &Arc<dyn Disk>, dir: &Path) -> Vec<Arc<dyn KeyVault>> {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(std::path::PathBuf::from);
    vec![
        Arc::new(SecretServiceVault::new(Arc::clone(disk), dir)),
        Arc::new(Credential::new(Arc::clone(disk), credentials)),
    ]
}

/// Returns the vaults that this system may have, preferred ones first. Does not access them yet.
/// `dir` is the folder of the secrets' files.
#[cfg(windows)]
pub fn of_system(disk: &Arc<dyn Disk>, dir: &Path) -> Vec<Arc<dyn KeyVault>> {
    vec![Arc::new(Dpapi::new(Arc::clone(disk), dir))]
}

/// Returns no vaults: none is known for this system.
#[cfg(not(any(windows, target_os = "linux")))]
pub fn of_system(_disk: &Arc<dyn Disk>, _dir: &Path) -> Vec<Arc<dyn KeyVault>> {
    Vec::new()
}

/// The fault for a vault that cannot be used.
fn unusable(why: impl Into<String>) -> Fault {
    Fault::new(FaultClass::Local, "vault", why)
}

/// The fault for a system without random numbers.
#[cfg(any(windows, all(target_os = "linux", feature = "keyring")))]
fn no_randomness() -> Fault {
    unusable("the system provides no random numbers for a key").hint("restart this PC")
}

/// Decodes a hexadecimal text; `None` if it is not one.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_an_id_and_cannot_be_printed() {
        let key = Key::new([7; KEY_LEN]);
        assert_eq!(key.id(), key.clone().id());
        assert_ne!(key.id(), Key::new([8; KEY_LEN]).id());
        let shown = format!("{key:?}");
        assert!(!shown.contains(&hex(key.expose())) && !shown.contains("7, 7"), "{shown}");
    }

    #[test]
    fn hexadecimal_goes_there_and_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(unhex(&hex(&bytes)).expect("hex"), bytes);
        assert_eq!((unhex("0"), unhex("0g"), unhex("")), (None, None, Some(Vec::new())));
    }
}
