//! Stands in for the desktop session's keyring in a program built without the feature `keyring`. It
//! knows the vault's name, so that a login that another build sealed is not taken for one of another
//! system.

use std::path::Path;
use std::sync::Arc;

use super::{Key, KeyVault, SECRET_SERVICE, unusable};
use casedrop_disk::Disk;
use casedrop_model::fault::Fault;

pub struct SecretServiceVault;

impl SecretServiceVault {
    pub fn new(_disk: Arc<dyn Disk>, _dir: &Path) -> Self {
        Self
    }
}

impl KeyVault for SecretServiceVault {
    fn word(&self) -> &'static str {
        SECRET_SERVICE.0
    }

    fn name(&self) -> &'static str {
        SECRET_SERVICE.1
    }

    fn find(&self, _id: &str) -> Result<Option<Key>, Fault> {
        Err(not_built_in())
    }

    fn current(&self) -> Result<Option<Key>, Fault> {
        Err(not_built_in())
    }

    fn make(&self) -> Result<Key, Fault> {
        Err(not_built_in())
    }

    fn forget(&self) -> Result<(), Fault> {
        Err(not_built_in())
    }
}

fn not_built_in() -> Fault {
    unusable("this program was built without support for keyrings")
        .hint("use a program from Casedrop's packages, or build it with `--features keyring`")
}
