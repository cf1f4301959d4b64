//! Where secrets are kept between runs: logins (tokens, and the account that a lab is paired with),
//! and a few named texts such as the secret of the callback URL.
//!
//! What is saved is durable when [`SecretStore::save`] returns, since refresh tokens may rotate: the
//! old one is dead once the new one was handed out. Several processes (the service, a command) share
//! a store; whoever changes a login holds its lock meanwhile and reads it again under the lock.
//!
//! [`FileSecrets`] keeps one file per secret below the state directory, readable by its owner only,
//! and, where the system has a [vault](KeyVault), sealed with a key that lies there: a copy of the
//! files is of no use on another PC or in a backup. On Windows the rights are those that the state
//! directory hands down, so that directory must be closed to other users (the installer sees to it).

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
use casedrop_model::ids::{AccountId, LabName};

pub use file::{FileSecrets, Keeping};
pub use memory::MemorySecrets;
pub use vault::{Key, KeyVault};

/// The code of the fault for a secret that is there and cannot be read. A new login replaces it.
pub const UNREADABLE: &str = "login-unreadable";
/// The code of the fault for a secret whose key cannot be had here. A new login replaces it too.
pub const SEALED: &str = "login-sealed";

/// One lab's login.
#[derive(Debug, Clone)]
pub struct Login {
    /// Proves who is calling.
    pub access: SecretString,
    /// Buys the next access token.
    pub refresh: Option<SecretString>,
    /// When the access token was handed out, by this PC's clock.
    pub issued_at: SystemTime,
    /// How long it lives from then on.
    pub lifetime: Duration,
    /// The account that the lab is paired with.
    pub account: Option<PairedAccount>,
    /// What bought the tokens of today, until they have bought others.
    pub former: Option<SecretString>,
    /// A renewal that has begun and whose answer is not saved: perhaps it is lost.
    pub renewal: Option<Renewal>,
}

/// A renewal that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    /// When, by this PC's clock.
    pub begun_at: SystemTime,
    /// The code of the fault by which its answer was lost; `None`: nothing is known of one.
    pub lost: Option<String>,
}

/// The account that a lab is paired with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairedAccount {
    /// Its number.
    pub id: AccountId,
    /// Its name, where Align told.
    pub name: Option<String>,
}

/// Keeps secrets. Calls block, shortly.
pub trait SecretStore: Send + Sync {
    /// The lab's login, if there is one.
    fn load(&self, lab: &LabName) -> Result<Option<Login>, Fault>;
    /// Replaces the lab's login; it is durable when this returns.
    fn save(&self, lab: &LabName, login: &Login) -> Result<(), Fault>;
    /// Forgets the lab's login. None being there is fine. With the last login, the named texts and
    /// the key in the vault are forgotten too.
    fn remove(&self, lab: &LabName) -> Result<(), Fault>;
    /// Takes the lock on the lab's login; `None` while somebody else holds it.
    fn try_lock(&self, lab: &LabName) -> Result<Option<LockGuard>, Fault>;
    /// The secret of that name, if there is one. The names are ours: plain words.
    fn load_text(&self, name: &str) -> Result<Option<SecretString>, Fault>;
    /// Keeps a secret of that name; it is durable when this returns.
    fn save_text(&self, name: &str, text: &SecretString) -> Result<(), Fault>;
    /// Forgets the secret of that name. None being there is fine.
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

/// The secrets of an agent with this state directory. Nothing is asked of the system yet.
pub fn open(state: &Path, kept: SecretsIn, disk: Arc<dyn Disk>) -> FileSecrets {
    let vaults = vault::of_system(&disk, &folder(state));
    FileSecrets::with_vaults(disk, state, kept, vaults)
}

/// Where secrets lie below a state directory.
pub fn folder(state: &Path) -> std::path::PathBuf {
    state.join("secrets")
}
