//! Stores secrets between runs: logins (tokens, and the account a lab is paired with), and a few
//! named texts such as the secret of the callback URL.
//!
//! What is saved is durable when [`SecretStore::save`] returns, because refresh tokens may rotate:
//! the old one is dead once the new one was issued. Several processes (the service, a command)
//! share a store; to change a login, hold its lock and read the login again under the lock.
//!
//! [`FileSecrets`] keeps one file per secret below the state directory, readable only by its owner
//! and, if the system has a [vault](KeyVault), sealed with a key from there: a copy of the files is
//! useless on another PC or in a backup. On Windows, permissions are inherited from the state
//! directory, so that directory must be closed to other users (the installer takes care of it).

mod file;
mod memory;
mod seal;
mod stored;
pub mod vault;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use casedrop_disk::{Disk, LockGuard};
use casedrop_model::fault::Fault;
use casedrop_model::ids::LabName;
pub use casedrop_model::remote::PairedAccount;

pub use file::{FileSecrets, Keeping};
pub use memory::MemorySecrets;
pub use vault::{Key, KeyVault};

/// Fault code for a secret that exists and cannot be read. A new login replaces it.
pub const UNREADABLE: &str = "login-unreadable";
/// Fault code for a secret whose key is unavailable here. A new login replaces it too.
pub const SEALED: &str = "login-sealed";

/// One lab's login.
#[derive(Debug, Clone)]
pub struct Login {
    /// Proves who is calling.
    pub access: SecretString,
    /// Buys the next access token.
    pub refresh: Option<SecretString>,
    /// When the access token was issued, by this PC's clock.
    pub issued_at: SystemTime,
    /// How long it is valid from then on.
    pub lifetime: Duration,
    /// The account the lab is paired with.
    pub account: Option<PairedAccount>,
    /// The refresh token that bought the current tokens, kept until they have bought new ones.
    pub former: Option<SecretString>,
    /// A renewal that has begun and whose answer is not saved: it may be lost.
    pub renewal: Option<Renewal>,
}

/// A renewal that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    /// When it began, by this PC's clock.
    pub begun_at: SystemTime,
    /// The code of the fault that lost its answer; `None` if no such fault is known.
    pub lost: Option<String>,
}

/// Stores secrets. Calls block briefly.
pub trait SecretStore: Send + Sync {
    /// Returns the lab's login, if there is one.
    fn load(&self, lab: &LabName) -> Result<Option<Login>, Fault>;
    /// Replaces the lab's login; durable on return.
    fn save(&self, lab: &LabName, login: &Login) -> Result<(), Fault>;
    /// Removes the lab's login, if any. When the last login goes, the named texts and the key in
    /// the vault go too.
    fn remove(&self, lab: &LabName) -> Result<(), Fault>;
    /// Takes the lock on the lab's login; `None` if it is already held.
    fn try_lock(&self, lab: &LabName) -> Result<Option<LockGuard>, Fault>;
    /// Returns the secret with this name, if there is one. Names are chosen by us: plain words.
    fn load_text(&self, name: &str) -> Result<Option<SecretString>, Fault>;
    /// Returns the secret with this name if it is `good`; otherwise saves what `make` returns, and
    /// returns that. All who do this at the same time get the same one.
    fn ensure_text(
        &self,
        name: &str,
        good: &dyn Fn(&SecretString) -> bool,
        make: &dyn Fn() -> Result<SecretString, Fault>,
    ) -> Result<SecretString, Fault>;
    /// Saves a secret under this name; durable on return.
    fn save_text(&self, name: &str, text: &SecretString) -> Result<(), Fault>;
    /// Removes the secret with this name, if any.
    fn remove_text(&self, name: &str) -> Result<(), Fault>;
}

/// Where the agent's logins and other secrets are stored. Their files are below the state directory
/// in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SecretsIn {
    /// Sealed with a key in the system's vault; if there is no vault, plain but closed to others.
    #[default]
    Auto,
    /// Sealed, or not at all.
    Vault,
    /// Plain, but closed to others.
    File,
}

/// Opens the secrets of an agent with this state directory. Does not access the system yet.
pub fn open(state: &Path, kept: SecretsIn, disk: Arc<dyn Disk>) -> FileSecrets {
    let vaults = vault::of_system(&disk, &folder(state));
    FileSecrets::with_vaults(disk, state, kept, vaults)
}

/// Returns the folder of secrets below a state directory.
pub fn folder(state: &Path) -> std::path::PathBuf {
    state.join("secrets")
}
