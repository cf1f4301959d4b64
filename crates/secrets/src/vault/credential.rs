//! A key provided by the service manager: systemd's `LoadCredential=` or
//! `LoadCredentialEncrypted=`, which can bind it to this PC's TPM. The administrator creates it.

use std::path::PathBuf;
use std::sync::Arc;

use secrecy::zeroize::Zeroizing;
use sha2::{Digest as _, Sha256};

use super::{Key, KeyVault, unusable};
use casedrop_disk::{Disk, read_limited};
use casedrop_model::fault::Fault;

/// The credential's name.
const NAME: &str = "casedrop-key";
/// Fewer bytes are not a key, but a mistake or a password.
const SHORTEST: usize = 32;
const MAX_BYTES: u64 = 64 * 1024;

pub struct Credential {
    disk: Arc<dyn Disk>,
    dir: Option<PathBuf>,
}

impl Credential {
    /// Reads credentials from `dir`, if the service manager named a folder.
    pub fn new(disk: Arc<dyn Disk>, dir: Option<PathBuf>) -> Self {
        Self { disk, dir }
    }

    fn read(&self) -> Result<Key, Fault> {
        let none = || unusable(format!("this process was given no credential {NAME}"));
        let path = self.dir.as_ref().ok_or_else(none)?.join(NAME);
        let bytes = match read_limited(&*self.disk, &path, MAX_BYTES) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(none()),
            read => Zeroizing::new(read?),
        };
        if bytes.len() < SHORTEST {
            let text = format!("the credential {NAME} is shorter than {SHORTEST} bytes");
            return Err(unusable(text).hint("create one of 32 random bytes"));
        }
        let digest = Sha256::new_with_prefix("casedrop credential\n").chain_update(&*bytes);
        Ok(Key::new(digest.finalize().into()))
    }
}

impl KeyVault for Credential {
    fn word(&self) -> &'static str {
        "credential"
    }

    fn name(&self) -> &'static str {
        "the systemd credential casedrop-key"
    }

    fn find(&self, id: &str) -> Result<Option<Key>, Fault> {
        self.read().map(|key| Some(key).filter(|key| key.id() == id))
    }

    fn current(&self) -> Result<Option<Key>, Fault> {
        self.read().map(Some)
    }

    fn make(&self) -> Result<Key, Fault> {
        self.read()
    }

    /// Does nothing: the key belongs to the administrator.
    fn forget(&self) -> Result<(), Fault> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use casedrop_disk::RealDisk;

    #[test]
    fn the_key_follows_from_the_credential_alone() {
        let dir = tempfile::tempdir().expect("tempdir");
        let vault = || Credential::new(Arc::new(RealDisk), Some(dir.path().to_path_buf()));
        assert!(vault().current().expect_err("none yet").message.contains(NAME));
        std::fs::write(dir.path().join(NAME), [1; 31]).expect("written");
        assert!(vault().current().expect_err("too short").message.contains("shorter"));
        std::fs::write(dir.path().join(NAME), [1; 40]).expect("written");
        let key = vault().current().expect("usable").expect("there");
        assert_eq!(vault().find(key.id()).expect("usable").expect("the same").id(), key.id());
        std::fs::write(dir.path().join(NAME), [2; 40]).expect("written");
        assert!(vault().find(key.id()).expect("usable").is_none(), "another credential");
        assert!(Credential::new(Arc::new(RealDisk), None).current().is_err());
    }
}
